"""`history` and `status`: what the journal says, and the running daemon where it knows more."""

import json
import sys
from pathlib import Path
from typing import Any

from bot.cli_daemon import ask
from bot.core.execution_report import EXECUTION, execution
from bot.core.history import Json, RebalanceEntry, with_hash
from bot.core.verify import Verdict, verify_journal, verify_published
from bot.daemon.flow_desk import flows_json
from bot.daemon.status import FundStatus, fund_status, last_known_mark, with_troubles
from bot.errors import RefusedError, UserError, did_you_mean
from bot.journal import projections
from bot.journal.journal import JournalReader, Owner
from bot.journal.outbox import kept_troubles
from bot.journal.projections import BOOK, HISTORY
from bot.journal.stores import open_reader
from bot.settings import Settings, load_settings


def reader(settings: Settings) -> JournalReader:
    """Open the journal of these settings for reading; raises JournalError where there is none to read."""
    return open_reader(settings.data_dir, settings.database_url, settings.journal_key)


def read_history(settings: Settings) -> list[dict[str, Any]]:
    """Read every fund's rebalances as the API's objects, oldest first.

    Raises JournalError where there is no journal, or none that can be read.
    """
    with reader(settings) as journal:
        loaded = [projections.load(journal, fund, (HISTORY,)).values[0] for fund in journal.funds()]
    entries = [entry for history in loaded for entry in history.entries()]
    entries.sort(key=lambda entry: entry.started_ms)
    return [_told(entry) for entry in entries]


def _told(entry: RebalanceEntry) -> dict[str, Any]:
    """What is public is told as it was published, so that it can be verified; execution is for operators."""
    added = {EXECUTION: execution(entry)}
    if entry.public is None or entry.hash is None:
        return {**entry.to_json(), **added}
    told: Json = json.loads(with_hash(entry.public, entry.hash))
    names = (*(name for name in entry.to_json() if name in told), *told)
    return {**{name: told[name] for name in names}, **added}


def verify_record(file: str | None, heads: list[str], *, as_json: bool) -> int:
    """Verify the journal's public record, or that in a file; print what came out, and give the exit code."""
    verdicts = _verify_journals(load_settings()) if file is None else _verify_file(file)
    known = {known for verdict in verdicts for known in verdict.hashes}
    strange = [f"head {head} is not part of the record" for head in heads if head.lower() not in known]
    verified = bool(not strange and all(not verdict.problems for verdict in verdicts))
    if as_json:
        funds = [
            {name: value for name, value in verdict._asdict().items() if name != "hashes"}
            for verdict in verdicts
        ]
        body = {"verified": verified, "funds": funds, "problems": strange}
        sys.stdout.write(json.dumps(body, indent=2) + "\n")
        return 0 if verified else 1
    if not verdicts:
        sys.stdout.write("nothing is public yet, so nothing was verified\n")
    for verdict in verdicts:
        sys.stdout.write("\n".join(_lines(verdict)) + "\n")
    sys.stdout.write("".join(f"{problem}\n" for problem in strange))
    return 0 if verified else 1


def _lines(verdict: Verdict) -> list[str]:
    word = "FAILED" if verdict.problems else "verified"
    told = f"{verdict.records} public records, {verdict.pending} not public yet"
    return [
        f"{verdict.fund}: {word}, {told}",
        f"  head {verdict.head}",
        *(f"  {p}" for p in verdict.problems),
    ]


def _verify_journals(settings: Settings) -> list[Verdict]:
    """Verify the public record of every fund in the journal. Raises JournalError as `read_history` does."""
    with reader(settings) as journal:
        return [verify_journal(fund, journal.read(fund)) for fund in journal.funds()]


def _verify_file(name: str) -> list[Verdict]:
    """Verify a downloaded record, a JSON list of rebalances; `-` is standard input. Raises UserError."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        records = json.loads(text)
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: not a readable JSON file ({error})") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UserError(f"{name}: give a JSON list of rebalance objects, as .../rebalances answers it")
    return verify_published(records)


def read_funds(settings: Settings) -> list[FundStatus]:
    """Give each enabled fund as the API's object with true figures.

    They are the running daemon's own; without one, what the journal says at the last mark it holds. Where
    hosts share the journal, `owner` says which of them sends for the fund. Raises JournalError as
    `read_history` does.
    """
    live = ask(settings, "/api/v1/operator/funds")
    if live:
        return list(live)
    with reader(settings) as journal:
        books = {
            fund.name: projections.load(journal, fund.name, (BOOK,)).values[0] for fund in settings.funds
        }
        owners = {owner.account: _owner(owner) for owner in journal.owners()}
    troubles = kept_troubles(settings.data_dir)
    return [
        {
            **with_troubles(
                fund_status(fund, books[fund.name], last_known_mark(books[fund.name]), settings.mode),
                troubles,
            ),
            "owner": owners.get(fund.account),
        }
        for fund in settings.funds
    ]


def read_flows(settings: Settings, fund: str) -> list[Json]:
    """Give a fund's open flows and the last ones that are over, oldest first: the daemon's or the journal's.

    Raises `RefusedError` for a fund that is unknown.
    """
    live = ask(settings, f"/api/v1/funds/{fund}/flows")
    if live is not None:
        return list(live)
    with reader(settings) as journal:
        if fund not in journal.funds():
            known = did_you_mean(fund, journal.funds())
            raise RefusedError(f"{fund}: the journal knows no such fund; {known}")
        book = projections.load(journal, fund, (BOOK,)).values[0]
    return flows_json(fund, book, book.last_time_ms)


def _owner(owner: Owner) -> dict[str, str | float]:
    return {"holder": owner.holder, "silent_s": round(owner.silent_s, 1)}
