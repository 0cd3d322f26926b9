"""From facts to what people are told. Figures are the public ones; no target, draw, position or plan is here.

An alert leaves the machine, and may be read by whoever carries it. So nothing is said that is not public
but that something happens: operators learn at once that a rebalance began, the world when it is revealed.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

from bot.core import records as rec
from bot.core.public_records import Revealed
from bot.core.units import Urgency

Severity: TypeAlias = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

EVENTS = {
    "band_left": "leverage (of the public basket) left the band",
    "trigger_near": "the mark is near a trigger price",
    "rebalance_started": "a rebalance began",
    "rebalance_finished": "a rebalance is over",
    "rebalance_failed": "a rebalance does not come to its end: refused, unfilled, or overdue",
    "emergency": "leverage reached the emergency level",
    "control": "an operator paused or resumed a fund, or wants a rebalance",
    "halt": "a fund is halted",
    "feed_stale": "no current mark",
    "reconciliation_difference": "ledger and venue differ",
    "incident": "any other incident was opened",
    "incident_closed": "an incident is over",
    "fund_state": "a fund entered another state of its life",
    "fund_stopped": "a fund is not driven any more",
    "takeover": "a process has taken a fund up again",
    "daily_summary": "every fund in one line, once a day",
    "revealed": "a rebalance became public: for the public feed",
    "test": "`alert test`",
}
"""Every event that a route can ask for."""

_INCIDENTS = {
    "stale mark": "feed_stale",
    "reconciliation difference": "reconciliation_difference",
    "unexplained position": "reconciliation_difference",
    "unfilled delever": "rebalance_failed",
    "overdue rebalance": "rebalance_failed",
    "orders rejected": "rebalance_failed",
}


class Alert(NamedTuple):
    """One thing to be told.

    `id` is made of facts alone, so that telling it again makes no second one. `about`: what it is about, for
    things that come again and again; None for what happens once. `not_by`: a route that need not be told.
    """

    id: str
    event: str
    severity: Severity
    title: str
    body: str
    about: str | None = None
    not_by: str | None = None


def alert(
    event: str, severity: Severity, title: str, body: str, *what: object, about: str | None = None
) -> Alert:
    """An alert on facts `what`."""
    digest = sha256("|".join(map(str, (event, *what))).encode()).hexdigest()[:24]
    return Alert(digest, event, severity, title, body, about)


def of_records(fund: str, records: tuple[rec.Record, ...]) -> Iterator[Alert]:
    """The alerts that a fund's records call for."""
    for record in records:
        make = _OF_RECORD.get(type(record))
        made = None if make is None else make(fund, record)
        if made is not None:
            event, severity, title, body, about = made
            what = (fund, type(record).__name__, record.time_ms, _number(record))
            yield alert(event, severity, title, body, *what, about=about)


def summary(funds: list[dict[str, Any]], mode: str, day: str) -> Alert:
    """Every fund in one line, by its public figures, with the head of its record: keep one now and then."""
    lines = [
        f"{fund['fund']}: {fund['state']}, NAV {_short(fund['nav'], 4)}, real leverage "
        f"{_short(fund['real_leverage'], 2)} in [{', '.join(fund['band'])}], mark {_short(fund['mark'], 2)}, "
        f"record {fund['chain_head']}"
        for fund in funds
    ]
    return alert("daily_summary", "info", f"Inband {mode}: {day}", "\n".join(lines) or "No fund.", day)


def takeover(fund: str, host: str, before: str | None, began_ms: int) -> Alert:
    """A process that began at `began_ms` has taken up a fund that another one drove `before`."""
    text = f"The process on {host} drives it from here on" + ("." if before is None else f", after {before}.")
    return alert("takeover", "warning", f"{fund}: taken up", text, fund, host, began_ms)


def undelivered(code: str, route: str, problem: str, remedy: str, since_ms: int) -> Alert:
    """A route takes nothing: for the others, since it cannot be told itself."""
    text = f"{problem[:1].upper()}{problem[1:]}. {remedy[:1].upper()}{remedy[1:]}."
    told = alert("incident", "warning", code, text, code, since_ms, about=code)
    return told._replace(not_by=route)


def store_damaged(aside: str, now_ms: int) -> Alert:
    """The outbox was damaged when it was opened, and a new one took its place."""
    text = f"What waited to be delivered is in {aside}, and is not sent. Trading was not held up."
    return alert("incident", "warning", "alerts lost", text, aside, now_ms)


_Made: TypeAlias = tuple[str, Severity, str, str, str | None]


def _started(fund: str, record: rec.RebalanceStarted) -> _Made:
    if record.urgency is Urgency.EMERGENCY:
        return (
            "emergency",
            "critical",
            f"{fund}: emergency",
            "Leverage reached the emergency level; the fund delevers at once.",
            None,
        )
    return (
        "rebalance_started",
        "info",
        f"{fund}: rebalance {record.number} began",
        f"Kind {record.kind}: {record.reason}. It is revealed after its end.",
        None,
    )


def _urgent(fund: str, record: rec.UrgencyRaised) -> _Made | None:
    if record.urgency is not Urgency.EMERGENCY:
        return None
    text = "The rebalance under way became an emergency; the fund delevers at once."
    return "emergency", "critical", f"{fund}: emergency", text, None


def _finished(fund: str, record: rec.RebalanceFinished) -> _Made:
    text = f"It ended {record.ending}. It is revealed after a random while."
    return "rebalance_finished", "info", f"{fund}: rebalance over", text, None


def _control(fund: str, record: rec.ControlChanged) -> _Made:
    halted = record.control is rec.Control.HALTED
    return (
        "halt" if halted else "control",
        "critical" if halted else "warning",
        f"{fund}: {record.control}",
        f"By {record.author}: {record.why}",
        None,
    )


def _asked(fund: str, record: rec.OperatorAsked) -> _Made | None:
    if record.what not in {"rebalance", "flatten"}:
        return None  # what changes something has a record of its own
    return "control", "warning", f"{fund}: {record.what}", f"By {record.author}: {record.why}", None


def _incident(fund: str, record: rec.IncidentOpened) -> _Made:
    """Its code and remedy; the evidence holds figures, and stays here."""
    event = _INCIDENTS.get(record.code, "incident")
    severity: Severity = "critical" if record.stops_increases else "warning"
    stops = " Increases are stopped." if record.stops_increases else ""
    text = f"{record.remedy[:1].upper()}{record.remedy[1:]}.{stops}"
    return event, severity, f"{fund}: {record.code}", text, f"{fund}|{record.code}"


def _closed(fund: str, record: rec.IncidentClosed) -> _Made:
    about = f"{fund}|{record.code}|closed"
    return "incident_closed", "info", f"{fund}: {record.code} is over", record.how, about


def _state(fund: str, record: rec.StateChanged) -> _Made:
    severity: Severity = "warning" if record.state is rec.FundState.ACTIVE else "critical"
    text = "`status` says why, what is open to holders, and the remedy."
    return "fund_state", severity, f"{fund}: {record.state}", text, None


def _revealed(fund: str, record: Revealed) -> _Made:
    told = {**json.loads(record.text), "hash": record.hash}
    for name in ("leverage_before", "leverage_after"):
        told[name] = None if told.get(name) is None else _short(told[name], 4)
    facts = [
        f"{name.replace('_', ' ')}: {told[name]}" for name in _TOLD_OF_REVEALS if told.get(name) is not None
    ]
    return "revealed", "info", f"{fund}: rebalance {record.number} revealed", "\n".join(facts), None


_TOLD_OF_REVEALS = (
    "kind",
    "leverage_before",
    "leverage_after",
    "target",
    "shortfall_bps",
    "u",
    "salt",
    "hash",
)

_OF_RECORD: dict[type, Callable[[str, Any], _Made | None]] = {
    rec.RebalanceStarted: _started,
    rec.UrgencyRaised: _urgent,
    rec.RebalanceFinished: _finished,
    rec.ControlChanged: _control,
    rec.OperatorAsked: _asked,
    rec.IncidentOpened: _incident,
    rec.IncidentClosed: _closed,
    rec.StateChanged: _state,
    Revealed: _revealed,
}


def _number(record: Any) -> object:
    return getattr(record, "number", None) or getattr(record, "code", "") or getattr(record, "what", "")


def _short(value: str | None, digits: int) -> str:
    return "-" if value is None else f"{float(value):,.{digits}f}"
