"""Rows 36 to 38, 40 and 41 of the fault catalogue: the market, and those who are told of it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.core import records as rec
from bot.simulation.faults import Fault
from tests.support.ordeal import Ordeal
from tests.support.play import play
from tests.support.receiver import Receiver

BTC: dict[str, Any] = {"symbol": "BTCUSDT"}
LONG_MS = 1_200_000


async def deferred(ordeal: Ordeal, reason: str) -> None:
    """Wait until increases are put off for this reason; none is sent as long as it lasts."""
    await ordeal.until(
        lambda: any(one.reason == reason for one in ordeal.records(rec.SliceDeferred)), f"deferred: {reason}"
    )
    sent = ordeal.records(rec.OrderIntended)
    (since, *_) = [one for one in ordeal.records(rec.SliceDeferred) if one.reason == reason]
    assert [one for one in sent if since.time_ms < one.time_ms < since.time_ms + 60_000] == []


async def test_row_36_mark_and_index_apart(tmp_path: Path) -> None:
    """They contradict each other: no increase while they do, and then it goes on."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.Filled)
        ordeal.script("index_apart", bps=800, for_ms=LONG_MS, **BTC)
        await deferred(ordeal, "mark and index price contradict each other")
        sent = len(ordeal.records(rec.OrderIntended))
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()
        first, last = ordeal.records(rec.SliceDeferred)[0], ordeal.records(rec.OrderIntended)[sent]
        assert last.time_ms - first.time_ms > LONG_MS * 0.7


async def test_row_36_a_book_far_from_the_mark(tmp_path: Path) -> None:
    """The last price spikes: nothing is bought beyond the collar around the mark."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.Filled)
        ordeal.script("last_spike", bps=800, for_ms=LONG_MS, **BTC)
        await ordeal.until_recorded(rec.RebalanceFinished)
        await ordeal.end()
        assert max(one.limit_price / one.mark for one in ordeal.records(rec.OrderIntended)) < Decimal("1.01")
        assert max(fill.price for fill in ordeal.records(rec.Filled)) < Decimal(60_600)


def test_row_36_a_flash_spike() -> None:
    """Gone after seconds: the judge has seen no order past the target, whatever the mark said."""
    played = play({}, strikes={Fault.FLASH_SPIKE: [40, 300, 620]})
    assert {done.ending for done in played.records(rec.RebalanceFinished)} == {rec.Ending.DONE}


async def test_row_37_a_price_that_stands_still(tmp_path: Path) -> None:
    """Frames come, and say the same though the index moved: no increase by a price that nobody makes."""
    async with Ordeal(tmp_path, 60_000, 61_000) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.Filled)
        ordeal.script("price_frozen", for_ms=LONG_MS, **BTC)
        ordeal.script("index_apart", bps=30, for_ms=LONG_MS, **BTC)
        await deferred(ordeal, "mark price does not move")
        sent = len(ordeal.records(rec.OrderIntended))
        await ordeal.until_recorded(rec.OrderIntended, sent + 2)
        await ordeal.end()


async def test_row_38_a_gap_through_the_band(tmp_path: Path) -> None:
    """Far below the band in one instant: it delevers by reduce-only orders into its target."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.RebalanceFinished)
        ordeal.script("price_gap", bps=-3_000, **BTC)
        await ordeal.until_recorded(rec.RebalanceFinished, 2)
        await ordeal.end()
        _, second = ordeal.records(rec.RebalanceStarted)
        assert second.leverage is not None
        assert second.leverage > 3
        after = [one for one in ordeal.records(rec.OrderIntended) if one.time_ms >= second.time_ms]
        assert after
        assert all(one.reduce_only for one in after)
        done = ordeal.records(rec.RebalanceFinished)[-1]
        assert done.leverage is not None
        assert abs(done.leverage - second.target) < Decimal("0.05")


async def test_row_38_a_gap_beyond_the_value(tmp_path: Path) -> None:
    """Half the price and the value is gone: it is said, nothing is bought, and the books are the venue's."""
    async with Ordeal(tmp_path) as ordeal:
        ordeal.start()
        await ordeal.until_recorded(rec.RebalanceFinished)
        ordeal.script("price_gap", bps=-5_500, **BTC)
        await ordeal.until_recorded(rec.StateChanged)
        await ordeal.end()
        gone = ordeal.records(rec.StateChanged)[-1]
        assert gone.state in {rec.FundState.DEAD, rec.FundState.TOO_SMALL}
        late = [one for one in ordeal.records(rec.OrderIntended) if one.time_ms >= gone.time_ms]
        assert all(one.reduce_only for one in late)


async def test_row_40_a_thin_book_and_a_shock_of_funding(tmp_path: Path) -> None:
    """Slices stay small and within their collar, and what funding takes is booked to the cent."""
    async with Ordeal(tmp_path, speed=4_000) as ordeal:
        ordeal.script("book_thin", share=0.02, for_ms=3_600_000, **BTC)
        ordeal.script("funding_shock", rate=0.02, for_ms=36_000_000, **BTC)
        ordeal.start()
        await ordeal.until(
            lambda: any(one.kind == "FUNDING_FEE" for one in ordeal.records(rec.IncomeBooked)), "it paid"
        )
        await ordeal.end()
        (paid, *_) = [one for one in ordeal.records(rec.IncomeBooked) if one.kind == "FUNDING_FEE"]
        assert paid.amount < -100
        assert max(one.limit_price / one.mark for one in ordeal.records(rec.OrderIntended)) < Decimal("1.01")


async def test_row_41_nobody_takes_the_alerts(tmp_path: Path) -> None:
    """Trading goes on; alerts wait in the outbox, and arrive once the receiver is back."""
    with Receiver() as receiver:
        receiver.fail = True
        async with Ordeal(
            tmp_path, ROUTES__PHONE__URL=receiver.url, ROUTES__PHONE__SEVERITY="info"
        ) as ordeal:
            ordeal.start()
            await ordeal.until(lambda: receiver.refused > 0, "an alert was refused")
            refused_at = len(ordeal.records(rec.SliceSettled))
            await ordeal.until_recorded(rec.SliceSettled, refused_at + 3)
            await ordeal.stop()
            assert receiver.letters == []
            receiver.fail = False
            ordeal.start()
            await ordeal.until(lambda: receiver.letters, "it was told after all")
            await ordeal.end()
        assert receiver.refused > 0
