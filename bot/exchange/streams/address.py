"""Stream addresses: which route, plain or combined, and what they subscribe to at once.

`[/public|/market|/private]/ws[/<stream>...]` carries bare payloads, `.../stream?streams=<a>/<b>` wraps each
as {"stream", "data"}. A private address names listen keys: `/private/ws/<key>`, or
`?listenKey=<key>&events=<A>/<B>`, repeated for several keys; each pair stands for the streams `<key>@<A>` and
`<key>@<B>`, and without `events` for all of them. Parts that are numbers are ignored, as on the venue.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from bot.exchange.streams.topics import Route


class Address(NamedTuple):
    """A stream address."""

    route: Route
    combined: bool
    names: list[str]


def address_of(path: str, query: str) -> Address | None:
    """Return what an address stands for; None when it is no stream address."""
    parts = [part for part in path.split("/") if part]
    route = Route.LEGACY
    if parts and parts[0] in {Route.PUBLIC, Route.MARKET, Route.PRIVATE}:
        route = Route(parts.pop(0))
    if not parts or parts[0] not in {"ws", "stream"}:
        return None
    names = [part for part in parts[1:] if not part.isdigit()]
    return Address(route, parts[0] == "stream", names + _names_in(query))


def _names_in(query: str) -> list[str]:
    names: list[str] = []
    key = ""
    for parameter, value in parse_qsl(query):
        if parameter == "events" and key:
            names.remove(key)
            names += [f"{key}@{event}" for event in value.split("/") if event]
            key = ""
        elif parameter == "listenKey":
            key = value
            names.append(key)
        elif parameter == "streams":
            names += [name for name in value.split("/") if name]
    return names
