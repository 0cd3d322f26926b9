"""News of orders by the user stream: all of it, exact, on a stream that is kept alive and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.core.events import Event, OrderReport, ReconcileDue, Trade, TradesSeen
from bot.venue.venue import Venue
from tests.support.patience import until
from tests.support.venue_stub import VenueStub, error_answer, order_update
from tests.venue.conftest import NOW_MS, Account

POST_KEY, PUT_KEY = "POST /fapi/v1/listenKey", "PUT /fapi/v1/listenKey"


class News:
    """What a stream said."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gaps: list[str] = []
        self.settings = 0

    def settings_moved(self) -> None:
        """The account was set anew."""
        self.settings += 1

    def reports(self) -> list[OrderReport]:
        """Reports only."""
        return [event for event in self.events if isinstance(event, OrderReport)]


@asynccontextmanager
async def listening(
    stub: VenueStub, venue: Venue, account: Account, renew_every_s: float = 1200.0
) -> AsyncIterator[News]:
    """A stream at work, connected."""
    news = News()
    stream = venue.order_stream(
        account.client, "BTCUSDT", news.events.append, news.gaps.append, renew_every_s=renew_every_s
    )
    stream.on_settings = news.settings_moved
    running = asyncio.create_task(stream.run())
    await stub.until(lambda: len(stub.sockets) == 1)
    try:
        yield news
    finally:
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_fill_is_reported_and_then_its_trade(stub: VenueStub, venue: Venue, account: Account) -> None:
    """The report comes first, so that the trade's order is known; both are exact."""
    async with listening(stub, venue, account) as news:
        await stub.send(order_update("ours"))
        await until(lambda: len(news.events) == 2)

    report, trades = news.events
    assert isinstance(report, OrderReport)
    assert isinstance(trades, TradesSeen)
    assert (report.cid, report.venue_id, report.filled, report.closed) == (
        "ours",
        "77",
        Decimal("0.010"),
        True,
    )
    price, fee = Decimal("49990.0"), Decimal("0.24995")
    assert trades.trades == (Trade("9001", "77", 1_700_000_000_500, Decimal("0.010"), price, fee),)


@pytest.mark.parametrize(
    ("frame", "told_ms"),
    [
        (order_update("ours"), 1_700_000_000_501),
        ({"e": "ACCOUNT_UPDATE", "E": 1_700_000_060_000, "a": {"m": "DEPOSIT"}}, 1_700_000_060_000),
        ({"e": "ACCOUNT_UPDATE", "E": "soon", "a": {"m": "DEPOSIT"}}, NOW_MS),
        ({"e": "ACCOUNT_UPDATE", "a": {"m": "DEPOSIT"}}, NOW_MS),
    ],
    ids=["a fill", "a deposit", "no time", "nothing said of time"],
)
async def test_news_comes_at_the_time_at_which_the_venue_sent_it(
    stub: VenueStub, venue: Venue, account: Account, frame: dict[str, Any], told_ms: int
) -> None:
    """On a paper exchange it may overtake the mark of its instant, which is how we would know the time."""
    async with listening(stub, venue, account) as news:
        await stub.send(frame)
        await until(lambda: bool(news.events))
    assert news.events[0].time_ms == told_ms


async def test_a_forced_fill_is_a_trade(stub: VenueStub, venue: Venue, account: Account) -> None:
    """Liquidation and deleveraging are told as CALCULATED; the position changed as by any trade."""
    async with listening(stub, venue, account) as news:
        await stub.send(order_update("adl_autoclose", x="CALCULATED"))
        await until(lambda: len(news.events) == 2)

    assert isinstance(news.events[1], TradesSeen)


async def test_a_forced_order_that_has_filled_nothing_is_no_trade(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """A liquidation begins with an order: a trade of nothing at no price must not reach the ledger."""
    async with listening(stub, venue, account) as news:
        begun = {"x": "CALCULATED", "X": "NEW", "l": "0", "z": "0", "L": "0", "t": 0}
        await stub.send(order_update("autoclose-1", **begun))
        await stub.send(order_update("autoclose-1", x="CALCULATED", X="NEW_INSURANCE"))
        await until(lambda: len(news.events) == 3)

    assert [type(event) for event in news.events] == [OrderReport, OrderReport, TradesSeen]
    assert news.gaps == []


async def test_an_order_that_expires_unfilled_brings_no_trade(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """An expiry closes the order and nothing else."""
    async with listening(stub, venue, account) as news:
        await stub.send(order_update("ours", x="EXPIRED", X="EXPIRED", z="0", l="0", t=0))
        await until(lambda: bool(news.events))

    assert [(report.filled, report.closed) for report in news.reports()] == [(Decimal(0), True)]
    assert len(news.events) == 1


async def test_other_symbols_and_other_events_are_no_news(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """Account updates that orders and funding explain, and orders on other contracts, pass in silence."""
    async with listening(stub, venue, account) as news:
        for reason in ("ORDER", "FUNDING_FEE"):
            await stub.send({"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": reason, "B": [], "P": []}})
        await stub.send(order_update("theirs", s="ETHUSDT", x="NEW", X="NEW"))
        await stub.send(order_update("ours"))
        await until(lambda: len(news.events) == 2)

    assert [report.cid for report in news.reports()] == ["ours"]


@pytest.mark.parametrize(
    "frame",
    [
        order_update("theirs", s="ETHUSDT"),
        order_update("adl_autoclose", s="ETHUSDT", x="CALCULATED"),
        {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": "WITHDRAW", "B": [], "P": []}},
    ],
    ids=["a trade elsewhere", "a deleveraging elsewhere", "a withdrawal"],
)
async def test_what_moves_the_account_otherwise_has_it_compared(
    stub: VenueStub, venue: Venue, account: Account, frame: dict[str, Any]
) -> None:
    """Neither orders nor funding of the symbol explain it: the ledger is compared at once."""
    async with listening(stub, venue, account) as news:
        await stub.send(frame)
        await until(lambda: len(news.events) == 1)
    assert isinstance(news.events[0], ReconcileDue)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "ac": {"s": "BTCUSDT", "l": 4}}, 1),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "ac": {"s": "ETHUSDT", "l": 4}}, 0),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "ai": {"j": True}}, 1),
        ({"e": "ACCOUNT_UPDATE", "E": 1, "a": {"m": "MARGIN_TYPE_CHANGE", "B": [], "P": []}}, 1),
        ({"e": "ACCOUNT_UPDATE", "E": 1, "a": {"m": "DEPOSIT", "B": [], "P": []}}, 0),
        ([], 0),
    ],
    ids=["leverage", "leverage elsewhere", "asset mode", "margin type", "a deposit", "nothing"],
)
async def test_settings_that_somebody_changed_are_told(
    stub: VenueStub, venue: Venue, account: Account, frame: Any, told: int
) -> None:
    """Whoever watches them looks at once."""
    async with listening(stub, venue, account) as news:
        await stub.send(frame)
        await stub.send(order_update("ours"))
        await until(lambda: bool(news.reports()))
    assert news.settings == told


async def test_no_news_of_a_burst_is_missed(stub: VenueStub, venue: Venue, account: Account) -> None:
    """A ccxt watcher wakes once for many updates, and chokes on an order's third fill; here all come."""
    async with listening(stub, venue, account) as news:
        for number in range(1, 201):
            await stub.send(
                order_update("ours", X="PARTIALLY_FILLED", t=number, l="0.001", z=f"{number / 1000}")
            )
        await until(lambda: len(news.events) == 400)

    trades = [event.trades[0].trade_id for event in news.events if isinstance(event, TradesSeen)]
    assert trades == [str(number) for number in range(1, 201)]


async def test_the_key_is_renewed_again_and_again(stub: VenueStub, venue: Venue, account: Account) -> None:
    """Left to ccxt, which renews a listen key only once, a quiet stream would go deaf after 80 minutes."""
    async with listening(stub, venue, account, renew_every_s=0.05):
        await stub.until(lambda: stub.count(PUT_KEY) >= 5)


async def test_a_key_that_cannot_be_renewed_is_replaced(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """If the venue no longer knows the key, the stream is opened anew with a fresh one."""
    stub.answers[PUT_KEY] = error_answer(-1125, "This listenKey does not exist.")
    async with listening(stub, venue, account, renew_every_s=0.1) as news:
        await stub.until(lambda: stub.count(POST_KEY) >= 2 and len(stub.sockets) >= 2)

    assert "-1125" in news.gaps[0]


@pytest.mark.parametrize("event", ["listenKeyExpired", "eventStreamTerminated"])
async def test_an_ended_stream_is_opened_anew(
    stub: VenueStub, venue: Venue, account: Account, event: str
) -> None:
    """These events, which ccxt ignores, are a gap, and a new key and connection follow."""
    async with listening(stub, venue, account) as news:
        await stub.send({"e": event, "E": 1})
        await stub.until(lambda: len(stub.sockets) == 2)
        await stub.send(order_update("ours"))
        await until(lambda: len(news.events) == 2)

    assert stub.count(POST_KEY) == 2
    assert len(news.gaps) == 1


@pytest.mark.parametrize("fault", ['{"e":"ORDER_TRADE_UPDATE",', "abort", "close"])
async def test_a_broken_stream_is_a_gap_and_is_mended(
    stub: VenueStub, venue: Venue, account: Account, fault: str
) -> None:
    """Frames that cannot be read, resets and closes are said, because news may have been missed."""
    async with listening(stub, venue, account) as news:
        if fault == "abort":
            stub.abort(stub.sockets[-1])
        elif fault == "close":
            await stub.sockets[-1].close()
        else:
            await stub.send(fault)
        await stub.until(lambda: len(stub.sockets) == 2)
        await stub.send(order_update("ours"))
        await until(lambda: len(news.events) == 2)

    assert len(news.gaps) == 1


@pytest.mark.parametrize("fields", [{"z": "NaN"}, {"X": "PERHAPS"}, {"l": "x"}, {"N": "BNB"}, {"c": ""}])
async def test_an_update_that_cannot_be_read_is_a_gap(
    stub: VenueStub, venue: Venue, account: Account, fields: dict[str, str]
) -> None:
    """It is no report; the caller looks by REST instead."""
    async with listening(stub, venue, account) as news:
        await stub.send(order_update("ours", **fields))
        await until(lambda: bool(news.gaps))

    assert news.events == []


async def test_gaps_show_no_key(stub: VenueStub, venue: Venue, account: Account) -> None:
    """A listen key opens the stream to anyone, and ccxt names it in its errors; we do not."""

    async def key(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.json_response({"listenKey": "canary-listen-key"})

    stub.answers[POST_KEY] = key
    async with listening(stub, venue, account) as news:
        await stub.stop()
        await until(lambda: len(news.gaps) >= 2)

    assert "canary" not in "".join(news.gaps)


async def test_a_fault_of_the_listener_is_not_swallowed(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """What `on_event` raises ends the stream and reaches whoever runs it."""

    def fail(_event: Event) -> None:
        raise LookupError("a fault of the engine")

    stream = venue.order_stream(account.client, "BTCUSDT", fail, lambda _: None)
    running = asyncio.create_task(stream.run())
    await stub.until(lambda: len(stub.sockets) == 1)
    await stub.send(order_update("ours"))

    with pytest.raises(LookupError, match="a fault of the engine"):
        await asyncio.wait_for(running, 60)


async def test_a_banned_stream_waits_with_its_key(stub: VenueStub, venue: Venue, account: Account) -> None:
    """Ccxt asks for a key by itself; not while the host has told us to leave it alone."""
    began_s = asyncio.get_running_loop().time()
    venue._limiter.hold(0.3)
    async with listening(stub, venue, account):
        assert stub.count("POST /fapi/v1/listenKey") == 1
    assert asyncio.get_running_loop().time() - began_s >= 0.3
