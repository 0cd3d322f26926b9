"""A scripted venue, our side of it, and one account on it; real sockets between them."""

import gc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bot.testing import a_contract
from bot.venue.account import AccountGateway
from bot.venue.clock import ExchangeClock
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.support.venue_stub import VenueStub

API_KEY = "canary-api-key-5d0f1e8c"
SECRET = "canary-secret-77ab90de"
NOW_MS = 1_700_000_000_000
PATIENCE_MS, IMPATIENCE_MS = 60_000, 300
"""How long a request waits for an answer that comes, and for one that never will."""
LONGEST_WINDOW_MS = 60_000
"""So old a request may be when a paper exchange looks at it: both share one process, which may starve."""


@dataclass
class Account:
    """One account: its gateway, and the ccxt client below it."""

    gateway: AccountGateway
    client: Any


@pytest.fixture(autouse=True)
def nothing_unheard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may leave an exception that nobody retrieved: asyncio would log it, and the URL in it."""
    yield
    gc.collect(1)
    records = caplog.get_records("call") + caplog.get_records("teardown")
    errors = [record.getMessage() for record in records if record.name == "asyncio"]
    assert [text for text in errors if "never retrieved" in text or "Exception in callback" in text] == []


@pytest.fixture
async def stub() -> AsyncIterator[VenueStub]:
    """A venue that says what the test wants."""
    async with VenueStub(("BTCUSDT", "ETHUSDT")) as server:
        yield server


@pytest.fixture
async def venue(stub: VenueStub) -> AsyncIterator[Venue]:
    """Our side, markets loaded, market time at `NOW_MS`."""
    profile = profile_named("binanceusdm")
    async with Venue(profile, Environment.PAPER, ExchangeClock(NOW_MS), paper_url=stub.url) as opened:
        await opened.markets.load(lambda *_: None)
        yield opened


@pytest.fixture
def account(venue: Venue) -> Account:
    """An account on BTCUSDT whose requests wait for their answers."""
    client = venue.client(Credentials(API_KEY, SECRET))
    client.timeout = PATIENCE_MS
    return Account(venue.gateway(client, a_contract()), client)
