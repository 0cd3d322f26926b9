"""What an exchange lists: read exactly, waited for as long as it takes, shared."""

import asyncio
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core.fund import Contract
from bot.venue.clock import ExchangeClock
from bot.venue.errors import UnknownSymbol, Unreachable
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.support.patience import until
from tests.support.venue_stub import VenueStub, error_answer, json_answer, listed, text_answer

INFO = "GET /fapi/v1/exchangeInfo"
RECORDED = Path(__file__).parents[3] / "shared/data/binance_fapi_recorded_responses.json.gz"


def opened(stub: VenueStub) -> Venue:
    """A venue whose markets are not loaded yet."""
    return Venue(profile_named("binanceusdm"), Environment.PAPER, ExchangeClock(0), paper_url=stub.url)


def test_a_contract_is_read_from_the_filters(venue: Venue) -> None:
    """Tick, lot, limits, the notional minimum and the price limit come from exchangeInfo, exactly."""
    assert venue.markets.contract("BTCUSDT", 6) == Contract(
        symbol="BTCUSDT",
        tick=Decimal("0.10"),
        lot=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
        min_notional=Decimal(100),
        taker_fee=Decimal("0.0005"),
        price_limit=Decimal("0.05"),
        reduce_only_any_size=True,
        venue_leverage=6,
        max_market_quantity=Decimal(120),
    )


def test_a_symbol_has_a_name_in_ccxt(venue: Venue) -> None:
    """Settings say BTCUSDT, as the exchange does."""
    assert venue.markets.unified("BTCUSDT") == "BTC/USDT:USDT"


@pytest.mark.parametrize(("symbol", "hint"), [("BTCUSD", "did you mean BTCUSDT"), ("nonsense", "'nonsense'")])
def test_an_unknown_symbol_is_named_with_what_comes_near(venue: Venue, symbol: str, hint: str) -> None:
    """A slip of the pen is met with the symbols that resemble it."""
    with pytest.raises(UnknownSymbol, match=hint):
        venue.markets.contract(symbol, 6)


async def test_a_listing_without_its_filters_is_not_traded(stub: VenueStub) -> None:
    """What an order needs is not guessed."""
    broken = {**listed("ETHUSDT"), "filters": []}
    stub.answers[INFO] = json_answer({"symbols": [listed("BTCUSDT"), broken]})
    async with opened(stub) as venue:
        await venue.markets.load(lambda *_: None)

        with pytest.raises(UnknownSymbol, match="how ETHUSDT may be traded"):
            venue.markets.contract("ETHUSDT", 6)


async def test_accounts_share_the_markets(stub: VenueStub, venue: Venue) -> None:
    """Many accounts cost one loading."""
    for number in range(50):
        assert venue.client(Credentials(f"k{number}", "s")).markets
    assert stub.count(INFO) == 1


async def test_an_unreachable_venue_is_tried_until_it_is_there(stub: VenueStub) -> None:
    """Each failed attempt is told with host, reason, number and pause; then loading simply succeeds."""
    await stub.stop()
    told: list[tuple[Unreachable, int, float]] = []
    async with opened(stub) as venue:
        loading = asyncio.create_task(venue.markets.load(lambda *attempt: told.append(attempt)))
        await until(lambda: bool(told))
        async with stub:
            await loading

    error, attempt, pause_s = told[0]
    assert error.host == f"127.0.0.1:{stub.port}"
    assert "ClientConnectorError" in error.reason
    assert attempt == 1
    assert pause_s > 0


@pytest.mark.parametrize(
    "answer",
    [
        text_answer("<html>Please log in to this network</html>", 200),
        text_answer("blocked", 451),
        error_answer(-1003, "Too many requests.", 429),
        json_answer({"symbols": [1]}),
        json_answer({}),
    ],
    ids=["captive portal", "451", "429", "numbers", "nothing"],
)
async def test_nonsense_instead_of_markets_is_an_attempt_that_failed(stub: VenueStub, answer: Any) -> None:
    """Whatever stands between us and the venue, it is said, and tried again."""
    stub.answers[INFO] = answer
    told: list[str] = []
    async with opened(stub) as venue:
        loading = asyncio.create_task(venue.markets.load(lambda error, *_: told.append(error.reason)))
        await until(lambda: bool(told))
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)


async def test_waiting_for_a_venue_is_cancelled_cleanly(stub: VenueStub) -> None:
    """A stop while nobody can be reached ends the waiting at once."""
    await stub.stop()
    async with opened(stub) as venue:
        loading = asyncio.create_task(venue.markets.load(lambda *_: None))
        await asyncio.sleep(0.1)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading


@pytest.mark.needs("shared")
async def test_the_real_listing_is_understood(stub: VenueStub) -> None:
    """Binance's own exchangeInfo, as recorded, gives a contract for its perpetuals."""
    recorded = json.loads(gzip.decompress(RECORDED.read_bytes()))
    answers = recorded["routes"]["/fapi/v1/exchangeInfo"]["GET"]
    stub.answers[INFO] = json_answer(answers[-1]["data"])
    async with opened(stub) as venue:
        await venue.markets.load(lambda *_: None)
        contract = venue.markets.contract("BTCUSDT", 6)

    assert contract.tick > 0
    assert contract.lot == Decimal("0.001")
    assert Decimal("0.01") <= contract.price_limit <= Decimal("0.2")
