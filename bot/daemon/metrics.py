"""`/metrics`: figures for Prometheus, true ones, so with the operator's token only.

What a fund is now is read when it is asked for; what happened is counted as records come by. Nothing here
knows a target, a draw or a plan.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.core import records as rec
from bot.core.history import EntryState
from bot.core.ledger import real_leverage
from bot.core.units import ZERO
from bot.daemon.status import fund_state, triggers

if TYPE_CHECKING:
    from bot.daemon.operations import Operations
    from bot.daemon.runner import Runner

LAG_EVERY_S = 0.5
DAEMON = ""
"""In place of a fund's name, for what concerns the daemon itself."""

_LATENCIES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SHORTFALLS_BPS = (-10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100)
_OUTCOMES = {rec.OrderRejected: "rejected", rec.OrderDead: "never_arrived"}


class Metrics:
    """The registry of one daemon."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, operations: "Operations", *, rate_budget: Callable[[], float] = lambda: 1.0) -> None:
        """Read figures from `operations`; `rate_budget` is the share of the venue's request weight left."""
        self._registry = registry = CollectorRegistry()
        self._outcomes: dict[str, str] = {}
        self._operations = operations
        registry.register(_Figures(operations, rate_budget))
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"inband_{name}", meaning, labels, registry=registry)

        def histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"inband_{name}", meaning, labels, registry=registry, buckets=buckets)

        self._rebalances = counter("rebalances", "Rebalances that ended.", "fund", "kind", "ending")
        self._slices = counter("slices", "Slices by what became of their order.", "fund", "outcome")
        self._lost = counter("orders_unknown", "Orders whose outcome had to be looked up.", "fund")
        self._incidents = counter("incidents", "Incidents that were opened.", "fund", "code")
        self._shortfall = histogram(
            "shortfall_bps", "Implementation shortfall of a rebalance.", _SHORTFALLS_BPS, "fund", "kind"
        )
        self._order_s = histogram(
            "order_latency_seconds", "From the decision to the venue's answer.", _LATENCIES_S, "fund"
        )
        self._journal_s = histogram(
            "journal_append_seconds", "To make the records of a step durable.", _LATENCIES_S
        )
        self._lag_s = histogram("loop_lag_seconds", "How late the event loop woke a sleeper.", _LATENCIES_S)

        self.alerts_sent = counter("alerts_sent", "Alerts that a route took.", "route")
        self.alerts_failed = counter("alerts_failed", "Deliveries of alerts that failed.", "route")

    def text(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self._registry)

    def order_timer(self, fund: str) -> Callable[[float], None]:
        """What hears of a fund's order latencies, seconds."""
        return self._order_s.labels(fund).observe

    @property
    def journal_timer(self) -> Callable[[float], None]:
        """What hears of the journal's latencies, seconds."""
        return self._journal_s.observe

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A further figure that is read when it is asked for."""
        self._registry.register(_Reading(f"inband_{name}", meaning, read))

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag_s.observe(max(0.0, loop.time() - due_s))

    def count(self, runner: "Runner", records: tuple[rec.Record, ...]) -> None:
        """Take in what a fund recorded."""
        fund = runner.name
        for record in records:
            match record:
                case rec.OrderRejected(cid=cid) | rec.OrderDead(cid=cid):
                    self._outcomes[cid] = _OUTCOMES[type(record)]
                case rec.OrderLost():
                    self._lost.labels(fund).inc()
                case rec.SliceSettled(cid=cid, filled=filled):
                    outcome = self._outcomes.pop(cid, "filled" if filled else "unfilled")
                    self._slices.labels(fund, outcome).inc()
                case rec.RebalanceFinished(time_ms=time_ms):
                    self._finished(fund, time_ms)
                case rec.IncidentOpened(code=code):
                    self._incidents.labels(fund, code).inc()
                case _:
                    pass

    def troubled(self, code: str) -> None:
        """An incident of the daemon itself was opened."""
        self._incidents.labels(DAEMON, code).inc()

    def _finished(self, fund: str, time_ms: int) -> None:
        entries = self._operations.histories[fund].entries()
        entry = next(entry for entry in reversed(entries) if entry.finished_ms == time_ms)
        self._rebalances.labels(fund, entry.kind.value, entry.state.value).inc()
        if entry.shortfall_bps is not None and entry.state in {EntryState.DONE, EntryState.SUPERSEDED}:
            self._shortfall.labels(fund, entry.kind.value).observe(float(entry.shortfall_bps))


class _Reading(Collector):
    """One figure."""

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._meaning, value=self._read())


class _Figures(Collector):
    """What the funds are at this moment."""

    def __init__(self, operations: "Operations", rate_budget: Callable[[], float]) -> None:
        self._operations = operations
        self._rate_budget = rate_budget

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are known when they are collected, and registering must not read a fund."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Every figure of every fund that has one."""
        families = {
            name: GaugeMetricFamily(f"inband_{name}", meaning, labels=labels)
            for name, (meaning, labels) in _GAUGES.items()
        }
        families["info"].add_metric([self._operations.mode], 1)
        families["ready"].add_metric([], not self._operations.unready())
        families["rate_budget_ratio"].add_metric([], self._rate_budget())
        for symbol, age_s in self._operations.feed_ages_s().items():
            families["feed_age_seconds"].add_metric([symbol], age_s)
        for trouble in self._operations.troubles:
            families["incidents_open"].add_metric([DAEMON, trouble.code, "false"], 1)
        for runner in self._operations.runners:
            for name, labels, value in _of_fund(runner):
                families[name].add_metric([runner.name, *labels], float(value))
        yield from families.values()


_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "info": ("The mode that the daemon runs in.", ("mode",)),
    "ready": ("Whether every fund has a current mark, is reconciled and writes its journal.", ()),
    "rate_budget_ratio": ("Share of the venue's request weight that is left.", ()),
    "feed_age_seconds": ("Wall time since the last mark.", ("symbol",)),
    "fund_running": ("Whether the fund is driven; 0 after a failure that takes a restart.", ("fund",)),
    "fund_state": ("1 for the state that the fund is in.", ("fund", "state")),
    "fund_control": ("1 for what the operator allows.", ("fund", "control")),
    "fund_mark_usdt": ("Latest mark price.", ("fund",)),
    "fund_nav": ("True NAV per unit.", ("fund",)),
    "fund_value_usdt": ("True fund value.", ("fund",)),
    "fund_position": ("True signed position, in units of the underlying.", ("fund",)),
    "fund_real_leverage": ("True real leverage.", ("fund",)),
    "fund_band_lower": ("Lower edge of the band.", ("fund",)),
    "fund_band_upper": ("Upper edge of the band.", ("fund",)),
    "fund_emergency_leverage": ("Leverage from which the fund delevers at once.", ("fund",)),
    "fund_trigger_distance_ratio": ("Distance of the mark to a trigger price.", ("fund", "edge")),
    "rebalance_running": ("Whether a rebalance is under way.", ("fund",)),
    "rebalance_age_seconds": ("Market time since the rebalance under way began.", ("fund",)),
    "incidents_open": ("Open incidents.", ("fund", "code", "stops_increases")),
}


def _of_fund(runner: "Runner") -> Iterator[tuple[str, list[str], Any]]:
    """Name, further labels and value of each of a fund's figures; what is undefined has none."""
    state, book = runner.state, runner.state.book
    yield "fund_running", [], runner.failure is None
    yield "fund_state", [fund_state(book)], 1
    yield "fund_control", [book.control.value], 1
    yield "fund_band_lower", [], state.fund.band[0]
    yield "fund_band_upper", [], state.fund.band[1]
    yield "fund_emergency_leverage", [], state.fund.emergency
    yield "rebalance_running", [], book.rebalance is not None
    for incident in book.incidents.values():
        yield "incidents_open", [incident.code, str(incident.stops_increases).lower()], 1
    if state.mark is None or book.created is None:
        return
    mark = state.mark.price
    value = book.ledger.value(mark)
    leverage = real_leverage(book.ledger, mark)
    if book.rebalance is not None:
        age_ms = max(0, state.mark.time_ms - book.rebalance.started_ms)
        yield "rebalance_age_seconds", [], age_ms / 1000
    yield "fund_mark_usdt", [], mark
    yield "fund_value_usdt", [], value
    yield "fund_position", [], book.position
    if book.units != ZERO:
        yield "fund_nav", [], value / book.units
    if leverage is not None:
        yield "fund_real_leverage", [], leverage
    for edge, price in zip(("lower", "higher"), triggers(state.fund, book, state.region), strict=True):
        if price is not None:
            yield "fund_trigger_distance_ratio", [edge], abs(price / mark - 1)
