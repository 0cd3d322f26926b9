"""Faults as JSON, as they come over HTTP and go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange.faults.kinds import KINDS, FaultError, make_fault
from bot.exchange.faults.plan import Fault, When

if TYPE_CHECKING:
    from bot.exchange.faults.plan import Scheduled

_FIELDS = {"kind", "when", "match", "with"}
_MATCHES = {"method", "path", "symbol", "account", "stream", "event"}
_TIMES = {"from_ms", "until_ms", "after", "every_ms", "times"}
_MOST = 2**53


def read_fault(text: str) -> Fault:
    """Return the fault that a JSON text describes; raises FaultError, which names the field."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FaultError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise FaultError('give an object such as {"kind":"reply_lost"}')
    _check_names("the script", body, _FIELDS)
    kind = body.get("kind")
    if not isinstance(kind, str):
        raise FaultError(f"'kind' is a text; choose from {', '.join(KINDS)}")
    given, match = _object(body, "with"), _object(body, "match")
    _check_names("'match'", match, _MATCHES)
    for name, pattern in match.items():
        if not isinstance(pattern, str):
            raise FaultError(f"'match.{name}' is a text, in which * stands for anything")
    lasting = kind in KINDS and KINDS[kind].lasting
    when = _when(_object(body, "when"), times=None if lasting else 1)
    if "when" in given or "match" in given or "kind" in given:
        raise FaultError("'when', 'match' and 'kind' stand beside 'with', not inside it")
    return make_fault(kind, when=when, match=match, **given)


def written(scheduled: Scheduled) -> dict[str, Any]:
    """Return a fault and its counters as JSON-able values."""
    fault, when = scheduled.fault, scheduled.fault.when
    return {
        "id": scheduled.id,
        "kind": fault.kind,
        "when": {name: getattr(when, name) for name in When.__slots__},
        "match": dict(fault.match),
        "with": {
            name: value if isinstance(value, int | float) else str(value)
            for name, value in fault.given.items()
        },
        "seen": scheduled.seen,
        "fired": scheduled.fired,
        "over": scheduled.is_over,
        "problem": scheduled.problem,
    }


def _when(body: dict[str, Any], *, times: int | None) -> When:
    _check_names("'when'", body, {*_TIMES, "probability", "seed"})
    values: dict[str, Any] = {"times": times}
    for name in _TIMES & body.keys():
        value = body[name]
        is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
        if value is not None and not is_count:
            raise FaultError(f"'when.{name}' is {value!r}; give a whole number from 0 on, or null")
        values[name] = value
    if "probability" in body:
        chance = body["probability"]
        if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
            raise FaultError(f"'when.probability' is {chance!r}; give a number from 0 to 1")
        values["probability"] = float(chance)
    if "seed" in body:
        values["seed"] = str(body["seed"])
    return When(**values)


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise FaultError(f"'{name}' is an object")
    return value


def _check_names(where: str, body: dict[str, Any], known: set[str]) -> None:
    unknown = [name for name in body if name not in known]
    if unknown:
        raise FaultError(f"{where} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
