"""The room against the paper exchange, through unmodified ccxt and real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.ledger import Ledger
from bot.exchange import AccountConfig, Exchange, ExchangeConfig, start_exchange
from bot.testing import a_fund
from bot.venue.account import AccountGateway
from bot.venue.clock import ExchangeClock
from bot.venue.errors import AccountRefused, BadKey
from bot.venue.profile import CcxtClient, Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.exchange.builders import flat
from tests.support.patience import until
from tests.support.venue_orders import CID, an_order
from tests.venue.conftest import LONGEST_WINDOW_MS

KEYS = Credentials("up-key", "up-secret")


@dataclass
class Paper:
    """A running paper exchange, and one account on it."""

    exchange: Exchange
    venue: Venue
    client: CcxtClient
    gateway: AccountGateway
    clock: ExchangeClock


@pytest.fixture
async def paper(tmp_path: Path) -> AsyncIterator[Paper]:
    """BTCUSDT at 50,000 in real time; an account with 100,000 USDT."""
    config = ExchangeConfig(
        paths={"BTCUSDT": flat(price=50_000)},
        accounts=(AccountConfig("UP", KEYS.api_key, KEYS.secret, Decimal(100_000)),),
        directory=tmp_path,
    )
    exchange = await start_exchange(config)
    clock = ExchangeClock(exchange.now_ms)
    venue = Venue(profile_named("binanceusdm"), Environment.PAPER, clock, paper_url=exchange.url)
    async with venue:
        await venue.markets.load(lambda *_: None)
        client = venue.client(KEYS)
        client.options["recvWindow"] = LONGEST_WINDOW_MS
        gateway = venue.gateway(client, venue.markets.contract("BTCUSDT", 6))
        yield Paper(exchange, venue, client, gateway, clock)
    await exchange.close()


@asynccontextmanager
async def running(job: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """A stream at work."""
    task = asyncio.ensure_future(job())
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_round_trip_reconciles_with_the_wallet(paper: Paper) -> None:
    """Prepare, buy, look up, list trades and read the account: fills and fees explain the wallet exactly."""
    assert await paper.gateway.prepare(a_fund(capital="20000")) == 6
    opened = await paper.gateway.perform(cmd.FetchAccount(0))
    report = await paper.gateway.perform(an_order("0.500", "50100.0"))
    found = await paper.gateway.perform(cmd.QueryOrder(CID))
    assert isinstance(opened, ev.AccountSeen)
    assert isinstance(report, ev.OrderReport)
    assert isinstance(found, ev.OrderReport)
    trades = await paper.gateway.perform(cmd.FetchTrades(report.venue_id, report.time_ms - 60_000))
    account = await paper.gateway.perform(cmd.FetchAccount(0))

    assert isinstance(trades, ev.TradesSeen)
    assert isinstance(account, ev.AccountSeen)
    assert (report.filled, report.closed) == (Decimal("0.5"), True)
    assert found._replace(wall_ms=0, time_ms=0) == report._replace(wall_ms=0, time_ms=0)
    ledger = Ledger(cash=opened.wallet)
    for trade in trades.trades:
        ledger = ledger.after_trade(trade.quantity, trade.price, trade.fee)
    assert (account.wallet, account.position) == (ledger.wallet, ledger.position)
    assert [item.kind for item in account.income] == ["TRANSFER"]


async def test_an_order_that_was_never_sent_is_missing(paper: Paper) -> None:
    """The exchange knows no such order."""
    assert isinstance(await paper.gateway.perform(cmd.QueryOrder(CID)), ev.OrderMissing)


async def test_a_reduction_without_a_position_is_refused(paper: Paper) -> None:
    """-2022 is a definite no."""
    event = await paper.gateway.perform(an_order("-0.100", "49900.0", held="1"))

    assert isinstance(event, ev.OrderRefused)
    assert event.code == "-2022"


async def test_the_touch_surrounds_the_mark(paper: Paper) -> None:
    """Bid and ask lie about the path's price."""
    touch = await paper.gateway.perform(cmd.FetchTouch())

    assert isinstance(touch, ev.TouchSeen)
    assert touch.bid < 50_000 < touch.ask


async def test_marks_arrive(paper: Paper) -> None:
    """With the market's time, the price and the next funding."""
    marks: list[ev.Mark] = []
    feed = paper.venue.mark_feed(["BTCUSDT"], lambda _, mark: marks.append(mark), lambda *_: None)
    async with running(feed.run):
        await until(lambda: len(marks) >= 2)

    assert marks[0].price == Decimal(50_000)
    assert marks[0].next_funding_ms is not None
    assert marks[0].next_funding_ms > marks[0].time_ms
    assert marks[0].funding_rate is not None


async def test_the_stream_tells_the_same_as_the_answer(paper: Paper) -> None:
    """Streamed reports end where the order's answer ends, and streamed trades are the listed ones."""
    await paper.gateway.prepare(a_fund(capital="20000"))
    news: list[ev.Event] = []
    stream = paper.venue.order_stream(paper.client, "BTCUSDT", news.append, lambda _: None)
    async with running(stream.run):
        await until(
            lambda: bool(paper.client.clients) and any(s.isConnected for s in paper.client.clients.values())
        )
        report = await paper.gateway.perform(an_order("1.500", "50100.0"))
        assert isinstance(report, ev.OrderReport)
        await until(lambda: any(isinstance(event, ev.OrderReport) and event.closed for event in news))
        await until(lambda: isinstance(news[-1], ev.TradesSeen))
    listed = await paper.gateway.perform(cmd.FetchTrades(report.venue_id, report.time_ms - 60_000))

    assert isinstance(listed, ev.TradesSeen)
    streamed = tuple(trade for event in news if isinstance(event, ev.TradesSeen) for trade in event.trades)
    last = [event for event in news if isinstance(event, ev.OrderReport)][-1]
    assert streamed == listed.trades
    assert (last.cid, last.venue_id, last.filled, last.closed) == (CID, report.venue_id, report.filled, True)


async def test_the_stream_outlives_a_restart_of_the_exchange(tmp_path: Path) -> None:
    """A paper exchange that goes and comes back on its port is found again by the mark feed."""
    config = ExchangeConfig(
        paths={"BTCUSDT": flat(price=50_000)},
        accounts=(AccountConfig("UP", KEYS.api_key, KEYS.secret, Decimal(100_000)),),
        directory=tmp_path,
    )
    exchange = await start_exchange(config)
    clock = ExchangeClock(exchange.now_ms)
    marks: list[ev.Mark] = []
    lost: list[str] = []
    async with Venue(profile_named("binanceusdm"), Environment.PAPER, clock, paper_url=exchange.url) as venue:
        await venue.markets.load(lambda *_: None)
        feed = venue.mark_feed(
            ["BTCUSDT"], lambda _, mark: marks.append(mark), lambda _, why: lost.append(why)
        )
        async with running(feed.run):
            await until(lambda: bool(marks))
            await exchange.close()
            await until(lambda: bool(lost))
            seen = len(marks)
            exchange = await start_exchange(replace(config, port=exchange.port))
            await until(lambda: len(marks) > seen)
    await exchange.close()


async def test_a_wrong_key_is_a_bad_key(paper: Paper) -> None:
    """The exchange's refusal becomes the operator's error."""
    client = paper.venue.client(Credentials("nobody", "nothing"))
    gateway = paper.venue.gateway(client, paper.venue.markets.contract("BTCUSDT", 6))

    with pytest.raises(BadKey, match="INBAND_ACCOUNTS__UP__API_KEY"):
        await gateway.prepare(a_fund())


async def test_a_fund_too_large_for_the_symbol_is_refused(paper: Paper) -> None:
    """The exchange's own brackets decide."""
    with pytest.raises(AccountRefused, match="INBAND_FUNDS__BTCUP__CAPITAL"):
        await paper.gateway.prepare(a_fund(capital="900000000"))
