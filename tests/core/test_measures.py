"""What a rebalance cost and why: parts that sum exactly, and each part by hand."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.execution_report import execution
from bot.core.history import RebalanceHistory
from bot.core.measures import Measures, completion, out_of_band_ms, participation, shortfall
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic

D = Decimal


def intended(cid: str, quantity: str, mark: str, *, ms: int = 0, posted: bool = False) -> rec.OrderIntended:
    """An order on its way."""
    rests = ms + 5_000 if posted else None
    return rec.OrderIntended(ms, cid, D(quantity), D(1), False, D(mark), 0, rests, D("0.5"))  # noqa: FBT003


def filled(cid: str, quantity: str, price: str, fee: str = "0", *, ms: int = 0) -> rec.Filled:
    """A fill."""
    return rec.Filled(ms, cid, "t", ms, D(quantity), D(price), D(fee))


def settled(cid: str, quantity: str, *, out: bool | None = None, ms: int = 0) -> rec.SliceSettled:
    """The end of an order."""
    return rec.SliceSettled(ms, cid, D(quantity), 0, out)


def taken(*records: rec.Record, decided: str = "100") -> Measures:
    """The measures of a rebalance that was decided at a mark of 100."""
    measures = Measures(D(decided), 0)
    for record in records:
        measures = measures.after(record)
    return measures


def test_a_purchase_in_parts_by_hand() -> None:
    """Two at a mark of 101, paid 101.1 and 101.3; two more at 103, earned as a maker at 102.9; fees 0.4."""
    parts = shortfall(
        taken(
            intended("a", "2", "101"),
            filled("a", "1", "101.3", "0.1"),
            filled("a", "1", "101.1", "0.1"),
            settled("a", "2"),
            intended("b", "2", "103", posted=True),
            filled("b", "2", "102.9", "0.2"),
            settled("b", "2"),
        )
    )
    assert parts is not None
    assert parts._asdict() == {
        "shortfall": D("205.0000"),  # (0.1 + 0.3 + 1 + 1 + 2.9 x 2) / 400
        "arrival": D("105.0000"),
        "delay": D("100.0000"),  # 4 x 1 / 400
        "drift": D("100.0000"),  # 2 x 2 / 400
        "timing": D("200.0000"),
        "spread": D("0.0000"),  # 2 x 0.1 - 2 x 0.1
        "impact": D("5.0000"),  # 0.2 / 400
        "fee": D("10.0000"),
        "total": D("215.0000"),
    }


def test_a_sale_is_the_mirror() -> None:
    """One sold at 98 and one at 97 where the mark was 99, and 100 at decision."""
    parts = shortfall(taken(intended("a", "-2", "99"), filled("a", "-1", "98"), filled("a", "-1", "97")))
    assert parts is not None
    assert (parts.delay, parts.drift) == (100, 0)
    assert (parts.spread, parts.impact) == (100, 50)
    assert parts.shortfall == 250


prices = st.decimals("50", "200", places=1)
fills = st.lists(st.tuples(st.integers(1, 50), prices), min_size=1, max_size=4)


@given(st.sampled_from([1, -1]), prices, st.lists(st.tuples(prices, fills), min_size=1, max_size=5))
def test_parts_sum_to_the_shortfall_exactly(
    side: int, decided: Decimal, slices: list[tuple[Decimal, list[tuple[int, Decimal]]]]
) -> None:
    """To the last digit, whatever is traded at whatever price; impact is never a gain."""
    records: list[rec.Record] = []
    for place, (mark, traded) in enumerate(slices):
        cid = str(place)
        records.append(intended(cid, str(side * 200), str(mark)))
        records += [filled(cid, str(side * size), str(price), "0.37") for size, price in traded]
        records.append(settled(cid, "1"))
    measures = taken(*records, decided=str(decided))
    parts = shortfall(measures)
    assert parts is not None
    assert parts.shortfall == parts.timing + parts.spread + parts.impact
    assert parts.timing == parts.delay + parts.drift
    assert parts.shortfall == parts.arrival + parts.delay
    assert parts.total == parts.shortfall + parts.fee
    assert parts.impact >= 0
    every = [(side * size, price) for _, traded in slices for size, price in traded]
    notional = sum(abs(size) for size, _ in every) * decided
    direct = sum(size * (price - decided) for size, price in every) / notional * 10_000
    assert abs(parts.shortfall - direct) <= D("0.0001")


def test_nothing_filled_costs_nothing_that_can_be_said() -> None:
    """No parts, no ratio, no participation."""
    measures = taken(intended("a", "1", "100"), settled("a", "0"))
    assert shortfall(measures) is None
    assert shortfall(taken()) is None
    assert participation(measures) is None


def test_what_is_counted_of_orders() -> None:
    """Refusals of more than the price, and posts that filled less than half, were priced anew."""
    refusal = rec.OrderRejected(0, "a", "-2019", "no", would_take=False)
    measures = taken(
        intended("a", "4", "100"),
        refusal,
        settled("a", "0"),
        intended("b", "4", "100", posted=True),
        refusal._replace(cid="b", would_take=True),
        settled("b", "0"),
        intended("c", "4", "100", posted=True),
        settled("c", "1"),
        intended("d", "4", "100", posted=True),
        settled("d", "2"),
        rec.RebalanceParked(0),
        filled("d", "1", "9"),
        settled("d", "2"),
    )
    assert (measures.orders, measures.rejected, measures.repriced) == (4, 1, 2)
    assert measures.traded == 0


@pytest.mark.parametrize(
    ("last_ms", "expected"), [(30_000, "0.1000"), (60_000, "0.1000"), (120_000, "0.0500")]
)
def test_participation_is_the_part_of_the_market_meanwhile(last_ms: int, expected: str) -> None:
    """Half a coin a second: three of thirty in a minute, which is the least that counts."""
    sent, bought = intended("a", "3", "100", ms=1), filled("a", "3", "100", ms=last_ms + 1)
    assert participation(taken(sent, bought)) == D(expected)
    unknown = sent._replace(market_per_s=None)
    assert participation(taken(unknown, bought)) is None


def finished(leverage: str | None, position: str = "2") -> rec.RebalanceFinished:
    """The end, at a mark of 100."""
    exact = None if leverage is None else D(leverage)
    return rec.RebalanceFinished(0, rec.Ending.DONE, D(100), D(position), exact)


@pytest.mark.parametrize(
    ("end", "target", "expected"),
    [
        (finished("2"), "2", "1"),
        (finished("2"), "3", "0.6667"),  # value 100, so 100 are left, and 200 were traded
        (finished("0", "0"), "0", "1"),
        (finished("0", "0"), "2", None),
        (finished(None), "2", None),
    ],
)
def test_completion_is_what_was_traded_of_what_there_was_to_trade(
    end: rec.RebalanceFinished, target: str, expected: str | None
) -> None:
    """By notional, at the decision and at the end."""
    measures = taken(intended("a", "2", "100"), filled("a", "2", "100"))
    found = completion(measures, end, D(target))
    assert found == (None if expected is None else D(expected))


def test_completion_of_nothing() -> None:
    """Nothing traded with something left is none of it; with nothing left there was nothing to do."""
    assert completion(taken(), finished("0", "0"), D(2)) == 0
    assert completion(taken(), finished("2"), D(3)) == 0
    assert completion(taken(), finished("2"), D(2)) is None


def test_out_of_band_ends_with_the_first_slice_that_ends_it() -> None:
    """Later slices change nothing; without any the end of the rebalance counts."""
    sent, back = intended("a", "1", "100"), settled("a", "1", out=False, ms=9_000)
    measures = taken(
        sent, settled("a", "1", out=True, ms=4_000), sent, back, sent, back._replace(time_ms=11_000)
    )
    assert out_of_band_ms(measures, 60_000) == 9_000
    assert out_of_band_ms(taken(), 60_000) == 60_000


def reports(lab: Lab) -> list[dict[str, Any]]:
    """What operators are told of each rebalance."""
    history = RebalanceHistory(lab.fund.name)
    for record in lab.records:
        history.apply(record)
    return [execution(entry) or {} for entry in history.entries()]


def test_a_rebalance_of_the_engine_is_measured() -> None:
    """Prompt at 2 bps of slippage and 5 of fees: no timing at one mark, out of the band until it is back."""
    lab = Lab(slippage_bps=D(2))
    lab.venue.volume = D(9_000)
    lab.settle()
    lab.mark("44900")
    lab.settle()
    opening, band = reports(lab)
    assert (opening["maker_ratio"], opening["out_of_band_s"]) == ("1", None)
    assert {name: band[name] for name in ("spread_bps", "impact_bps", "timing_bps", "shortfall_bps")} == {
        "spread_bps": "2",
        "impact_bps": "0",
        "timing_bps": "0",
        "shortfall_bps": "2",
    }
    assert band["arrival_mark"] == "44900"
    assert D(band["fee_bps"]).quantize(D("0.1")) == D("5.0")
    assert D(band["completion"]) > D("0.98")
    assert all(0 < D(each["leverage_error"]) < D("0.01") for each in (opening, band))
    assert 0 < D(band["participation"]) < D("0.1")
    assert 0 <= band["out_of_band_s"] < 60
    assert band["maker_ratio"] == "0"
    assert band["orders"] >= 2


def test_a_rebalance_under_way_tells_what_its_fills_tell() -> None:
    """And nothing of its target: neither how far it is, nor how far it has to go."""
    lab = Lab(slippage_bps=D(2))
    lab.settle()
    lab.mark("44900")
    assert lab.state.book.rebalance is not None
    under_way = reports(lab)[-1]
    assert under_way["shortfall_bps"] == "2"
    assert {under_way[name] for name in ("completion", "leverage_error", "out_of_band_s")} == {None}


def test_a_rebalance_that_has_traded_nothing_tells_no_cost() -> None:
    """Its first order is on the way."""
    lab = Lab()
    lab.settle()
    lab.deliver = lambda _: False
    lab.mark("44900")
    under_way = reports(lab)[-1]
    assert (under_way["orders"], under_way["shortfall_bps"], under_way["maker_ratio"]) == (1, None, None)


def test_a_fund_that_ended_without_value_ended_at_no_leverage() -> None:
    """So there is no error of it either."""
    lab = Lab()
    lab.settle()
    lab.mark("29000")
    lab.settle()
    report = reports(lab)[-1]
    assert report["orders"] > 0
    assert (report["completion"], report["leverage_error"]) == (None, None)


def test_a_confirmation_counts_as_time_out_of_the_band() -> None:
    """From the moment at which leverage fell below it; one that was cancelled does not count."""
    lab = Lab(a_fund(strategy=Strategic(confirmation_s=1_800)))
    lab.settle()
    lab.mark("92000")
    lab.mark("60000", after_s=1)
    lab.mark("92000", after_s=7_200)
    began_ms = lab.time_ms
    lab.mark("92000", after_s=1_801)
    lab.settle()
    report = reports(lab)[-1]
    started = lab.of(rec.RebalanceStarted)[-1]
    assert started.time_ms > began_ms
    assert report["out_of_band_s"] >= (started.time_ms - began_ms) // 1000
    assert report["out_of_band_s"] < 7_200


def test_trades_of_others_are_not_measured() -> None:
    """Nobody of ours decided them."""
    lab = Lab()
    lab.settle()
    lab.venue.trade(D("-0.1"), lab.time_ms, lab.price)
    history = RebalanceHistory(lab.fund.name)
    for record in (*lab.records, rec.ExternalChange(0, 2, None, D(1), D(2))):
        history.apply(record)
    assert execution(history.entries()[-1]) is None


def test_a_slice_that_settles_before_a_mark_came_says_nothing_of_the_band() -> None:
    """After a restart an order may prove never to have arrived before the first mark: it moved nothing."""
    lab = Lab()
    lab.settle()
    lab.venue.script.append("lose")
    lab.deliver = lambda command: type(command).__name__ == "SubmitOrder"
    lab.mark("44900")
    lab.deliver = lambda _: True
    lab.restart()
    (dead,) = lab.of(rec.OrderDead)
    (slice_,) = [record for record in lab.of(rec.SliceSettled) if record.cid == dead.cid]
    assert slice_.out_of_band is None


def test_an_order_that_never_arrived_counts_for_nothing() -> None:
    """Neither among the orders, nor in what is known of the market: it was as if nothing had been sent."""
    lost = taken(intended("a", "2", "101"), rec.OrderDead(0, "a", "never seen"), settled("a", "0"))
    assert (lost.orders, lost.seen, lost.market, lost.repriced) == (0, 0, 0, 0)
    unknown = intended("b", "2", "101")._replace(market_per_s=None)
    assert taken(unknown, rec.OrderDead(0, "b", "never seen")).seen == 0
    assert taken(rec.OrderDead(0, "b", "never seen")).order is None


def test_a_strangers_trade_while_an_order_is_out_is_none_of_its_cost() -> None:
    """It is booked at that moment, and no part of what the rebalance traded."""
    alone = (intended("a", "1", "100"), filled("a", "1", "101", "0.1"), settled("a", "1"))
    strange = rec.Filled(0, None, "x", 0, D(5), D(150), D(3))
    assert taken(alone[0], strange, *alone[1:]) == taken(*alone)
