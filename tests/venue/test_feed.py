"""Mark prices: exact, newest first, and never silently gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import pytest
from aiohttp import web
from ccxt.base.errors import NetworkError

from bot.core.events import Mark
from bot.venue.clock import ExchangeClock
from bot.venue.profile import Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.support.patience import until
from tests.support.venue_stub import VenueStub, mark


class Seen:
    """What a feed said."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, Mark]] = []
        self.lost: list[tuple[str, str]] = []
        self.contracts: list[str] = []

    def on_mark(self, symbol: str, seen: Mark) -> None:
        """Keep a mark."""
        self.marks.append((symbol, seen))

    def on_lost(self, symbol: str, reason: str) -> None:
        """Keep a loss."""
        self.lost.append((symbol, reason))

    def prices(self) -> list[str]:
        """Prices in the order seen."""
        return [str(seen.price) for _, seen in self.marks]


@asynccontextmanager
async def watching(
    stub: VenueStub, venue: Venue, *symbols: str, silence_s: float = 30.0
) -> AsyncIterator[Seen]:
    """A feed at work, subscribed."""
    seen, wanted = Seen(), symbols or ("BTCUSDT",)
    feed = venue.mark_feed(wanted, seen.on_mark, seen.on_lost, silence_s=silence_s)
    feed.on_contract = seen.contracts.append
    running = asyncio.create_task(feed.run())
    before = len(stub.subscriptions)
    await stub.until(lambda: len(stub.subscriptions) >= before + len(wanted))
    try:
        yield seen
    finally:
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def resubscribed(stub: VenueStub, times: int) -> None:
    """Wait for the n-th subscription of one symbol."""
    await stub.until(lambda: len(stub.subscriptions) >= times)


async def test_a_frame_becomes_an_exact_mark(stub: VenueStub, venue: Venue) -> None:
    """Prices and funding rate keep every digit; the time is the exchange's event time."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000.12345678", r="0.00012345", T=28_800_000))
        await until(lambda: bool(seen.marks))

    symbol, seen_mark = seen.marks[0]
    assert symbol == "BTCUSDT"
    assert seen_mark._replace(wall_ms=0, lag_ms=0) == Mark(
        1000, 0, Decimal("50000.12345678"), 28_800_000, Decimal("0.00012345"), Decimal("50000.12345678")
    )


async def test_news_of_contracts_is_asked_for_on_the_same_socket_and_again_on_the_next(
    stub: VenueStub, venue: Venue
) -> None:
    """Only news of symbols that are watched is told; the marks come as ever, and are not lost by it."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 999, "50000"))
        await stub.until(lambda: bool(stub.contract_news))
        for symbol in ("ETHUSDT", "BTCUSDT"):
            await stub.send({"e": "contractInfo", "E": 1000, "s": symbol, "cs": "SETTLING"})
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: len(seen.marks) == 2)
        assert seen.contracts == ["BTCUSDT"]
        await stub.sockets[-1].close()
        await resubscribed(stub, 2)
        await stub.send(mark("BTCUSDT", 1001, "50000"))
        await stub.until(lambda: len(stub.contract_news) == 2)


async def test_all_symbols_share_one_connection(stub: VenueStub, venue: Venue) -> None:
    """Each symbol's marks are told apart, on a single socket."""
    async with watching(stub, venue, "BTCUSDT", "ETHUSDT") as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await stub.send(mark("ETHUSDT", 1000, "3000"))
        await until(lambda: len(seen.marks) == 2)

    assert {symbol: str(seen_mark.price) for symbol, seen_mark in seen.marks} == {
        "BTCUSDT": "50000",
        "ETHUSDT": "3000",
    }
    assert stub.dials == 1


async def test_the_newest_of_a_burst_wins(stub: VenueStub, venue: Venue) -> None:
    """Of many frames that wait, the last is always seen, and time never goes back."""
    async with watching(stub, venue, "BTCUSDT", "ETHUSDT") as seen:
        for number in range(1, 3001):
            await stub.send(mark("BTCUSDT", number, f"{number}"))
            await stub.send(mark("ETHUSDT", number, f"{number}"))
        await until(lambda: {("BTCUSDT", 3000), ("ETHUSDT", 3000)} <= {(s, m.time_ms) for s, m in seen.marks})

    for symbol in ("BTCUSDT", "ETHUSDT"):
        times = [seen_mark.time_ms for name, seen_mark in seen.marks if name == symbol]
        assert times == sorted(set(times))


async def test_the_same_mark_again_is_a_sign_of_life_only(stub: VenueStub, venue: Venue) -> None:
    """A venue that repeats its last mark is alive, and says nothing new."""
    async with watching(stub, venue, silence_s=0.4) as seen:
        for _ in range(10):
            await stub.send(mark("BTCUSDT", 1000, "50000"))
            await asyncio.sleep(0.1)

    assert seen.prices() == ["50000"]
    assert seen.lost == []


async def test_a_frame_older_than_the_last_is_ignored(stub: VenueStub, venue: Venue) -> None:
    """A late frame neither moves the price back nor counts as life."""
    async with watching(stub, venue, silence_s=0.4) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))
        async with asyncio.timeout(60):
            while not seen.lost:
                await stub.send(mark("BTCUSDT", 999, "1"))
                await asyncio.sleep(0.1)

    assert seen.prices() == ["50000"]
    assert [reason for _, reason in seen.lost] == ["silent for 0.4 s"]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "0", "abc", None, ""])
async def test_a_price_that_is_none_loses_the_symbol(
    stub: VenueStub, venue: Venue, price: str | None
) -> None:
    """A frame without a positive number as price is no mark; trust returns with the next good one."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await stub.send({**mark("BTCUSDT", 1001, "1"), "p": price})
        await until(lambda: bool(seen.lost))
        await stub.send(mark("BTCUSDT", 1002, "50001"))
        await until(lambda: "50001" in seen.prices())

    assert len(seen.lost) == 1
    assert set(seen.prices()) <= {"50000", "50001"}


@pytest.mark.parametrize(
    "frame",
    [
        "[]",
        "[1]",
        '{"e":"markPriceUpdate","E":1',
        '{"e":"markPriceUpdate"}',
        '{"e":"markPriceUpdate","s":["BTCUSDT"],"p":"1","E":1001}',
    ],
)
async def test_a_frame_that_cannot_be_read_ends_in_a_resubscription(
    stub: VenueStub, venue: Venue, frame: str
) -> None:
    """Truncated JSON or an empty list would kill ccxt's receive loop without a word; marks go on here."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))
        await stub.send(frame)
        await resubscribed(stub, 2)
        await stub.send(mark("BTCUSDT", 1001, "50001"))
        await until(lambda: "50001" in seen.prices())

    assert len(seen.lost) == 1


@pytest.mark.parametrize(
    "frame",
    [
        '"text"',
        "{}",
        '{"e":"somethingNew"}',
        '{"result":null,"id":99}',
        '{"e":"markPriceUpdate","s":"LTCUSDT","p":"50000","E":1000}',
    ],
)
async def test_a_frame_about_something_else_changes_nothing(
    stub: VenueStub, venue: Venue, frame: str
) -> None:
    """What is readable and no mark is passed over."""
    async with watching(stub, venue) as seen:
        await stub.send(frame)
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))

    assert seen.lost == []
    assert stub.dials == 1


async def test_a_socket_that_ccxt_forgets_to_forget_is_not_used_again(stub: VenueStub, venue: Venue) -> None:
    """When its receive loop fails, ccxt tells its watchers but keeps the dead socket for the next watch."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))
        for socket in venue._public.clients.values():
            socket.reject(NetworkError("the receive loop failed"))
        await resubscribed(stub, 2)

    assert stub.dials == 2


async def test_an_aborted_connection_is_said_and_mended(stub: VenueStub, venue: Venue) -> None:
    """A reset loses every symbol once, and the feed subscribes again."""
    async with watching(stub, venue, "BTCUSDT", "ETHUSDT") as seen:
        stub.abort(stub.sockets[-1])
        await stub.until(lambda: len(stub.subscriptions) >= 4)
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))

    assert sorted(symbol for symbol, _ in seen.lost) == ["BTCUSDT", "ETHUSDT"]


async def test_a_closed_connection_is_said_and_mended(stub: VenueStub, venue: Venue) -> None:
    """So does a polite close, such as the venue's every 24 hours."""
    async with watching(stub, venue) as seen:
        await stub.sockets[-1].close()
        await resubscribed(stub, 2)
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))

    assert len(seen.lost) == 1


async def test_the_mark_after_a_loss_restores_trust_though_nothing_changed(
    stub: VenueStub, venue: Venue
) -> None:
    """After a loss even the old mark is told, because it is known to be current again."""
    async with watching(stub, venue) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: bool(seen.marks))
        stub.abort(stub.sockets[-1])
        await resubscribed(stub, 2)
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await until(lambda: len(seen.marks) == 2)

    assert seen.prices() == ["50000", "50000"]


async def test_silence_is_said_once_and_mended(stub: VenueStub, venue: Venue) -> None:
    """A connection that stays open and says nothing is given up after `silence_s`."""
    async with watching(stub, venue, silence_s=0.3) as seen:
        await stub.send(mark("BTCUSDT", 1000, "50000"))
        await resubscribed(stub, 4)
        assert [reason for _, reason in seen.lost] == ["silent for 0.3 s"]
        async with asyncio.timeout(60):
            while "50001" not in seen.prices():  # the socket may be given up at this very moment
                with suppress(ConnectionError):
                    await stub.send(mark("BTCUSDT", 1001, "50001"))
                await asyncio.sleep(0.05)


async def test_a_half_open_socket_is_noticed(stub: VenueStub, venue: Venue) -> None:
    """A peer that answers no pings is given up, long before the nine minutes that ccxt would take."""
    stub.answer_pings = False
    async with watching(stub, venue, silence_s=0.5) as seen:
        await resubscribed(stub, 2)
        assert len(seen.lost) == 1


async def test_a_venue_that_is_away_is_dialled_until_it_is_back(stub: VenueStub, venue: Venue) -> None:
    """Nobody listens on the port for a while; the feed finds the venue again by itself, without haste."""
    async with watching(stub, venue) as seen:
        await stub.stop()
        await until(lambda: bool(seen.lost))
        await asyncio.sleep(0.6)
        dials = stub.dials
        async with stub:
            await resubscribed(stub, 2)
            await stub.send(mark("BTCUSDT", 1000, "50000"))
            await until(lambda: bool(seen.marks))
        assert stub.dials == dials + 1

    assert len(seen.lost) == 1


async def test_a_fault_of_the_listener_is_not_swallowed(stub: VenueStub, venue: Venue) -> None:
    """What `on_mark` raises ends the feed and reaches whoever runs it."""

    def fail(_symbol: str, _mark: Mark) -> None:
        raise LookupError("a fault of the engine")

    feed = venue.mark_feed(["BTCUSDT"], fail, lambda *_: None)
    running = asyncio.create_task(feed.run())
    await resubscribed(stub, 1)
    await stub.send(mark("BTCUSDT", 1000, "50000"))

    with pytest.raises(LookupError, match="a fault of the engine"):
        await asyncio.wait_for(running, 60)


async def test_closing_is_bounded_against_a_peer_that_floods(stub: VenueStub) -> None:
    """A peer that sends without end and never says goodbye delays a stop by a few seconds only."""
    stop = asyncio.Event()

    async def flood(socket: web.WebSocketResponse) -> None:
        async def send() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    await socket.send_json(mark("BTCUSDT", number, f"{number}"))
                except ConnectionError:
                    return
                await asyncio.sleep(0)

        flooding.append(asyncio.create_task(send()))

    flooding: list[asyncio.Task[None]] = []
    stub.on_connect = flood
    profile = profile_named("binanceusdm")
    venue = Venue(profile, Environment.PAPER, ExchangeClock(0), paper_url=stub.url)
    await venue.markets.load(lambda *_: None)
    seen = Seen()
    running = asyncio.create_task(venue.mark_feed(["BTCUSDT"], seen.on_mark, seen.on_lost).run())
    await until(lambda: len(seen.marks) > 5)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.timeout(60):
        await venue.close()
    took_s = loop.time() - began_s
    stop.set()
    await asyncio.gather(*flooding)
    assert took_s < 10
