"""The log may be read by people who must not know what a fund is about to do."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.book import Book, fold
from bot.core.process_records import Configured
from bot.daemon.narration import Narrator, lines
from bot.testing import Lab

CLASSES = get_args(rec.Record)
TELLING = {
    "u", "salt", "key", "incarnation", "target", "tolerance", "deadline_ms", "next_slice_ms",
    "quantity", "limit_price", "reduce_only", "price", "fee", "filled", "position", "position_before",
    "leverage", "wallet", "value", "amount", "unallocated", "detail", "variance", "content", "trigger_price",
    "nav", "units", "cash", "paid", "received", "returned", "trading_fee", "fill_cost",
    "low", "high", "due_ms", "text", "out_of_band",
}  # fmt: skip
"""Fields from which a target, or a position and so a target, could be worked out."""


def built(kind: type[rec.Record], value: Any) -> Any:
    """A record each field of which holds `value`."""
    return kind(**dict.fromkeys(kind._fields, value))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_no_line_holds_a_telling_or_a_sealed_field(kind: type[rec.Record]) -> None:
    """Neither what the journal seals nor a quantity, position or leverage gets into the log."""
    for line in lines((built(kind, 0),)):
        assert set(line.fields).isdisjoint(TELLING | rec.SEALED.get(kind, frozenset()))


@given(st.data())
def test_no_value_of_a_telling_field_gets_into_a_line(data: st.DataObject) -> None:
    """Whatever a telling field holds, the line is the same without it."""
    kind = data.draw(st.sampled_from(CLASSES))
    canary = data.draw(st.uuids().map(str))
    values = {name: canary if name in TELLING else "plain" for name in kind._fields}
    for line in lines((kind(**values),)):
        assert canary not in str(line)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_field_is_judged(kind: type[rec.Record]) -> None:
    """A field that is neither harmless nor telling is a new one: it has to be judged in this file."""
    harmless = {
        "time_ms",
        "fund", "underlying", "side", "capital", "sequence", "commitment", "mark", "number", "kind",
        "reason", "urgency", "cid", "expires_wall_ms", "venue_id", "closed", "code", "evidence", "trade_id",
        "trade_ms", "ending", "income_id", "income_ms", "state", "remedy", "stops_increases", "how",
        "rests_until_ms", "would_take", "control", "author", "why", "what", "digest", "request_id",
        "taken_from", "known_income", "order_id",
        "reference", "references", "dealing_ms", "daily", "from_ms", "until_ms", "numerator", "denominator",
        "hash", "rate", "wall_ms", "market_per_s", "tick", "lot", "min_quantity", "max_quantity",
        "min_notional", "taker_fee",
    }  # fmt: skip
    assert set(kind._fields) <= harmless | TELLING


def test_every_line_carries_the_market_time_and_a_known_level() -> None:
    """Lines can be put in order, and alerted on."""
    told = list(lines(tuple(built(kind, 5) for kind in CLASSES)))
    assert len(told) > 15
    assert all(line.fields["market_ms"] == 5 for line in told)
    assert {line.level for line in told} == {"info", "warning", "error"}
    assert len({line.event for line in told}) == len(told)


def test_lines_within_a_rebalance_carry_its_id() -> None:
    """From its start to its end, over restarts; those between rebalances carry none."""
    lab = Lab()
    narrator = Narrator("BTCUP", Book())
    before = len(lab.records) // 2
    told = list(narrator.lines(tuple(lab.records[:before])))
    resumed = Narrator("BTCUP", fold(lab.records[:before]))
    lab.settle()
    lab.mark("60000")
    told += list(resumed.lines(tuple(lab.records[before:])))
    ids = {line.event: line.fields.get("rebalance") for line in told}
    assert ids["fund_created"] is None
    assert ids["rebalance_started"] == ids["order_sent"] == ids["rebalance_finished"] == "BTCUP-1"
    assert told[-1].fields.get("rebalance") is None


def test_the_first_settings_of_a_fund_are_no_warning() -> None:
    """Who starts one has just given them; that it runs by others later is for somebody's eye."""
    narrator = Narrator("BTCUP", Book())
    first, other = (Configured(0, digest, "start", "the settings of this start") for digest in ("a", "b"))
    assert [line.level for line in narrator.lines((first, other))] == ["info", "warning"]
    again = Narrator("BTCUP", fold([first]))
    assert [line.level for line in again.lines((other,))] == ["warning"]
