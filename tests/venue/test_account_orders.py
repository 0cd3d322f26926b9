"""What became of an order: the venue's word, a definite no, or nobody knows. It is sent once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from aiohttp import web

from bot.core.commands import CancelOrder
from bot.core.events import OrderMissing, OrderRefused, OrderReport, OrderUnknown, ReadFailed
from bot.testing import a_contract
from bot.venue.clock import ExchangeClock
from bot.venue.errors import RequestFailed, Unreachable
from bot.venue.profile import Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.support.venue_orders import CID, an_order
from tests.support.venue_stub import Answer, VenueStub, error_answer, json_answer, text_answer
from tests.venue.conftest import API_KEY, IMPATIENCE_MS, NOW_MS, PATIENCE_MS, SECRET, Account
from tests.venue.test_limiter import Kept

ORDER = "POST /fapi/v1/order"
FILLED = {"clientOrderId": CID, "orderId": 4711, "executedQty": "0.010", "status": "FILLED"}


async def hang(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
    """Take the order, and say nothing for longer than an impatient client waits."""
    await asyncio.sleep(1)
    return web.Response()


async def reset(request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
    """Take the order, and reset the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def broken_off(request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
    """Announce more than is sent."""
    response = web.StreamResponse(headers={"Content-Length": "500", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"clientOrderId":')
    assert request.transport is not None
    request.transport.close()
    return response


UNKNOWN: dict[str, Answer] = {
    "no answer in time": hang,
    "connection reset": reset,
    "body broken off": broken_off,
    "truncated JSON": text_answer('{"clientOrderId": "x", "ord', 200),
    "empty body": text_answer("", 200),
    "a list": json_answer([]),
    "a number": json_answer(7),
    "not about this order": json_answer({**FILLED, "clientOrderId": "another"}),
    "status that is not documented": json_answer({**FILLED, "status": "PERHAPS"}),
    "NaN as quantity": json_answer({**FILLED, "executedQty": "NaN"}),
    "-1000": error_answer(-1000, "An unknown error occurred while processing the request."),
    "-1001": error_answer(-1001, "Internal error; unable to process your request. Please try again."),
    "-1006": error_answer(-1006, "An unexpected response was received. Execution status unknown."),
    "-1007": error_answer(-1007, "Timeout waiting for response from backend server.", 408),
    "-4116 (the order that is there may be ours)": error_answer(-4116, "ClientOrderId is duplicated."),
    "503 unknown error": text_answer("Unknown error, please check your request or try again later.", 503),
    "503 service unavailable": text_answer("Service Unavailable.", 503),
    "503 with a code that says nothing": error_answer(0, "Unknown error, please check your request.", 503),
    "502 page of a proxy": text_answer("<html>Bad Gateway</html>", 502),
    "408 page of a proxy": text_answer("<html>Request Timeout</html>", 408),
    "524 page of a proxy": text_answer("<html>A timeout occurred</html>", 524),
    "a code that we do not know": error_answer(-9999, "Something new."),
}


def as_patient_as_it_takes(account: Account, answer: Answer) -> None:
    """Where no answer comes nobody waits for long; where one does, however late."""
    account.client.timeout = IMPATIENCE_MS if answer is hang else PATIENCE_MS


FIREWALL = {"403 page of a firewall": text_answer("<html>Request blocked {x}</html>", 403)}


@pytest.mark.parametrize("fault", UNKNOWN | FIREWALL)
async def test_an_outcome_that_is_not_proven_is_unknown(
    stub: VenueStub, account: Account, fault: str
) -> None:
    """Whatever does not prove that the order was refused leaves it unknown, and it is not sent again."""
    stub.answers[ORDER] = (UNKNOWN | FIREWALL)[fault]
    as_patient_as_it_takes(account, stub.answers[ORDER])

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderUnknown)
    assert event.cid == CID
    assert stub.count(ORDER) == 1


async def test_a_refused_connection_is_unknown(stub: VenueStub, account: Account) -> None:
    """A refused connection cannot be told from a reset one in ccxt, so neither proves anything."""
    await stub.stop()

    assert isinstance(await account.gateway.perform(an_order()), OrderUnknown)


REFUSED = {
    "-2019": (error_answer(-2019, "Margin is insufficient."), "-2019"),
    "-2018": (error_answer(-2018, "Balance is insufficient."), "-2018"),
    "-2010": (error_answer(-2010, "New order rejected."), "-2010"),
    "-2021": (error_answer(-2021, "Order would immediately trigger."), "-2021"),
    "-2022": (error_answer(-2022, "ReduceOnly Order is rejected."), "-2022"),
    "-4164": (error_answer(-4164, "Order's notional must be no smaller than 100."), "-4164"),
    "-4016": (error_answer(-4016, "Limit price can't be higher than 52500."), "-4016"),
    "-1111": (error_answer(-1111, "Precision is over the maximum defined for this asset."), "-1111"),
    "-5022": (error_answer(-5022, "The Post Only order will be rejected."), "-5022"),
    "-5028": (error_answer(-5028, "Timestamp for this request is outside of the ME recvWindow."), "-5028"),
    "-1008": (error_answer(-1008, "Request throttled by system-level protection.", 503), "-1008"),
    "-1015": (error_answer(-1015, "Too many new orders."), "-1015"),
    "-1021": (error_answer(-1021, "Timestamp for this request is outside of the recvWindow."), "-1021"),
    "-1002": (error_answer(-1002, "You are not authorized to execute this request.", 401), "-1002"),
    "-1014": (error_answer(-1014, "Unsupported order combination."), "-1014"),
    "-4400": (error_answer(-4400, "Quantitative Rules violated, only reduceOnly order is allowed."), "-4400"),
    "-2015": (error_answer(-2015, "Invalid API-key, IP, or permissions for action.", 401), "-2015"),
    "429": (error_answer(-1003, "Too many requests.", 429), "429"),
    "418": (error_answer(-1003, "Way too many requests; IP banned until 1700000060000.", 418), "418"),
}


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_definite_no_is_a_refusal(stub: VenueStub, account: Account, fault: str) -> None:
    """Codes by which the venue says that it did not accept the order refuse it, by the venue's code."""
    stub.answers[ORDER], code = REFUSED[fault]

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderRefused)
    assert (event.cid, event.code) == (CID, code)
    assert event.by_rules is (fault in {"-4164", "-4016", "-1111"})
    assert stub.count(ORDER) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (text_answer("Service Unavailable.", 503), "503: ExchangeNotAvailable: no usable answer"),
        (error_answer(0, "Restricted location.", 451), "451: ExchangeNotAvailable: Restricted location."),
    ],
    ids=["no JSON", "a code that says nothing"],
)
async def test_a_status_is_told_where_the_venue_gives_no_code(
    stub: VenueStub, account: Account, answer: Answer, said: str
) -> None:
    """An operator must be able to tell a firewall, a ban of a country and a venue that is overloaded."""
    stub.answers[ORDER] = answer

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderUnknown)
    assert event.reason == said


async def test_a_filled_order_is_reported_in_exact_numbers(stub: VenueStub, account: Account) -> None:
    """The answer's client id, venue id, cumulative fill and state become the report, at the clock's times."""
    stub.answers[ORDER] = json_answer(FILLED)

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderReport)
    assert event._replace(wall_ms=0) == OrderReport(NOW_MS, 0, CID, "4711", Decimal("0.010"), closed=True)


@pytest.mark.parametrize(
    ("status", "closed"),
    [("NEW", False), ("PARTIALLY_FILLED", False), ("EXPIRED", True), ("CANCELED", True), ("REJECTED", True)],
)
async def test_an_order_is_closed_when_the_venue_says_so(
    stub: VenueStub, account: Account, status: str, *, closed: bool
) -> None:
    """Only a final status closes an order."""
    stub.answers[ORDER] = json_answer({**FILLED, "status": status, "executedQty": "0.003"})

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderReport)
    assert event.closed is closed
    assert event.filled == Decimal("0.003")


async def test_an_order_is_an_immediate_limit_with_our_id(stub: VenueStub, account: Account) -> None:
    """What goes out is an IOC limit in plain decimal notation, valid for five seconds."""
    stub.answers[ORDER] = json_answer(FILLED)

    await account.gateway.perform(an_order("0.010", "50000.0"))

    _, sent = next(seen for seen in stub.seen if seen[0] == ORDER)
    assert {key: sent[key] for key in ("symbol", "side", "type", "timeInForce", "quantity", "price")} == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": "0.010",
        "price": "50000.0",
    }
    assert sent["newClientOrderId"] == CID
    assert sent["recvWindow"] == "5000"
    assert "reduceOnly" not in sent


async def test_a_reduction_says_so(stub: VenueStub, account: Account) -> None:
    """An order that reduces the position is sent reduce-only."""
    stub.answers[ORDER] = json_answer(FILLED)

    await account.gateway.perform(an_order("-0.010", "49900.0", held="1"))

    _, sent = next(seen for seen in stub.seen if seen[0] == ORDER)
    assert (sent["side"], sent["reduceOnly"]) == ("SELL", "true")


async def test_an_order_is_not_sent_again_on_a_stale_connection(stub: VenueStub, account: Account) -> None:
    """A kept-alive connection that the venue closed at the moment of sending does not double the order."""
    stub.answers["GET /fapi/v1/order"] = json_answer(FILLED)
    stub.answers[ORDER] = reset
    await account.client.fapiPrivateGetOrder({"symbol": "BTCUSDT", "origClientOrderId": CID})

    await account.gateway.perform(an_order())

    assert stub.count(ORDER) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(stub: VenueStub, account: Account, status: int) -> None:
    """No order is sent twice, and no key to another host, because a server points elsewhere."""
    stub.answers[ORDER] = text_answer("", status, {"Location": f"{stub.url}/elsewhere"})

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderUnknown)
    assert stub.count(ORDER) == 1
    assert not any(route.endswith("/elsewhere") for route, _ in stub.seen)


async def test_a_cancelled_order_is_not_sent_again(stub: VenueStub, account: Account) -> None:
    """Cancelling in the middle of sending leaves one request at the venue, and no task behind."""
    stub.answers[ORDER] = hang
    task = asyncio.create_task(account.gateway.perform(an_order()))
    await stub.until(lambda: stub.count(ORDER) == 1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert stub.count(ORDER) == 1


async def test_after_a_timestamp_error_the_clocks_are_compared(stub: VenueStub, account: Account) -> None:
    """-1021 refuses the order; the next one is signed with the venue's time."""
    ahead_ms = 60_000

    async def server_time(_request: web.Request, _params: dict[str, str]) -> web.StreamResponse:
        return web.json_response({"serverTime": time.time_ns() // 1_000_000 + ahead_ms})

    stub.answers["GET /fapi/v1/time"] = server_time
    stub.answers[ORDER] = error_answer(-1021, "Timestamp for this request is outside of the recvWindow.")
    await account.gateway.perform(an_order())
    await account.gateway.perform(an_order())

    first, second = (int(params["timestamp"]) for route, params in stub.seen if route == ORDER)
    assert second - first > ahead_ms / 2


async def test_an_order_is_signed_when_it_is_made_ready(stub: VenueStub, account: Account) -> None:
    """Before anything is awaited: a moment later other work may stand before it. It is sent when called."""
    send = account.gateway.ready(an_order())
    ready_ms = time.time_ns() // 1_000_000
    await asyncio.sleep(0.05)
    assert stub.count(ORDER) == 0

    await send()

    (params,) = (params for route, params in stub.seen if route == ORDER)
    assert int(params["timestamp"]) <= ready_ms


async def test_an_order_that_must_wait_is_signed_when_it_is_its_turn(
    stub: VenueStub, venue: Venue, account: Account
) -> None:
    """Its receive window begins when it is sent."""
    venue._limiter.hold(0.1)
    send = account.gateway.ready(an_order())
    ready_ms = time.time_ns() // 1_000_000

    await send()

    (params,) = (params for route, params in stub.seen if route == ORDER)
    assert int(params["timestamp"]) >= ready_ms + 90


async def test_an_order_that_cannot_be_signed_is_none(stub: VenueStub, account: Account) -> None:
    """It fails before there is anything to send, in words of ours."""
    account.client.apiKey = ""

    with pytest.raises(RequestFailed, match="AuthenticationError"):
        account.gateway.ready(an_order())

    assert stub.count(ORDER) == 0


async def test_a_ban_stops_orders_without_asking_the_venue(stub: VenueStub, account: Account) -> None:
    """After 418 nothing is sent to the host for a while; an order in that time is refused, not unknown."""
    stub.answers[ORDER] = error_answer(-1003, "IP banned.", 418)
    await account.gateway.perform(an_order())

    event = await account.gateway.perform(an_order())

    assert isinstance(event, OrderRefused)
    assert event.code == "rate_limit"
    assert stub.count(ORDER) == 1


async def test_a_ban_outlasts_a_restart(stub: VenueStub) -> None:
    """418 with Retry-After: the next process sends nothing, not even for the markets, until it is over."""
    kept = Kept()
    stub.answers[ORDER] = text_answer('{"code": -1003, "msg": "IP banned."}', 418, {"Retry-After": "2"})
    async with a_venue(stub, kept) as venue:
        await venue.markets.load(lambda *_: None)
        gateway = venue.gateway(venue.client(Credentials(API_KEY, SECRET)), a_contract())
        refused = await gateway.perform(an_order())
    assert isinstance(refused, OrderRefused)
    assert (refused.code, 1_500 < refused.wait_ms <= 2_000) == ("418", True)

    told: list[str] = []
    count = len(stub.seen)
    async with a_venue(stub, kept) as venue:
        loading = asyncio.create_task(venue.markets.load(lambda error, *_: told.append(error.reason)))
        await asyncio.sleep(0.5)
        assert len(stub.seen) == count
        await loading
        again = await venue.gateway(venue.client(Credentials(API_KEY, SECRET)), a_contract()).perform(
            an_order()
        )
    assert "leave it alone for another" in told[0]
    assert isinstance(again, OrderRefused)
    assert again.code == "418"


async def test_a_ban_that_meets_the_markets_is_kept_too(stub: VenueStub) -> None:
    """Before anything is known of the venue."""
    kept = Kept()
    stub.answers["GET /fapi/v1/exchangeInfo"] = text_answer("{}", 429, {"Retry-After": "7"})
    async with a_venue(stub, kept) as venue:
        with pytest.raises(Unreachable):
            await venue.markets.load_once()
    assert kept.seconds == pytest.approx(7, abs=1)


Fault = Callable[[web.Request, dict[str, str]], Awaitable[web.StreamResponse]]


def a_venue(stub: VenueStub, kept: Kept) -> Venue:
    """Our side in a process that finds `kept`."""
    profile = profile_named("binanceusdm")
    return Venue(profile, Environment.PAPER, ExchangeClock(NOW_MS), paper_url=stub.url, back_off=kept)


def echo_fault(status: int) -> Fault:
    """An error that repeats the whole request, as careless proxies do."""

    async def answer(request: web.Request, params: dict[str, str]) -> web.StreamResponse:
        text = f"{request.url} {dict(request.headers)} {params} {SECRET}"
        return web.json_response({"code": -1000, "msg": text}, status=status)

    return answer


@pytest.mark.parametrize("fault", [*UNKNOWN, "echo", "refused"])
async def test_no_fault_reveals_key_or_signature(
    stub: VenueStub, account: Account, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither events nor logs hold a key, a signature or a URL, whatever the venue says."""
    caplog.set_level("DEBUG")
    stub.answers[ORDER] = UNKNOWN.get(fault, echo_fault(400))
    as_patient_as_it_takes(account, stub.answers[ORDER])
    if fault == "refused":
        await stub.stop()

    event = await account.gateway.perform(an_order())

    for text in (repr(event), caplog.text):
        assert "canary" not in text
        assert "signature=" not in text
        assert "recvWindow=" not in text


async def test_a_post_only_order_is_sent_as_such(stub: VenueStub, account: Account) -> None:
    """GTX; every other order is immediate-or-cancel."""
    stub.answers[ORDER] = json_answer({**FILLED, "executedQty": "0", "status": "NEW"})

    event = await account.gateway.perform(an_order(rests=True))

    assert isinstance(event, OrderReport)
    assert (event.filled, event.closed) == (0, False)
    await account.gateway.perform(an_order())
    assert [params["timeInForce"] for params in stub.asked(ORDER)] == ["GTX", "IOC"]


async def test_a_post_only_order_that_would_cross_is_told_apart(stub: VenueStub, account: Account) -> None:
    """A refusal of its price, and of nothing else."""
    stub.answers[ORDER] = error_answer(-5022, "The Post Only order will be rejected.")

    event = await account.gateway.perform(an_order(rests=True))

    assert isinstance(event, OrderRefused)
    assert event.would_take


CANCEL = "DELETE /fapi/v1/order"
QUERY = "GET /fapi/v1/order"


async def test_a_cancel_answers_with_what_the_order_had_filled(stub: VenueStub, account: Account) -> None:
    """By client id; the answer is the order as it ended."""
    stub.answers[CANCEL] = json_answer({**FILLED, "executedQty": "0.004", "status": "CANCELED"})

    event = await account.gateway.perform(CancelOrder(CID))

    assert isinstance(event, OrderReport)
    assert (event.cid, event.filled, event.closed) == (CID, Decimal("0.004"), True)
    assert [params["origClientOrderId"] for params in stub.asked(CANCEL)] == [CID]
    assert stub.count(QUERY) == 0


CANCEL_FAULTS = UNKNOWN | {"-2011 (it is over already)": error_answer(-2011, "Unknown order sent.")}


@pytest.mark.parametrize("fault", CANCEL_FAULTS)
async def test_a_cancel_that_does_not_say_how_it_ended_is_looked_up(
    stub: VenueStub, account: Account, fault: str
) -> None:
    """The order itself is the only witness."""
    stub.answers[CANCEL] = CANCEL_FAULTS[fault]
    as_patient_as_it_takes(account, stub.answers[CANCEL])
    stub.answers[QUERY] = json_answer(FILLED)

    event = await account.gateway.perform(CancelOrder(CID))

    assert isinstance(event, OrderReport)
    assert (event.filled, event.closed) == (Decimal("0.010"), True)
    assert stub.count(QUERY) == 1


@pytest.mark.parametrize(("code", "off_book"), [(-2011, True), (-1001, False)])
async def test_only_the_book_itself_says_that_nothing_rests(
    stub: VenueStub, account: Account, code: int, *, off_book: bool
) -> None:
    """What answers questions may lag behind it: a cancel that failed otherwise proves nothing."""
    stub.answers[CANCEL] = error_answer(code, "It says no.")
    stub.answers[QUERY] = error_answer(-2013, "Order does not exist.")

    event = await account.gateway.perform(CancelOrder(CID))

    assert isinstance(event, OrderMissing)
    assert event.off_book is off_book


async def test_a_cancel_of_which_nothing_can_be_learnt_says_so(stub: VenueStub, account: Account) -> None:
    """Evidence of nothing: the caller asks again."""
    stub.answers[CANCEL] = stub.answers[QUERY] = error_answer(-1001, "Internal error.")

    event = await account.gateway.perform(CancelOrder(CID))

    assert isinstance(event, ReadFailed)
    assert event.what == "CancelOrder"
