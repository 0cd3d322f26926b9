"""User data streams: listen keys and the events of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange.listen_keys import VALIDITY_MS, ListenKeys
from tests.exchange.builders import DOWN, START_MS, UP, Bench, Start, StepPath, walk
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    import aiohttp

    from bot.exchange import AccountConfig


async def listen_key(bench: Bench, account: AccountConfig = UP, method: str = "POST") -> Any:
    """Call the listen key endpoint."""
    headers = {"X-MBX-APIKEY": account.api_key}
    async with bench.session.request(
        method, f"{bench.exchange.url}/fapi/v1/listenKey", headers=headers
    ) as response:
        return await response.json()


async def events(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    """Return the next events."""
    return [await socket.receive_json(timeout=PATIENCE_S) for _ in range(count)]


async def test_a_fill_is_told_in_the_venues_order(start: Start) -> None:
    """The quick note of the trade, the order as new, the account, and the trade; all in market time."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws?listenKey={key}")
        await bench.order(DOWN)
        order = await bench.order(quantity="0.01", newClientOrderId="mine")
        lite, new, account, trade = await events(socket, 4)
    assert (lite["e"], lite["c"], lite["l"], lite["i"]) == ("TRADE_LITE", "mine", "0.010", order["orderId"])
    assert (new["o"]["x"], new["o"]["X"], new["o"]["c"]) == ("NEW", "NEW", "mine")
    assert (account["e"], account["a"]["m"]) == ("ACCOUNT_UPDATE", "ORDER")
    assert account["a"]["P"][0]["pa"] == "0.01"
    assert (trade["o"]["x"], trade["o"]["X"], trade["o"]["z"]) == ("TRADE", "FILLED", "0.01")
    assert (trade["o"]["i"], trade["E"], trade["o"]["N"]) == (order["orderId"], START_MS, "USDT")
    assert trade["o"]["t"] == lite["t"]


async def test_events_have_their_fields_in_the_venues_order(start: Start) -> None:
    """As recorded, for readers that look at positions in the text."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{key}")
        await bench.order(quantity="0.01")
        _, new, account, _ = await events(socket, 4)
    assert (list(new), list(account)) == (["e", "T", "E", "o"], ["e", "T", "E", "a"])
    assert list(account["a"]) == ["B", "P", "m"]
    assert " ".join(account["a"]["P"][0]) == "s pa ep cr up mt iw ps ma bep"


async def test_events_are_made_for_those_who_listen(start: Start) -> None:
    """What happened before anybody listened is not told later, nor kept; two listeners are told the same."""
    async with start() as bench:
        venue = bench.exchange._desk.venue
        key = (await listen_key(bench))["listenKey"]
        for number in range(3):
            await bench.order(quantity="0.01", newClientOrderId=f"before-{number}")
            assert venue.events == []
        address = f"{bench.ws_url}/private/ws/{key}@ORDER_TRADE_UPDATE"
        sockets = [await bench.session.ws_connect(address) for _ in range(2)]
        await bench.order(quantity="0.01", newClientOrderId="after")
        for socket in sockets:
            assert [event["o"]["c"] for event in await events(socket, 2)] == ["after", "after"]
        await sockets[0].close()
        await bench.order(quantity="0.01", newClientOrderId="last")
        assert [event["o"]["c"] for event in await events(sockets[1], 2)] == ["last", "last"]


async def test_open_notional_counts_the_order_that_is_told(start: Start) -> None:
    """A new order is in the notional of open bids already, with all its digits; a cancelled one no longer."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{key}")
        order = await bench.order(quantity="0.01", price="59000", timeInForce="GTC")
        await bench.call("DELETE", "/fapi/v1/order", {"symbol": "BTCUSDT", "orderId": order["orderId"]}, UP)
        new, cancelled = await events(socket, 2)
    assert (new["o"]["b"], new["o"]["a"]) == ("590.00000", "0")
    assert (cancelled["o"]["b"], cancelled["o"]["a"]) == ("0", "0")


async def test_funding_names_its_symbol(start: Start) -> None:
    """A payment on a cross position tells the balance and the symbol, and no position."""
    path = StepPath([60_000] * 10, step_ms=3_600_000)
    async with start(paths={"BTCUSDT": path}) as bench:
        pacer, marks = await bench.pacer(), await bench.marks()
        await bench.order(quantity="0.01")
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{key}")
        await walk(pacer, marks, path.end_ms)
        (event,) = await events(socket, 1)
    assert (event["a"]["m"], event["a"]["S"], event["a"]["P"]) == ("FUNDING_FEE", "BTCUSDT", [])
    assert event["a"]["B"][0]["bc"] == "-0.06"


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("/private/ws/{key}", [None] * 4),
        ("/private/stream?listenKey={key}", ["{key}"] * 4),
        ("/private/stream?streams={key}", ["{key}"] * 4),
        ("/private/ws?listenKey={key}&events=ACCOUNT_UPDATE", [None]),
        (
            "/private/stream?listenKey={key}&events=ACCOUNT_UPDATE/TRADE_LITE",
            ["{key}@TRADE_LITE", "{key}@ACCOUNT_UPDATE"],
        ),
    ],
)
async def test_an_address_chooses_events(start: Start, address: str, labels: list[str | None]) -> None:
    """A listen key stands for all events of its account, with `events` for those named."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(bench.ws_url + address.format(key=key))
        await bench.order(quantity="0.01")
        told = await events(socket, len(labels))
    assert [frame.get("stream") for frame in told] == [label and label.format(key=key) for label in labels]


async def test_subscribing_to_a_listen_key(start: Start) -> None:
    """The official SDK subscribes to its key on a combined private socket; one socket may have several."""
    async with start() as bench:
        keys = [(await listen_key(bench, account))["listenKey"] for account in (UP, DOWN)]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/stream")
        await socket.send_json({"method": "SUBSCRIBE", "params": keys, "id": "x"})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": None, "id": "x"}
        for account, key in zip((UP, DOWN), keys, strict=True):
            await bench.order(account, quantity="0.01")
            assert {frame["stream"] for frame in await events(socket, 4)} == {key}


@pytest.mark.parametrize("address", ["/ws/{key}", "/market/ws/{key}", "/private/ws/no-such-key"])
async def test_elsewhere_a_listen_key_is_silent(start: Start, address: str) -> None:
    """A socket opens with whatever key, at whatever address; only /private with a valid one speaks."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(bench.ws_url + address.format(key=key))
        await bench.order(quantity="0.01")
        await socket.send_json({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": False, "id": 1}


async def test_listen_key_is_kept_and_ended(start: Start) -> None:
    """POST gives the same key again, PUT keeps it; after DELETE it is silent and there is none to keep."""
    async with start() as bench:
        first = await listen_key(bench)
        assert first == await listen_key(bench)
        assert first == await listen_key(bench, method="PUT")
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws/{first['listenKey']}")
        assert await listen_key(bench, method="DELETE") == {}
        assert (await listen_key(bench, method="PUT"))["code"] == -1125
        await bench.order(quantity="0.01")
        await socket.send_json({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": False, "id": 1}


def test_listen_keys_expire_after_an_hour() -> None:
    """A key lives 60 minutes from its last use, over a restart as well, and is then handed out as expired."""
    keys = ListenKeys()
    given_key = keys.start("UP", 0)
    assert keys.prolong("UP", VALIDITY_MS - 1) == given_key
    again = ListenKeys(keys.stored())
    assert again.owner(given_key, 2 * VALIDITY_MS - 2) == "UP"
    assert again.key_of("UP", 2 * VALIDITY_MS - 2) == given_key
    assert again.owner(given_key, 2 * VALIDITY_MS - 1) is None
    assert again.key_of("UP", 2 * VALIDITY_MS - 1) is None
    assert again.expire(2 * VALIDITY_MS - 1) == [("UP", given_key)]


async def test_listen_key_expiry_is_told(start: Start) -> None:
    """The stream of a key that has run out is told so once, stays open, and hears nothing more."""
    async with start() as bench:
        key = (await listen_key(bench))["listenKey"]
        socket = await bench.session.ws_connect(f"{bench.ws_url}/private/ws?listenKey={key}")
        bench.exchange._desk.listen_keys._by_account["UP"] = (key, 1)
        event = await socket.receive_json(timeout=PATIENCE_S)
        assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)
        await bench.order(quantity="0.01")
        await socket.send_json({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": False, "id": 1}
        assert (await listen_key(bench))["listenKey"] != key
