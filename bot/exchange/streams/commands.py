"""What a client may say on a stream socket: SUBSCRIBE and its kin, and the venue's errors for all else.

Source: Binance, "Live Subscribing/Unsubscribing to streams"; code 4 as seen from the venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_PROPERTY = "combined"


@dataclass(frozen=True, slots=True)
class Command:
    """A request that is well formed. `names` are streams; `value` is what SET_PROPERTY sets."""

    method: str
    id: int | str | None
    names: list[str]
    value: bool = False


class CommandError(Exception):
    """A request that is refused, with the venue's code and words."""

    def __init__(self, code: int, message: str, request_id: Any = None) -> None:
        super().__init__(message)
        self.frame = orjson.dumps({"error": {"code": code, "msg": message}, "id": request_id})


def too_many(command: Command) -> CommandError:
    """Return the error for more streams than a connection may have."""
    return CommandError(4, "Too many subscriptions", command.id)


def read_command(text: str | bytes) -> Command:
    """Return what a message asks for; raises CommandError."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CommandError(3, f"Invalid JSON: {error}") from error
    method = body.get("method") if isinstance(body, dict) else None
    if method is None:
        raise CommandError(2, f"Invalid request: missing field `method` at line 1 column {len(text)}")
    request_id = body.get("id")
    if isinstance(request_id, bool) or not (
        request_id is None or isinstance(request_id, str) or (isinstance(request_id, int) and request_id >= 0)
    ):
        raise CommandError(2, "Invalid request: request ID must be an unsigned integer")
    if method not in METHODS:
        expected = ", ".join(f"`{known}`" for known in METHODS)
        message = f"Invalid request: unknown variant `{method}`, expected one of {expected}"
        raise CommandError(2, f"{message} at line 1 column {_end_of(method, text)}", request_id)
    params = body.get("params")
    if method.endswith("PROPERTY"):
        return _property(method, request_id, params)
    if params is None or method == "LIST_SUBSCRIPTIONS":
        return Command(method, request_id, [])
    if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
        raise CommandError(2, "Invalid request: params must be an array of stream names", request_id)
    return Command(method, request_id, params)


def _property(method: str, request_id: int | str | None, params: Any) -> Command:
    least = 2 if method == "SET_PROPERTY" else 1
    if not isinstance(params, list) or not params or not isinstance(params[0], str):
        raise CommandError(2, "Invalid request: property name must be a string", request_id)
    if len(params) > least:
        raise CommandError(2, "Invalid request: too many parameters", request_id)
    if params[0] != _PROPERTY:
        raise CommandError(0, "Unknown property", request_id)
    if least == 1:
        return Command(method, request_id, [])
    if len(params) < least or not isinstance(params[1], bool):
        raise CommandError(1, "Invalid value type: expected Boolean", request_id)
    return Command(method, request_id, [], value=params[1])


def _end_of(method: Any, text: str | bytes) -> int:
    """Return the column behind the method in the text, as the venue's parser counts it."""
    quoted = orjson.dumps(method)
    found = (text.encode() if isinstance(text, str) else text).find(quoted)
    return found + len(quoted) if found >= 0 else len(text)
