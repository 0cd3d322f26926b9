"""Traps of ccxt that nothing else here is named after: names that do not resolve, and memory."""

import gc
import logging
from typing import Any

import pytest

from bot.core.commands import QueryOrder
from bot.core.events import OrderRefused, OrderUnknown, ReadFailed
from bot.venue.venue import Venue
from tests.support.patience import until
from tests.support.venue_orders import CID, an_order
from tests.support.venue_stub import VenueStub, error_answer, mark, order_update
from tests.venue.conftest import Account
from tests.venue.test_feed import Seen, watching
from tests.venue.test_order_stream import listening

FRAMES = 3_000


def elsewhere(account: Account, url: str) -> None:
    """Let the account's requests go to another host."""
    account.client.urls["api"]["fapiPrivate"] = f"{url}/fapi/v1"


async def test_a_name_that_does_not_resolve_leaves_an_order_unknown(account: Account) -> None:
    """Nothing was sent, but ccxt has the same class for a reset in mid-request: it proves nothing."""
    elsewhere(account, "http://nowhere.invalid")
    event = await account.gateway.perform(an_order())
    assert isinstance(event, OrderUnknown)
    assert "DNS" in event.reason
    assert "nowhere.invalid" not in event.reason


async def test_a_name_that_does_not_resolve_is_no_evidence_that_an_order_is_missing(account: Account) -> None:
    """The reads fail, and are repeated by whoever asked."""
    elsewhere(account, "http://nowhere.invalid")
    event = await account.gateway.perform(QueryOrder(CID))
    assert isinstance(event, ReadFailed)
    assert "DNS" in event.reason


@pytest.mark.parametrize(("code", "would_take"), [(-5021, False), (-5022, True)])
async def test_an_order_that_could_not_be_filled_as_it_must_is_refused(
    stub: VenueStub, account: Account, code: int, *, would_take: bool
) -> None:
    """FOK that would not fill, GTX that would: both are definite, and ccxt gives both one class."""
    stub.answers["POST /fapi/v1/order"] = error_answer(code, "could not be filled")
    event = await account.gateway.perform(an_order())
    assert isinstance(event, OrderRefused)
    assert (event.code, event.would_take) == (str(code), would_take)


def held_by(client: Any) -> int:
    """How much ccxt keeps of what came: entries of its caches, subscriptions and futures."""
    sockets = list(client.clients.values())
    caches = (client.orders, client.myTrades, client.tickers)
    kept = sum(len(cache) for cache in caches if cache is not None)
    return kept + sum(len(socket.subscriptions) + len(socket.futures) for socket in sockets) + len(sockets)


async def handed_over(seen: Seen, client: Any, time_ms: int) -> None:
    """Wait for a mark, and until ccxt has its frame: those of a burst are kept for two turns of the loop."""
    await until(lambda: bool(seen.marks) and seen.marks[-1][1].time_ms == time_ms)
    await until(lambda: client.tickers["BTC/USDT:USDT"]["timestamp"] == time_ms)
    seen.marks.clear()


async def test_thousands_of_marks_leave_nothing_behind(
    stub: VenueStub, venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in ccxt nor with us, whatever the number: months of a mark a second must fit."""
    caplog.set_level(logging.ERROR)  # what pytest keeps of the log is not ours
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1, "50000"))
        await until(lambda: bool(seen.marks))
        kept, objects = held_by(venue._public), None
        for number in range(2, FRAMES):
            await stub.send(mark("BTCUSDT", number, f"{50_000 + number}"))
            if number == FRAMES // 2:
                await handed_over(seen, venue._public, number)
                gc.collect()
                objects = len(gc.get_objects())
        await handed_over(seen, venue._public, FRAMES - 1)
        gc.collect()
        assert objects is not None
        assert held_by(venue._public) <= kept + 5
        assert len(gc.get_objects()) - objects < FRAMES / 10


async def test_thousands_of_orders_leave_nothing_behind(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """Their frames never reach ccxt, whose websocket orders, which leak a subscription each, are not used."""
    async with listening(stub, venue, account) as news:
        kept = held_by(account.client)
        for number in range(FRAMES):
            await stub.send(order_update(f"order{number}", i=number, x="EXPIRED", X="EXPIRED", z="0"))
        await until(lambda: len(news.reports()) == FRAMES)
        assert held_by(account.client) <= kept + 5
