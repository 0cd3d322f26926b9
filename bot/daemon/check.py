"""The preflight: is everything as it must be before funds are driven? Nothing is changed anywhere.

Each finding says what was looked at, how it is, and what to do. Against a paper exchange it looks at the one
of the running daemon, at INBAND_PAPER__URL, or at one that is started for the check in a folder of its own.
"""

import asyncio
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from enum import Enum
from pathlib import Path
from shutil import disk_usage
from typing import Any, Literal, NamedTuple, TypeAlias

from bot.core.book import Book, fold
from bot.core.fund import Fund
from bot.core.texts import how_many
from bot.core.trust import MAX_SKEW_MS
from bot.core.units import ZERO
from bot.daemon import paper
from bot.daemon.alerts import sender
from bot.daemon.capital import refuse_small_capital
from bot.daemon.ownership import UNREACHED
from bot.daemon.status import STOPPED
from bot.daemon.token import FILE_NAME, given_or_kept
from bot.daemon.wiring import DEFAULT_EXCHANGE, judge
from bot.errors import UserError
from bot.journal.errors import JournalError, NoJournal
from bot.journal.high_water import Marks, read_marks, refuse_rolled_back
from bot.journal.journal import JournalReader
from bot.journal.lock import holder
from bot.journal.outbox import kept_troubles
from bot.journal.stores import open_reader
from bot.settings import Settings
from bot.venue.clock import WallClock
from bot.venue.errors import RequestFailed, Unreachable, VenueError
from bot.venue.inspection import AccountReport, inspect
from bot.venue.preparation import leverage_for
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue

Verdict: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

REACH_WITHIN_S = 20.0
LOW_DISK_BYTES = 1_000_000_000
NO_DISK_BYTES = 100_000_000
SKEW_WARNING_MS = 500


class Finding(NamedTuple):
    """One thing that was looked at: `about` a fund or account, or the daemon; what to do if it is not ok."""

    what: str
    about: str
    verdict: Verdict
    found: str
    remedy: str = ""


class Unreadable(Enum):
    """In place of a book: there is a journal that cannot be read, or is not of these funds."""

    JOURNAL = "journal"


class Running(NamedTuple):
    """What the daemon that runs on these settings says: its paper exchange, and the status of its funds."""

    paper_url: str | None
    funds: Sequence[Mapping[str, Any]]


def check(settings: Settings, running: Running | None, *, waits: str | None = None) -> list[Finding]:
    """Look at everything. `running`: what a running daemon answers, None where none does.

    `waits`: why one that answers has not taken the funds up yet.
    """
    findings = [
        Finding("configuration", "", "ok", f"mode {settings.mode}, {how_many(len(settings.funds), 'fund')}")
    ]
    findings += [_questionable(text) for text in settings.warnings]
    findings += [*_disk(settings), *_token(settings), *_daemon(settings, running, waits=waits)]
    books, found = _journal(settings)
    findings += found
    findings += _alerts(settings)
    findings += asyncio.run(_venue(settings, books, None if running is None else running.paper_url))
    return findings


def _questionable(warning: str) -> Finding:
    text, _, remedy = warning.rpartition("; ")
    return Finding("configuration", "", "warning", text, remedy)


def _disk(settings: Settings) -> Iterator[Finding]:
    data_dir, least = settings.data_dir, settings.least_free_mb * 1_000_000
    there = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        remedy = f"let this user write it: chown {os.getuid()} {there}"
        yield Finding("data directory", "", "failed", f"{there} cannot be written to", remedy)
        return
    yield Finding("data directory", "", "ok", str(data_dir))
    free = disk_usage(there).free
    if free < least:
        text = f"{free // 1_000_000} MB free, less than INBAND_LEAST_FREE_MB={settings.least_free_mb}"
        yield Finding("disk space", "", "failed", text, "make room: until then no leverage is raised")
        return
    verdict: Verdict = "ok" if free >= LOW_DISK_BYTES else "warning" if free >= NO_DISK_BYTES else "failed"
    remedy = "" if verdict == "ok" else "make room: without a journal nothing is traded"
    yield Finding("disk space", "", verdict, f"{free / 1e9:.1f} GB free", remedy)


def _token(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / FILE_NAME
    if settings.web.token is not None:
        yield Finding("operator's token", "", "ok", "set")
    elif not path.exists():
        yield Finding("operator's token", "", "ok", "made at the first start")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("operator's token", "", "failed", f"{path} can be read by others", f"chmod 600 {path}")
    else:
        yield Finding("operator's token", "", "ok", f"in {path}")


def _daemon(settings: Settings, running: Running | None, *, waits: str | None = None) -> Iterator[Finding]:
    """Whether one runs; a fund that it stopped for good is in no journal."""
    process = holder(settings.data_dir)
    if waits == UNREACHED:
        remedy = "check the server and INBAND_DATABASE_URL; it goes on by itself once that is reached"
        yield Finding("daemon", "", "failed", f"process {process or '?'}: {waits}", remedy)
        return
    if running is None:
        if process is None:
            yield Finding("daemon", "", "ok", "none answers on this machine")
            return
        if waits or given_or_kept(settings.data_dir, settings.web.token) is None:
            found = f"process {process or '?'} starts, or stands by ({waits or 'its /readyz says why'})"
            yield Finding("daemon", "", "ok", found)
            return
        remedy = "it hangs, or has another INBAND_WEB__PORT: see its log; killing it loses nothing"
        yield Finding("daemon", "", "failed", f"process {process or '?'} does not answer", remedy)
        return
    stopped = [
        Finding("daemon", str(fund["fund"]), "failed", f"{STOPPED}: {each['detail']}", each["remedy"])
        for fund in running.funds
        for each in fund["incidents"]
        if each["code"] == STOPPED
    ]
    yield from stopped or [Finding("daemon", "", "ok", "it runs")]


def _journal(settings: Settings) -> tuple[dict[str, Book] | None, list[Finding]]:
    """Every record of every fund is read, against its checksum, and folded; open incidents are told.

    The books are None where there is a journal, and none that tells what these funds hold.
    """
    known = read_marks(settings.data_dir)
    try:
        with _reader(settings, known) as journal:
            refuse_rolled_back(known, journal.crc_at, "the journal", journal.restored_ms())
            books = {fund.name: fold(journal.read(fund.name)) for fund in settings.funds}
            mode = journal.identity.mode
    except NoJournal:
        return {}, [Finding("journal", "", "ok", "none yet: the first start makes it")]
    except JournalError as error:
        text = str(error)
        cut = text.find(": ", text.find("): ") + 1)  # behind the details, which may hold a colon themselves
        return None, [Finding("journal", "", "failed", text[:cut], text[cut + 2 :])]
    if mode != settings.mode:
        text = f"it belongs to mode {mode}"
        return None, [Finding("journal", "", "failed", text, "set another INBAND_DATA_DIR")]
    findings = [Finding("journal", "", "ok", "every record is as it was written")]
    for name, book in books.items():
        findings += incidents(name, book)
    return books, findings


def _reader(settings: Settings, known: Marks) -> JournalReader:
    """The journal to read. Raises JournalError; one that is gone is not one that nobody has made yet."""
    try:
        return open_reader(settings.data_dir, settings.database_url, settings.journal_key)
    except NoJournal:
        refuse_rolled_back(known, lambda _fund, _position: None, "the journal")
        raise


def incidents(fund: str, book: Book) -> list[Finding]:
    """A fund's open incidents; a breach fails the check, for it stops increases."""
    return [
        Finding("incident", fund, "failed" if each.stops_increases else "warning", each.code, each.remedy)
        for each in book.incidents.values()
    ]


def _alerts(settings: Settings) -> Iterator[Finding]:
    if not settings.alerts.routes:
        remedy = "set INBAND_ROUTES__<NAME>__URL, and try it with `alert test`"
        verdict: Verdict = "warning" if settings.mode == "live" else "ok"
        yield Finding("alerts", "", verdict, "nobody is told of anything", "" if verdict == "ok" else remedy)
        return
    for route in settings.alerts.routes:
        wrong = sender.problem(route.url)
        if wrong is not None:
            yield Finding("alerts", route.name, "failed", wrong, f"correct INBAND_ROUTES__{route.name}__URL")
    for trouble in kept_troubles(settings.data_dir):
        yield Finding("alerts", "", "warning", f"{trouble.code}: {trouble.detail}", trouble.remedy)
    yield Finding("alerts", "", "ok", "routes: " + ", ".join(route.name for route in settings.alerts.routes))


async def _venue(settings: Settings, books: dict[str, Book] | None, running_url: str | None) -> list[Finding]:
    """Reach the venue once, and look at each fund's account."""
    async with AsyncExitStack() as stack:
        embedded = judge(settings)
        url = settings.paper.url if settings.mode == "paper" else None
        where = ""
        if embedded is not None and running_url is not None:
            url, where = running_url, " (the running daemon's exchange)"
        elif embedded is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="inband-check-"))
            exchange = await paper.start_embedded(stack, replace(embedded, directory=Path(folder)))
            url, where = exchange.url, " (an exchange started for this check)"
            books = {}  # its accounts are new: they hold nothing of what the journal knows
        accounts = [settings.accounts[fund.account] for fund in settings.funds]
        profile = profile_named(accounts[0].exchange if accounts else DEFAULT_EXCHANGE)
        venue = Venue(profile, Environment(settings.mode), WallClock(), paper_url=url)
        await stack.enter_async_context(venue)
        hosts = ", ".join(venue.hosts)
        try:
            async with asyncio.timeout(REACH_WITHIN_S):
                await venue.markets.load_once()
        except (Unreachable, TimeoutError) as error:
            reason = error.reason if isinstance(error, Unreachable) else f"no answer in {REACH_WITHIN_S:g} s"
            remedy = "check the network and the venue's status; nothing can be traded without it"
            return [
                Finding("venue", "", "failed", f"{hosts} cannot be reached: {reason}", remedy),
                *(Finding("account", _about(fund), "skipped", "not looked at") for fund in settings.funds),
            ]
        findings = [Finding("venue", "", "ok", f"{hosts}{where}")]
        for fund in settings.funds:
            book = Unreadable.JOURNAL if books is None else books.get(fund.name)
            findings += await _account(settings, venue, fund, book)
        return findings


async def _account(
    settings: Settings, venue: Venue, fund: Fund, book: Book | Unreadable | None
) -> list[Finding]:
    account = settings.accounts[fund.account]
    about = _about(fund)
    client = venue.client(Credentials(account.api_key, account.secret, account.password or ""))
    try:
        report = await inspect(venue, client, venue.markets.contract(fund.underlying, 1).symbol)
    except RequestFailed as error:
        if error.code in venue.profile.bad_key:
            remedy = f"check INBAND_ACCOUNTS__{fund.account}__API_KEY and SECRET, permissions and addresses"
            return [Finding("key", about, "failed", str(error), remedy)]
        return [Finding("account", about, "failed", f"it cannot be read: {error}", "try again")]
    except VenueError as error:
        return [Finding("account", about, "failed", str(error), "correct the setting that it names")]
    return [*judge_account(fund, about, report, book), *_sizes(fund, about, report, venue)]


def _about(fund: Fund) -> str:
    return f"{fund.name} on {fund.account}"


def judge_account(
    fund: Fund, about: str, report: AccountReport, book: Book | Unreadable | None
) -> Iterator[Finding]:
    """What an account's report means for its fund, whose journal folds to `book`; None: there is none yet."""
    skew = abs(report.skew_ms)
    verdict: Verdict = "ok" if skew < SKEW_WARNING_MS else "warning" if skew < MAX_SKEW_MS else "failed"
    remedy = "" if verdict == "ok" else "synchronise this machine's clock (chrony, systemd-timesyncd)"
    yield Finding("clock", about, verdict, f"{report.skew_ms:+d} ms from the venue's", remedy)
    yield from _key(fund, about, report)
    for wrong, found, remedy in (
        (report.hedge_mode, "hedge mode", "a start changes it to one-way mode while the account is flat"),
        (report.multi_assets, "multi-assets mode", "a start changes it to single-asset mode"),
        (report.isolated, "isolated margin", "a start changes it to cross margin while the account is flat"),
    ):
        if wrong:
            yield Finding("modes", about, "warning", found, remedy)
    if not (report.hedge_mode or report.multi_assets or report.isolated):
        yield Finding("modes", about, "ok", "one-way, single-asset, cross margin")
    if report.fees_in_usdt:
        yield Finding("fee asset", about, "ok", "USDT")
    else:
        remedy = "switch off paying fees in BNB for futures: the ledger is in USDT"
        yield Finding("fee asset", about, "failed", "fees are paid in another asset", remedy)
    yield from _holding(fund, about, report, book)


def _key(fund: Fund, about: str, report: AccountReport) -> Iterator[Finding]:
    may = report.permissions
    setting = f"INBAND_ACCOUNTS__{fund.account}__API_KEY"
    if may is None:
        yield Finding("key", about, "ok", "accepted; this venue does not tell what it may do")
        return
    if may.withdraw:
        remedy = f"make a key without that permission, and set {setting} to it"
        yield Finding("key", about, "failed", "it may withdraw", remedy)
    if not may.trade_futures:
        remedy = f"give the key of {setting} that permission"
        yield Finding("key", about, "failed", "it may not trade futures", remedy)
    if not may.bound_to_addresses:
        remedy = "bind it to this machine's address at the venue"
        yield Finding("key", about, "warning", "it works from any address", remedy)
    if may.trade_futures and may.bound_to_addresses and not may.withdraw:
        yield Finding("key", about, "ok", "trades futures, cannot withdraw, bound to addresses")


def _holding(
    fund: Fund, about: str, report: AccountReport, book: Book | Unreadable | None
) -> Iterator[Finding]:
    """A new fund starts flat, on its capital; one that runs must find what its journal says."""
    if isinstance(book, Unreadable):  # it may well be the fund's own position: nobody shall close it
        yield Finding("position", about, "skipped", "not compared: the journal does not tell what is held")
        return
    if book is not None and book.created is not None:
        if report.position == book.position:
            yield Finding("position", about, "ok", "as the journal has it")
        elif book.rebalance is not None:
            # Journal and account are read moments apart, and an order may have filled in between.
            remedy = "look again when it is over"
            yield Finding("position", about, "warning", "a rebalance is under way: not compared", remedy)
        else:
            remedy = (
                "if no order is under way: find out who traded; a start books it, and `--adopt` accepts it"
            )
            yield Finding("position", about, "failed", "not what the journal has", remedy)
        return
    if report.position == ZERO:
        yield Finding("position", about, "ok", "flat")
    else:
        remedy = "close the position, or name another account: a fund starts flat"
        yield Finding("position", about, "failed", f"{report.position} {fund.underlying}", remedy)
    if report.wallet < fund.capital:
        remedy = f"deposit, or lower INBAND_FUNDS__{fund.name}__CAPITAL"
        text = f"{report.wallet} USDT, less than the capital of {fund.capital}"
        yield Finding("balance", about, "failed", text, remedy)
    else:
        yield Finding("balance", about, "ok", f"{report.wallet} USDT")


def _sizes(fund: Fund, about: str, report: AccountReport, venue: Venue) -> Iterator[Finding]:
    try:
        leverage = leverage_for(fund, report.brackets)
    except VenueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        yield Finding("leverage brackets", about, "failed", problem, remedy)
        return
    yield Finding(
        "leverage brackets", about, "ok", f"venue leverage {leverage} admits twice the largest notional"
    )
    try:
        refuse_small_capital(fund, venue.markets.contract(fund.underlying, leverage), report.ask)
    except UserError as error:
        problem, _, remedy = str(error).rpartition("; ")
        yield Finding("minimum sizes", about, "failed", problem, remedy)
    else:
        yield Finding("minimum sizes", about, "ok", "the capital is ten minimum orders or more")
