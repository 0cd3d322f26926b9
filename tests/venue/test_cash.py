"""What a fund's books need of the venue beside trades: transfers, past marks, and what fees are paid in."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core.commands import FetchAccount, FetchDayMark, FetchIncome, MoveCash
from bot.core.events import AccountSeen, CashMoved, DayMarkSeen, IncomeSeen, ReadFailed
from bot.exchange import AccountConfig, ExchangeConfig, start_exchange
from bot.venue.cash import BySpot
from bot.venue.clock import ExchangeClock
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.requests import Requests
from bot.venue.venue import Venue
from tests.exchange.builders import flat
from tests.support.venue_stub import VenueStub, json_answer
from tests.venue.conftest import API_KEY, LONGEST_WINDOW_MS, NOW_MS, SECRET, Account

KLINES = "GET /fapi/v1/markPriceKlines"
FEE_BURN = "GET /fapi/v1/feeBurn"
INCOME = "GET /fapi/v1/income"
KEYS = Credentials("up-key", "up-secret")


@pytest.fixture
async def paper(tmp_path: Path) -> AsyncIterator[Account]:
    """An account of 100,000 USDT on a paper exchange, with a hand that moves cash."""
    config = ExchangeConfig(
        paths={"BTCUSDT": flat(price=50_000)},
        accounts=(AccountConfig("UP", KEYS.api_key, KEYS.secret, Decimal(100_000)),),
        directory=tmp_path,
    )
    exchange = await start_exchange(config)
    profile, clock = profile_named("binanceusdm"), ExchangeClock(exchange.now_ms)
    async with Venue(
        profile, Environment.PAPER, clock, paper_url=exchange.url, cash=BySpot(profile)
    ) as venue:
        await venue.markets.load(lambda *_: None)
        client = venue.client(KEYS)
        client.options["recvWindow"] = LONGEST_WINDOW_MS
        yield Account(venue.gateway(client, venue.markets.contract("BTCUSDT", 6)), client)
    await exchange.close()


async def test_cash_moves_both_ways_and_shows_as_the_income_that_was_named(paper: Account) -> None:
    """A deposit and a withdrawal, to the last digit."""
    moved = [await paper.gateway.perform(MoveCash(Decimal(amount))) for amount in ("500.00000001", "-20.5")]
    account = await paper.gateway.perform(FetchAccount(0))
    assert isinstance(account, AccountSeen)
    assert account.wallet == Decimal("100479.50000001")
    shown = {item.income_id: item.amount for item in account.income if item.kind == "TRANSFER"}
    ids = [event.income_id for event in moved if isinstance(event, CashMoved)]
    assert [shown[name or ""] for name in ids] == [Decimal("500.00000001"), Decimal("-20.5")]


async def test_a_withdrawal_of_what_is_not_there_moves_nothing(paper: Account) -> None:
    """It fails as a read does, and the income records tell that nothing moved."""
    failed = await paper.gateway.perform(MoveCash(Decimal(-200_000)))
    assert isinstance(failed, ReadFailed)
    assert failed.what == "MoveCash"


async def test_the_mark_of_a_past_minute_is_the_open_of_its_candle(paper: Account) -> None:
    """The paper exchange keeps them; of a minute to come there is none."""
    account = await paper.gateway.perform(FetchAccount(0))
    minute_ms = account.time_ms // 60_000 * 60_000
    seen = await paper.gateway.perform(FetchDayMark(minute_ms))
    later = await paper.gateway.perform(FetchDayMark(minute_ms + 3_600_000))
    assert isinstance(seen, DayMarkSeen)
    assert isinstance(later, DayMarkSeen)
    assert (seen.day_ms, seen.price, later.price) == (minute_ms, 50_000, None)


async def test_people_move_cash_where_it_is_not_ours(account: Account) -> None:
    """No request is sent: a key for trading could not, and need not."""
    moved = await account.gateway.perform(MoveCash(Decimal(5)))
    assert isinstance(moved, CashMoved)
    assert moved.income_id is None


@pytest.mark.parametrize(
    ("body", "price"),
    [
        ([[NOW_MS, "50000.1", "1"]], Decimal("50000.1")),
        ([[NOW_MS + 60_000, "50000.1"]], None),
        ([], None),
        ([[NOW_MS, "0"]], None),
        ([[NOW_MS]], None),
    ],
)
async def test_only_the_candle_of_that_very_minute_counts(
    stub: VenueStub, account: Account, body: Any, price: Decimal | None
) -> None:
    """A venue that has none answers with the next one it has, or with nothing."""
    stub.answers[KLINES] = json_answer(body)
    seen = await account.gateway.perform(FetchDayMark(NOW_MS))
    assert isinstance(seen, DayMarkSeen)
    assert seen.price == price


@pytest.mark.parametrize("body", [{}, [[NOW_MS, "many"]]])
async def test_candles_that_cannot_be_read_fail_the_read(
    stub: VenueStub, account: Account, body: Any
) -> None:
    """They prove nothing."""
    stub.answers[KLINES] = json_answer(body)
    assert isinstance(await account.gateway.perform(FetchDayMark(NOW_MS)), ReadFailed)


@pytest.mark.parametrize(
    "kind", ["TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "STRATEGY_UMFUTURES_TRANSFER"]
)
async def test_every_kind_of_transfer_is_one(stub: VenueStub, account: Account, kind: str) -> None:
    """The core knows one word for them; ids stay apart by kind."""
    row = {"tranId": 7, "time": NOW_MS, "incomeType": kind, "income": "5", "asset": "USDT", "symbol": ""}
    stub.answers[INCOME] = json_answer([row])
    seen = await account.gateway.perform(FetchIncome(NOW_MS))
    assert isinstance(seen, IncomeSeen)
    assert [(item.kind, item.income_id) for item in seen.items] == [("TRANSFER", f"{kind}:7")]


@pytest.mark.parametrize(("burns", "in_usdt"), [(True, False), (False, True), ("true", False)])
async def test_fees_in_bnb_are_told(stub: VenueStub, venue: Venue, burns: object, in_usdt: bool) -> None:  # noqa: FBT001 - as told
    """An account that burns BNB for its fees has a ledger that is not in USDT."""
    stub.answers[FEE_BURN] = json_answer({"feeBurn": burns})
    client = venue.client(Credentials(API_KEY, SECRET))
    requests = Requests(venue.profile, client, venue._limiter)
    assert await venue.profile.pays_fees_in_usdt(requests) is in_usdt
