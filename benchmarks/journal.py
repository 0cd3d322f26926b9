"""What the journal costs: appends and NAV in both stores, and a start on a year of one fund's records.

The year has half a million records, in the proportions of a fund's year: a sample each hour, funding three
times a day, fifty rebalances; there is thirty times as much of everything. Every other round is the mirror of
the one before, so that position and value stay what they were. What reads and folds a journal of nothing but
orders is told beside it. PostgreSQL is measured where it is installed.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import main, report
from benchmarks.readers import QUERY_LIMIT_MS, fill
from bot.core.bars import INTERVALS_MS
from bot.core.book import fold
from bot.core.public_records import Revealed
from bot.core.records import (
    DrawQueued,
    Filled,
    IncomeBooked,
    OrderIntended,
    RebalanceFinished,
    Record,
    Sampled,
)
from bot.journal import projections
from bot.journal.journal import Identity, Journal
from bot.journal.nav_store import Bars, NavStore, Part
from bot.journal.sqlite import open_journal
from bot.testing import Lab

APPEND_LIMIT = 1.5
FOLD_LIMIT_S = 2.0
OPEN_LIMIT_S = 3.0
YEAR = 500_000
_IDENTITY = Identity("paper", "binanceusdm@paper")
_FUND = "BTCUP"
_COLUMNS: tuple[Literal["nav", "rest"], ...] = ("nav", "rest")


def measure(*, tiny: bool = False) -> None:
    """Time appends, and starts with and without a kept projection."""
    appends, year, samples = (20, 3_000, 1) if tiny else (600, YEAR, 3)
    years, queries = (1, 2) if tiny else (5, 15)
    story, cycle = _story()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _measure_appends(folder, cycle, appends)
        with closing(NavStore(folder / "nav.sqlite")) as nav:
            _measure_nav(nav, "SQLite", years, queries)
        _measure_postgresql(folder, cycle, appends, years, queries)
        _measure_year(folder / "orders", story, cycle, year, samples, "orders alone, ", limited=False)
        _measure_year(folder / "year", story, _with_hours(cycle), year, samples, "", limited=True)


def _story() -> tuple[list[Record], list[Record]]:
    """What comes first, and what may follow it again and again."""
    lab = Lab()
    lab.settle()
    lab.walk("44000", "92000", "60000")
    ends = [place for place, record in enumerate(lab.records) if isinstance(record, Revealed)]
    end = ends[-1] + 2  # a reveal, and the draw that takes its place
    return lab.records[: ends[0] + 1], _in_order(lab.records[ends[0] + 1 : end])


def _in_order(cycle: list[Record]) -> list[Record]:
    """The draws of a cycle are those that the next one uses, so that the queue stays as long as it is."""
    used = iter([record.sequence for record in cycle if isinstance(record, Revealed)])
    return [r._replace(sequence=next(used) or 0) if isinstance(r, DrawQueued) else r for r in cycle]


def _with_hours(cycle: list[Record]) -> list[Record]:
    """The rebalances of a cycle among the hours and fundings that lie between rebalances in a year."""
    rebalances = sum(isinstance(record, RebalanceFinished) for record in cycle)
    step_ms, last_ms = 3_600_000 // 30, cycle[-1].time_ms
    mark, variance = Decimal("60000.1"), Decimal("4.2370964587814967E-7")
    hours: list[Record] = []
    for n in range(1, 175 * rebalances + 1):
        now_ms = last_ms + n * step_ms
        if n % 8 == 0:
            hours.append(IncomeBooked(now_ms, str(n), now_ms, "FUNDING_FEE", Decimal("-1.25")))
        hours.append(Sampled(now_ms, mark, variance))
    return [*cycle, *hours]


def _mirrored(record: Record) -> Record:
    if isinstance(record, OrderIntended):
        return record._replace(quantity=-record.quantity)
    if isinstance(record, Filled):
        return record._replace(quantity=-record.quantity, fee=-record.fee)
    return record._replace(amount=-record.amount) if isinstance(record, IncomeBooked) else record


def _measure_appends(folder: Path, records: list[Record], count: int) -> None:
    """Each append is followed by one bare commit of one small row, so that both meet the same disk."""
    with (
        open_journal(folder / "appends", _IDENTITY, None, 0) as journal,
        closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as bare,
    ):
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body TEXT)")

        def commit() -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO row (body) VALUES ('a small row')")
            bare.execute("COMMIT")

        appends, commits = [], []
        for record in _endless(records, count):
            appends.append(_us(partial(journal.append, _FUND, [record], 1)))
            commits.append(_us(commit))
    base = median(commits)
    report("journal", "durable append, SQLite", appends, "us", limit=APPEND_LIMIT * base, baseline=base)


def _measure_nav(nav: Bars, store: str, years: int, queries: int) -> None:
    """Ask for all hours, and all days, of years: NAV, and what goes with it.

    Where the server's own time counts (2 to 3 ms in PostgreSQL) it is waited for, and left out of CPU time.
    """
    fill(nav, years, minutes=False)
    for interval in ("1h", "1d"):
        for column in _COLUMNS:
            part, length_ms = Part(interval, column), INTERVALS_MS[interval]
            read = partial(nav.read, _FUND, part, length_ms, 0, 10**14, None)
            count = read().count(b"],[") + 1
            found = [_least_s(read) * 1000 for _ in range(queries)]
            figure = f"{store}, {years} years of NAV, {interval}, {column}"
            report("journal", figure, found, "ms", limit=QUERY_LIMIT_MS, rows=count)


def _measure_postgresql(folder: Path, records: list[Record], count: int, years: int, queries: int) -> None:
    """The same on a server of its own, against a bare insert of one small row."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return
    from bot.journal.pg_database import key_of
    from bot.journal.pg_nav import PostgresNavStore
    from bot.journal.postgres import Waiting
    from bot.journal.sealing import Sealer
    from tests.support.postgres import KEY, PostgresServer

    with PostgresServer(to_disk=True) as server:
        server.execute("CREATE TABLE row (number BIGSERIAL PRIMARY KEY, body TEXT)")
        waiting = Waiting(server.url(), folder / "pg", Sealer(key_of(KEY)), {_FUND: "UP"})
        waiting.prepare(_IDENTITY, 0)
        journal = waiting.claim()
        assert journal is not None
        with closing(journal):

            def commit() -> None:
                journal.session.count("INSERT INTO row (body) VALUES ('a small row')")

            appends, commits = [], []
            for record in _endless(records, count):
                appends.append(_us(partial(journal.append, _FUND, [record], 1)))
                commits.append(_us(commit))
            with closing(PostgresNavStore(server.url(), journal.epochs)) as nav:
                _measure_nav(nav, "PostgreSQL", years, queries)
    report("journal", "durable append, PostgreSQL", appends, "us", baseline=median(commits))


def _measure_year(
    folder: Path,
    story: list[Record],
    cycle: list[Record],
    year: int,
    samples: int,
    name: str,
    *,
    limited: bool,
) -> None:
    rounds = [*cycle, *map(_mirrored, cycle)]
    records = [*story, *_endless(rounds, year - len(story))]
    with open_journal(folder, _IDENTITY, None, 0) as journal:
        for place in range(0, len(records), 10_000):
            journal.append(_FUND, records[place : place + 10_000], 1)
    limit = FOLD_LIMIT_S if limited else None
    folded = [_least_s(lambda: fold(records)) for _ in range(samples)]
    report("journal", f"{name}fold of a year", folded, "s", limit=limit, records=year)
    with open_journal(folder, _IDENTITY, None, 0) as journal:
        found = [_least_s(partial(_read, journal, year)) for _ in range(samples)]
        report("journal", f"{name}year read from disk and folded", found, "s", limit=limit, records=year)
        projections.keep(journal, _FUND, projections.load(journal, _FUND))
    opened = [_least_s(lambda: _open(folder)) for _ in range(samples)]
    figure = f"{name}open on a year with what is kept"
    report("journal", figure, opened, "s", limit=OPEN_LIMIT_S, records=year)


def _read(journal: Journal, year: int) -> None:
    assert projections.load(journal, _FUND, (projections.BOOK,)).tail == year


def _open(folder: Path) -> None:
    """What a daemon does with its journal at a start: check the file, load book and history."""
    with open_journal(folder, _IDENTITY, None, 0) as journal:
        loaded = projections.load(journal, _FUND)
    assert loaded.values[0].created is not None
    assert loaded.tail < projections.WORTH_KEEPING, "what is kept was not taken up"


def _endless(records: list[Record], count: int) -> Iterator[Record]:
    """`count` records, in whole rounds as far as they go."""
    for place in range(count):
        yield records[place % len(records)]


def _us(act: Callable[[], None]) -> float:
    time.sleep(0.001)  # as between orders, so that the disk rests
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1e6


def _least_s(act: Callable[[], object]) -> float:
    """The lesser of wall and CPU time: it leaves out what other programs took."""
    wall, spent = time.perf_counter(), time.process_time()
    act()
    return min(time.perf_counter() - wall, time.process_time() - spent)


if __name__ == "__main__":
    main(measure)
