"""Flows over HTTP: what is asked for, and the shape of every refusal."""

from decimal import Decimal
from typing import Any

import pytest

from bot.core.flow_records import FlowKind
from tests.support.site import Site

UP = "/api/v1/funds/BTCUP"
DOWN = "/api/v1/funds/BTCDOWN"


async def test_a_subscription_and_a_redemption_are_taken(site: Site) -> None:
    """The amount as it was written, the key from its header, and the desk's receipt as the answer."""
    status, body = await site.tell(f"{UP}/subscribe", {"amount": "12.50"}, **{"Idempotency-Key": "order-1"})
    assert (status, body["reference"]) == (200, "a1")
    status, _ = await site.tell(f"{UP}/redeem", {"units": 3})
    assert status == 200
    assert site.figures.taken == [
        (FlowKind.SUBSCRIBE, Decimal("12.50"), "order-1"),
        (FlowKind.REDEEM, Decimal(3), ""),
    ]


async def test_a_number_is_taken_to_its_last_digit_and_a_fund_in_any_case(site: Site) -> None:
    """A JSON number is what it says, no less and no more; paths are read as those of the record."""
    status, _ = await site.tell("/api/v1/funds/btcup/subscribe", '{"amount": 12.345678901234567891}')
    assert status == 200
    assert site.figures.taken == [(FlowKind.SUBSCRIBE, Decimal("12.345678901234567891"), "")]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (f"{UP}/subscribe", {}, (422, "unprocessable", "amount")),
        (f"{UP}/subscribe", {"amount": "a lot"}, (422, "unprocessable", "amount")),
        (f"{UP}/subscribe", {"amount": "-1"}, (422, "unprocessable", "amount")),
        (f"{UP}/redeem", {"units": "5000"}, (422, "unprocessable", "units")),
        (f"{UP}/redeem", {"amount": "5"}, (422, "unprocessable", "amount")),
        (f"{DOWN}/redeem", {"units": "5"}, (409, "conflict", None)),
        ("/api/v1/funds/NOPE/redeem", {"units": "5"}, (404, "not_found", None)),
        (f"{UP}/consolidate", {"ratio": "2.5"}, (422, "unprocessable", "ratio")),
        (f"{UP}/split", {}, (422, "unprocessable", "ratio")),
        (f"{UP}/subscribe", "not JSON", (422, "unprocessable", None)),
        (f"{UP}/subscribe", '{"amount": "12", "amount": "1200"}', (422, "unprocessable", "amount")),
        (f"{UP}/subscribe", "[" * 60_000, (422, "unprocessable", None)),
        (f"{UP}/subscribe", {"amount": "1_000"}, (422, "unprocessable", "amount")),
        (f"{UP}/subscribe", {"amount": "\uff11\uff12"}, (422, "unprocessable", "amount")),
        (f"{UP}/subscribe", {"amount": "0x10"}, (422, "unprocessable", "amount")),
    ],
)
async def test_refusals_have_the_one_shape(
    site: Site, path: str, body: Any, expected: tuple[int, str, str | None]
) -> None:
    """Nothing is taken, and the error names the field where there is one."""
    status, answer = await site.tell(path, body)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == expected
    assert site.figures.taken == []


async def test_a_key_of_another_request_is_refused(site: Site) -> None:
    """The field is the header."""
    key = {"Idempotency-Key": "order-1"}
    await site.tell(f"{UP}/subscribe", {"amount": "12"}, **key)
    status, body = await site.tell(f"{UP}/subscribe", {"amount": "13"}, **key)
    assert (status, body["error"]["field"]) == (422, "Idempotency-Key")


async def test_units_are_consolidated_and_split(site: Site) -> None:
    """The ratio says how many become one, or one becomes; author and reason go along."""
    word = {"ratio": 1000, "author": "ann", "reason": "rounder"}
    assert (await site.tell(f"{UP}/consolidate", word))[0] == 200
    assert (await site.tell(f"{UP}/split", {"ratio": "10"}))[0] == 200
    one, two = site.figures.rescaled
    assert (one.ratio, one.author, one.why) == ((1, 1000), "ann", "rounder")
    assert two.ratio == (10, 1)


async def test_flows_are_listed_for_the_operator_alone(site: Site) -> None:
    """With the token they come; without it nobody learns of one."""
    status, body, _ = await site.ask(f"{UP}/flows", Authorization="Bearer operator-token-0123456789")
    assert (status, body) == (200, [{"fund": "BTCUP", "state": "funded"}])
    status, body, _ = await site.ask(f"{UP}/flows")
    assert status == 401
    status, _ = await site.tell(f"{UP}/subscribe", {"amount": "12"}, token="wrong")
    assert status == 401
    assert site.figures.taken == []
