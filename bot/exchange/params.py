"""Request parameters: query string and form body merged, and read strictly."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import orjson

from bot.exchange.errors import RequestError, illegal, invalid, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from enum import StrEnum

T = TypeVar("T", bound="StrEnum")
_NUMBER = re.compile(r"([0-9]{1,20})(\.[0-9]{1,20})?")
_INTEGER = re.compile(r"[0-9]{1,18}")
_CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
MAX_PARAMETERS = 100


class Params:
    """The parameters of one request. Every getter raises RequestError for what it cannot accept.

    A parameter in both the query string and the body has the value of the query string, as on the venue.
    """

    def __init__(self, query: str, body: str) -> None:
        self._values = _parsed(body)
        if query:
            self._values |= _parsed(query)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Params:
        """Return parameters from a JSON object, as in a batch of orders or in a websocket request."""
        params = cls("", "")
        for name, value in values.items():
            if isinstance(value, bool):
                params._values[name] = str(value).lower()
            elif isinstance(value, (dict, list)):
                params._values[name] = orjson.dumps(value).decode()
            elif value is not None:
                params._values[name] = str(value)
        return params

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def has_none_of(self, names: Collection[str]) -> bool:
        """Whether none of these parameters was sent."""
        return self._values.keys().isdisjoint(names)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; mandatory unless there is a default."""
        value = self._values.get(name)
        if value:
            return value
        if default is None:
            raise missing(name)
        if value is not None:
            raise RequestError(-1105, f"Parameter '{name.lower()}' was empty.")
        return default

    def symbol(self) -> str:
        """Return the mandatory symbol; the venue takes it in lower case too."""
        return self.text("symbol").upper()

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a whole number from 0 on."""
        if default is not None and name not in self._values:
            return default
        value = self.text(name, None if default is None else "")
        if not _INTEGER.fullmatch(value):
            raise missing(name) if default is None else invalid(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return `limit`; one beyond `most` is refused, as the venue does."""
        limit = self.integer("limit", default)
        if not 1 <= limit <= most:
            raise invalid("limit")
        return limit

    def number(self, name: str) -> Decimal:
        """Return a mandatory decimal from 0 on, without exponent."""
        value = self.text(name)
        if not _NUMBER.fullmatch(value):
            raise missing(name)
        return Decimal(value)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        if default is not None and name not in self._values:
            return default
        value = self.text(name, None if default is None else "").lower()
        if value not in {"true", "false"}:
            raise missing(name) if default is None else invalid(name)
        return value == "true"

    def client_id(self, name: str, default: str | None = None) -> str:
        """Return a client order id."""
        value = self.text(name, default)
        if not _CLIENT_ID.fullmatch(value):
            if len(value) > 36:
                raise RequestError(-4015, "Client order id length should be less than 36 chars")
            raise illegal(name, _CLIENT_ID.pattern)
        return value

    def member(self, name: str, kind: type[T], refusal: Callable[[], RequestError]) -> T:
        """Return a member of an enumeration, or raise what `refusal` gives."""
        try:
            return kind(self.text(name))
        except ValueError:
            raise refusal() from None

    def json_list(self, name: str) -> list[Any]:
        """Return a mandatory JSON array."""
        try:
            value = orjson.loads(self.text(name))
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, list):
            raise invalid(name)
        return value


def _parsed(text: str) -> dict[str, str]:
    if text.count("&") >= MAX_PARAMETERS:
        raise RequestError(-1101, "Too many parameters sent for this endpoint.")
    if not text:
        return {}
    pairs = _pairs(text)
    values = dict(pairs)
    if len(values) < len(pairs) and any(values[name] != value for name, value in pairs):
        raise RequestError(-1101, "Duplicate values for a parameter detected.")
    return values


def _pairs(text: str) -> list[tuple[str, str]]:
    if "%" not in text and "+" not in text:  # nothing is encoded, as in most orders
        parts = [part.partition("=") for part in text.split("&") if part]
        return [(name, value) for name, _, value in parts]
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise RequestError(-1100, "Illegal characters found in a parameter.") from error
