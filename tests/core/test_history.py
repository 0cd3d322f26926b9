from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.history import EntryState, RebalanceEntry, RebalanceHistory
from bot.core.units import ZERO, Urgency
from bot.testing import Lab, a_fund

START_MS = 1_741_257_000_000
DRAW = rec.DrawQueued(START_MS - 1, 3, "c0ffee", "0.333333333333333333", "5a" * 32)
STARTED = rec.RebalanceStarted(
    time_ms=START_MS,
    number=7,
    kind=rec.Kind.BAND,
    reason="leverage above the band",
    urgency=Urgency.PROMPT,
    sequence=3,
    target=Decimal("2.100000000"),
    tolerance=Decimal("0.01"),
    mark=Decimal("80000.0"),
    position=Decimal("4.000"),
    leverage=Decimal("3.2"),
    low=Decimal("1.8"),
    high=Decimal("2.6"),
)


def intended(cid: str) -> rec.OrderIntended:
    """An order of the rebalance."""
    return rec.OrderIntended(START_MS, cid, Decimal(-1), Decimal(1), True, Decimal(80_000), 0)  # noqa: FBT003


def filled(cid: str | None, quantity: str, price: str, fee: str = "0") -> rec.Filled:
    """A trade; its id is nobody's concern here."""
    return rec.Filled(START_MS, cid, "t", START_MS, Decimal(quantity), Decimal(price), Decimal(fee))


FINISHED = rec.RebalanceFinished(
    START_MS + 61_005, rec.Ending.DONE, Decimal("80010.0"), Decimal("2.500"), Decimal("2.1002")
)
SLICES = (
    intended("a"),
    filled("a", "-0.4", "79990", "16"),
    filled("a", "-0.1", "79980", "4"),
    rec.SliceSettled(START_MS, "a", Decimal("0.5"), START_MS + 1),
    intended("b"),
    filled("b", "-1.0", "79900", "40"),
    rec.SliceSettled(START_MS, "b", Decimal(1), START_MS + 2),
)
WHOLE = (DRAW, STARTED, *SLICES, FINISHED)


def told(records: Iterable[rec.Record]) -> tuple[RebalanceEntry, ...]:
    """The entries after these records."""
    history = RebalanceHistory("BTCUP")
    for record in records:
        history.apply(record)
    return history.entries()


def test_a_finished_rebalance_reads_as_the_contract_says() -> None:
    """Every field of the public object, in its order: decimals and times as text, undefined as null."""
    (entry,) = told(WHOLE)

    assert list(entry.to_json().items()) == [
        ("id", "BTCUP-7"),
        ("fund", "BTCUP"),
        ("kind", "band"),
        ("reason", "leverage above the band"),
        ("urgency", "prompt"),
        ("sequence", 3),
        ("commitment", "c0ffee"),
        ("started_at", "2025-03-06T10:30:00.000Z"),
        ("finished_at", "2025-03-06T10:31:01.005Z"),
        ("revealed_at", None),
        ("state", "done"),
        ("position_before", "4"),
        ("position_after", "2.5"),
        ("position_change", "-1.5"),
        ("leverage_before", "3.2"),
        ("leverage_after", "2.1002"),
        ("tolerance", "0.01"),
        ("mark_at_decision", "80000"),
        ("average_price", "79929.33333333333"),
        ("shortfall_bps", "8.8333"),
        ("fees", "60"),
        ("slices", 2),
        ("target", "2.1"),
        ("target_range", ["1.8", "2.6"]),
        ("u", "0.333333333333333333"),
        ("salt", "5a" * 32),
        ("previous_hash", None),
        ("hash", None),
    ]


def test_nothing_secret_is_told_before_the_end() -> None:
    """While a rebalance runs, its entry holds neither target nor draw in any form, only the commitment."""
    for length in range(1, len(WHOLE)):
        for entry in told(WHOLE[:length]):
            assert entry.commitment == "c0ffee"
            for text in (repr(entry), repr(entry.to_json())):
                assert "2.1" not in text
                assert "0.3333" not in text
                assert "5a5a" not in text


def test_a_running_rebalance_shows_its_progress() -> None:
    """Until the end the fills so far are summed, and what the end will tell is unknown."""
    (entry,) = told(WHOLE[:5])

    assert entry.state is EntryState.RUNNING
    assert (entry.position_change, entry.slices, entry.fees) == (Decimal("-0.5"), 1, Decimal(20))
    assert (entry.position_after, entry.leverage_after, entry.finished_ms) == (None, None, None)


def test_a_copy_goes_its_own_way() -> None:
    """What is applied to a copy of a history leaves the history as it was, and the other way round."""
    history = RebalanceHistory("BTCUP")
    for record in WHOLE[:-1]:
        history.apply(record)
    twin = history.copy()
    twin.apply(FINISHED)
    assert twin.entries() == told(WHOLE)
    assert history.entries() == told(WHOLE[:-1])
    history.apply(FINISHED)
    assert history.entries() == told(WHOLE)


def test_without_a_fill_there_is_no_price() -> None:
    """Average price and shortfall of nothing are undefined, not zero."""
    (entry,) = told((STARTED, FINISHED._replace(position=Decimal(4))))

    assert entry.average_price is None
    assert entry.shortfall_bps is None
    assert entry.position_change == ZERO


@pytest.mark.parametrize(
    ("quantity", "price", "shortfall_bps"),
    [("1", "80080", "10"), ("1", "79920", "-10"), ("-1", "79920", "10"), ("-1", "80080", "-10")],
)
def test_shortfall_is_positive_when_the_fund_paid(quantity: str, price: str, shortfall_bps: str) -> None:
    """Buying above the mark at decision and selling below it are costs; the reverse are gains."""
    (entry,) = told((STARTED, intended("a"), filled("a", quantity, price)))

    assert entry.shortfall_bps == Decimal(shortfall_bps)


def test_parking_shows_until_the_rebalance_goes_on() -> None:
    """A daemon that stops midway leaves the entry parked; the next start sets it running again."""
    parked = (STARTED, rec.RebalanceParked(START_MS))

    assert told(parked)[0].state is EntryState.PARKED
    assert told((*parked, rec.RebalanceResumed(START_MS)))[0].state is EntryState.RUNNING


INTERRUPTIONS: tuple[tuple[rec.Record, ...], ...] = (
    (rec.RebalanceParked(START_MS), rec.RebalanceResumed(START_MS)),
    (intended("x"), rec.OrderDead(START_MS, "x", "expired"), rec.SliceSettled(START_MS, "x", ZERO, 1)),
    (
        intended("y"),
        rec.OrderRejected(START_MS, "y", "-2019", "margin"),
        rec.SliceSettled(START_MS, "y", ZERO, 1),
    ),
    (intended("z"), rec.OrderAdvanced(START_MS, "z", "9", ZERO, True)),  # noqa: FBT003
    (rec.SliceDeferred(START_MS, "stale", 1),),
    (rec.Reconciled(START_MS, Decimal(1), Decimal(1)),),
)


@given(st.lists(st.tuples(st.integers(2, len(WHOLE) - 1), st.sampled_from(INTERRUPTIONS)), max_size=5))
@settings(deadline=None)
def test_interruptions_leave_no_trace(interruptions: list[tuple[int, tuple[rec.Record, ...]]]) -> None:
    """Kills, restarts, and orders that died, were refused or filled nothing change no fact of an entry.

    How it was carried out is another matter, and measured (test_measures).
    """
    records: list[rec.Record] = list(WHOLE)
    for place, extra in sorted(interruptions, key=lambda pair: pair[0], reverse=True):
        records[place:place] = extra

    facts, wanted = (
        [replace(entry, measures=None, completion=None) for entry in told(each)] for each in (records, WHOLE)
    )
    assert facts == wanted


def test_urgency_is_the_highest_reached() -> None:
    """An entry tells how urgent its rebalance became."""
    raised = rec.UrgencyRaised(START_MS, Urgency.EMERGENCY, Decimal(1))

    assert told((STARTED, raised, FINISHED))[0].urgency is Urgency.EMERGENCY


def test_a_superseded_rebalance_is_told_as_such() -> None:
    """One that ended because leverage crossed the opposite edge says so, and opens its draw."""
    (entry,) = told((DRAW, STARTED, FINISHED._replace(ending=rec.Ending.SUPERSEDED)))

    assert entry.state is EntryState.SUPERSEDED
    assert entry.u == DRAW.u


def test_trades_of_others_are_an_entry_of_their_own() -> None:
    """A change from outside is told with its trades' price and fees, but nobody of ours decided it."""
    change = rec.ExternalChange(START_MS, 8, Decimal(80_000), Decimal("2.5"), Decimal(1))
    (entry,) = told((filled(None, "-1", "79000", "30"), filled(None, "-0.5", "78000", "15"), change))

    assert entry.to_json() == {
        **dict.fromkeys(entry.to_json()),
        "id": "BTCUP-8",
        "fund": "BTCUP",
        "kind": "external",
        "reason": "trades that were not ours",
        "started_at": "2025-03-06T10:30:00.000Z",
        "finished_at": "2025-03-06T10:30:00.000Z",
        "state": "done",
        "position_before": "2.5",
        "position_after": "1",
        "position_change": "-1.5",
        "mark_at_decision": "80000",
        "average_price": "78666.66666666667",
        "fees": "45",
        "slices": 0,
    }


def test_trades_of_others_do_not_enter_a_rebalance() -> None:
    """Trades from outside between two slices are no part of the rebalance under way."""
    change = rec.ExternalChange(START_MS, 8, None, Decimal("3.5"), Decimal("3.4"))
    outside = (filled(None, "-0.1", "70000", "9"), change)
    ours, theirs = told((*WHOLE[:6], *outside, *WHOLE[6:]))

    assert (ours,) == told(WHOLE)
    assert theirs.kind is rec.Kind.EXTERNAL


@pytest.mark.parametrize("record", [FINISHED, filled("a", "1", "1"), rec.RebalanceParked(1)])
def test_records_of_no_rebalance_are_refused(record: rec.Record) -> None:
    """A journal that speaks of a rebalance where none is open is not one of ours."""
    with pytest.raises(ValueError, match="none is open"):
        told((record,))


@given(
    st.lists(st.integers(40_000, 110_000), min_size=1, max_size=4),
    st.lists(st.sampled_from(["fill", "half", "nothing", "refuse", "lose", "lose filled"]), max_size=6),
    st.sampled_from(["long", "short"]),
)
@settings(deadline=None, max_examples=15)
def test_history_and_ledger_are_the_same_facts(prices: list[int], script: list[str], side: str) -> None:
    """Whatever happens to orders, entries add up to the position and fees, each to its own ends."""
    lab = Lab(a_fund(side="long" if side == "long" else "short"), slippage_bps=Decimal(2))
    lab.venue.script.extend(script)  # type: ignore[arg-type]
    lab.walk(*map(str, prices))
    lab.settle()

    entries = told(lab.records)

    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert sum((entry.position_change for entry in entries), ZERO) == lab.state.book.position
    assert sum((entry.fees for entry in entries), ZERO) == lab.state.book.ledger.fees
    for entry in entries:
        if entry.position_after is not None:
            assert entry.position_after - entry.position_before == entry.position_change
