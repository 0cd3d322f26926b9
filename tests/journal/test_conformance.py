"""What every journal must do, on SQLite and on a real PostgreSQL server alike."""

from typing import Any

import pytest

from bot.core.book import fold
from bot.core.public_records import Revealed
from bot.core.records import DrawQueued, FundCreated, RebalanceStarted, Record, Sampled
from bot.core.units import ONE
from bot.journal import projections
from bot.journal.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalKeyError,
    JournalMismatch,
    JournalNewer,
    JournalOlder,
    JournalRolledBack,
    JournalUnavailable,
    NoJournal,
)
from bot.journal.journal import Identity, StoredProjection

from .stores import Store

OTHER_KEY = "11" * 32


def samples(*times: int) -> list[Record]:
    """Records that are told apart by their time."""
    return [Sampled(time_ms, ONE, None) for time_ms in times]


def test_records_come_back_in_order(store: Store, story: tuple[Record, ...]) -> None:
    """What was appended, step by step, is read back the same and in order, by its writer and by others."""
    journal = store.open()
    for index in range(0, len(story), 3):
        journal.append("BTCUP", story[index : index + 3], wall_ms=index)

    assert tuple(journal.read("BTCUP")) == story
    with store.reader() as reader:
        assert tuple(reader.read("BTCUP")) == story


def test_records_outlive_the_process(store: Store, story: tuple[Record, ...]) -> None:
    """A fund folded from a reopened journal is the fund that was written."""
    first = store.open()
    first.append("BTCUP", story, wall_ms=1)
    first.close()

    assert fold(store.open().read("BTCUP")) == fold(story)


def test_funds_do_not_mix(store: Store) -> None:
    """Each fund reads its own records only, and the journal knows which funds it holds."""
    journal = store.open()
    assert journal.funds() == ()
    journal.append("BTCUP", samples(1), 1)
    journal.append("BTCDOWN", samples(2), 1)
    journal.append("BTCUP", samples(3), 1)

    assert journal.funds() == ("BTCDOWN", "BTCUP")
    assert [record.time_ms for record in journal.read("BTCUP")] == [1, 3]
    assert list(journal.read("ETHUP")) == []


def test_a_step_without_records_writes_nothing(store: Store) -> None:
    """Appending nothing is free."""
    journal = store.open()
    journal.append("BTCUP", [], 1)
    assert journal.funds() == ()
    assert journal.position("BTCUP") == 0


def test_reading_goes_on_after_a_position(store: Store) -> None:
    """Positions grow with the records; what was appended after one is read without what came before."""
    journal = store.open()
    journal.append("BTCUP", samples(1, 2), 1)
    journal.append("BTCDOWN", samples(9), 1)
    middle = journal.position("BTCUP")
    journal.append("BTCUP", samples(3, 4), 1)

    assert [record.time_ms for record in journal.read("BTCUP", middle)] == [3, 4]
    assert list(journal.read("BTCUP", journal.position("BTCUP"))) == []


def test_more_records_than_a_page_come_back(store: Store) -> None:
    """A long journal is read in pieces that leave nothing out."""
    journal = store.open()
    journal.append("BTCUP", samples(*range(12_000)), 1)

    assert [record.time_ms for record in journal.read("BTCUP")] == list(range(12_000))


@pytest.mark.parametrize("statement", ["UPDATE record SET time_ms = 2", "DELETE FROM record"])
def test_records_cannot_be_changed_or_deleted(store: Store, statement: str) -> None:
    """The store itself refuses to rewrite history."""
    store.open().append("BTCUP", samples(1), 1)
    with pytest.raises(Exception, match="never"):
        store.outsider(statement)


def test_secrets_are_sealed(store: Store, story: tuple[Record, ...]) -> None:
    """Draws, salts, targets and the fund's key are in no stored value."""
    story = tuple(record for record in story if not isinstance(record, Revealed))
    store.open().append("BTCUP", story, 1)
    secrets = {record.u for record in story if isinstance(record, DrawQueued)}
    secrets |= {record.salt for record in story if isinstance(record, DrawQueued)}
    secrets |= {str(r.target) for r in story if isinstance(r, RebalanceStarted) and r.sequence is not None}
    secrets |= {record.key for record in story if isinstance(record, FundCreated)}
    with store.reader() as reader:
        stored = b"".join(row.body + (row.sealed or b"") for row in reader.rows("BTCUP"))  # type: ignore[attr-defined]

    assert len(secrets) > 6
    assert b"tolerance" in stored
    assert [secret for secret in secrets if secret.encode() in stored] == []


def test_before_the_first_start_there_is_nothing_to_read(store: Store) -> None:
    """A reader says so."""
    with pytest.raises(NoJournal, match="no journal"):
        store.reader()


@pytest.mark.parametrize("other", [Identity("live", "binanceusdm@live"), Identity("paper", "bybit@paper")])
def test_a_journal_serves_one_mode_and_venue(store: Store, other: Identity) -> None:
    """Another mode or venue is refused in one line that names both and the remedy."""
    store.open().close()
    with pytest.raises(JournalMismatch) as caught:
        store.open(other)
    for part in ("paper", "binanceusdm@paper", other.venue, "INBAND_"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_key_is_refused_at_once(store: Store) -> None:
    """A key that did not seal the journal is refused before anything is read or written."""
    store.open().close()
    with pytest.raises(JournalKeyError, match="another key"):
        store.open(key=OTHER_KEY)
    with pytest.raises(JournalKeyError, match="another key"):
        store.reader(OTHER_KEY)


def test_a_newer_journal_is_refused(store: Store) -> None:
    """A journal whose tables are of a later version is left alone, by writer and reader."""
    store.open().close()
    store.tamper("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalNewer, match="newer version"):
        store.open()
    with pytest.raises(JournalNewer, match="newer version"):
        store.reader()


def test_an_older_journal_is_refused_with_the_command_that_helps(store: Store) -> None:
    """Its tables are brought up to date when an operator says so, and not in passing."""
    store.open().close()
    store.tamper("UPDATE alembic_version SET version_num = '0001'")
    for opening in (store.open, store.reader):
        with pytest.raises(JournalOlder, match="db upgrade"):
            opening()


def test_a_changed_value_is_noticed(store: Store) -> None:
    """A record that is not what was written is refused, in one line with the way to restore."""
    store.open().append("BTCUP", samples(1, 2), 1)
    store.tamper("UPDATE record SET wall_ms = 7 WHERE time_ms = 2")
    with store.reader() as reader, pytest.raises(JournalCorrupt, match="checksum") as caught:
        list(reader.read("BTCUP"))
    assert "db restore" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_record_is_noticed_at_the_start(store: Store) -> None:
    """A gap between records is refused before anything is folded."""
    first = store.open()
    first.append("BTCUP", samples(1, 2, 3), 1)
    first.close()
    store.tamper("DELETE FROM record WHERE time_ms = 2")
    with pytest.raises(JournalCorrupt, match="db restore"):
        store.open()


def test_two_never_write_at_once(store: Store) -> None:
    """While one has the accounts another is refused; when the first closes, the other may have them."""
    first = store.open()
    store.keep_alive()
    with pytest.raises(JournalBusy):
        store.open()
    first.append("BTCUP", samples(1), 1)
    assert first.owned()
    first.close()
    second = store.open()
    second.append("BTCUP", samples(2), 1)
    assert second.owned()


def test_a_projection_is_kept_sealed_and_replaced(store: Store) -> None:
    """What was kept last comes back, with its position and version; nothing of it can be read beside."""
    journal = store.open()
    assert journal.projection("BTCUP", "book") is None
    journal.keep("BTCUP", {"book": StoredProjection("v1", 3, b"old")})
    journal.keep("BTCUP", {"book": StoredProjection("v2", 5, b"secret target")})
    assert journal.projection("BTCUP", "book") == StoredProjection("v2", 5, b"secret target")
    assert journal.projection("BTCDOWN", "book") is None
    with store.reader() as reader:
        assert reader.projection("BTCUP", "book") == StoredProjection("v2", 5, b"secret target")


def test_a_damaged_projection_counts_as_none(store: Store) -> None:
    """It can be made again, so damage costs a moment and no start."""
    journal = store.open()
    journal.keep("BTCUP", {"book": StoredProjection("v1", 3, b"old")})
    store.tamper("UPDATE projection SET position = 4")
    assert journal.projection("BTCUP", "book") is None


def test_a_kept_projection_is_what_the_records_say(store: Store, story: tuple[Record, ...]) -> None:
    """A start that reads on from what was kept has the same book and history as one that reads all."""
    journal = store.open()
    many = (*story, *samples(*range(10**9, 10**9 + projections.WORTH_KEEPING)))
    journal.append("BTCUP", many, 1)
    first = projections.load(journal, "BTCUP")
    projections.keep(journal, "BTCUP", first)
    journal.append("BTCUP", samples(2 * 10**9), 1)

    again = projections.load(journal, "BTCUP")

    assert (first.tail, again.tail) == (len(many), 1)
    assert again.values[0] == fold(journal.read("BTCUP"))
    assert again.values[1].entries() == first.values[1].entries()
    assert projections.differences(journal, "BTCUP") == []


def test_a_long_read_shows_that_it_goes_on(store: Store) -> None:
    """Every few hundred records, so that nobody takes a start on a long journal for a hang."""
    journal = store.open()
    journal.append("BTCUP", samples(*range(2_100)), 1)
    alive: list[int] = []
    projections.load(journal, "BTCUP", (projections.HISTORY,), lambda: alive.append(1))
    assert 4 <= len(alive) <= 10


def test_beside_a_writer_what_it_wrote_is_kept(store: Store, story: tuple[Record, ...]) -> None:
    """While a fund is at work another process keeps: the next start reads only what came after."""
    journal = store.open()
    many = (*story, *samples(*range(10**9, 10**9 + projections.WORTH_KEEPING)))
    journal.append("BTCUP", many, 1)
    with store.keeper() as keeper:
        assert projections.refresh(keeper, "BTCUP").tail == len(many)
    journal.append("BTCUP", samples(*range(2 * 10**9, 2 * 10**9 + 7)), 1)

    loaded = projections.load(journal, "BTCUP")

    assert loaded.tail == 7
    assert loaded.values[0] == fold(journal.read("BTCUP"))
    assert projections.differences(journal, "BTCUP") == []


def test_what_is_appended_meanwhile_is_not_kept_twice(store: Store, story: tuple[Record, ...]) -> None:
    """A keeper folds up to where it began, whatever the writer adds in between."""
    journal = store.open()
    journal.append("BTCUP", story, 1)
    end = journal.position("BTCUP")
    with store.keeper() as keeper:
        records = keeper.read("BTCUP", 0, end)
        first = next(records)
        journal.append("BTCUP", samples(10**9), 1)
        assert (first, *records) == story


def test_projections_are_kept_together_or_not_at_all(store: Store) -> None:
    """A keeper that dies in the midst of it leaves what was kept before: they stand at one place always."""
    journal = store.open()
    sound = StoredProjection("v1", 3, b"old")
    journal.keep("BTCUP", {"book": sound, "history": sound})
    with store.keeper() as keeper, pytest.raises(JournalUnavailable):
        keeper.keep("BTCUP", {"book": sound._replace(position=9), "history": a_bad_one()})
    assert journal.projection("BTCUP", "book") == journal.projection("BTCUP", "history") == sound


def test_a_projection_counts_only_with_the_record_it_ends_at(store: Store, story: tuple[Record, ...]) -> None:
    """Kept of other records (such as those before a restore) it is made again."""
    journal = store.open()
    many = (*story, *samples(*range(10**9, 10**9 + projections.WORTH_KEEPING)))
    journal.append("BTCUP", many, 1)
    loaded = projections.load(journal, "BTCUP")
    projections.keep(journal, "BTCUP", loaded._replace(position=loaded.position - 1))
    moved = {
        name: kept._replace(position=loaded.position)
        for name in ("book", "history")
        if (kept := journal.projection("BTCUP", name)) is not None
    }
    assert len(moved) == 2
    journal.keep("BTCUP", moved)
    assert projections.load(journal, "BTCUP").tail == len(many)


def a_bad_one() -> StoredProjection:
    """One that no store takes."""
    nothing: Any = None
    return StoredProjection(nothing, 9, b"new")


def test_a_projection_of_other_code_is_made_again(store: Store, story: tuple[Record, ...]) -> None:
    """Only the very code that folded may read it back."""
    journal = store.open()
    journal.append("BTCUP", story, 1)
    kept = StoredProjection("other code", journal.position("BTCUP"), b"{}")
    journal.keep("BTCUP", {projection.name: kept for projection in projections.ALL})
    assert projections.load(journal, "BTCUP").tail == len(story)


def test_a_false_projection_is_found_by_verification(store: Store, story: tuple[Record, ...]) -> None:
    """One that does not follow from the records is named."""
    journal = store.open()
    journal.append("BTCUP", story, 1)
    loaded = projections.load(journal, "BTCUP")
    journal.append("BTCUP", [Sampled(10**9, ONE, None)], 1)
    false = loaded._replace(position=journal.position("BTCUP"), tail=projections.WORTH_KEEPING)
    projections.keep(journal, "BTCUP", false)
    assert projections.differences(journal, "BTCUP") == [
        "BTCUP: the kept book differs from what the records say"
    ]


def test_a_lost_end_is_refused(store: Store) -> None:
    """A data directory remembers how far the journal had come: one that has lost its end is refused."""
    first = store.open()
    first.append("BTCUP", samples(1, 2, 3), 1)
    first.close()
    store.tamper("DELETE FROM record WHERE time_ms = 3")
    with pytest.raises(JournalRolledBack, match="db restore") as caught:
        store.open(same_host=True)
    assert "\n" not in str(caught.value)
