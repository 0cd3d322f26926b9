"""Requests through one ccxt client: weighed, translated, and, only if they are reads, retried.

This is the border at which ccxt's exceptions end. They hold signed URLs, so they are never chained to ours.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from bot.venue.errors import AnswerMalformed, RequestFailed

if TYPE_CHECKING:
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient, Profile

_QUICK_S = 0.5
"""A comparison of clocks is as exact as an answer is quick; funds bear two seconds (`bot.core.trust`)."""
_COMPARISONS = 2

Sending: TypeAlias = Callable[[], Awaitable[Any]]
"""Sends a request that is made ready, and gives its answer; call it once."""

READ_ATTEMPTS = 4
READ_PATIENCE_S = 10.0
ORDER_PATIENCE_S = 1.0
"""An order that our own limiter cannot pass within this time is not sent: its intent has a deadline."""

BACK_OFF_S = {"429": 10.0, "-1003": 10.0, "403": 15.0, "418": 120.0}
"""How long a host is left alone after it said so, where it did not say for how long.

403 is a firewall's word, and says no more; it lets us through again once we ask less.
"""

_LONGEST_BAN_S = 4 * 86_400.0


class Requests:
    """The private (or public) endpoints of one client, by ccxt's implicit method names."""

    def __init__(self, profile: "Profile", client: "CcxtClient", limiter: "Limiter") -> None:
        self._profile = profile
        self._client = client
        self._limiter = limiter
        self.secrets = tuple(s for s in (client.apiKey, client.secret, client.password) if s)

    async def read(
        self, method: str, params: Mapping[str, Any], *, weight: float, elsewhere: bool = False
    ) -> Any:
        """Repeat a read until it succeeds, at most `READ_ATTEMPTS` times; raise `RequestFailed`.

        `elsewhere`: it goes to another host than orders do, whose bans do not concern them.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestFailed) and error.transient),
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=0.2, max=3.0, jitter=0.2),
            reraise=True,
        ):
            with attempt:
                await self._limiter.acquire(weight, patience_s=READ_PATIENCE_S)
                return await self._call(getattr(self._client, method)(dict(params)), elsewhere=elsewhere)
        raise AssertionError("tenacity either returns or raises")

    def order(self, section: str, path: str, params: dict[str, Any]) -> Sending:
        """Sign an order, POST to `path` of ccxt's API `section`, now; if it must wait, once it is its turn.

        The result sends it: once, whatever happens. `RequestFailed` from there says nothing about whether it
        arrived; from here, that nothing can be signed.
        """
        signed = self._signed(section, path, params) if self._limiter.take(1) else None
        return partial(self._send_order, section, path, params, signed)

    async def _send_order(
        self, section: str, path: str, params: dict[str, Any], signed: dict[str, Any] | None
    ) -> Any:
        if signed is None:
            await self._limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
            signed = self._signed(section, path, params)
        fetch = self._client.fetch(signed["url"], signed["method"], signed["headers"], signed["body"])
        return await self._call(fetch)

    def _signed(self, section: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """What ccxt would send, by the two steps that its own request takes: `sign`, then `fetch`."""
        failure: RequestFailed
        try:
            signed: dict[str, Any] = self._client.sign(path, [section], "POST", params)
        except Exception as error:  # noqa: BLE001 - as in `_once`
            failure = translate(error, self.secrets)
        else:
            return signed
        raise failure

    async def write(self, method: str, params: Mapping[str, Any]) -> Any:
        """Change a setting of the account: once."""
        await self._limiter.acquire(1, patience_s=READ_PATIENCE_S)
        return await self._call(getattr(self._client, method)(dict(params)))

    async def cancel(self, method: str, params: Mapping[str, Any]) -> Any:
        """Cancel an order: once, and ahead of reads."""
        await self._limiter.acquire(1, order=True, patience_s=ORDER_PATIENCE_S)
        return await self._call(getattr(self._client, method)(dict(params)))

    async def synchronise(self) -> int:
        """Measure by how many ms our clock is ahead of the venue's; ccxt then applies that to timestamps.

        It is wrong by as long as the answer was on its way, which can be seconds when the venue has much to
        do: after a slow one it is asked once more, and the quicker answer counts.
        """
        loop, client = asyncio.get_running_loop(), self._client
        answers: list[tuple[float, int]] = []
        while not answers or (answers[-1][0] > _QUICK_S and len(answers) < _COMPARISONS):
            await self._limiter.acquire(1, patience_s=READ_PATIENCE_S)
            asked_s = loop.time()
            venue_ms = await self._once(client.fetch_time({}))
            if venue_ms is None:
                raise AnswerMalformed("it tells no time")
            answers.append((loop.time() - asked_s, int(client.milliseconds() - venue_ms)))
        client.options["timeDifference"] = skew_ms = min(answers)[1]
        return skew_ms

    async def _call(self, request: Awaitable[Any], *, elsewhere: bool = False) -> Any:
        try:
            return await self._once(request)
        except RequestFailed as error:
            if error.code in BACK_OFF_S and not elsewhere:
                hold(self._limiter, self._client, error)
            if error.code in self._profile.clock_skew:
                await self._resynchronise(error)
            raise

    async def _resynchronise(self, skew: RequestFailed) -> None:
        """After a timestamp error the next request shall have a better one; this one stays failed."""
        try:
            await self.synchronise()
        except RequestFailed as error:
            reason = f"{skew.reason}; and the clocks could not be compared: {error}"
            raise RequestFailed(skew.code, reason, transient=skew.transient) from None

    async def _once(self, request: Awaitable[Any]) -> Any:
        failure: RequestFailed
        try:
            return await request
        except Exception as error:  # noqa: BLE001 - ccxt raises all sorts on bad answers; none may pass with its URL
            failure = translate(error, self.secrets)
        # Raised out here, where ccxt's exception is not even the context of ours.
        raise failure


def hold(limiter: "Limiter", client: "CcxtClient", error: RequestFailed) -> None:
    """The host said that we ask too much: leave it alone for as long as it said, or is usual."""
    said_s = max(_retry_after_s(client), _banned_s(client, error.reason))
    limiter.hold(said_s or BACK_OFF_S[error.code])
    error.wait_s = limiter.held_s


def _banned_s(client: "CcxtClient", reason: str) -> float:
    """For how long we are banned, as the message says; the futures API promises no Retry-After."""
    banned = _BANNED.search(reason)
    if banned is None:
        return 0.0
    left_ms = int(banned.group(1)) - int(client.nonce())
    return min(_LONGEST_BAN_S, max(0.0, left_ms / 1000))


_BANNED = re.compile(r"\bbanned until (\d{13})\b")


def _retry_after_s(client: "CcxtClient") -> float:
    headers = client.last_response_headers or {}
    for name, value in headers.items():
        if name.lower() == "retry-after" and str(value).isdigit():
            return float(value)
    return 0.0


def translate(error: Exception, secrets: tuple[str, ...] = ()) -> RequestFailed:
    """Reduce one of ccxt's exceptions to a code and a short reason that hold no URL, key or signature."""
    from aiohttp import ClientError  # noqa: PLC0415 - with ccxt, at first use
    from ccxt.base.errors import BaseError, OperationFailed  # noqa: PLC0415 - as above

    name = type(error).__name__
    if not isinstance(error, BaseError):
        return RequestFailed(name, "the answer could not be read", transient=False)
    # A body that broke off is an ExchangeError to ccxt, but the same read may well succeed.
    transient = isinstance(error, OperationFailed) or isinstance(error.__cause__, ClientError)
    code, message = _venue_words(str(error))
    if code is None:
        return RequestFailed(name, _cause_of(error), transient=transient)
    return RequestFailed(code, f"{name}: {_redacted(message, secrets)}", transient=transient)


def stream_trouble(error: Exception, secrets: tuple[str, ...] = ()) -> str:
    """Say in a few words what happened to a stream. ccxt's own words name the URL, which may hold a key."""
    return _redacted(f"{type(error).__name__}: {error}", secrets)


def _venue_words(text: str) -> tuple[str | None, str]:
    """The venue's code and message in ccxt's text, or the HTTP status that ccxt put in front."""
    status = _STATUS.match(text)
    start = text.find("{")
    answer = _object(text[start:]) if start >= 0 else {}
    code, message = answer.get("code"), str(answer.get("msg", ""))
    if status is not None and status["many"]:
        return status["many"], message or "too many requests"
    if code and isinstance(code, int | str):
        return str(code), message
    if status is not None:
        return status["other"], message or "no usable answer"
    return None, ""


def _object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


_STATUS = re.compile(r"\w+ (?:(?P<many>418|429)|[A-Z]+ \S+ (?P<other>[1-5]\d\d)) ")
"""ccxt's texts for an HTTP status: what means too many requests, whatever code is inside, and all others."""


def _redacted(message: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        message = message.replace(secret, "[secret]")
    message = _REVEALING.sub("[removed]", message)
    return " ".join(message.split())[:160]


_REVEALING = re.compile(r"\w+://\S+|(?:signature|apikey|secret)\S*|\b[0-9a-fA-F]{40,}\b", re.IGNORECASE)


def _cause_of(error: Exception) -> str:
    """The class of what happened below ccxt, which names no address: e.g. ClientConnectorDNSError."""
    cause = error.__cause__
    if cause is None:
        return "no usable answer"
    inner = cause.__cause__ or getattr(cause, "os_error", None)
    names = [type(cause).__name__] + ([type(inner).__name__] if inner is not None else [])
    return " ".join(names)
