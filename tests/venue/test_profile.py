"""What our clients are set to, and where they go in each environment."""

import ssl
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal, Underflow, getcontext

import aiohttp
import pytest

from bot.venue.clock import ExchangeClock, WallClock
from bot.venue.errors import UnknownExchange
from bot.venue.profile import Credentials, Environment, Profile
from bot.venue.profiles import PROFILES, profile_named
from bot.venue.venue import Venue


@pytest.mark.parametrize(
    ("environment", "hosts"),
    [
        (Environment.LIVE, ("fapi.binance.com", "fstream.binance.com")),
        (Environment.TESTNET, ("demo-fapi.binance.com", "fstream.binancefuture.com")),
        (Environment.PAPER, ("127.0.0.1:1",)),
    ],
)
async def test_an_environment_resolves_to_its_hosts(environment: Environment, hosts: tuple[str, ...]) -> None:
    """Testnet is Binance's demo trading; paper goes nowhere but to the paper exchange."""
    url = "http://127.0.0.1:1" if environment is Environment.PAPER else None
    venue = Venue(profile_named("binanceusdm"), environment, WallClock(), paper_url=url)

    assert venue.hosts == hosts
    await venue.close()


async def test_no_paper_address_leads_elsewhere() -> None:
    """Every URL that our calls use on paper is the paper exchange's."""
    async with Venue(
        profile_named("binanceusdm"), Environment.PAPER, WallClock(), paper_url="http://h:1"
    ) as venue:
        api = venue._public.urls["api"]

    used = [
        url for name, url in api.items() if name.startswith(("fapiPublic", "fapiPrivate")) and "V" not in name
    ]
    used += [api["fapiPrivateV2"], api["fapiPrivateV3"], api["ws"]["linear"], api["ws"]["ws-api"]["linear"]]
    assert all(url.split("://")[1].startswith("h:1/") for url in used)


async def test_a_client_leaves_the_decisions_to_us() -> None:
    """No throttle, no retries, exact numbers, a short receive window, and keys that no repr shows."""
    credentials = Credentials("canary-key", "canary-secret")
    async with Venue(profile_named("binanceusdm"), Environment.LIVE, WallClock()) as venue:
        client = venue.profile.client(venue._door, credentials)

        assert client.enableRateLimit is False
        assert client.options.get("maxRetriesOnFailure", 0) == 0
        assert client.number is Decimal
        assert client.options["recvWindow"] == 5000
        assert client.options["fetchCurrencies"] is False
        assert client.streaming["keepAlive"] == 5000
        assert client.verbose is False
        assert "canary" not in repr(credentials)
        await client.close()


async def test_rounding_a_quantity_leaves_our_arithmetic_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decimal context of ledger and core is not that which ccxt sets, and leaves, when it rounds."""
    async with Venue(
        profile_named("binanceusdm"), Environment.PAPER, WallClock(), paper_url="http://h:1"
    ) as venue:
        client = venue.profile.client(venue._door, None)
        monkeypatch.setattr(
            client, "markets", {"M": {"symbol": "M", "precision": {"amount": Decimal("0.001")}}}
        )
        monkeypatch.setattr(client, "markets_by_id", {})

        assert client.amount_to_precision("M", Decimal("1.23456")) == "1.234"
        assert getcontext().rounding == ROUND_HALF_EVEN
        assert not getcontext().traps[Underflow]
        await client.close()


async def test_live_connections_are_verified() -> None:
    """Certificates are checked, names too, against authorities that a slim container also has."""
    async with Venue(profile_named("binanceusdm"), Environment.LIVE, WallClock()) as venue:
        connector = venue._door.session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        trust = connector._ssl

    assert isinstance(trust, ssl.SSLContext)
    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname
    assert trust.cert_store_stats()["x509_ca"] > 50


async def test_error_classes_do_not_depend_on_the_address() -> None:
    """On the paper exchange -2019 is what it is in production."""
    async with Venue(
        profile_named("binanceusdm"), Environment.PAPER, WallClock(), paper_url="http://h:1"
    ) as venue:
        exact = venue._public.exceptions["exact"]

    assert exact["-2019"].__name__ == "InsufficientFunds"
    assert exact["-4164"].__name__ == "InvalidOrder"


def test_an_unknown_exchange_is_met_with_those_that_are_known() -> None:
    """A setting that names another exchange learns what there is."""
    with pytest.raises(UnknownExchange, match="binanceusdm"):
        profile_named("mtgox")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_ambiguous_code_counts_as_a_definite_refusal(profile: Profile) -> None:
    """Timeouts, unknown errors and duplicate ids never prove that an order was not accepted."""
    ambiguous = {"-1000", "-1001", "-1006", "-1007", "-4116", "-2011", "-2013", "malformed"}
    ambiguous |= {"403", "408", "451", "500", "502", "503", "504", "520"}

    assert profile.definite_rejects.isdisjoint(ambiguous)


def test_the_room_is_entered_without_ccxt() -> None:
    """Importing what the wiring imports costs no ccxt; the first client does."""
    code = "import sys, bot.venue.venue, bot.venue.profiles, bot.venue.clock; sys.exit('ccxt' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_market_time_never_goes_back() -> None:
    """A late mark does not turn the clock."""
    clock = ExchangeClock(1000)
    clock.advance(2000)
    clock.advance(1500)

    assert clock.market_ms() == 2000
