"""Requests and answers of the websocket API as JSON texts.

{"id", "method", "params"} is answered {"id", "status", "result" or "error", "rateLimits"}. Source: Binance,
"WebSocket API general info" of USD-M futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from bot.exchange.errors import RequestError, missing
from bot.exchange.limits import RateLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

RequestId = int | str | None
_PYTHONIC = {"true": "True", "false": "False"}


@dataclass(frozen=True, slots=True)
class WsRequest:
    """A request that is well formed; parameters are texts, as they are signed."""

    id: RequestId
    method: str
    params: dict[str, str]

    def signed_texts(self) -> list[str]:
        """Return what its sender may have signed: all parameters but the signature, sorted by name.

        Clients disagree on whether values are percent-encoded before signing, and on how they write true and
        false (python-binance: True and False); all are accepted.
        """
        pairs = sorted((name, value) for name, value in self.params.items() if name != "signature")
        pythonic = [(name, _PYTHONIC.get(value, value)) for name, value in pairs]
        texts = (
            urlencode(pairs),
            "&".join(f"{name}={value}" for name, value in pairs),
            urlencode(pythonic),
        )
        return list(dict.fromkeys(texts))


class BadRequestError(Exception):
    """A message that is no request; `id` is repeated where it could be read."""

    def __init__(self, error: RequestError, request_id: RequestId = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.id = request_id


def read_request(text: str | bytes) -> WsRequest:
    """Return the request that a message holds; raises BadRequestError."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(_invalid_json(str(error))) from error
    if not isinstance(body, dict):
        raise BadRequestError(_invalid_json("expected an object"))
    request_id = body.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        raise BadRequestError(_invalid_json("id must be an integer, a string or null"))
    method, params = body.get("method"), body.get("params")
    if not isinstance(method, str) or not method:
        raise BadRequestError(missing("method"), request_id)
    if params is not None and not isinstance(params, dict):
        raise BadRequestError(_invalid_json("params must be an object"), request_id)
    texts = {name: _text(value) for name, value in (params or {}).items() if value is not None}
    return WsRequest(request_id, method, texts)


def answer(request_id: RequestId, status: int, body: bytes, limits: list[dict[str, Any]] | None) -> bytes:
    """Return an answer; `body` is JSON, the result or with another status than 200 the error."""
    what = "result" if status == 200 else "error"
    text = b'{"id":%s,"status":%d,"%s":%s' % (orjson.dumps(request_id), status, what.encode(), body)
    return text + (b"}" if limits is None else b',"rateLimits":%s}' % orjson.dumps(limits))


def rate_limits(headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the state of the limits that a call counted against, from the headers of its REST reply."""
    known = RateLimits()
    rows = (
        ("X-MBX-USED-WEIGHT-1M", "REQUEST_WEIGHT", "MINUTE", 1, known.weight_1m),
        ("X-MBX-ORDER-COUNT-10S", "ORDERS", "SECOND", 10, known.orders_10s),
        ("X-MBX-ORDER-COUNT-1M", "ORDERS", "MINUTE", 1, known.orders_1m),
    )
    return [
        {
            "rateLimitType": kind,
            "interval": interval,
            "intervalNum": number,
            "limit": limit,
            "count": int(headers[header]),
        }
        for header, kind, interval, number, limit in rows
        if header in headers
    ]


def _invalid_json(words: str) -> RequestError:
    return RequestError(-1135, f"Invalid JSON Request: {words}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
