"""The one place where the mode is chosen: which clock, which market, which venue, which draws.

Everything below works on the ports that are put together here, and knows no mode.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
import structlog

from bot.core.book import Book
from bot.core.history import RebalanceHistory
from bot.daemon import paper
from bot.daemon.back_off import FileBackOff
from bot.daemon.draws import DrawSource, SeededDraws, SystemDraws
from bot.daemon.ownership import Ownership
from bot.daemon.pacer import Pacer
from bot.daemon.supervision import Supervisor
from bot.daemon.timers import Timers, WallTimers
from bot.errors import UserError
from bot.journal import projections
from bot.journal.high_water import MARK_FILE
from bot.journal.journal import Identity, Journal
from bot.journal.sqlite import JOURNAL_FILE
from bot.settings import Settings
from bot.venue.cash import BySpot
from bot.venue.ccxt_client import import_ccxt
from bot.venue.clock import Clock, WallClock
from bot.venue.errors import Unreachable
from bot.venue.profile import Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue

if TYPE_CHECKING:
    from bot.exchange import Exchange, ExchangeConfig

Embedded: TypeAlias = "ExchangeConfig"
"""The exchange that runs inside this process, as the settings describe it."""

DEFAULT_EXCHANGE = "binanceusdm"


@dataclass(frozen=True, slots=True)
class World:
    """What the mode decides. `pacer` is there on a paper exchange, `exchange` where it runs in this process.

    `loaded` is what the journal holds of each fund. `ownership.open()` gives the journal, and makes a new
    file only when it is first called: a start that is refused leaves nothing behind.
    """

    ownership: Ownership
    loaded: dict[str, tuple[Book, RebalanceHistory]]
    venue: Venue
    clock: Clock
    timers: Timers
    draws: DrawSource
    pacer: Pacer | None = None
    exchange: "Exchange | None" = None


def judge(settings: Settings) -> "Embedded | None":
    """Find what is wrong with the settings and can be known without writing or reaching anything.

    Returns the embedded exchange's configuration, where there is to be one. Raises `UserError`, `PriceError`.
    """
    names = sorted({settings.accounts[fund.account].exchange for fund in settings.funds})
    if len(names) > 1:
        raise UserError(
            f"INBAND_ACCOUNTS: one daemon serves one exchange, the funds' accounts name {', '.join(names)}; "
            "run one daemon for each"
        )
    if settings.mode != "paper":
        return None
    if not settings.funds:
        raise UserError(
            "INBAND_FUNDS: no fund is enabled, so there is nothing to rehearse; enable one, for example "
            "INBAND_FUNDS__BTCUP__ENABLED=true"
        )
    return paper.exchange_config(settings) if settings.paper.url is None else None


async def open_world(
    stack: AsyncExitStack,
    settings: Settings,
    embedded: "Embedded | None",
    supervisor: Supervisor,
    standing_by: Callable[[str | None], None],
    alive: Callable[[], None],
) -> World:
    """Open journal, market and venue; the stack closes them.

    `standing_by` hears for whom this process waits while the accounts belong to another one. `alive` is
    called again and again while a long journal is folded, and the event loop stands still.
    """
    ownership = Ownership(stack, settings, identity_of(settings), WallClock())
    if settings.database_url is not None:
        # A standby has it before it takes over: then each second counts.
        await asyncio.to_thread(import_ccxt)
        await ownership.take(settings.database_url, supervisor, standing_by)
    elif (settings.data_dir / JOURNAL_FILE).exists() or (settings.data_dir / MARK_FILE).exists():
        ownership.open()
    if settings.mode == "paper":
        return await _open_paper(stack, settings, embedded, ownership, alive)
    return await _open_real(stack, settings, ownership, alive)


async def _open_paper(
    stack: AsyncExitStack,
    settings: Settings,
    embedded: "Embedded | None",
    ownership: Ownership,
    alive: Callable[[], None],
) -> World:
    """The journal comes first: it knows how far market time had come."""
    loaded = _load(settings, ownership.journal, alive)
    if embedded is not None:
        ownership.open()  # its lock also keeps a second process off the exchange's store
    exchange = None if embedded is None else await paper.start_embedded(stack, embedded)
    url = exchange.url if exchange is not None else settings.paper.url or ""
    session = await stack.enter_async_context(aiohttp.ClientSession())
    last_ms = max((book.last_time_ms for book, _ in loaded.values()), default=0)
    pacer = await Pacer.attach(session, url, last_ms or None)
    stack.push_async_callback(pacer.close)
    venue = await _open_venue(stack, settings, pacer.clock, url)
    seed = settings.paper.seed
    draws = SystemDraws() if seed is None else SeededDraws(seed)
    return World(ownership, loaded, venue, pacer.clock, pacer, draws, pacer, exchange)


async def _open_real(
    stack: AsyncExitStack, settings: Settings, ownership: Ownership, alive: Callable[[], None]
) -> World:
    """A new journal file is made only once the venue is reached."""
    clock = WallClock()
    venue = await _open_venue(stack, settings, clock, None)
    for fund in settings.funds:
        venue.markets.contract(fund.underlying, 1)  # what it does not list is a mistake
    loaded = _load(settings, ownership.journal, alive)
    return World(ownership, loaded, venue, clock, WallTimers(), SystemDraws())


async def _open_venue(stack: AsyncExitStack, settings: Settings, clock: Clock, url: str | None) -> Venue:
    profile = profile_named(one_exchange(settings))
    cash = None if url is None else BySpot(profile)  # play money, which we move ourselves
    back_off = FileBackOff(settings.data_dir, clock.wall_ms)
    venue = Venue(profile, Environment(settings.mode), clock, paper_url=url, back_off=back_off, cash=cash)
    await stack.enter_async_context(venue)
    log = structlog.get_logger()
    log.info("starting", mode=settings.mode, exchange=profile.name, hosts=list(venue.hosts))
    if sys.stdout.isatty():
        sys.stdout.write(f"mode {settings.mode}: {profile.name} at {', '.join(venue.hosts)}\n")

    def unreachable(error: Unreachable, attempt: int, pause_s: float) -> None:
        log.warning(
            "venue_unreachable",
            host=error.host,
            reason=error.reason,
            attempt=attempt,
            retry_in_s=round(pause_s, 1),
            trading="nothing is traded until it is reached",
        )

    await venue.markets.load(unreachable)
    return venue


def _load(
    settings: Settings, journal: Journal | None, alive: Callable[[], None]
) -> dict[str, tuple[Book, RebalanceHistory]]:
    """What the journal holds of each fund: of a journal that is not there yet, nothing."""
    if journal is None:
        return {fund.name: (Book(), RebalanceHistory(fund.name)) for fund in settings.funds}
    return {fund.name: load_fund(journal, fund.name, alive) for fund in settings.funds}


def load_fund(journal: Journal, fund: str, alive: Callable[[], None]) -> tuple[Book, RebalanceHistory]:
    """A fund's durable state, and the history of its rebalances; what took long to fold is kept."""
    book, history = projections.refresh(journal, fund, alive).values
    return book, history


def identity_of(settings: Settings) -> Identity:
    """What the journal of these settings belongs to for ever."""
    return Identity(settings.mode, f"{one_exchange(settings)}@{settings.mode}")


def one_exchange(settings: Settings) -> str:
    """The one exchange of all funds; without a fund, the accounts' or else the default."""
    accounts = [settings.accounts[fund.account] for fund in settings.funds] or list(
        settings.accounts.values()
    )
    return accounts[0].exchange if accounts else DEFAULT_EXCHANGE
