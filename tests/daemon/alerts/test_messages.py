"""What people are told of: the right things, and nothing that is not public."""

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from bot.core import events as ev
from bot.core import records as rec
from bot.core.public_records import Revealed
from bot.core.records import Control
from bot.daemon.alerts.messages import EVENTS, Alert, of_records, summary, takeover
from bot.testing import Lab
from tests.daemon.test_narration import TELLING


def told(lab: Lab) -> list[Alert]:
    """All alerts of a laboratory's records."""
    return list(of_records("BTCUP", tuple(lab.records)))


def of(lab: Lab, event: str) -> list[Alert]:
    """Those of one event."""
    return [alert for alert in told(lab) if alert.event == event]


def test_a_rebalance_is_told_from_its_start_to_its_reveal() -> None:
    """Start and end without a figure; at the reveal the public record."""
    lab = Lab()
    lab.settle()
    lab.mark("44900")
    lab.settle()
    for _ in range(60):
        lab.mark("44900", after_s=3600)
    assert [alert.title for alert in of(lab, "rebalance_started")][:2] == [
        "BTCUP: rebalance 1 began",
        "BTCUP: rebalance 2 began",
    ]
    assert len(of(lab, "rebalance_finished")) >= 2
    reveal = of(lab, "revealed")[1]
    target = str(lab.of(rec.RebalanceStarted)[1].target)
    assert f"target: {target}" in reveal.body
    assert lab.of(Revealed)[1].hash in reveal.body
    before = [alert for alert in told(lab) if alert.event != "revealed"]
    assert not any(target in alert.body + alert.title for alert in before)


@pytest.mark.parametrize("kind", get_args(rec.Record), ids=lambda kind: kind.__name__)
def test_no_alert_quotes_a_telling_field(kind: Any) -> None:
    """Whatever a record's quantities, targets and evidence are, no alert but a reveal's holds them."""
    if kind is Revealed:
        return
    values = {name: "canary" if name in TELLING else "plain" for name in kind._fields}
    for alert in of_records("BTCUP", (kind(**values),)):
        assert "canary" not in alert.title + alert.body


def test_an_emergency_is_critical() -> None:
    """Begun as one, or become one."""
    lab = Lab()
    lab.settle()
    lab.venue.script += ["nothing"] * 3
    lab.mark("44900")
    lab.mark("41000")
    lab.settle()
    assert {alert.severity for alert in of(lab, "emergency")} == {"critical"}
    fresh = Lab()
    fresh.settle()
    fresh.mark("41000")
    assert len(of(fresh, "emergency")) == 1
    assert of(fresh, "rebalance_started")[1:] == []


def test_an_operators_word_is_told_with_author_and_reason() -> None:
    """A halt is critical; a rebalance that somebody asks for is told without its leverage."""
    lab = Lab()
    lab.settle()
    lab.mark("60000")
    lab.send(ev.RebalanceAsked(*lab.now, Decimal("2.345678"), "ann", "weekend"))
    lab.settle()
    lab.send(ev.Controlled(*lab.now, Control.HALTED, "bob", "odd orders"))
    (halt,) = of(lab, "halt")
    assert (halt.severity, halt.body) == ("critical", "By bob: odd orders")
    assert [alert.body for alert in of(lab, "control")] == ["By ann: weekend"]
    assert "2.345678" not in str([a for a in told(lab) if a.event != "revealed"])


def test_incidents_are_told_by_code_and_remedy_and_their_end_too() -> None:
    """Never by their evidence, which has figures; a breach is critical."""
    lab = Lab()
    lab.settle()
    lab.send(ev.FeedLost(*lab.now, "silent for 10 s"))
    lab.mark("60000")
    lab.venue.trade(Decimal("-0.512"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    assert [alert.title for alert in of(lab, "feed_stale")] == ["BTCUP: stale mark"]
    (breach,) = of(lab, "incident")
    assert (breach.severity, breach.title) == ("critical", "BTCUP: external trade")
    assert breach.body.endswith("Increases are stopped.")
    assert "0.512" not in breach.body
    assert [alert.title for alert in of(lab, "incident_closed")] == ["BTCUP: stale mark is over"]


def test_a_fact_has_one_id_however_often_it_is_told() -> None:
    """So that a restart tells nothing twice; different facts have different ids."""
    lab = Lab()
    lab.settle()
    lab.mark("44900")
    lab.settle()
    ids = [alert.id for alert in told(lab)]
    assert ids == [alert.id for alert in told(lab)]
    assert len(set(ids)) == len(ids)
    assert {alert.event for alert in told(lab)} <= set(EVENTS)


def test_the_summary_has_a_line_for_each_fund() -> None:
    """Public figures, rounded; a fund without a mark says so."""
    fund = {
        "fund": "BTCUP", "state": "active", "nav": "1.23456", "real_leverage": "2.123456789",
        "band": ["1.5", "3"], "mark": "60000.1", "chain_head": "c0ffee",
    }  # fmt: skip
    empty = {**fund, "fund": "NEW", "nav": None, "real_leverage": None, "mark": None}
    made = summary([fund, empty], "paper", "2026-11-26")
    assert made.title == "Inband paper: 2026-11-26"
    assert made.body.splitlines() == [
        "BTCUP: active, NAV 1.2346, real leverage 2.12 in [1.5, 3], mark 60,000.10, record c0ffee",
        "NEW: active, NAV -, real leverage - in [1.5, 3], mark -, record c0ffee",
    ]
    assert summary([], "paper", "x").body == "No fund."


def test_a_takeover_names_both_processes() -> None:
    """The one that drives the fund, and the one that did, where that is known."""
    assert (
        takeover("BTCUP", "b", "a pid 7", 1).body == "The process on b drives it from here on, after a pid 7."
    )
    assert takeover("BTCUP", "b", None, 1).body == "The process on b drives it from here on."


def test_the_page_lists_every_event() -> None:
    """docs/operations.md says what a route can ask for."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
    assert all(f"| `{name}` | {meaning} |" in page for name, meaning in EVENTS.items())
