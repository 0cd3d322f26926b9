"""Market time, and how attached clients hold the market."""

from __future__ import annotations

import asyncio
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange import pacing
from bot.exchange.prices.funding import ConstantFunding
from tests.exchange.builders import DOWN, START_MS, UP, Bench, Start, StepPath, flat, walk
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from bot.exchange import AccountConfig


def ramp(count: int = 10) -> StepPath:
    """Return a path that rises by 10 each second."""
    return StepPath([60_000 + 10 * step for step in range(count)])


async def stands_still(bench: Bench, seconds: float = 0.2) -> bool:
    """Return whether market time stays where it is for a while."""
    before = bench.exchange.now_ms
    await asyncio.sleep(seconds)
    return bench.exchange.now_ms == before


async def test_attaching_tells_where_the_market_is(start: Start) -> None:
    """The answer names now, start, end and speed."""
    async with start(paths={"BTCUSDT": ramp()}) as bench:
        pacer = await bench.pacer()
    assert pacer.attached == {
        "op": "attached",
        "now": START_MS,
        "start": START_MS,
        "end": START_MS + 9_000,
        "speed": "max",
    }


async def test_nobody_attached_at_max_stands_still(start: Start) -> None:
    """Without a pacing client there is no measure of time at max."""
    async with start() as bench:
        assert await stands_still(bench)


async def test_an_attached_client_that_is_not_idle_holds_the_market(start: Start) -> None:
    """The market holds its instant until the client has seen it and is idle."""
    async with start() as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await marks.at(START_MS)
        assert await stands_still(bench)
        await pacer.idle(START_MS)
        await marks.at(START_MS + 1_000)
        assert await stands_still(bench)
        await pacer.idle(START_MS)  # an old idle releases nothing
        assert await stands_still(bench)


async def test_every_client_must_be_idle(start: Start) -> None:
    """With two clients attached the slower one sets the pace; when it leaves, it no longer counts."""
    async with start() as bench:
        first, second = await bench.pacer("first"), await bench.pacer("second")
        marks = await bench.marks()
        await first.idle(START_MS)
        assert await stands_still(bench)
        await second.idle(START_MS)
        await marks.at(START_MS + 1_000)
        await first.idle(START_MS + 1_000)
        assert await stands_still(bench)
        await second.socket.close()
        await marks.at(START_MS + 2_000)


async def test_until_stops_the_market_between_knots(start: Start) -> None:
    """A client is woken at the time it asked for, with the interpolated mark."""
    async with start(paths={"BTCUSDT": ramp()}) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await pacer.idle(START_MS, until=START_MS + 300)
        assert await marks.at(START_MS + 300) == Decimal(60_003)
        await pacer.idle(START_MS + 300)
        assert await marks.at(START_MS + 1_000) == Decimal(60_010)


async def test_until_in_the_past_means_the_next_millisecond(start: Start) -> None:
    """A time that has come already still moves the market on, by the least there is."""
    async with start() as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await pacer.idle(START_MS, until=START_MS)
        await marks.at(START_MS + 1)


async def test_a_held_market_repeats_its_marks(start: Start) -> None:
    """A feed sees life while the market holds: the same mark again, with the same time."""
    async with start() as bench:
        await bench.pacer()
        marks = await bench.marks()
        assert [await marks.next() for _ in range(3)] == [(START_MS, Decimal(60_000))] * 3


async def test_the_end_is_told_once_all_are_idle(start: Start) -> None:
    """After the last knot, clients are told the end, and market time stays there."""
    async with start(paths={"BTCUSDT": ramp(3)}) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await walk(pacer, marks, START_MS + 2_000)
        assert await stands_still(bench)
        await pacer.idle(START_MS + 2_000)
        assert await pacer.receive() == {"op": "end", "now": START_MS + 2_000}
        assert await stands_still(bench)


async def test_not_before_goes_there_silently_and_books_funding_on_the_way(start: Start) -> None:
    """A client that has been further is brought there; what was due in between has happened."""
    start_ms = START_MS - 5_000
    path = StepPath([60_000] * 11, start_ms=start_ms)
    async with start(paths={"BTCUSDT": path}) as bench:
        await bench.order()
        pacer = await bench.pacer(not_before=START_MS + 1_500)
        assert pacer.attached["now"] == START_MS + 1_500
        _, rows = await bench.call("GET", "/fapi/v1/income", {"incomeType": "FUNDING_FEE"}, UP)
    assert [(row["time"], row["income"]) for row in rows] == [(START_MS, "-6.00000000")]


async def test_not_before_in_the_past_changes_nothing(start: Start) -> None:
    """The market never goes back."""
    async with start() as bench:
        assert (await bench.pacer(not_before=START_MS - 1)).attached["now"] == START_MS


async def test_a_factor_runs_by_the_wall_clock_without_clients(start: Start) -> None:
    """At a factor the market needs nobody."""
    async with start(speed=200.0) as bench:
        marks = await bench.marks()
        first, _ = await marks.next()
        async with asyncio.timeout(PATIENCE_S):
            while (await marks.next())[0] < first + 3_000:
                pass


async def test_a_free_market_has_a_fresh_mark_a_second(start: Start) -> None:
    """Between distant knots, too, a client that does not pace sees market time go on, as at any venue.

    A machine that was busy when one was due may be late with it, so any two that follow each other will do.
    """
    async with start(paths={"BTCUSDT": StepPath([60_000, 60_000], step_ms=3_600_000)}, speed=1.0) as bench:
        marks = await bench.marks()
        before = (await marks.next())[0]
        async with asyncio.timeout(PATIENCE_S):
            while not before < (later := (await marks.next())[0]) <= before + 1_000:
                assert later >= before
                before = later


async def test_a_factor_still_waits_for_attached_clients(start: Start) -> None:
    """At any speed an attached client that is not idle holds the market."""
    async with start(paths={"BTCUSDT": flat(86_400)}, speed=1_000.0) as bench:
        pacer = await bench.pacer()
        now_ms = pacer.attached["now"]
        assert await stands_still(bench)
        await pacer.idle(now_ms)
        marks = await bench.marks()
        await marks.at(now_ms + 1_000)


async def test_busy_takes_an_idle_back(start: Start) -> None:
    """A client that is set to work while the wall clock runs holds the market again."""
    async with start(speed=5.0) as bench:
        pacer = await bench.pacer()
        now_ms = pacer.attached["now"]
        await pacer.idle(now_ms)
        await pacer.busy()
        assert await stands_still(bench, 0.4)
        await pacer.idle(now_ms)
        await (await bench.marks()).at(now_ms + 1_000)


async def test_wait_for_clients_holds_the_first_instant(start: Start) -> None:
    """An embedded exchange gives its daemon time to attach, at any speed."""
    async with start(speed=1_000.0, wait_for_clients=True) as bench:
        assert await stands_still(bench)
        pacer, marks = await bench.pacer(), await bench.marks()
        assert await stands_still(bench)
        await pacer.idle(START_MS)
        await marks.at(START_MS + 1_000)


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        '{"op":"idle","seen":1}',
        '{"op":"attach"}',
        '{"op":"attach","name":"x","not_before":"soon"}',
        '{"op":"attach","name":"x","not_before":-1}',
    ],
)
async def test_what_is_not_in_the_protocol_is_answered_and_closed(start: Start, message: str) -> None:
    """A bad pacing message gets an error, and cannot hold the market."""
    async with start() as bench:
        socket = await bench.session.ws_connect(f"{bench.ws_url}/pacing")
        await socket.send_str(message)
        assert (await socket.receive_json())["op"] == "error"
        await socket.receive()
        assert socket.closed


PATH = StepPath([60_000 + (step * 37) % 113 for step in range(12)])
RATE = {"BTCUSDT": ConstantFunding(Decimal("0.0003"))}


async def trade_along(bench: Bench, steps: range, accounts: tuple[AccountConfig, ...] = (UP, DOWN)) -> None:
    """Trade the accounts in this order at each of these instants, and rest an order now and then."""
    pacer, marks = await bench.pacer(not_before=START_MS + 1_000 * steps[0]), await bench.marks()
    for step in steps:
        time_ms = START_MS + 1_000 * step
        await marks.at(time_ms)
        side = "BUY" if step % 3 else "SELL"
        price = "60500" if side == "BUY" else "59500"
        for account in accounts if step % 4 else ():
            await bench.order(account, side=side, quantity=f"{1 + step % 4}", price=price)
            await bench.order(account, quantity="0.5", price="60036", timeInForce="GTC")
        await pacer.idle(time_ms)
    await marks.at(START_MS + 1_000 * (steps[-1] + 1))


async def everything(bench: Bench) -> list[Any]:
    """Return all orders, trades and income of both accounts."""
    return [
        (await bench.call("GET", path, {"symbol": "BTCUSDT"}, account))[1]
        for account in (UP, DOWN)
        for path in ("/fapi/v1/userTrades", "/fapi/v1/allOrders", "/fapi/v1/income")
    ]


@pytest.fixture
async def plain_run(start: Start, tmp_path: Path) -> list[Any]:
    """What an undisturbed run at max comes to."""
    async with start(paths={"BTCUSDT": PATH}, funding=RATE, directory=tmp_path / "plain", seed="7") as bench:
        await trade_along(bench, range(11))
        result = await everything(bench)
    assert len(result[0]) > 10
    assert {trade["maker"] for trade in result[0]} == {True, False}
    return result


async def test_the_order_in_which_accounts_trade_changes_nothing(start: Start, plain_run: list[Any]) -> None:
    """Two accounts that trade at the same instants get the same fills and ids, whoever comes first."""
    async with start(paths={"BTCUSDT": PATH}, funding=RATE, seed="7") as bench:
        await trade_along(bench, range(11), (DOWN, UP))
        assert await everything(bench) == plain_run


async def test_speed_changes_nothing(start: Start, plain_run: list[Any]) -> None:
    """At a factor of real time the same client gets the same orders, trades and income as at max."""
    async with start(
        paths={"BTCUSDT": PATH}, funding=RATE, seed="7", speed=50.0, wait_for_clients=True
    ) as bench:
        await trade_along(bench, range(11))
        assert await everything(bench) == plain_run


async def test_a_crash_in_the_middle_changes_nothing(
    start: Start, tmp_path: Path, plain_run: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on disk at some moment, started again, comes to the same as if nothing had happened."""
    monkeypatch.setattr(pacing, "SAVE_EVERY_S", 3_600.0)  # trades save market time, and nothing else does
    settings = {"paths": {"BTCUSDT": PATH}, "funding": RATE, "seed": "7"}
    async with start(**settings, directory=tmp_path / "before") as bench:
        await trade_along(bench, range(9))
        shutil.copytree(tmp_path / "before", tmp_path / "after")
    async with start(**settings, directory=tmp_path / "after") as bench:
        assert bench.exchange.now_ms < START_MS + 9_000  # nobody traded at step 8, so its time was not saved
        await trade_along(bench, range(9, 11))
        assert await everything(bench) == plain_run


async def test_another_seed_is_another_market(start: Start, plain_run: list[Any]) -> None:
    """The seed shapes the book, and with it the fills."""
    async with start(paths={"BTCUSDT": PATH}, funding=RATE, seed="8") as bench:
        await trade_along(bench, range(11))
        assert await everything(bench) != plain_run


async def test_own_trading_depletes_the_book_and_time_refills_it(start: Start) -> None:
    """The same order twice in one instant pays more the second time; five minutes later it does not."""
    async with start(paths={"BTCUSDT": flat(600)}, seed="1") as bench:
        prices = []
        for pause_ms in (0, 0, 300_000):
            if pause_ms:
                await bench.pacer(not_before=START_MS + pause_ms)
            answer = await bench.order(quantity="10")
            prices.append(Decimal(answer["avgPrice"]))
    assert prices[1] > prices[0]
    assert prices[2] < prices[1]
