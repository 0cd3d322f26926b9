"""Taking the funds up: account prepared, contract known, state recovered, streams started."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from bot.core.commands import FetchAccount, FetchTouch
from bot.core.engine import start
from bot.core.events import AccountSeen, Reconfigured, TouchSeen
from bot.core.fund import Contract, Fund
from bot.core.margin import Maintenance
from bot.core.units import ZERO
from bot.core.watch_events import SettingsSeen
from bot.daemon.capital import refuse_small_capital
from bot.daemon.clock_watch import ClockWatch
from bot.daemon.fallback import MarkFallback
from bot.daemon.metering import MeteredGateway, MeteredJournal
from bot.daemon.operations import Operations
from bot.daemon.runner import Gateway, Runner
from bot.daemon.settings_watch import KeyJudge, SettingsWatch
from bot.daemon.supervision import Supervisor
from bot.daemon.wiring import World
from bot.errors import RefusedError, UserError
from bot.settings import Account, Settings
from bot.venue.account import AccountGateway
from bot.venue.errors import Unreachable
from bot.venue.profile import CcxtClient, Credentials

if TYPE_CHECKING:
    from bot.journal.journal import Appender

_RETRY_S = 5.0
LOOK_AT_CONTRACTS_EVERY_S = 3_600.0
_RECENT_MS = 300_000
"""Income that is older than this, in market time, is not read again."""


async def prepare_funds(settings: Settings, world: World) -> "list[Prepared]":
    """Have every account ready. Nothing is written before each has proved fit for its fund."""
    return [await _prepare(fund, settings.accounts[fund.account], world) for fund in settings.funds]


def take_up_funds(
    prepared: "list[Prepared]",
    settings: Settings,
    world: World,
    operations: Operations,
    supervisor: Supervisor,
    *,
    adopt: bool,
) -> dict[str, int]:
    """Bring every fund to work.

    Returns how far each fund's journal went before: what this process makes of it comes after that place.
    """
    if not prepared:
        return {}
    journal = world.ownership.open()
    places = {ready.fund.name: journal.position(ready.fund.name) for ready in prepared}
    for ready in prepared:
        runner = _start(ready, world, operations, supervisor, adopt=adopt)
        digest = settings.digest(ready.fund.name)
        runner.handle(Reconfigured(*runner.now(), ready.fund, digest, "start", "the settings of this start"))
    feed = world.venue.mark_feed(operations.symbols, operations.marked, operations.feed_lost)
    feed.on_contract = operations.contract_due
    supervisor.every(LOOK_AT_CONTRACTS_EVERY_S, operations.contracts_due)
    supervisor.keep("mark feed", feed.run)
    supervisor.keep("mark fallback", MarkFallback(operations, world.venue.mark).run)
    return places


class Prepared(NamedTuple):
    """A fund and what is ready for it; `account` is what a new fund begins on.

    `key_problem`: what is wrong with the key of a fund that is under way, and not with that of a new one.
    """

    fund: Fund
    contract: Contract
    client: CcxtClient
    gateway: AccountGateway
    account: AccountSeen | None
    key: KeyJudge
    key_problem: str | None


async def _prepare(fund: Fund, account: Account, world: World) -> Prepared:
    venue = world.venue
    client = venue.client(Credentials(account.api_key, account.secret, account.password or ""))
    leverage, brackets = await _when_reached(
        venue.gateway(client, venue.markets.contract(fund.underlying, 1)), fund
    )
    contract = replace(venue.markets.contract(fund.underlying, leverage), maintenance=brackets)
    gateway = venue.gateway(client, contract)
    book, _ = world.loaded[fund.name]
    key = KeyJudge(fund.name, partial(gateway.key_problem, fund.account))
    problem = await key.problem()
    if problem is not None and book.created is None:
        raise UserError(problem)
    found = await _account_of_new_fund(fund, contract, gateway) if book.created is None else None
    return Prepared(fund, contract, client, gateway, found, key, problem)


def _start(
    ready: Prepared, world: World, operations: Operations, supervisor: Supervisor, *, adopt: bool
) -> Runner:
    book, history = world.loaded[ready.fund.name]
    state = start(ready.fund, ready.contract, book)
    gateway: Gateway = ready.gateway
    journal: Appender = world.ownership.open()
    if operations.metrics is not None:
        gateway = MeteredGateway(gateway, operations.metrics.order_timer(ready.fund.name))
        journal = MeteredJournal(journal, operations.metrics.journal_timer)
    runner = Runner(state, gateway, journal, world.clock, world.draws, operations.changed)
    operations.add(runner, history)
    stream = world.venue.order_stream(ready.client, ready.contract.symbol, runner.heard, runner.missed_news)
    supervisor.keep(f"order stream of {ready.fund.name}", stream.run)
    account = ready.account
    if account is None:
        runner.begin(ZERO, adopt=adopt, taken_from=world.ownership.taken_from)
    else:
        since_ms = account.time_ms - _RECENT_MS
        known = tuple(item.income_id for item in account.income if item.time_ms >= since_ms)
        runner.begin(account.wallet, adopt=adopt, known_income=known)
    operations.begun(runner)
    supervisor.keep(f"clock watch of {ready.fund.name}", ClockWatch(runner, ready.gateway.skew_ms).run)
    if ready.key_problem is not None:  # it holds a position that must be looked after, key or no key
        runner.handle(SettingsSeen(*runner.now(), ready.key_problem))
    watch = SettingsWatch(runner, partial(_settings_problem, ready))
    stream.on_settings = watch.due
    operations.listeners.append(watch.heard)
    supervisor.keep(f"settings watch of {ready.fund.name}", watch.run)
    return runner


async def _settings_problem(ready: Prepared) -> str | None:
    """How the account is set that it should not be, and what its key may that it should not."""
    account = await ready.gateway.settings_problem(ready.contract.venue_leverage)
    found = [each for each in (account, await ready.key.problem()) if each is not None]
    return "; ".join(found) or None


async def _when_reached(gateway: AccountGateway, fund: Fund) -> tuple[int, tuple[Maintenance, ...]]:
    """Set the account up, however long the venue takes to answer."""
    while True:
        try:
            return await gateway.prepare(fund), await gateway.maintenance()
        except Unreachable as error:
            structlog.get_logger().warning(
                "venue_unreachable", fund=fund.name, host=error.host, reason=error.reason, retry_in_s=_RETRY_S
            )
            await asyncio.sleep(_RETRY_S)


async def _account_of_new_fund(fund: Fund, contract: Contract, gateway: AccountGateway) -> AccountSeen:
    """The account, once it is clear that the fund can begin on it: flat, and rich enough."""
    account, touch = await gateway.perform(FetchAccount(0)), await gateway.perform(FetchTouch())
    if not isinstance(account, AccountSeen):
        raise RefusedError(
            f"account {fund.account} cannot be read, so {fund.name} was not started: {account}"
        )
    if not isinstance(touch, TouchSeen):
        raise RefusedError(f"{contract.symbol} has no quotes, so {fund.name} was not started: {touch}")
    refuse_small_capital(fund, contract, touch.ask)
    if account.wallet < fund.capital:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__CAPITAL={fund.capital}: account {fund.account} holds "
            f"{account.wallet}; deposit or lower it"
        )
    if account.position != ZERO:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__ACCOUNT={fund.account}: a fund starts flat, but the account holds "
            f"{account.position} {contract.symbol}; close the position or name another account"
        )
    return account
