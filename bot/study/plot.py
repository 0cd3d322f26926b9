"""A result as a plotly figure; the only module that imports plotly for a single backtest."""

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from bot.study.result import Result

_MOST_DOTS = 4_000
"""A screen shows no more; a longer course is thinned, its rebalances are all drawn."""


def figure(result: "Result") -> go.Figure:
    """NAV above, real leverage with its band and every rebalance below; both against UTC time."""
    every = max(1, len(result.prices) // _MOST_DOTS)
    times = result.times_ms[::every].astype("datetime64[ms]")
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, subplot_titles=("NAV", "real leverage"))
    drawn.add_trace(go.Scatter(x=times, y=result.nav[::every], name="NAV"), row=1, col=1)
    drawn.add_trace(go.Scatter(x=times, y=result.leverage[::every], name="real leverage"), row=2, col=1)
    when = np.array([row.time for row in result.rebalances], dtype="datetime64[ms]")
    after = [row.leverage_after for row in result.rebalances]
    drawn.add_trace(go.Scatter(x=when, y=after, mode="markers", name="rebalance"), row=2, col=1)
    for edge in result.fund.band:
        drawn.add_hline(y=edge, line_dash="dot", row=2, col=1)
    return drawn
