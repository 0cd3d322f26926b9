"""What faults do to requests and their replies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from bot.exchange.calls import Call, Ending, Reply
from bot.exchange.faults import listing
from bot.exchange.faults.kinds import ERRORS
from bot.exchange.faults.plan import Fault, Scene
from bot.exchange.rest import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.exchange.faults.plan import Plan, Scheduled
    from bot.exchange.faults.world import World

    Answer = Callable[[Call], Reply]

GONE = Reply(503, b"", {}, ending=Ending.NOTHING)
_HTML = b"<html><head><title>%d</title></head><body><center><h1>%s</h1></center></body></html>"
_TITLES = {403: b"403 Forbidden", 502: b"502 Bad Gateway", 504: b"504 Gateway Time-out"}
_POSITIONS = ("/fapi/v2/positionRisk", "/fapi/v3/positionRisk", "/fapi/v2/account", "/fapi/v3/account")
REMEMBERED = 1_000  # questions whose last answer is kept, for it may be given again
_MAINTENANCE = (503, -1016, "This service is no longer available.")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as faults see it: who sends it, and about which symbol."""

    call: Call
    account: str
    symbol: str

    @property
    def occasion(self) -> dict[str, str]:
        """What it is matched by."""
        return {
            "method": self.call.method,
            "path": self.call.path,
            "symbol": self.symbol,
            "account": self.account,
        }


class RequestFaults:
    """Stands before the REST API. `world` does what faults of the world do; `now` is market time."""

    def __init__(
        self,
        plan: Plan,
        answer: Answer,
        owners: Mapping[str, str],
        world: World,
        now: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._carry_out = answer
        self._owners = owners
        self._world = world
        self._now = now
        self._banned_until_s: dict[str, float] = {}
        self._last: dict[tuple[str, str, str], Reply] = {}

    async def answer(self, call: Call) -> Reply:
        """Answer a request, with whatever goes wrong."""
        asked = Request(call, self._owners.get(call.api_key or "", ""), _parameters(call).get("symbol", ""))
        fired = self._plan.at(Scene.REQUEST, asked.occasion, self._now())
        for item in fired:
            if Scene.WORLD in item.fault.scenes:
                self._world.carry_out(item)
        found = [item.fault for item in fired]
        early = self._banned(call) or await self._before(asked, found)
        if early is not None:
            return early
        for fault in found:
            if fault.kind == "clock_skewed":
                call = call._replace(skew_ms=call.skew_ms + fault.given["by_ms"])
        for item in fired:
            if item.fault.kind == "filled_before_cancel":
                self._world.fill_before_cancel(item, asked.account, asked.symbol, _parameters(call))
        reply = self._carry_out(call)
        return await self._after(asked, reply, fired)

    async def admit(self, call: Call) -> Reply | None:
        """Return why a websocket is not opened; None: it is."""
        asked = Request(call, "", "")
        fired = self._plan.at(Scene.REQUEST, asked.occasion, self._now())
        return self._banned(call) or await self._before(asked, [item.fault for item in fired])

    async def _before(self, asked: Request, found: list[Fault]) -> Reply | None:
        """Do what happens before a request is carried out; a reply means that it is not."""
        for fault in found:
            given = fault.given
            if fault.kind == "request_lost":
                await asyncio.sleep(given.get("hold_s", 0))
                return GONE
            if fault.kind == "request_delayed":
                await asyncio.sleep(given["by_s"])
            elif fault.kind == "banned":
                until_s = asyncio.get_running_loop().time() + given.get("for_s", 120)
                self._banned_until_s[asked.call.address] = until_s
                return self._banned(asked.call)
            elif fault.kind in _REFUSALS and not given.get("executed", False):
                return _REFUSALS[fault.kind](given)
            elif fault.kind in {"delisted", "filters_changed"}:
                refused = listing.refused(fault, asked.call, asked.symbol)
                if refused is not None:
                    return refusal(refused, {})
        return None

    async def _after(self, asked: Request, reply: Reply, fired: list[Scheduled]) -> Reply:
        """Do what happens to a reply on its way out."""
        key = (asked.account, asked.call.method + asked.call.path, _question(asked.call))
        before = self._last.pop(key, reply)
        self._last[key] = reply
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]
        for item in fired:
            fault, given = item.fault, item.fault.given
            if fault.kind in {"reply_lost", "reply_delayed"}:
                await asyncio.sleep(given.get("by_s", given.get("hold_s", 0)))
            if fault.kind == "reply_stale":
                if (before.status, before.body) == (reply.status, reply.body):
                    item.take_back()  # nobody could tell
                reply = before
            elif fault.kind == "error" and given.get("executed", False):
                reply = _error(given)
            elif fault.kind in _ENDINGS:
                reply = reply._replace(ending=_ENDINGS[fault.kind])
            elif fault.kind in _DISTORTIONS and reply.status == 200:
                reply = _DISTORTIONS[fault.kind](reply, given, asked.call.path, self._now())
        return reply

    def _banned(self, call: Call) -> Reply | None:
        left_s = self._banned_until_s.get(call.address, 0.0) - asyncio.get_running_loop().time()
        if left_s <= 0:
            return None
        message = (
            f"Way too many requests; IP({call.address}) banned. Please use the websocket for live updates."
        )
        return _refusal(418, -1003, message, {"Retry-After": str(int(left_s) + 1)})


# --- instead of carrying it out ------------------------------------------------------------------------


def _refusal(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    body: dict[str, Any] = {"code": code, "msg": message} if code else {"msg": message}
    return Reply(status, orjson.dumps(body), headers or {})


def _error(given: Mapping[str, Any]) -> Reply:
    status, message, code = ERRORS[given["name"]]
    if message:
        return _refusal(status, code, message)
    return Reply(status, _HTML % (status, _TITLES[status]), {}, "text/html")


def _rejected(given: Mapping[str, Any]) -> Reply:
    return _refusal(400, given.get("code", -2019), given.get("message", "Margin is insufficient."))


def _rate_limited(given: Mapping[str, Any]) -> Reply:
    message = "Too many requests. Please use the websocket for live updates to avoid polling the API."
    return _refusal(429, -1003, message, {"Retry-After": str(given.get("retry_after_s", 60))})


def _key_revoked(_given: Mapping[str, Any]) -> Reply:
    return _refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")


def _maintenance(_given: Mapping[str, Any]) -> Reply:
    return _refusal(*_MAINTENANCE)


_REFUSALS: dict[str, Callable[[Mapping[str, Any]], Reply]] = {
    "error": _error,
    "rejected": _rejected,
    "rate_limited": _rate_limited,
    "key_revoked": _key_revoked,
    "maintenance": _maintenance,
}


# --- what becomes of a reply ---------------------------------------------------------------------------

_ENDINGS = {"reply_lost": Ending.NOTHING, "reply_reset": Ending.RESET, "reply_cut": Ending.CUT}


def _malformed(reply: Reply, given: Mapping[str, Any], _path: str, _now_ms: int) -> Reply:
    into = given.get("into", "html")
    if into == "html":
        return reply._replace(body=_HTML % (200, b"Welcome"), content_type="text/html")
    if into == "cut":
        return reply._replace(body=reply.body[: len(reply.body) // 2])
    if into == "empty":
        return reply._replace(body=b"")
    return reply._replace(body=with_nan(reply.body))


def _without_young_orders(reply: Reply, given: Mapping[str, Any], path: str, now_ms: int) -> Reply:
    lag_ms = given.get("lag_ms", 1_000)
    body = orjson.loads(reply.body)

    def is_young(row: dict[str, Any]) -> bool:
        placed_ms: int = row.get("time", 0)
        return bool(now_ms - placed_ms < lag_ms)

    if path in {"/fapi/v1/order", "/fapi/v1/openOrder"} and isinstance(body, dict) and "time" in body:
        return _refusal(400, -2013, "Order does not exist.") if is_young(body) else reply
    if path in {"/fapi/v1/openOrders", "/fapi/v1/allOrders", "/fapi/v1/userTrades"}:
        return reply._replace(body=orjson.dumps([row for row in body if not is_young(row)]))
    return reply


def _without_positions(reply: Reply, given: Mapping[str, Any], path: str, _now_ms: int) -> Reply:
    if path not in _POSITIONS:
        return reply
    body, symbol = orjson.loads(reply.body), given.get("symbol")
    rows = body if isinstance(body, list) else body["positions"]
    rows[:] = [row for row in rows if symbol is not None and row["symbol"] != symbol]
    return reply._replace(body=orjson.dumps(body))


def _skewed(reply: Reply, given: Mapping[str, Any], path: str, _now_ms: int) -> Reply:
    if path != "/fapi/v1/time":
        return reply
    body = orjson.loads(reply.body)
    return reply._replace(body=orjson.dumps({"serverTime": body["serverTime"] + given["by_ms"]}))


def _relisted(reply: Reply, given: Mapping[str, Any], path: str, _now_ms: int) -> Reply:
    return listing.shown(reply, given) if path == "/fapi/v1/exchangeInfo" else reply


_DISTORTIONS: dict[str, Callable[[Reply, Mapping[str, Any], str, int], Reply]] = {
    "reply_malformed": _malformed,
    "order_hidden": _without_young_orders,
    "positions_missing": _without_positions,
    "clock_skewed": _skewed,
    "delisted": _relisted,
    "filters_changed": _relisted,
}


def with_nan(body: bytes) -> bytes:
    """Return JSON with NaN in place of the first number that is written as a text, or a bare NaN."""
    head, quote, rest = body.partition(b':"')
    while quote:
        value, end, tail = rest.partition(b'"')
        if value and value.replace(b".", b"").replace(b"-", b"").isdigit():
            return head + b":NaN" + tail
        more, quote, rest = tail.partition(b':"')
        head += b':"' + value + end + more
    return b"NaN"


# --- reading a request ---------------------------------------------------------------------------------


def _parameters(call: Call) -> dict[str, str]:
    try:
        return dict(parse_qsl(f"{call.query}&{call.body}", max_num_fields=200))
    except ValueError:
        return {}


def _question(call: Call) -> str:
    """Return what is asked, without what makes each request different."""
    parts = f"{call.query}&{call.body}".split("&")
    return "&".join(
        sorted(part for part in parts if not part.startswith(("timestamp=", "signature=", "recvWindow=")))
    )
