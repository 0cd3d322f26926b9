"""How a rebalance was carried out, for operators: what `history --json` adds to its facts."""

from typing import TypeAlias

from bot.core.flow_records import FlowSettled
from bot.core.history import RebalanceEntry
from bot.core.measures import Shortfall, maker_ratio, out_of_band_ms, participation, shortfall
from bot.core.records import Kind
from bot.core.texts import decimal_or_null, decimal_text

EXECUTION = "execution"
"""The name under which it is told; it is no part of the public record."""

_NAMES = {"arrival": "arrival_shortfall_bps"}

Report: TypeAlias = dict[str, str | int | list[dict[str, str]] | None]


def execution(entry: RebalanceEntry) -> Report | None:
    """The measures of docs/execution.md, decimals as text; None of trades that were not ours."""
    taken = entry.measures
    if taken is None:
        return None
    parts, over_ms = shortfall(taken), entry.finished_ms
    error = out_ms = None
    if entry.target is not None and entry.leverage_after is not None:
        error = abs(entry.leverage_after - entry.target)
    if over_ms is not None and entry.kind is Kind.BAND:
        out_ms = out_of_band_ms(taken, over_ms)
    decimals = {
        **{
            _NAMES.get(name, f"{name}_bps"): None if parts is None else getattr(parts, name)
            for name in Shortfall._fields
        },
        "arrival_mark": taken.arrival,
        "completion": entry.completion,
        "maker_ratio": maker_ratio(taken),
        "participation": participation(taken),
        "leverage_error": error,
    }
    return {
        **{name: decimal_or_null(value) for name, value in decimals.items()},
        "out_of_band_s": None if out_ms is None else out_ms // 1000,
        "orders": taken.orders,
        "rejected": taken.rejected,
        "repriced": taken.repriced,
        "flows": [_flow(settled) for settled in entry.flows],
    }


def _flow(settled: FlowSettled) -> dict[str, str]:
    """What one flow bore of the trade, by its reference."""
    return {
        "reference": settled.reference,
        "trading_fee": decimal_text(settled.trading_fee),
        "fill_cost": decimal_text(settled.fill_cost),
    }
