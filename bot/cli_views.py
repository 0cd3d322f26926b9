"""What commands show to people: tables on standard output. Programs take `--json`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bot.settings import EffectiveValue

_UNDEFINED = "-"


def print_settings(values: Sequence[EffectiveValue], console: Console | None = None) -> None:
    """Print each setting with its value and its origin."""
    table = _table(("setting", "left"), ("value", "left"), ("set in", "left"))
    for entry in values:
        table.add_row(entry.name, _text(entry.value), entry.origin)
    (console or wide_console()).print(table)


def print_rebalances(rebalances: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the API's rebalance objects, one row each."""
    console = console or wide_console()
    if not rebalances:
        console.print("No rebalance yet.")
        return
    table = _table(
        ("started (UTC)", "left"),
        ("fund", "left"),
        ("kind", "left"),
        ("state", "left"),
        ("leverage", "right"),
        ("target", "right"),
        ("position", "right"),
        ("slices", "right"),
        ("cost bps", "right"),
        ("fees", "right"),
    )
    for entry in rebalances:
        after = _rounded(entry["leverage_after"], 3)
        table.add_row(
            str(entry["started_at"])[:19].replace("T", " "),
            str(entry["fund"]),
            str(entry["kind"]),
            str(entry["state"]),
            f"{_rounded(entry['leverage_before'], 3)} > {after}",
            _rounded(entry["target"], 3),
            _text(entry["position_after"]),
            str(entry["slices"]),
            _rounded(entry["shortfall_bps"], 2),
            _rounded(entry["fees"], 2),
        )
    console.print(table)


def print_flows(flows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print flow objects, one row each."""
    console = console or wide_console()
    if not flows:
        console.print("No flow yet.")
        return
    table = _table(
        ("requested (UTC)", "left"),
        ("reference", "left"),
        ("kind", "left"),
        ("state", "left"),
        ("USDT", "right"),
        ("units", "right"),
        ("NAV", "right"),
    )
    for flow in flows:
        table.add_row(
            str(flow["requested_at"])[:19].replace("T", " "),
            str(flow["reference"]),
            str(flow["kind"]),
            str(flow["state"]),
            _rounded(flow["amount"], 2),
            _rounded(flow["units"], 4),
            _rounded(flow["nav"], 6),
        )
    console.print(table)


def print_backtests(results: Mapping[str, Mapping[str, Any]], console: Console | None = None) -> None:
    """Print backtest results side by side, one column each, and their warnings."""
    console = console or wide_console()
    table = _table(("", "left"), *((name or "fund", "right") for name in results))
    rows = {
        "final NAV": ("final_nav", 6),
        "final value": ("final_value", 2),
        "rebalances": ("rebalance_count", 0),
        "turnover (x value)": ("turnover", 3),
        "fees": ("fees", 2),
        "slippage": ("slippage", 2),
        "funding received": ("funding", 2),
        "management fees": ("management_fees", 2),
    }
    for title, (key, places) in rows.items():
        table.add_row(title, *(_rounded(result[key], places) for result in results.values()))
    table.add_row("died", *(_day(result["dead_at"]) for result in results.values()))
    for name in next(iter(results.values()))["metrics"]:
        table.add_row(name.replace("_", " "), *(_rounded(r["metrics"][name], 4) for r in results.values()))
    console.print(table)
    for name, result in results.items():
        for warning in result["warnings"]:
            console.print(f"{name + ': ' if name else ''}{warning}", soft_wrap=True)


def _day(time_ms: int | None) -> str:
    if time_ms is None:
        return _UNDEFINED
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")


def print_funds(funds: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the API's fund objects, one row each."""
    console = console or wide_console()
    if not funds:
        console.print("No fund yet.")
        return
    table = _table(
        ("fund", "left"),
        ("side", "left"),
        ("state", "left"),
        ("mark", "right"),
        ("NAV", "right"),
        ("value", "right"),
        ("leverage", "right"),
        ("band", "right"),
        ("triggers", "right"),
    )
    for fund in funds:
        table.add_row(
            str(fund["fund"]),
            str(fund["side"]),
            str(fund["state"]),
            _rounded(fund["mark"], 2),
            _rounded(fund["nav"], 4),
            _rounded(fund["fund_value"], 2),
            _rounded(fund["real_leverage"], 3),
            _pair(fund["band"], "{:g}"),
            _pair(fund["trigger_prices"], "{:,.2f}"),
        )
    console.print(table)
    if "owner" in funds[0]:  # who sends is told where the journal was read
        as_of = max(str(fund["updated_at"] or "") for fund in funds)
        said = _minute(as_of) or _UNDEFINED
        console.print(f"No daemon that drives the funds answers here: so the journal says at {said}.")
    for fund in funds:
        for line in _troubles(fund):
            console.print(f"{fund['fund']}: {line}", soft_wrap=True)
    for incident in funds[0].get("daemon_incidents", ()):  # the same with every fund
        for line in _incident(incident):
            console.print(f"daemon: {line}", soft_wrap=True)


def print_findings(findings: Sequence[Any], console: Console | None = None) -> None:
    """Print the preflight: one row each, with what to do where something is to be done."""
    console = console or wide_console()
    table = _table(("", "left"), ("what", "left"), ("about", "left"), ("found", "left"), ("remedy", "left"))
    marks = {"ok": "ok", "warning": "!", "failed": "FAILED", "skipped": "-"}
    for each in findings:
        table.add_row(marks[each.verdict], each.what, each.about, each.found, each.remedy)
    console.print(table)
    counts = {verdict: sum(each.verdict == verdict for each in findings) for verdict in ("failed", "warning")}
    console.print(f"{counts['failed']} failed, {counts['warning']} to look at, {len(findings)} in all.")


def _troubles(fund: Mapping[str, Any]) -> Iterator[str]:
    """What an operator said that still holds, and the open incidents with their remedies."""
    said = fund["control"]
    if said["state"] != "running":
        yield f"{said['state']} since {_minute(said['since'])} by {said['author']}: {said['why']}"
    for incident in fund["incidents"]:
        yield from _incident(incident)


def _incident(incident: Mapping[str, Any]) -> Iterator[str]:
    seen = incident["acknowledged"]
    by = "" if seen is None else f" ({seen['author']} looks after it: {seen['why']})"
    yield f"{incident['code']} since {_minute(incident['since'])}: {incident['detail']}{by}"
    yield f"  remedy: {incident['remedy']}"


def _minute(time: object) -> str:
    return str(time)[:16].replace("T", " ")


def wide_console() -> Console:
    """Standard output; where it is no terminal, wide enough that nothing is cut off."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold")
    return table


def _text(value: object) -> str:
    return _UNDEFINED if value is None else str(value)


def _rounded(value: object, digits: int) -> str:
    return _UNDEFINED if value is None else f"{float(str(value)):,.{digits}f}"


def _pair(values: Sequence[object] | None, form: str) -> str:
    if values is None:
        return _UNDEFINED
    low, high = (_UNDEFINED if value is None else form.format(float(str(value))) for value in values)
    return f"{low} .. {high}"
