"""Copies of a journal and their return, in both stores; the export."""

import json
import sqlite3
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.book import fold
from bot.core.public_records import Revealed
from bot.core.records import DrawQueued, RebalanceFinished, RebalanceStarted, Record, Sampled
from bot.core.recovery_records import JournalRestored
from bot.core.units import ONE
from bot.journal import export, nav_copy
from bot.journal.backup import back_up, restore_database, restore_file
from bot.journal.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalKeyError,
    JournalMismatch,
    JournalSettingError,
)
from bot.journal.journal import Identity, Journal
from bot.journal.nav_store import NAV_FILE, ROWS_OF_A_CHUNK, Bars, NavStore, Part
from bot.journal.nav_store import Row as BarRow
from bot.journal.pg_nav import PostgresNavStore
from bot.journal.postgres import PostgresJournal
from bot.journal.sqlite import JOURNAL_FILE, open_journal, open_reader
from tests.support.postgres import KEY

from .stores import ACCOUNTS, PAPER, PostgresStore, Store

NOW = datetime(2025, 3, 6, 10, 30, tzinfo=UTC)


def back(store: Store, target: Path) -> dict[str, int]:
    """Copy the store's journal."""
    url = store.url if isinstance(store, PostgresStore) else None
    return back_up(store.folder, url, KEY, target).records


def put_back(store: Store, source: Path, identity: Identity = PAPER) -> dict[str, int]:
    """Put a copy back into the store."""
    if isinstance(store, PostgresStore):
        folder = store.folder / "restoring"
        return restore_database(folder, store.url, KEY, source, identity, ACCOUNTS, NOW).records
    return restore_file(store.folder, KEY, source, identity, NOW).records


def in_the_middle(story: tuple[Record, ...]) -> int:
    """A place in the story at which a rebalance is open."""
    return next(i for i, record in enumerate(story) if isinstance(record, RebalanceFinished)) - 3


def test_a_copy_made_in_the_middle_of_a_rebalance_comes_back(
    store: Store, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """While its owner writes; the fund that is put back is in the very same rebalance."""
    middle = in_the_middle(story)
    journal = store.open()
    journal.append("BTCUP", story[:middle], 1)
    assert back(store, tmp_path / "copy") == {"BTCUP": middle}
    journal.append("BTCUP", story[middle:], 1)
    journal.close()

    assert put_back(store, tmp_path / "copy") == {"BTCUP": middle}

    *records, restored = store.open().read("BTCUP")
    assert tuple(records) == story[:middle]
    assert isinstance(restored, JournalRestored)
    book = fold([*records, restored])
    assert book.restored
    assert book.rebalance == fold(story[:middle]).rebalance is not None


def test_what_was_there_is_kept(store: Store, tmp_path: Path) -> None:
    """Restoring the wrong file loses nothing."""
    journal = store.open()
    journal.append("BTCUP", [Sampled(1, ONE, None)], 1)
    back(store, tmp_path / "copy")
    journal.append("BTCUP", [Sampled(2, ONE, None)], 1)
    journal.close()
    put_back(store, tmp_path / "copy")
    if isinstance(store, PostgresStore):
        kept = store.server.execute("SELECT count(*) FROM record_until_20250306t103000", store.name)
        assert kept == [(2,)]
    else:
        (archived,) = (store.folder / "archive").glob(f"*/{JOURNAL_FILE}")
        connection = sqlite3.connect(archived)
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (2,)
        connection.close()


def test_a_restored_journal_can_be_written_and_stays_permanent(store: Store, tmp_path: Path) -> None:
    """It takes records as before, and refuses to be changed as before."""
    journal = store.open()
    journal.append("BTCUP", [Sampled(1, ONE, None)], 1)
    journal.close()
    back(store, tmp_path / "copy")
    put_back(store, tmp_path / "copy")
    again = store.open()
    again.append("BTCUP", [Sampled(9, ONE, None)], 1)
    assert [record.time_ms for record in again.read("BTCUP")] == [1, 1, 9]
    with pytest.raises(Exception, match="never"):
        store.outsider("DELETE FROM record")


def test_a_copy_of_one_store_comes_back_in_the_other(
    store: Store, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """A copy is an SQLite file whatever it was made of: so funds move between the two."""
    with open_journal(tmp_path / "elsewhere", PAPER, KEY, 1) as other:
        other.append("BTCUP", story, 1)
    back_up(tmp_path / "elsewhere", None, KEY, tmp_path / "copy")
    put_back(store, tmp_path / "copy")
    assert tuple(store.open().read("BTCUP"))[:-1] == story


def test_a_running_journal_is_not_replaced(store: Store, tmp_path: Path) -> None:
    """While a process has it, a restore is refused, and nothing has changed or is left lying about."""
    journal = store.open()
    journal.append("BTCUP", [Sampled(1, ONE, None)], 1)
    back(store, tmp_path / "copy")
    store.keep_alive()
    with pytest.raises(JournalBusy):
        put_back(store, tmp_path / "copy")
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".restored")]
    assert [record.time_ms for record in journal.read("BTCUP")] == [1]


def test_a_copy_is_never_overwritten(store: Store, tmp_path: Path) -> None:
    """A file that exists is named, and stays."""
    store.open().append("BTCUP", [Sampled(1, ONE, None)], 1)
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(JournalSettingError, match="exists already"):
        back(store, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_damaged_copy_is_not_put_back(store: Store, tmp_path: Path) -> None:
    """It is read from end to end before anything is moved."""
    journal = store.open()
    journal.append("BTCUP", [Sampled(time_ms, ONE, None) for time_ms in range(200)], 1)
    journal.close()
    back(store, tmp_path / "copy")
    content = (tmp_path / "copy").read_bytes()
    place = content.index(b'{"mark":"1","variance":null}')
    (tmp_path / "copy").write_bytes(content[: place + 9] + b"2" + content[place + 10 :])
    with pytest.raises(JournalCorrupt, match="checksum"):
        put_back(store, tmp_path / "copy")
    assert len(list(store.open().read("BTCUP"))) == 200


def test_a_copy_of_another_mode_or_key_is_refused(store: Store, tmp_path: Path) -> None:
    """Each of them in one line."""
    store.open().append("BTCUP", [Sampled(1, ONE, None)], 1)
    back(store, tmp_path / "copy")
    with pytest.raises(JournalMismatch, match="mode paper"):
        put_back(store, tmp_path / "copy", Identity("live", "binanceusdm@live"))
    with pytest.raises(JournalKeyError, match="another key"):
        restore_file(tmp_path / "x", "11" * 32, tmp_path / "copy", PAPER, NOW)


def test_a_fund_that_is_not_described_is_not_put_back(tmp_path: Path, store: Store) -> None:
    """In PostgreSQL its account must be known, so that nobody else can have it."""
    with open_journal(tmp_path / "elsewhere", PAPER, KEY, 1) as other:
        other.append("ETHUP", [Sampled(1, ONE, None)], 1)
    back_up(tmp_path / "elsewhere", None, KEY, tmp_path / "copy")
    if isinstance(store, PostgresStore):
        with pytest.raises(JournalMismatch, match="ETHUP"):
            put_back(store, tmp_path / "copy")
    else:
        assert put_back(store, tmp_path / "copy") == {"ETHUP": 1}


def test_the_export_tells_what_is_public_and_seals_the_rest(
    data_dir: Path, story: tuple[Record, ...]
) -> None:
    """Draw and target of a revealed rebalance are told; of one that is not, and keys, never."""
    started = [r for r in story if isinstance(r, RebalanceStarted)]
    band = next(r for r in started if r.sequence is not None)
    with open_journal(data_dir, PAPER, KEY, 1) as journal:
        journal.append("BTCUP", [r for r in story if not isinstance(r, Revealed)], 1)
        journal.append("BTCUP", [Revealed(10**9, band.number, band.sequence, "{}", "00")], 1)
    with open_reader(data_dir, KEY) as reader:
        told = [json.loads(line) for line in export.lines(reader, "BTCUP")]

    rebalances = {line["number"]: line for line in told if line["record"] == "RebalanceStarted"}
    assert rebalances[band.number]["target"] == str(band.target)
    hidden = [line for number, line in rebalances.items() if number != band.number]
    assert hidden
    assert all("target" not in line and "target" in line["sealed"] for line in hidden)
    draws = {line["sequence"]: line for line in told if line["record"] == "DrawQueued"}
    assert draws[band.sequence]["u"] == next(
        r.u for r in story if isinstance(r, DrawQueued) and r.sequence == band.sequence
    )
    assert [line["sealed"] for n, line in draws.items() if n != band.sequence] == [["salt", "u"]] * (
        len(draws) - 1
    )
    (created,) = [line for line in told if line["record"] == "FundCreated"]
    assert created["sealed"] == ["key"]


def nav_of(store: Store, journal: Journal) -> Bars:
    """The history of NAV that goes with a journal that is open."""
    if isinstance(store, PostgresStore):
        assert isinstance(journal, PostgresJournal)
        return PostgresNavStore(store.url, journal.epochs)
    return NavStore(store.folder / NAV_FILE)


def bar(minute: int, value: str, shown: str | None = None) -> BarRow:
    """A bar of a minute, and what is shown instead."""
    mine, theirs = (None if v is None else f"[{minute * 60_000},{v}]" for v in (value, shown))
    return BarRow("BTCUP", "1m", minute * 60_000, mine or "", mine or "", theirs, theirs)


ALL_MINUTES = ("BTCUP", Part("1m", "nav"), 60_000, 0, 10**14)


def test_the_history_of_nav_is_in_a_copy_and_comes_back(
    store: Store, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """Packed or not; what came after the copy is gone from it as from the journal."""
    journal = store.open()
    journal.append("BTCUP", story, 1)
    nav = nav_of(store, journal)
    nav.write([bar(n, "1") for n in range(ROWS_OF_A_CHUNK + 5)], {"1m": 60_000}, {})
    nav.write([bar(ROWS_OF_A_CHUNK * 2, "2")], {"1m": 60_000}, {})
    expected = nav.read(*ALL_MINUTES, None)
    assert expected.count(b"],[") == ROWS_OF_A_CHUNK + 5
    back(store, tmp_path / "copy")
    nav.write([bar(ROWS_OF_A_CHUNK * 2 + 1, "3")], {"1m": 60_000}, {})
    nav.close()
    journal.close()

    put_back(store, tmp_path / "copy")

    again = nav_of(store, store.open())
    assert again.read(*ALL_MINUTES, None) == expected
    again.close()


def test_a_copy_without_the_history_leaves_what_is_there(
    store: Store, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """Such as one that an earlier version made."""
    with open_journal(tmp_path / "elsewhere", PAPER, KEY, 1) as other:
        other.append("BTCUP", story, 1)
    back_up(tmp_path / "elsewhere", None, KEY, tmp_path / "copy")
    journal = store.open()
    nav = nav_of(store, journal)
    nav.write([bar(1, "1")], {"1m": 60_000}, {})
    nav.close()
    journal.close()
    put_back(store, tmp_path / "copy")
    again = nav_of(store, store.open())
    assert again.read(*ALL_MINUTES, None) == b"[[60000,1]]"
    again.close()


def test_a_copy_tells_nothing_of_a_rebalance_that_is_not_revealed(
    store: Store, story: tuple[Record, ...], tmp_path: Path
) -> None:
    """It has what the public saw meanwhile: anybody who finds it learns no position."""
    journal = store.open()
    middle = story[: in_the_middle(story)]
    journal.append("BTCUP", middle, 1)
    since_ms = fold(middle).public.hidden_since_ms
    assert since_ms is not None
    minute = since_ms // 60_000 + 1
    nav = nav_of(store, journal)
    nav.write([bar(minute - 9, "5", "4"), bar(minute, "7777", "1111")], {"1m": 60_000}, {"BTCUP": since_ms})
    nav.close()
    back(store, tmp_path / "copy")
    history = nav_copy.of_file(tmp_path / "copy")
    assert history is not None
    assert [(r.nav[-5:], r.shown_nav) for r in history.bars][-1] == ("1111]", None)
    assert b"7777" not in (tmp_path / "copy").read_bytes()
    assert [row.nav.endswith(",5]") for row in history.bars] == [True, False]


def test_bars_are_exported_as_the_public_sees_them() -> None:
    """A line for each, packed or not."""
    packed = zlib.compress(b"[0,1],[60000,2]")
    rows = nav_copy.NavRows([bar(2, "3", "4"), bar(3, "5", "6")], [("BTCUP", "1m", 0, packed, packed)])
    shown = nav_copy.public(rows, {"BTCUP": 180_000})
    found = [json.loads(line) for line in nav_copy.lines(shown, "BTCUP")]
    assert [line["row"] for line in found] == [[0, 1], [60_000, 2], [120_000, 3], [180_000, 6]]
    assert {(line["fund"], line["nav"]) for line in found} == {("BTCUP", "1m")}
    assert list(nav_copy.lines(shown, "BTCDOWN")) == []
