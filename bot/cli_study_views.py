"""What the study's commands show to people: progress on standard error, tables on standard output."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bot.cli_views import wide_console


@contextmanager
def step_by_step(what: str, steps: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal; gives the function that tells one step."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda: progress.advance(task)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar whose length comes with each step: the function takes (done, all)."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def print_comparison(found: Mapping[str, Any], report: str, console: Console | None = None) -> None:
    """Print the figures that matter most of `Comparison.to_json`, and where the report is."""
    console = console or wide_console()
    for side, name in (("long", "UP"), ("short", "DOWN")):
        table = Table(box=box.SIMPLE_HEAD, title=name, title_justify="left")
        table.add_column("", justify="left")
        for title, _, _ in _COLUMNS:
            table.add_column(title, justify="right")
        for key, figures in found["sides"][side]["table"].items():
            cells = (_written(figures[figure], form) for _, figure, form in _COLUMNS)
            table.add_row(found["labels"][key], *cells)
        console.print(table)
    console.print(f"report: {report}")


_COLUMNS = (
    ("log growth /y", "growth_per_year", "{:+.1%}"),
    ("NAV", "nav", "{:.4g}"),
    ("drawdown", "max_drawdown", "{:.1%}"),
    ("leverage", "mean_leverage", "{:.2f}"),
    ("deviation", "leverage_deviation", "{:.2f}"),
    ("rebalances /y", "rebalances_per_year", "{:.1f}"),
    ("turnover /y", "turnover_per_year", "{:.1f}"),
    ("cost /y", "cost_per_year", "{:.2%}"),
    ("tracking error", "tracking_error", "{:.1%}"),
)


def _written(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
