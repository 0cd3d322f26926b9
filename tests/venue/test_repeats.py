"""Of repeats that would ask the same only the soonest asks, and none before the venue lets us."""

import asyncio
import math

import pytest

from bot.core.commands import (
    Command,
    FetchAccount,
    FetchIncome,
    FetchTrades,
    GuardOrders,
    MoveCash,
    QueryOrder,
    QueryStop,
)
from bot.core.events import OrderReport, ReadFailed, Wake
from bot.core.units import ONE
from bot.venue.limiter import Limiter
from bot.venue.repeats import Repeats
from tests.support.venue_orders import CID
from tests.support.venue_stub import VenueStub, json_answer, text_answer
from tests.venue.conftest import Account

ORDER = "GET /fapi/v1/order"
FOUND = {"orderId": 9, "clientOrderId": CID, "executedQty": "0", "status": "CANCELED"}


async def waited(repeats: Repeats, *commands: tuple[Command, float]) -> list[bool]:
    """Which of them are to be carried out."""
    return await asyncio.gather(*(repeats.wait(command, delay_s) for command, delay_s in commands))


@pytest.mark.parametrize("delays_s", [(0.02, 0.04, 0.06), (0.06, 0.04, 0.02), (0.04, 0.02, 0.04)])
async def test_the_soonest_asks(delays_s: tuple[float, ...]) -> None:
    """In whatever order they came; where the income begins makes no difference."""
    chances = [(FetchAccount(since_ms), delay_s) for since_ms, delay_s in enumerate(delays_s)]
    asked = await waited(Repeats(Limiter()), *chances)
    assert asked == [delay_s == 0.02 for delay_s in delays_s]


async def test_what_was_asked_may_be_asked_again() -> None:
    """It waits for nothing that is over, nor for what was given up."""
    repeats = Repeats(Limiter())
    given_up = asyncio.create_task(repeats.wait(QueryOrder("a"), 0.001))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    assert await waited(repeats, (QueryOrder("a"), 0.01)) == [True]
    assert await waited(repeats, (QueryOrder("a"), 0.01)) == [True]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (QueryOrder("a"), QueryOrder("b")),
        (QueryOrder("a"), QueryStop("a")),
        (FetchTrades("7", 0), FetchTrades(None, 0)),
        (FetchAccount(0), FetchIncome(0)),
        (MoveCash(ONE), MoveCash(ONE)),
        (GuardOrders(0), GuardOrders(0)),
    ],
)
async def test_what_asks_something_else_or_does_something_waits_for_nobody(
    one: Command, other: Command
) -> None:
    """Two transfers are two transfers."""
    assert await waited(Repeats(Limiter()), (one, 0.01), (other, 0.01)) == [True, True]


async def test_while_the_venue_holds_us_back_a_read_is_repeated_once_and_then(
    stub: VenueStub, account: Account
) -> None:
    """Every repeat ends; one of them in an answer, and that when the ban is over: no chain goes round."""
    stub.answers[ORDER] = text_answer("{}", 418, {"Retry-After": "11"})
    gateway, limiter = account.gateway, account.gateway._requests._limiter
    assert isinstance(await gateway.perform(QueryOrder(CID)), ReadFailed)
    assert math.ceil(limiter.held_s) == 11
    limiter._held_until_s -= limiter.held_s - 0.3  # the test does not wait so long
    stub.answers[ORDER] = json_answer(FOUND)
    loop, began_s, count = asyncio.get_running_loop(), asyncio.get_running_loop().time(), stub.count(ORDER)
    answers = await asyncio.gather(*(gateway.perform(QueryOrder(CID, delay_s=0.01)) for _ in range(5)))
    assert [type(answer) for answer in answers] == [OrderReport, *[Wake] * 4]
    assert stub.count(ORDER) == count + 1
    assert loop.time() - began_s > 0.2
