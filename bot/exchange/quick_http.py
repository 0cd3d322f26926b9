"""The short way for plain REST requests, past the general HTTP machinery.

A request that arrives in one piece, and has nothing in it but what API clients send, is read and answered
here; it costs a third of the general way, which matters because a round trip is mostly HTTP. Anything else
(fragments, pipelines, websockets, odd characters, other methods) makes the connection go the general way
from then on, which is aiohttp's.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.exchange.calls import MAX_BODY_BYTES, Call

if TYPE_CHECKING:
    from bot.exchange.calls import Reply

_REQUEST = re.compile(
    rb"(GET|POST|PUT|DELETE) (/(?:fapi|sapi|futures)/[A-Za-z0-9/]+)(?:\?([!-\"$-~]*))? HTTP/1\.1"
)
_HEADER = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([ -~]*)")
_LENGTH = re.compile(rb"[0-9]{1,6}")
_GENERAL = {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"te", b"trailer"}
MAX_KNOWN, MAX_KNOWN_BYTES = 1_024, 1_024
# Heads that have been read: those of one client are all the same but for the length of the body.
_known: dict[bytes, tuple[int, str | None]] = {}
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def read_quickly(data: bytes, address: str) -> Call | None:
    """Return the one whole request that `data` is; None if it has to go the general way."""
    line, _, rest = data.partition(b"\r\n")
    head, end, body = rest.partition(b"\r\n\r\n")
    request = _REQUEST.fullmatch(line)
    if not end or request is None or len(data) > MAX_BODY_BYTES:
        return None
    known = _known.get(head)
    if known is None:
        known = _read_head(head)
        if known is None:
            return None
        if len(head) <= MAX_KNOWN_BYTES:
            if len(_known) >= MAX_KNOWN:
                _known.clear()
            _known[head] = known
    length, api_key = known
    if length != len(body) or not body.isascii():
        return None
    method, path, query = request.groups()
    return Call(
        method.decode(), path.decode(), (query or b"").decode("ascii"), body.decode("ascii"), api_key, address
    )


def _read_head(head: bytes) -> tuple[int, str | None] | None:
    """Return the length of the body and the API key; None if there is more to the headers."""
    length: bytes | None = None
    api_key: str | None = None
    for line in head.split(b"\r\n"):
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        name, value = header[1].lower(), header[2]
        if name == b"content-length":
            if length is not None or not _LENGTH.fullmatch(value):
                return None
            length = value
        elif name == b"x-mbx-apikey" and api_key is None:
            api_key = value.decode("ascii").rstrip()
        elif name in _GENERAL or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
    return int(length or 0), api_key


def written(reply: Reply) -> bytes:
    """Return a reply as it goes out."""
    extra = "".join([f"{name}: {value}\r\n" for name, value in reply.headers.items()])
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, '')}\r\n"
        f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
        f"{extra}Date: {_date()}\r\n\r\n"
    )
    return head.encode("latin-1") + reply.body


_dates: dict[int, str] = {}


def _date() -> str:
    second = int(time.monotonic())
    date = _dates.get(second)
    if date is None:
        _dates.clear()
        date = _dates[second] = formatdate(usegmt=True)
    return date
