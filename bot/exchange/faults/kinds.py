"""Which faults there are: by name, where they act, what they take, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from bot.exchange.errors import RequestError
from bot.exchange.faults.plan import Fault, Scene, When

Reader = Callable[[Any], Any]


class FaultError(RequestError):
    """A script that is not possible; the message names the field and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(-1130, message)


def _number(least: float, most: float) -> Reader:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")
        return value

    return read


def _whole(least: int, most: int) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return read


def _decimal(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or abs(number) > Decimal("1e12"):
        raise ValueError("an amount, best as a string")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - readers say what is wrong by ValueError alone
    return value


def _one_of(*choices: str) -> Reader:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return read


_SECONDS = _number(0, 86_400)
_DURATION = _whole(1, 10**12)
_BPS = _number(-9_999, 1_000_000)

ERRORS = {
    "unknown": (503, "Unknown error, please check your request or try again later.", 0),
    "unavailable": (503, "Service Unavailable.", 0),
    "throttled": (503, "Request throttled by system-level protection. Please try again.", -1008),
    "-1000": (500, "An unknown error occurred while processing the request.", -1000),
    "-1001": (500, "Internal error; unable to process your request. Please try again.", -1001),
    "-1006": (
        500,
        "An unexpected response was received from the message bus. Execution status unknown.",
        -1006,
    ),
    "-1007": (
        408,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        -1007,
    ),
    "-1008": (
        503,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        -1008,
    ),
    "bad_gateway": (502, "", 0),
    "gateway_timeout": (504, "", 0),
    "forbidden": (403, "", 0),
}
"""Ambiguous and gateway errors by name: HTTP status, message and code; an empty message is a page of HTML."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `rows` are those of the project's fault catalogue; `required` are among `takes`.

    `only`: the requests that it can do anything to, by method and path; none: all.
    """

    what: str
    scenes: frozenset[Scene]
    rows: str
    takes: dict[str, Reader] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    lasting: bool = False
    only: tuple[tuple[str, str], ...] = ()


def _request(
    what: str,
    rows: str,
    *required: str,
    lasting: bool = False,
    only: tuple[tuple[str, str], ...] = (),
    **takes: Reader,
) -> Kind:
    return Kind(what, frozenset({Scene.REQUEST}), rows, takes, required, lasting, only)


def _frame(what: str, rows: str, *required: str, **takes: Reader) -> Kind:
    return Kind(what, frozenset({Scene.FRAME}), rows, takes, required)


def _world(what: str, rows: str, *required: str, **takes: Reader) -> Kind:
    return Kind(what, frozenset({Scene.WORLD}), rows, takes, required)


_ACCOUNT: dict[str, Reader] = {"account": _text}
_ON_SYMBOL: dict[str, Reader] = {"account": _text, "symbol": _text}
_ORDER_QUERIES = tuple(
    ("GET", f"/fapi/v1/{name}") for name in ("order", "openOrder", "openOrders", "allOrders", "userTrades")
)
_POSITION_QUERIES = tuple(
    ("GET", f"/fapi/{version}/{name}") for version in ("v2", "v3") for name in ("positionRisk", "account")
)
_LISTING = (
    ("GET", "/fapi/v1/exchangeInfo"),
    ("POST", "/fapi/v1/order"),
    ("PUT", "/fapi/v1/order"),
    ("POST", "/fapi/v1/algoOrder"),
)
_FOR: dict[str, Reader] = {"symbol": _text, "for_ms": _DURATION}

KINDS: dict[str, Kind] = {
    # --- requests and replies
    "request_lost": _request(
        "dropped before anything happens; held `hold_s` first", "2, 16", hold_s=_SECONDS
    ),
    "request_delayed": _request("carried out `by_s` later, and judged then", "3, 4", "by_s", by_s=_SECONDS),
    "reply_lost": _request(
        "carried out, never answered; held `hold_s` before the connection ends", "1", hold_s=_SECONDS
    ),
    "reply_delayed": _request("carried out at once, answered `by_s` later", "1", "by_s", by_s=_SECONDS),
    "reply_reset": _request("carried out; reset in the middle of the reply", "17"),
    "reply_cut": _request("carried out; the reply ends in its middle", "17, 18"),
    "reply_malformed": _request(
        "carried out; the reply is not what it should be", "18", into=_one_of("html", "cut", "nan", "empty")
    ),
    "reply_stale": _request(
        "the last answer to the same question is given again, where it was another one", "14"
    ),
    "error": _request(
        "an ambiguous error by name, before or, with `executed`, after the request is carried out",
        "6",
        "name",
        name=_one_of(*ERRORS),
        executed=_flag,
    ),
    "rejected": _request(
        "a definite refusal: by default -2019", "7", code=_whole(-9_999, -1_000), message=_text
    ),
    "rate_limited": _request("429 with Retry-After", "8", retry_after_s=_whole(0, 86_400)),
    "banned": _request("418 to everything from its address, for `for_s` of wall time", "8", for_s=_SECONDS),
    "maintenance": Kind(
        "all sockets are cut when it begins; from then on all requests are refused with -1016",
        frozenset({Scene.REQUEST, Scene.WORLD}),
        "9",
        lasting=True,
    ),
    "order_hidden": _request(
        "queries do not find orders younger than `lag_ms` of market time",
        "5",
        lasting=True,
        only=_ORDER_QUERIES,
        lag_ms=_DURATION,
    ),
    "positions_missing": _request(
        "positions are empty, or lack `symbol`", "19", only=_POSITION_QUERIES, symbol=_text
    ),
    "clock_skewed": _request(
        "the venue's clock is wrong by `by_ms`: in what it says and in what it accepts (-1021)",
        "20, 21",
        "by_ms",
        by_ms=_whole(-(10**9), 10**9),
        lasting=True,
    ),
    "key_revoked": _request("401 with -2015", "34", lasting=True),
    "delisted": _request(
        "a symbol is closed: orders are refused with -4141, exchangeInfo says so",
        "39",
        "symbol",
        lasting=True,
        only=_LISTING,
        symbol=_text,
    ),
    "filters_changed": _request(
        "a coarser tick or step, or another least notional, from now on",
        "39",
        "symbol",
        lasting=True,
        only=_LISTING,
        symbol=_text,
        tick=_decimal,
        step=_decimal,
        min_notional=_decimal,
    ),
    "filled_before_cancel": _request(
        "the order fills just before its cancellation arrives",
        "11",
        only=(("DELETE", "/fapi/v1/order"),),
    ),
    # --- stream frames
    "event_lost": _frame("a frame is not sent", "13"),
    "event_duplicated": _frame("a frame is sent twice", "12"),
    "event_delayed": _frame("a frame is sent `by_s` later", "14", "by_s", by_s=_SECONDS),
    "event_reordered": _frame("a frame is sent after the one that follows it", "14"),
    "event_stale": _frame("a frame is sent again after the one that follows it", "14"),
    "frame_malformed": _frame("a frame is not what it should be", "18", into=_one_of("cut", "nan", "empty")),
    "socket_silent": _frame("nothing is sent on the connection from then on, pongs included", "15"),
    "socket_reset": _frame("the connection is reset", "15, 17"),
    "socket_closed": _frame("the connection is closed in order", "15"),
    # --- somebody else's hand on an account
    "manual_trade": _world(
        "a market order by another hand",
        "32",
        "account",
        "symbol",
        "side",
        "quantity",
        **_ON_SYMBOL,
        side=_one_of("BUY", "SELL"),
        quantity=_decimal,
    ),
    "manual_cancel": _world(
        "all open orders of a symbol cancelled by another hand", "32", *_ON_SYMBOL, **_ON_SYMBOL
    ),
    "transfer": _world(
        "a deposit, or with a negative `amount` a withdrawal",
        "33",
        "account",
        "amount",
        **_ACCOUNT,
        amount=_decimal,
    ),
    "leverage_changed": _world(
        "another leverage setting", "33", *_ON_SYMBOL, "leverage", **_ON_SYMBOL, leverage=_whole(1, 125)
    ),
    "margin_type_changed": _world(
        "another margin type", "33", *_ON_SYMBOL, "type", **_ON_SYMBOL, type=_one_of("ISOLATED", "CROSSED")
    ),
    "position_mode_changed": _world(
        "hedge mode on or off", "33", "account", "hedge", **_ACCOUNT, hedge=_flag
    ),
    "listen_key_expired": _world("the account's listen key runs out", "15", *_ACCOUNT, **_ACCOUNT),
    "liquidated": _world("the account is liquidated, whatever its margin", "35", *_ACCOUNT, **_ACCOUNT),
    "deleveraged": _world(
        "a part of a position is closed by ADL at the mark",
        "35",
        *_ON_SYMBOL,
        "quantity",
        **_ON_SYMBOL,
        quantity=_decimal,
    ),
    # --- the market
    "brackets_changed": _world(
        "the notional caps of all leverage brackets are `share` of what they were, for good",
        "33, 39",
        "symbol",
        "share",
        symbol=_text,
        share=_number(0.001, 1_000),
    ),
    "price_gap": _world(
        "the price jumps by `bps`, for `for_ms` or for good", "38", "symbol", "bps", **_FOR, bps=_BPS
    ),
    "price_frozen": _world("the price stands still", "37", "symbol", "for_ms", **_FOR),
    "last_spike": _world(
        "the book and the last price go `bps` away from the mark",
        "36",
        "symbol",
        "bps",
        "for_ms",
        **_FOR,
        bps=_BPS,
    ),
    "index_apart": _world(
        "the index goes `bps` away from the mark", "36", "symbol", "bps", "for_ms", **_FOR, bps=_BPS
    ),
    "funding_shock": _world(
        "the funding rate is `rate`", "40", "symbol", "rate", "for_ms", **_FOR, rate=_number(-1, 1)
    ),
    "book_thin": _world(
        "the book holds `share` of what it did",
        "10, 40",
        "symbol",
        "share",
        "for_ms",
        **_FOR,
        share=_number(0, 1),
    ),
}


def make_fault(
    kind: str, *, when: When | None = None, match: dict[str, str] | None = None, **given: Any
) -> Fault:
    """Return a fault of a kind. Without `when` it fires once, or, if it is a state, until it is removed.

    Raises FaultError for an unknown kind or parameter, or a value that is not possible.
    """
    known = KINDS.get(kind)
    if known is None:
        raise FaultError(f"kind {kind!r} is unknown; choose from {', '.join(KINDS)}")
    for name in known.required:
        if name not in given:
            raise FaultError(f"{kind} needs {name!r}")
    values = {name: _read(kind, known, name, value) for name, value in given.items()}
    usual = When(times=None) if known.lasting else When()
    return Fault(
        kind=kind,
        scenes=known.scenes,
        when=usual if when is None else when,
        match=match or {},
        given=values,
        only=known.only,
    )


def _read(kind: str, known: Kind, name: str, value: Any) -> Any:
    reader = known.takes.get(name)
    if reader is None:
        takes = ", ".join(known.takes) or "nothing"
        raise FaultError(f"{kind} does not take {name!r}; it takes {takes}")
    try:
        return reader(value)
    except ValueError as error:
        raise FaultError(f"{name!r} of {kind} is {value!r}; give {error}") from error
