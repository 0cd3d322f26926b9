"""What /metrics says of funds at work, and that the shipped rules and dashboard speak of what is there."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.core.events import Mark
from bot.core.history import RebalanceHistory
from bot.core.records import IncidentOpened
from bot.daemon.metering import MeteredGateway, MeteredJournal
from bot.daemon.metrics import LAG_EVERY_S, Metrics
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from tests.daemon.conftest import Logged
from tests.support.desk import Desk

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "prometheus-rules.yml"
DASHBOARD = CONFIG / "grafana-dashboard.json"


def measured(desk: Desk) -> tuple[Operations, Metrics, Runner]:
    """A fund that has not begun, and whoever counts what it does."""
    operations = Operations("paper")
    metrics = Metrics(operations)
    operations.metrics = metrics
    operations.listeners.append(metrics.count)
    metrics.gauge("disk_free_bytes", "Free.", lambda: 5.0)
    metrics.gauge("alerts_queued", "Alerts that wait.", lambda: 0.0)
    desk.listen = operations.changed
    desk.wrap_gateway = lambda gateway: MeteredGateway(gateway, metrics.order_timer("BTCUP"))
    desk.wrap_journal = lambda journal: MeteredJournal(journal, metrics.journal_timer)
    runner = desk.runner()
    operations.add(runner, RebalanceHistory(runner.name))
    return operations, metrics, runner


async def opened(desk: Desk) -> tuple[Operations, Metrics, Runner]:
    """A fund that has opened, measured from its first step on."""
    operations, metrics, runner = measured(desk)
    runner.begin(desk.fund.capital, adopt=False)
    operations.marked("BTCUSDT", Mark(*runner.now(), desk.price))
    desk.mark(runner, 1_000)
    await desk.until_flat_out(runner)
    return operations, metrics, runner


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus would read it."""
    return {
        s.name + "".join(f",{name}={value}" for name, value in sorted(s.labels.items())): s.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for s in family.samples
    }


async def test_a_fund_is_shown_as_it_is(desk: Desk) -> None:
    """True figures: what the operator's own view says, as numbers."""
    operations, metrics, runner = await opened(desk)
    (status,) = operations.status()
    shown = samples(metrics)
    for name, key in (
        ("real_leverage", "real_leverage"),
        ("nav", "nav"),
        ("value_usdt", "fund_value"),
        ("position", "position"),
        ("mark_usdt", "mark"),
    ):
        assert shown[f"inband_fund_{name},fund=BTCUP"] == pytest.approx(float(status[key]), rel=1e-8)
    lower = float(status["trigger_prices"][0]) / 60_000
    assert shown["inband_fund_trigger_distance_ratio,edge=lower,fund=BTCUP"] == pytest.approx(1 - lower)
    assert shown["inband_fund_state,fund=BTCUP,state=active"] == 1
    assert shown["inband_fund_control,control=running,fund=BTCUP"] == 1
    assert shown["inband_info,mode=paper"] == shown["inband_ready"] == 1
    assert 0 <= shown["inband_feed_age_seconds,symbol=BTCUSDT"] < 60
    runner.failure = "OSError"
    assert samples(metrics)["inband_fund_running,fund=BTCUP"] == 0


async def test_what_happened_is_counted(desk: Desk) -> None:
    """Rebalances and slices by outcome, what they cost, and how long journal and venue took."""
    operations, metrics, runner = await opened(desk)
    shown = samples(metrics)
    slices = operations.histories["BTCUP"].entries()[0].slices
    assert shown["inband_rebalances_total,ending=done,fund=BTCUP,kind=open"] == 1
    assert shown["inband_slices_total,fund=BTCUP,outcome=filled"] == slices
    assert shown["inband_shortfall_bps_count,fund=BTCUP,kind=open"] == 1
    assert shown["inband_order_latency_seconds_count,fund=BTCUP"] == len(desk.venue.sent)
    assert shown["inband_journal_append_seconds_count"] == len(desk.of("append"))
    desk.venue.script += ["refuse", "lose", "nothing"]
    desk.mark(runner, runner.now()[0] + 1_000, "44900")
    await desk.until_flat_out(runner)
    shown = samples(metrics)
    assert shown["inband_slices_total,fund=BTCUP,outcome=rejected"] == 1
    assert shown["inband_slices_total,fund=BTCUP,outcome=never_arrived"] == 1
    assert shown["inband_slices_total,fund=BTCUP,outcome=unfilled"] == 1
    assert shown["inband_orders_unknown_total,fund=BTCUP"] == 1
    assert shown["inband_rebalances_total,ending=done,fund=BTCUP,kind=band"] == 1


async def test_open_incidents_are_shown_and_counted(desk: Desk) -> None:
    """With their code, and whether they stop increases."""
    operations, metrics, runner = await opened(desk)
    record = IncidentOpened(1, "late fill", "what", "do", stops_increases=True)
    runner.state.book.apply(record)
    operations.changed(runner, (record,))
    shown = samples(metrics)
    assert shown["inband_incidents_open,code=late fill,fund=BTCUP,stops_increases=true"] == 1
    assert shown["inband_incidents_total,code=late fill,fund=BTCUP"] == 1


async def test_a_fund_without_a_mark_has_no_figures(desk: Desk) -> None:
    """Undefined is absent, never a zero that could be believed."""
    _, metrics, _ = measured(desk)
    shown = samples(metrics)
    assert shown["inband_fund_running,fund=BTCUP"] == 1
    assert not any(name.startswith(("inband_fund_nav", "inband_fund_real_leverage")) for name in shown)
    assert not any(name.startswith("inband_feed_age") for name in shown)


async def test_a_late_loop_is_measured(desk: Desk) -> None:
    """Every half second, by how late the sleeper was woken."""
    _, metrics, _ = measured(desk)
    watch = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(2.5 * LAG_EVERY_S)
    watch.cancel()
    assert samples(metrics)["inband_loop_lag_seconds_count"] == 2


async def test_a_listener_that_fails_stops_nobody(desk: Desk, logged: Logged) -> None:
    """It is told by the log, and the fund goes on."""

    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    operations, _, runner = measured(desk)
    operations.listeners.insert(0, broken)
    runner.begin(desk.fund.capital, adopt=False)
    desk.mark(runner, 1_000)
    await desk.until_flat_out(runner)
    assert runner.failure is None
    assert "listener_failed" in {line["event"] for line in logged()}


@pytest.mark.needs("prometheus")
async def test_prometheus_finds_no_fault_with_the_names(desk: Desk) -> None:
    """`promtool check metrics`: units in the names, help for each."""
    _, metrics, _ = await opened(desk)
    _, told = promtool("check", "metrics", stdin=metrics.text().decode())
    assert [line for line in told.splitlines() if "inband" in line] == []


def promtool(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """Its exit code, and all it says."""
    command = [shutil.which("promtool") or "", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def names_in(expressions: list[str]) -> set[str]:
    """The names of our metrics in PromQL expressions."""
    return {name for text in expressions for name in re.findall(r"\binband_[a-z_]+", text)}


def expressions() -> dict[str, list[str]]:
    """Every expression of the shipped rules and of the shipped dashboard."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return {
        "rules": [rule["expr"] for rule in rules],
        "dashboard": [*panels, *(v.get("definition", "") for v in dashboard["templating"]["list"])],
    }


@pytest.mark.parametrize("file", ["rules", "dashboard"])
async def test_rules_and_dashboard_speak_of_metrics_that_exist(desk: Desk, file: str) -> None:
    """A name that nothing exports would alert, or show, nothing for ever."""
    _, metrics, _ = measured(desk)
    text = metrics.text().decode()
    exported = set(re.findall(r"^# TYPE (inband_\w+)", text, flags=re.MULTILINE))
    exported |= {f"{name}{end}" for name in exported for end in ("_bucket", "_sum", "_count")}
    assert names_in(expressions()[file]) - exported == set()
    assert len(names_in(expressions()[file])) > 10


async def test_the_dashboard_shows_every_metric(desk: Desk) -> None:
    """What is exported and shown nowhere would be found missing on the day that it is needed."""
    _, metrics, _ = measured(desk)
    exported = set(re.findall(r"^# TYPE (inband_\w+)", metrics.text().decode(), flags=re.MULTILINE))
    exported = {name for name in exported if not name.endswith("_created")}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names_in(expressions()["dashboard"])}
    assert exported - shown == set()


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Panels have ids of their own, a place, a data source that is a variable, and do not overlap."""
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["expr"]


@pytest.mark.needs("prometheus")
def test_promtool_accepts_the_rules_and_they_fire(tmp_path: Path) -> None:
    """Syntax, and a few of them on made-up series: a breach, an emergency, a fund that idles outside."""
    cases = {
        "InbandIncident": (
            {'inband_incidents_open{fund="A",code="late fill",stops_increases="true"}': "1x10"},
            {"fund": "A", "code": "late fill", "stops_increases": "true", "severity": "critical"},
            "5m",
        ),
        "InbandEmergencyLeverage": (
            {
                'inband_fund_real_leverage{fund="A"}': "3.6x10",
                'inband_fund_emergency_leverage{fund="A"}': "3.5x10",
                'inband_fund_real_leverage{fund="B"}': "2x10",
                'inband_fund_emergency_leverage{fund="B"}': "3.5x10",
            },
            {"fund": "A", "severity": "critical"},
            "5m",
        ),
        "InbandOutsideBand": (
            {
                'inband_fund_real_leverage{fund="A"}': "1.2x100",
                'inband_fund_band_lower{fund="A"}': "1.5x100",
                'inband_fund_band_upper{fund="A"}': "3x100",
                'inband_rebalance_running{fund="A"}': "0x100",
                'inband_fund_state{fund="A",state="paused"}': "1x100",
            },
            {"fund": "A", "severity": "warning"},
            "90m",
        ),
        "InbandDown": ({'up{job="inband"}': "0x10"}, {"job": "inband", "severity": "critical"}, "5m"),
    }
    tests: list[dict[str, Any]] = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                {"eval_time": at, "alertname": alert, "exp_alerts": [{"exp_labels": labels}]}
            ],
        }
        for alert, (series, labels, at) in cases.items()
    ]
    for test in tests:
        (expected,) = test["alert_rule_test"]
        expected["exp_alerts"][0]["exp_annotations"] = annotations(expected)
    (tmp_path / "t.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(tmp_path / "t.yml")]):
        code, told = promtool(*arguments)
        assert code == 0, told


def annotations(expected: object) -> dict[str, str]:
    """A rule's annotations with the labels put in."""
    assert isinstance(expected, dict)
    labels = expected["exp_alerts"][0]["exp_labels"]
    for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]:
        if rule["alert"] == expected["alertname"]:
            return {
                name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
                for name, text in rule["annotations"].items()
            }
    raise AssertionError(expected)
