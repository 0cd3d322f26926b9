"""Rate limits and bans, counted by wall time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.exchange import RateLimits
from bot.exchange.limits import (
    FIRST_BAN_MS,
    LONGEST_BAN_MS,
    REFUSALS_BEFORE_BAN,
    RateCounter,
    TooManyRequestsError,
)
from tests.exchange.builders import UP, Start, within_one

if TYPE_CHECKING:
    import aiohttp

NOW = 1_700_000_000_000 // 60_000 * 60_000
HERE = "127.0.0.1"


def ask(counter: RateCounter, wall_ms: int, address: str = HERE) -> TooManyRequestsError | None:
    """Send a request of weight 1, and return how it was refused."""
    try:
        counter.count_weight(address, 1, wall_ms, {})
    except TooManyRequestsError as error:
        return error
    return None


def banned(counter: RateCounter, wall_ms: int) -> TooManyRequestsError:
    """Ask until banned."""
    while (refused := ask(counter, wall_ms)) is None or refused.status == 429:
        pass
    return refused


def test_whoever_goes_on_while_limited_is_banned() -> None:
    """So many refusals are 429; the next request is 418, and says until when."""
    counter = RateCounter(RateLimits(weight_1m=2))
    answers = [ask(counter, NOW) for _ in range(2 + REFUSALS_BEFORE_BAN + 1)]
    assert answers[:2] == [None, None]
    refused = [error for error in answers if error]
    assert [error.status for error in refused] == [429] * REFUSALS_BEFORE_BAN + [418]
    assert all(error.code == -1003 for error in refused)
    assert refused[0].retry_after_s == 60
    assert refused[-1].retry_after_s == FIRST_BAN_MS // 1_000
    assert f"IP({HERE}) banned until {NOW + FIRST_BAN_MS}." in refused[-1].message


def test_a_ban_ends_when_it_said_and_does_not_grow_by_asking() -> None:
    """Until then all is 418; from then on the address starts afresh."""
    counter = RateCounter(RateLimits(weight_1m=2))
    banned(counter, NOW)
    for _ in range(100):
        refused = ask(counter, NOW + FIRST_BAN_MS - 1)
        assert refused is not None
        assert (refused.status, refused.retry_after_s) == (418, 1)
    assert ask(counter, NOW + FIRST_BAN_MS) is None


def test_bans_grow_from_two_minutes_to_three_days_and_are_forgotten_after_three_more() -> None:
    """The record of an address that behaves for three days is clean again."""
    counter, now, lengths = RateCounter(RateLimits(weight_1m=2)), NOW, []
    for _ in range(8):
        lengths.append(banned(counter, now).retry_after_s)
        now += lengths[-1] * 1_000
    assert lengths[:3] == [120, 480, 1_920]
    assert lengths[-1] == LONGEST_BAN_MS // 1_000
    assert banned(counter, now + LONGEST_BAN_MS + 60_000).retry_after_s == 120


def test_addresses_do_not_share_their_weight() -> None:
    """One address at its limit does not limit another."""
    counter = RateCounter(RateLimits(weight_1m=2))
    banned(counter, NOW)
    assert ask(counter, NOW, "10.0.0.1") is None


async def test_questions_about_funding_have_a_limit_of_their_own(start: Start) -> None:
    """They weigh nothing, and both endpoints share so many in 5 minutes; the rest of the API goes on."""
    paths = ["/fapi/v1/fundingRate", "/fapi/v1/fundingInfo"] * 2

    async def asked() -> list[aiohttp.ClientResponse]:
        async with start(limits=RateLimits(funding_5m=3)) as bench:
            return [await bench.raw("GET", path, {}, None) for path in (*paths, "/fapi/v1/ping")]

    *answers, other = await within_one(60, asked)
    refusal = await answers[-1].json()
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert (refusal["code"], "3 requests per 5 minutes" in refusal["msg"]) == (-1003, True)
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 300
    assert answers[-1].headers["X-MBX-USED-WEIGHT-1M"] == "0"
    assert other.status == 200


@pytest.mark.parametrize("limits", [RateLimits(orders_10s=3), RateLimits(orders_1m=3)])
async def test_orders_are_limited_by_account(start: Start, limits: RateLimits) -> None:
    """The fourth order is 429 with -1015 and Retry-After; each answer says how many were counted."""

    async def asked() -> list[aiohttp.ClientResponse]:
        async with start(limits=limits) as bench:
            return [await bench.raw("POST", "/fapi/v1/order", {"symbol": "NONE"}, UP) for _ in range(4)]

    answers = await within_one(10, asked)
    body = await answers[-1].json()
    seen = [(answer.status, answer.headers["X-MBX-ORDER-COUNT-1M"]) for answer in answers]
    assert seen == [(400, "1"), (400, "2"), (400, "3"), (429, "4")]
    assert body["code"] == -1015
    assert int(answers[-1].headers["Retry-After"]) >= 1


async def test_every_answer_says_how_much_weight_is_used(start: Start) -> None:
    """Answers, refusals and unknown paths alike."""

    async def used() -> list[str]:
        async with start(limits=RateLimits()) as bench:
            return [
                (await bench.raw("GET", path, {}, None)).headers["X-MBX-USED-WEIGHT-1M"]
                for path in ("/fapi/v1/ping", "/fapi/v3/account", "/fapi/v1/nothing")
            ]

    assert await within_one(60, used) == ["1", "6", "7"]
