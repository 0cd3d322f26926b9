"""Before the first order: modes and leverage are set where they differ, and verified; or it is refused."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot.core.fund import Fund
from bot.core.terms import FlowTerms
from bot.testing import a_fund
from bot.venue.errors import AccountRefused, BadKey, Unreachable
from bot.venue.preparation import leverage_for
from bot.venue.profile import Bracket
from tests.support.venue_stub import VenueStub, error_answer, json_answer, text_answer
from tests.venue.conftest import Account

BRACKETS = [(125, "300000"), (20, "1000000"), (10, "5000000"), (5, "20000000"), (2, "90000000")]


class AccountSettings:
    """The settings side of an account, as Binance keeps it."""

    def __init__(self, stub: VenueStub, **settings: Any) -> None:
        self.settings: dict[str, Any] = {
            "dualSidePosition": False,
            "multiAssetsMargin": False,
            "marginType": "CROSSED",
            "leverage": 20,
            **settings,
        }
        self.stubborn = False
        steps = [{"initialLeverage": top, "notionalCap": float(cap)} for top, cap in BRACKETS]
        stub.answers |= {
            "GET /fapi/v1/positionSide/dual": self._get("dualSidePosition"),
            "POST /fapi/v1/positionSide/dual": self._set("dualSidePosition"),
            "GET /fapi/v1/multiAssetsMargin": self._get("multiAssetsMargin"),
            "POST /fapi/v1/multiAssetsMargin": self._set("multiAssetsMargin"),
            "GET /fapi/v1/symbolConfig": self._config,
            "POST /fapi/v1/marginType": self._set("marginType"),
            "POST /fapi/v1/leverage": self._set("leverage"),
            "GET /fapi/v1/leverageBracket": json_answer([{"symbol": "BTCUSDT", "brackets": steps}]),
        }

    def _get(self, key: str) -> Any:
        async def answer(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
            return web.json_response({key: self.settings[key]})

        return answer

    def _set(self, key: str) -> Any:
        async def answer(_request: web.Request, params: dict[str, str]) -> web.StreamResponse:
            if not self.stubborn:
                text = params[key]
                self.settings[key] = {"true": True, "false": False}.get(text, text)
            return web.json_response({"code": 200, "msg": "success"})

        return answer

    async def _config(self, _request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        config = {key: self.settings[key] for key in ("marginType", "leverage")}
        return web.json_response([{"symbol": "BTCUSDT", **config}])


async def test_an_account_is_brought_into_shape(stub: VenueStub, account: Account) -> None:
    """Hedge mode, multi-assets mode and isolated margin are changed; leverage 3.5 x 1.5 becomes 6."""
    settings = AccountSettings(stub, dualSidePosition=True, multiAssetsMargin=True, marginType="ISOLATED")

    leverage = await account.gateway.prepare(a_fund(emergency="3.5"))

    assert leverage == 6
    assert settings.settings == {
        "dualSidePosition": False,
        "multiAssetsMargin": False,
        "marginType": "CROSSED",
        "leverage": "6",
    }


async def test_an_account_in_shape_is_left_alone(stub: VenueStub, account: Account) -> None:
    """What is right already is only read."""
    AccountSettings(stub, leverage=6)

    await account.gateway.prepare(a_fund(emergency="3.5"))

    assert not [route for route, _ in stub.seen if route.startswith("POST")]


@pytest.mark.parametrize(
    ("route", "code", "message"),
    [
        ("POST /fapi/v1/positionSide/dual", -4059, "No need to change position side."),
        ("POST /fapi/v1/marginType", -4046, "No need to change margin type."),
    ],
)
async def test_no_need_to_change_is_not_an_error(
    stub: VenueStub, account: Account, route: str, code: int, message: str
) -> None:
    """If somebody else made the change in between, all is well; what is read back decides."""
    settings = AccountSettings(stub, dualSidePosition=True, marginType="ISOLATED")

    async def already(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        settings.settings |= {"dualSidePosition": False, "marginType": "CROSSED"}
        return web.json_response({"code": code, "msg": message}, status=400)

    stub.answers[route] = already

    assert await account.gateway.prepare(a_fund(emergency="3.5")) == 6


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"dualSidePosition": True}, "hedge mode"),
        ({"multiAssetsMargin": True}, "multi-assets mode"),
        ({"marginType": "ISOLATED"}, "isolated margin"),
        ({"leverage": 20}, "leverage 20 instead of 6"),
    ],
)
async def test_a_setting_that_does_not_hold_refuses_the_account(
    stub: VenueStub, account: Account, setting: dict[str, Any], named: str
) -> None:
    """A change that the venue confirms but does not make is noticed."""
    AccountSettings(stub, **setting).stubborn = True

    with pytest.raises(AccountRefused, match=named):
        await account.gateway.prepare(a_fund(emergency="3.5"))


async def test_a_change_that_the_venue_refuses_refuses_the_account(stub: VenueStub, account: Account) -> None:
    """With an open position Binance changes no mode; its reason is passed on."""
    AccountSettings(stub, dualSidePosition=True)
    stub.answers["POST /fapi/v1/positionSide/dual"] = error_answer(
        -4068, "Position side cannot be changed if there exists position."
    )

    with pytest.raises(AccountRefused, match="cannot be changed if there exists position"):
        await account.gateway.prepare(a_fund())


@pytest.mark.parametrize("code", [-1002, -2015, -2017])
async def test_a_refused_key_names_its_settings(stub: VenueStub, account: Account, code: int) -> None:
    """A wrong key is the operator's to correct: the message names the settings, and shows no key."""
    AccountSettings(stub)
    stub.answers["GET /fapi/v1/positionSide/dual"] = error_answer(code, "Invalid key, or it is locked.", 401)

    with pytest.raises(BadKey, match="INBAND_ACCOUNTS__UP__API_KEY") as caught:
        await account.gateway.prepare(a_fund())
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_refusal_by_something_on_the_way_is_no_fault_of_the_account(
    stub: VenueStub, account: Account
) -> None:
    """A proxy that wants to know who we are speaks for itself: it is asked again, and the operator told."""
    AccountSettings(stub)
    stub.answers["GET /fapi/v1/positionSide/dual"] = text_answer("<html>Who are you?</html>", 407)

    with pytest.raises(Unreachable, match="407"):
        await account.gateway.prepare(a_fund())


async def test_a_venue_that_does_not_answer_is_unreachable(stub: VenueStub, account: Account) -> None:
    """Trouble with the network is nobody's setting; the message names the host."""
    port = stub.port
    await stub.stop()

    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        await account.gateway.prepare(a_fund())


def brackets() -> tuple[Bracket, ...]:
    """The stub's brackets, as the profile decodes them."""
    return tuple(Bracket(top, Decimal(cap)) for top, cap in BRACKETS)


def fund_with(**fields: Any) -> Fund:
    """The long fund with other figures."""
    return replace(a_fund(), **fields)


def test_too_much_capital_names_the_setting_and_the_most_that_fits() -> None:
    """3.5 x 800,000 twice is more than the 5,000,000 that leverage 6 admits."""
    fund = fund_with(capital=Decimal(800_000))

    with pytest.raises(AccountRefused, match=r"INBAND_FUNDS__BTCUP__CAPITAL.*at most 714285"):
        leverage_for(fund, brackets())


def test_a_capacity_beyond_the_bracket_is_refused() -> None:
    """Subscriptions may take the fund there, so its largest position counts."""
    terms = FlowTerms(capacity=Decimal(2000000))
    fund = replace(a_fund(capital="1000"), terms=terms)
    with pytest.raises(AccountRefused, match=r"INBAND_FUNDS__BTCUP__CAPACITY.*at most 1428571"):
        leverage_for(fund, brackets())


def test_too_high_an_emergency_names_the_setting_and_the_highest() -> None:
    """Leverage above what the symbol allows cannot be set."""
    fund = fund_with(emergency=Decimal(100))

    with pytest.raises(AccountRefused, match=r"INBAND_FUNDS__BTCUP__EMERGENCY.*at most 83"):
        leverage_for(fund, brackets())


@given(
    emergency=st.decimals("1.1", "90", places=2),
    capital=st.decimals("100", "20000000", places=2),
)
def test_leverage_is_the_smallest_that_fits_or_nothing(emergency: Decimal, capital: Decimal) -> None:
    """Whatever is returned is >= 1.5 x emergency, by less than one, and admits twice the largest notional."""
    fund = fund_with(emergency=emergency, capital=capital)
    try:
        leverage = leverage_for(fund, brackets())
    except AccountRefused:
        wanted = emergency * 3 / 2
        fitting = [
            b for b in brackets() if b.max_leverage >= wanted and b.notional_cap >= 2 * emergency * capital
        ]
        assert not fitting
    else:
        assert emergency * 3 / 2 <= leverage < emergency * 3 / 2 + 1
        assert any(
            b.max_leverage >= leverage and b.notional_cap >= 2 * emergency * capital for b in brackets()
        )
