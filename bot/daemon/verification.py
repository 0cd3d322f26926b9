"""`db verify`: the store is sound, what the records say is what is kept of them, and the venue agrees."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bot.core.book import Book, fold
from bot.core.commands import FetchAccount
from bot.core.events import AccountSeen
from bot.core.reconcile import CENT
from bot.core.texts import how_many
from bot.core.units import ZERO
from bot.daemon import paper
from bot.daemon.paper import Held
from bot.daemon.status import STOPPED
from bot.daemon.wiring import one_exchange
from bot.journal import projections
from bot.journal.checking import store_problem
from bot.journal.errors import JournalCorrupt, JournalNewer
from bot.journal.journal import JournalReader, Owner
from bot.settings import Settings
from bot.venue.clock import WallClock
from bot.venue.errors import VenueError
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue

_ALIVE_S = 10.0
"""Whoever showed within so many seconds that it lives may be sending."""

Ask = Callable[[str], Any | None]
"""The running daemon's answer to a path; None where none runs."""


class Check(NamedTuple):
    """One thing that was looked at: whether it is right (None: it could not be told), and what was seen."""

    what: str
    fund: str | None
    ok: bool | None
    seen: str


def verify(settings: Settings, journal: JournalReader, ask: Ask, *, venue: bool) -> list[Check]:
    """Every check of the journal; with `venue` also against the account of each fund.

    Raises JournalError where the journal cannot be read at all.
    """
    problem = store_problem(settings.data_dir, settings.database_url, settings.journal_key)
    found = [Check("store", None, not problem, problem or "sound, no record is missing")]
    books: dict[str, Book] = {}
    for fund in journal.funds():
        try:
            books[fund] = fold(journal.read(fund))
        except (JournalCorrupt, JournalNewer) as error:
            found.append(Check("records", fund, ok=False, seen=str(error)))
            continue
        count = journal.position(fund)
        found.append(Check("records", fund, ok=True, seen=f"all read and folded, the last at {count}"))
        wrong = projections.differences(journal, fund)
        found.append(Check("projections", fund, not wrong, "; ".join(wrong) or "as the records say"))
    if venue:
        found += _with_venue(settings, books, journal.owners(), ask)
    return found


def while_another_trades(check: Check, owners: Sequence[Owner]) -> Check:
    """What differs while another host sends may have changed between the looks at journal and account."""
    alive = sorted({owner.holder for owner in owners if owner.silent_s < _ALIVE_S})
    if check.ok is not False or not alive:
        return check
    return check._replace(ok=None, seen=f"{check.seen}; {', '.join(alive)} trades meanwhile: verify there")


def _with_venue(settings: Settings, books: dict[str, Book], owners: Sequence[Owner], ask: Ask) -> list[Check]:
    live = ask("/api/v1/operator/funds")
    if live:
        return [_with_daemon(status) for status in live]
    ours = [fund for fund in settings.funds if fund.name in books]
    if settings.mode == "paper" and settings.paper.url is None:
        held = paper.holdings(settings)
        return [
            compare(fund.name, books[fund.name], held.get(fund.account), fund.underlying) for fund in ours
        ]
    return [while_another_trades(check, owners) for check in asyncio.run(_ask_venue(settings, books))]


def _with_daemon(status: dict[str, Any]) -> Check:
    """A daemon that runs compares every few minutes, and says what differs."""
    codes = [incident["code"] for incident in status["incidents"]]
    if STOPPED in codes:
        seen = "the running daemon has stopped the fund, and compares nothing: repair the cause and restart"
        return Check("venue", status["fund"], ok=None, seen=seen)
    differs = [code for code in codes if code in ("reconciliation difference", "unexplained position")]
    seen = "; ".join(differs) or "the running daemon finds ledger and venue equal"
    return Check("venue", status["fund"], not differs, seen)


async def _ask_venue(settings: Settings, books: dict[str, Book]) -> list[Check]:
    profile, clock = profile_named(one_exchange(settings)), WallClock()
    found = []
    async with Venue(profile, Environment(settings.mode), clock, paper_url=settings.paper.url) as venue:
        try:
            await asyncio.wait_for(venue.markets.load(lambda *_: None), 20)
            for fund in settings.funds:
                if fund.name not in books:
                    continue
                account = settings.accounts[fund.account]
                client = venue.client(Credentials(account.api_key, account.secret, account.password or ""))
                gateway = venue.gateway(client, venue.markets.contract(fund.underlying, 1))
                answer = await gateway.perform(FetchAccount(books[fund.name].income_cursor_ms))
                if isinstance(answer, AccountSeen):
                    held = Held(answer.wallet, {fund.underlying: answer.position}, answer.income)
                    found.append(compare(fund.name, books[fund.name], held, fund.underlying))
                else:
                    found.append(Check("venue", fund.name, ok=None, seen="the account could not be read"))
        except (VenueError, TimeoutError) as error:
            found.append(Check("venue", None, ok=None, seen=f"not reached ({type(error).__name__})"))
    return found


def compare(fund: str, book: Book, held: Held | None, symbol: str) -> Check:
    """Ledger against what the venue holds; what it paid since the last booking is no difference."""
    if held is None:
        return Check("venue", fund, ok=None, seen="the exchange knows no such account")
    position = held.positions.get(symbol, ZERO)
    if book.rebalance is not None and book.rebalance.order is not None:
        return Check("venue", fund, ok=None, seen="an order is under way: the next start resolves it")
    coming = [
        item.amount
        for item in held.income
        if item.time_ms >= book.income_cursor_ms and not book.recent_income.has(item.income_id)
    ]
    paid = sum(coming, ZERO)
    equal = position == book.position and abs(held.wallet - book.wallet - paid) < CENT
    seen = f"wallet {held.wallet:.8f}, ledger {book.wallet:.8f}; position {position}, ledger {book.position}"
    if coming:
        payments = how_many(len(coming), "payment")
        seen += f"; of the wallet {paid} came since ({payments}), which the next start books"
    return Check("venue", fund, equal, seen)
