import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.daemon.nav import NavRecorder
from bot.daemon.runner import Runner
from bot.journal.nav_store import NavStore
from bot.testing import a_fund
from bot.web import token_api
from tests.support.desk import Desk
from tests.support.patience import PATIENCE_S
from tests.support.site import Figures, Site, a_site, at_work


@dataclass
class Token:
    """BTCDOWN, open and revealed, with its token API."""

    desk: Desk
    runner: Runner
    site: Site
    recorder: NavRecorder

    async def mark(self, time_ms: int, price: str) -> None:
        """A mark comes, is recorded, and told."""
        self.desk.mark(self.runner, time_ms, price)
        await self.runner.wait_quiet()
        mark = self.runner.state.mark
        assert mark is not None
        self.recorder.take(self.runner, mark)
        await self.site.figures.feed.look()

    @property
    def now_ms(self) -> int:
        """Market time."""
        return self.desk.clock.market_ms()

    def socket(self, path: str) -> Any:
        """A websocket."""
        return self.site.session.ws_connect(self.site.url + path)


@pytest.fixture
async def token(tmp_path: Path) -> AsyncIterator[Token]:
    """BTCDOWN has opened, and that is public."""
    desk, runner, side = await at_work(a_fund(side="short"))
    await desk.until_flat_out(runner)
    store = NavStore(tmp_path / "nav.sqlite")
    recorder = NavRecorder(store)
    side.recorder = recorder
    async with a_site(Figures(public=side)) as site:
        shown = Token(desk, runner, site, recorder)
        await shown.mark(shown.now_ms + 3_600_000, "60000")
        yield shown
    recorder.close()
    store.close()
    runner.cancel()


async def test_token_nav_has_the_originals_fields(token: Token) -> None:
    """Numbers are numbers; leverage of a DOWN token is negative; the secret target is not told."""
    async with token.socket("/ws/btcdown@tokenNav") as socket:
        await token.mark(token.now_ms + 1_000, "60600")
        told = await socket.receive_json(timeout=PATIENCE_S)
    book = token.runner.state.book
    assert set(told) == {"e", "E", "s", "m", "b", "n", "l", "t", "f"}
    assert (told["e"], told["s"], told["E"], told["t"]) == ("nav", "BTCDOWN", token.now_ms, 0)
    assert told["m"] == 100_000
    assert told["b"] == [{"s": "BTCUSDT", "n": float(book.position)}]
    assert told["b"][0]["n"] < 0
    assert told["n"] == pytest.approx(float(book.ledger.value(token.desk.price) / 100_000))
    assert told["l"] < -1.5


async def test_combined_streams_name_the_stream_of_each_message(token: Token) -> None:
    """As they were asked for; the kline has the bar so far, with the number of its updates."""
    names = "BTCDOWN@tokenNav/BTCDOWN@nav_Kline_1h"
    async with token.socket(f"/stream?streams={names}") as socket:
        await token.mark(token.now_ms + 1_000, "60600")
        told = [await socket.receive_json(timeout=PATIENCE_S) for _ in range(2)]
    assert [message["stream"] for message in told] == names.split("/")
    kline = told[1]["data"]["k"]
    assert (told[1]["data"]["e"], kline["s"], kline["i"], kline["n"]) == ("kline", "BTCDOWN", "1h", 2)
    assert kline["t"] % 3_600_000 == 0
    assert kline["T"] == kline["t"] + 3_599_999
    assert float(kline["l"]) == float(kline["c"]) < float(kline["h"]) == float(kline["o"])


async def test_streams_can_be_chosen_over_an_open_socket(token: Token) -> None:
    """SUBSCRIBE, LIST_SUBSCRIPTIONS and UNSUBSCRIBE; what makes no sense is answered with an error."""
    async with token.socket("/ws") as socket:

        async def ask(message: Any) -> Any:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))
            return await socket.receive_json(timeout=PATIENCE_S)

        one = ["BTCDOWN@tokenNav"]
        assert await ask({"method": "SUBSCRIBE", "params": one, "id": 1}) == {"result": None, "id": 1}
        assert await ask({"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": one, "id": 2}
        await token.mark(token.now_ms + 1_000, "60100")
        assert (await socket.receive_json(timeout=PATIENCE_S))["e"] == "nav"
        assert await ask({"method": "UNSUBSCRIBE", "params": one, "id": 3}) == {"result": None, "id": 3}
        assert await ask({"method": "LIST_SUBSCRIPTIONS", "id": 4}) == {"result": [], "id": 4}
        assert "error" in await ask({"method": "SUBSCRIBE", "params": ["X@tokenNav"], "id": 5})
        assert "error" in await ask({"method": "DANCE", "id": 6})
        assert [await ask(text) for text in ("{", "[]", "1")] == [
            {"error": {"code": 3, "msg": "Invalid JSON"}, "id": None}
        ] * 3


@pytest.mark.parametrize(
    "path", ["/ws/NONE@tokenNav", "/ws/BTCDOWN@trade", "/ws/BTCDOWN@nav_kline_2m", "/stream?streams=a/b"]
)
async def test_unknown_streams_are_refused_before_the_socket_opens(token: Token, path: str) -> None:
    """404, in the shape of every error here."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await token.socket(path)
    assert refused.value.status == 404


async def test_klines_are_the_history_of_nav(token: Token) -> None:
    """Open time, prices, leverage, close time, number of updates, in the original's places."""
    start_ms = token.now_ms
    for minute in range(1, 4):
        await token.mark(start_ms + minute * 60_000, str(60_000 + minute * 100))
    status, rows, _ = await token.site.ask("/fapi/v1/lvtKlines?symbol=BTCDOWN&interval=1m")
    assert status == 200
    assert len(rows) == 4
    assert [len(row) for row in rows] == [12] * 4
    assert [row[6] - row[0] for row in rows] == [59_999] * 4
    assert all(float(row[5]) < -1.5 for row in rows)
    assert [row[8] for row in rows] == [1] * 4
    nav = (await token.site.ask("/api/v1/funds/BTCDOWN/nav?interval=1m"))[1]
    assert [row[:5] for row in rows] == [row[:5] for row in nav]
    query = f"symbol=BTCDOWN&interval=1m&startTime={rows[1][0]}&endTime={rows[2][0]}"
    assert (await token.site.ask(f"/fapi/v1/lvtKlines?{query}"))[1] == rows[1:3]
    query = "symbol=BTCDOWN&interval=1m&limit=2"
    assert (await token.site.ask(f"/fapi/v1/lvtKlines?{query}"))[1] == rows[-2:]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("symbol=NONE&interval=1m", -1121),
        ("interval=1m", -1121),
        ("symbol=BTCDOWN", -1120),
        ("symbol=BTCDOWN&interval=2m", -1120),
        ("symbol=BTCDOWN&interval=1m&limit=x", -1102),
        ("symbol=BTCDOWN&interval=1m&limit=1001", -1130),
        ("symbol=BTCDOWN&interval=1m&startTime=-1", -1130),
    ],
)
async def test_klines_that_cannot_be_are_refused_in_the_originals_words(
    token: Token, query: str, code: int
) -> None:
    """A code and a message, status 400."""
    status, body, _ = await token.site.ask(f"/fapi/v1/lvtKlines?{query}")
    assert (status, body["code"], set(body)) == (400, code, {"code", "msg"})


async def test_token_info_tells_basket_fees_and_limits(token: Token) -> None:
    """Of all tokens, or of one."""
    status, (info,), _ = await token.site.ask("/sapi/v1/blvt/tokenInfo?tokenName=BTCDOWN")
    assert status == 200
    assert (await token.site.ask("/sapi/v1/blvt/tokenInfo"))[1] == [info]
    assert (info["tokenName"], info["underlying"], info["tokenIssued"]) == ("BTCDOWN", "BTC", "100000")
    (basket,) = info["currentBaskets"]
    assert float(basket["amount"]) < 0
    assert float(basket["notionalValue"]) == pytest.approx(float(basket["amount"]) * 60_000)
    assert info["basket"] == f"{basket['amount']} BTCUSDT Futures"
    assert {"dailyManagementFee", "purchaseFeePct", "redeemFeePct"} < set(info)
    assert (await token.site.ask("/sapi/v1/blvt/tokenInfo?tokenName=X"))[1]["code"] == -1121


async def test_a_socket_that_is_gone_or_does_not_read_holds_nobody_up(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped, and the others are told."""
    async with token.socket("/ws/BTCDOWN@tokenNav") as gone:
        await gone.close()
    lame = await token.socket("/ws/BTCDOWN@tokenNav")
    monkeypatch.setattr(token_api, "MOST_WAITING_BYTES", -1)
    await token.mark(token.now_ms + 1_000, "60100")
    async with asyncio.timeout(PATIENCE_S):
        assert (await lame.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE}
    monkeypatch.setattr(token_api, "MOST_WAITING_BYTES", 1 << 20)
    async with token.socket("/ws/BTCDOWN@tokenNav") as socket:
        await token.mark(token.now_ms + 1_000, "60200")
        assert (await socket.receive_json(timeout=PATIENCE_S))["s"] == "BTCDOWN"


async def test_too_many_readers_are_told_so(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """503."""
    monkeypatch.setattr(token_api, "MOST_READERS", 0)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await token.socket("/ws")
    assert refused.value.status == 503


async def test_a_down_token_that_holds_nothing_has_no_minus_sign_before_its_zeros() -> None:
    """Before its opening is public: stream, candles and `tokenInfo`."""
    _, runner, side = await at_work(a_fund(side="short"))
    fund = side.funds()[0]
    assert (fund["position"], fund["real_leverage"]) == ("0", "0")
    bar = {"start_ms": 0, "open": "1", "high": "1", "low": "1", "close": "1", "updates": 1}
    told: list[Any] = [
        token_api.token_nav(fund),
        token_api.nav_kline(fund, "1m", bar),
        token_api._info(fund, {}),
    ]
    told.append(token_api._kline([0, "1", "1", "1", "1", 1], [0, "60000", "0", None], 60_000, "short"))
    assert "-0" not in json.dumps(told).replace(fund["updated_at"], "")
    held = fund | {"real_leverage": "2", "notional": "400"}
    assert token_api._info(held, {})["currentBaskets"][0]["notionalValue"] == "-400"
    assert token_api.token_nav(held)["l"] == -2
    runner.cancel()
