"""`history` and `status`: what the journal says, and the running daemon where it knows more."""

from bot.cli_daemon import ask
from bot.core.book import fold
from bot.core.history import Json, RebalanceEntry, RebalanceHistory
from bot.daemon.flow_desk import flow_json
from bot.daemon.status import FundStatus, fund_status, last_known_mark
from bot.errors import RefusedError, did_you_mean
from bot.journal.journal import JournalReader
from bot.journal.sqlite import open_reader
from bot.settings import Settings


def read_history(settings: Settings) -> list[Json]:
    """Read every fund's rebalances as CONTRACT's objects, oldest first.

    Raises JournalError where there is no journal, or none that can be read.
    """
    with open_reader(settings.data_dir, settings.journal_key) as journal:
        entries = [entry for fund in journal.funds() for entry in _entries(journal, fund)]
    entries.sort(key=lambda entry: entry.started_ms)
    return [entry.to_json() for entry in entries]


def read_funds(settings: Settings) -> list[FundStatus]:
    """Give each enabled fund as CONTRACT's object with true figures.

    They are the running daemon's own; without one, what the journal says at the last mark it holds. Raises
    JournalError as `read_history` does.
    """
    live = ask(settings, "/api/v1/operator/funds")
    if live is not None:
        return list(live)
    with open_reader(settings.data_dir, settings.journal_key) as journal:
        books = {fund.name: fold(journal.read(fund.name)) for fund in settings.funds}
    return [
        fund_status(fund, books[fund.name], last_known_mark(books[fund.name]), settings.mode)
        for fund in settings.funds
    ]


def read_flows(settings: Settings, fund: str) -> list[Json]:
    """Give a fund's open flows and the last ones that are over, oldest first: the daemon's or the journal's.

    Raises `RefusedError` for a fund that is unknown.
    """
    live = ask(settings, f"/api/v1/funds/{fund}/flows")
    if live is not None:
        return list(live)
    with open_reader(settings.data_dir, settings.journal_key) as journal:
        if fund not in journal.funds():
            known = did_you_mean(fund, journal.funds())
            raise RefusedError(f"{fund}: the journal knows no such fund; {known}")
        book = fold(journal.read(fund))
    return [flow_json(fund, flow) for flow in (*book.closed_flows, *book.flows)]


def _entries(journal: JournalReader, fund: str) -> tuple[RebalanceEntry, ...]:
    history = RebalanceHistory(fund)
    for record in journal.read(fund):
        history.apply(record)
    return history.entries()
