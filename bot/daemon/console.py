"""The live table that `run` shows on a terminal.

It shows a rebalance's progress as slices so far; a target, or how much remains, never reaches this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import IO, Literal, Self, cast

from rich import box
from rich import console as rich_console
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bot.daemon.log_sinks import Sink

_UNKNOWN = "-"
_NEEDLE_CELLS = 17
_MARGIN_CELLS = 3
_MODE_STYLES = {"paper": "black on green", "testnet": "black on yellow", "live": "bold white on red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FundRow:
    """One fund now. Leverage is null when undefined; `triggers`: the lower and the higher trigger price.

    `slices`: how many a rebalance under way has filled so far, None when there is none.
    """

    fund: str
    side: Literal["long", "short"]
    state: str
    mark: Decimal | None
    nav: Decimal | None
    real_leverage: Decimal | None
    band: tuple[Decimal, Decimal]
    triggers: tuple[Decimal | None, Decimal | None]
    slices: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceRow:
    """One finished rebalance. `time_ms`: when it started, market time, UTC; `cost_bps`: its shortfall."""

    time_ms: int
    fund: str
    kind: str
    leverage_before: Decimal | None
    leverage_after: Decimal | None
    slices: int
    cost_bps: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleView:
    """All that the table shows. `rebalances` newest first; `notices`: warnings and incidents, one line each.

    `market_ms`: market time, UTC. `speed`: market per wall time, None where time is real. `progress` is the
    fraction of the replay that is over, None without an end; `left_s` wall seconds to its end.
    """

    mode: str
    market_ms: int | None
    funds: Sequence[FundRow]
    rebalances: Sequence[RebalanceRow] = ()
    notices: Sequence[str] = ()
    speed: float | Literal["max"] | None = None
    progress: float | None = None
    left_s: float | None = None


def screen(sink: Sink) -> rich_console.Console:
    """The terminal of this process, written to by way of `sink`."""
    return rich_console.Console(file=cast("IO[str]", sink), force_terminal=True, highlight=False)


class Console:
    """Shows a view on the terminal until it is closed. The caller decides how often: a few times a second."""

    def __init__(self, header: str, terminal: rich_console.Console) -> None:
        """`header`: the line at the top."""
        self._header = header
        self._live = Live(
            console=terminal,
            auto_refresh=False,
            redirect_stderr=False,
        )

    def update(self, view: ConsoleView) -> None:
        """Show `view` in place of the last one."""
        self._live.start()
        self._live.update(render(self._header, view), refresh=True)

    def close(self) -> None:
        """Leave the last view on the screen, and the terminal as it was."""
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def render(header: str, view: ConsoleView) -> RenderableType:
    """Lay a view out for a terminal of 80 columns or more."""
    parts: list[RenderableType] = [Text(header, style="dim", no_wrap=True, overflow="ellipsis"), _clock(view)]
    parts.append(_funds(view.funds))
    if view.rebalances:
        parts.append(_rebalances(view.rebalances))
    parts += [Text(f"! {notice}", style="yellow") for notice in view.notices]
    return Group(*parts)


def _clock(view: ConsoleView) -> RenderableType:
    line = Text().append(f" {view.mode.upper()} ", style=_MODE_STYLES.get(view.mode, "reverse"))
    if view.market_ms is not None:
        line.append(f"  {_utc(view.market_ms)} UTC")
    if view.speed is not None:
        line.append("  speed max" if view.speed == "max" else f"  speed {view.speed:g}x")
    if view.progress is None:
        return line
    done = min(max(view.progress, 0.0), 1.0)
    left = "" if view.left_s is None else f"  {_duration(view.left_s)} left"
    grid = Table.grid(padding=(0, 1))
    grid.add_row(line, ProgressBar(total=1.0, completed=done, width=12), f"{done:.0%}{left}")
    return grid


def _funds(funds: Sequence[FundRow]) -> Table:
    """Two lines for each fund, so that all of it fits into 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("fund", no_wrap=True)
    table.add_column("mark / NAV", justify="right", no_wrap=True)
    table.add_column("real leverage in its band", no_wrap=True)
    table.add_column("triggers", justify="right", no_wrap=True)
    table.add_column("state", min_width=len("rebalancing"))
    for fund in funds:
        progress = "" if fund.slices is None else f"\n{fund.slices} slice{'' if fund.slices == 1 else 's'}"
        table.add_row(
            Text(f"{fund.fund}\n{fund.side}"),
            f"{_price(fund.mark)}\n{_number(fund.nav, 4)}",
            _needle(fund),
            "\n".join(_trigger(price, fund.mark) for price in reversed(fund.triggers)),
            Text(fund.state.replace("_", " ") + progress, style="" if fund.state == "active" else "yellow"),
        )
    return table


def _needle(fund: FundRow) -> Text:
    """The leverage, and below it where it stands: the band between two bars, what is outside as dots."""
    lower, upper = fund.band
    edge = _NEEDLE_CELLS - 1 - _MARGIN_CELLS
    cells = ["·"] * _MARGIN_CELLS + ["─"] * (_NEEDLE_CELLS - 2 * _MARGIN_CELLS) + ["·"] * _MARGIN_CELLS
    cells[_MARGIN_CELLS] = cells[edge] = "│"
    style = ""
    if fund.real_leverage is not None:
        share = (fund.real_leverage - lower) / (upper - lower)
        place = _MARGIN_CELLS + round(share * (edge - _MARGIN_CELLS))
        if share < 0:
            place, style = min(place, _MARGIN_CELLS - 1), "yellow"
        elif share > 1:
            place, style = max(place, edge + 1), "bold red"
        cells[min(max(place, 0), _NEEDLE_CELLS - 1)] = "●"
    text = Text(f"{_number(fund.real_leverage, 3)}\n", style=style)
    return text.append(f"{lower.normalize():f} {''.join(cells)} {upper.normalize():f}")


def _rebalances(rebalances: Sequence[RebalanceRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("last rebalances (UTC)", "fund", "kind"):
        table.add_column(name, no_wrap=True)
    for name in ("leverage", "slices", "cost bps"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in rebalances:
        before, after = _number(entry.leverage_before, 3), _number(entry.leverage_after, 3)
        table.add_row(
            _utc(entry.time_ms),
            entry.fund,
            entry.kind,
            f"{before} > {after}",
            str(entry.slices),
            _number(entry.cost_bps, 2),
        )
    return table


def _trigger(price: Decimal | None, mark: Decimal | None) -> str:
    if price is None:
        return _UNKNOWN
    return _price(price) if not mark else f"{_price(price)} {(price / mark - 1) * 100:+6.1f} %"


def _price(price: Decimal | None) -> str:
    """Six significant digits, or the whole units where there are more."""
    if price is None:
        return _UNKNOWN
    decimals = min(max(5 - price.adjusted(), 0), 8)
    return f"{price:,.{decimals}f}"


def _number(value: Decimal | None, digits: int) -> str:
    return _UNKNOWN if value is None else f"{value:,.{digits}f}"


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
