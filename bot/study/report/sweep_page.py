"""The report of `sweep`: what was best and whether it stayed so, heat maps, and what makes a fund trade."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from bot.core.texts import how_many
from bot.study.grid import described
from bot.study.report.form import MISSING, percent, plain
from bot.study.report.page import Page
from bot.study.sweep import Sweep, write_parquet

Row = dict[str, Any]

HEAT_MAPS_MAX = 6
FACTORS = {
    "target": "target leverage",
    "model.volatility": "volatility of the underlying",
    "move": "size of the move that triggers",
    "half_width": "half-width of the band",
    "interval_h": "length of the interval, hours",
    "every_s": "length of the interval, seconds",
}
"""The article's factors of how often a fund rebalances, among the axes of a sweep."""
_COLOURS = ("#1f5fbf", "#d9772b", "#2a9d6f", "#8a5cc2", "#c23b3b", "#6b7280")


def publish(sweep: Sweep, rows: Sequence[Row], objective: str, folder: Path) -> dict[str, int | str]:
    """Leave Parquet and report in the sweep's folder; what there is to say about them. Raises StudyError."""
    parquet, report = folder / "sweep.parquet", folder / "report.html"
    write_parquet(rows, parquet)
    sweep_page(sweep, rows, objective).write(report)
    counts = {"points": len(sweep.points), "left_out": len(sweep.left_out), "rows": len(rows)}
    return {**counts, "parquet": str(parquet), "report": str(report)}


def sweep_page(sweep: Sweep, rows: Sequence[Row], objective: str) -> Page:
    """Write the report; `objective` is the figure of which more is better."""
    page = Page("Sweep")
    page.heading("Sweep", 1)
    page.text(_what(sweep, rows), soft=True)
    if sweep.left_out:
        first = sweep.left_out[0]
        none = how_many(len(sweep.left_out), "point is no fund and was", "points are no funds and were")
        page.text(f"{none} left out; the first: {first}", soft=True)
    page.heading("The best, and whether it stayed the best")
    page.text(
        f"Chosen by {objective.replace('_', ' ')} in the search, judged on what was held out. A best that "
        "drops to the "
        "middle of the others when held out was luck."
        if sweep.held_out
        else "Nothing was held out, so that the best of the grid is the luckiest as well. Use --held-out."
    )
    page.table(_BEST_HEAD, list(_best_rows(rows, objective)))
    if sweep.held_out:
        _scatter(page, rows, objective)
    axes = _numeric_axes(sweep, rows)
    page.heading("How often it rebalances")
    page.text(
        "Mean over all other axes of the rebalances per year, by each axis; the shade spans lowest to "
        "highest.",
        soft=True,
    )
    for axis in axes:
        _frequency(page, rows, axis)
    if not axes:
        page.text("No axis is a number that varies.")
    if len(axes) > 1:
        page.heading("Heat maps")
        for pair in itertools.islice(itertools.combinations(axes, 2), HEAT_MAPS_MAX):
            for figure in (objective, "rebalances_per_year"):
                _heat_map(page, rows, pair, figure)
    return page


def _what(sweep: Sweep, rows: Sequence[Row]) -> str:
    sources = ", ".join(sorted({str(row["series"]) for row in rows}))
    axes = ", ".join(axis.name for axis in sweep.axes)
    how = f"{how_many(sweep.random, 'point')} at random" if sweep.random else "the whole grid"
    text = f"{how_many(len(sweep.points), 'point')} ({how}) over {axes}; on {sources}"
    if sweep.generated:
        made = sweep.generated
        text += f", {made.paths:,} paths of {made.bars:,} bars of {made.bar_ms / 60_000:g} minutes"
    return f"{text}; {percent(sweep.held_out, 0)} held out; fee {sweep.base.fee_bps:g} bps unless swept."


_BEST_HEAD = [
    "strategy, side, series",
    "best point of the search",
    "in the search",
    "held out",
    "its place, held out",
    "median of all, held out",
    "rebalances per year",
    "correlation of search and held out",
]


def _groups(rows: Sequence[Row]) -> dict[tuple[str, str, str], dict[str, dict[int, Row]]]:
    found: dict[tuple[str, str, str], dict[str, dict[int, Row]]] = defaultdict(lambda: {"in": {}, "out": {}})
    for row in rows:
        found[row["strategy"], row["side"], row["series"]][row["part"]][row["point"]] = row
    return found


def _best_rows(rows: Sequence[Row], objective: str) -> Iterator[list[str]]:
    for group, parts in _groups(rows).items():
        known = {number: row[objective] for number, row in parts["in"].items() if row[objective] is not None}
        if not known:
            yield [", ".join(group), "none lived", *[MISSING] * 6]
            continue
        best = max(known, key=lambda number: known[number])
        row = parts["in"][best]
        point = {n: v for n, v in row.items() if n in _axis_names(rows) and v is not None}
        held = {number: row[objective] for number, row in parts["out"].items() if row[objective] is not None}
        place = MISSING
        if best in held:
            better = sum(value > held[best] for value in held.values())
            place = f"{better + 1} of {len(held)}"
        yield [
            ", ".join(group),
            described(point),
            plain(known[best], 3),
            plain(held.get(best), 3),
            place,
            plain(median(held.values()), 3) if held else MISSING,
            plain(row["rebalances_per_year"], 1),
            plain(_rank_correlation([(known[n], held[n]) for n in known if n in held]), 2),
        ]


def _axis_names(rows: Sequence[Row]) -> list[str]:
    names = list(rows[0])
    return names[2 : names.index("point")]


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's, ties by their order."""
    if len(pairs) < 3:
        return None
    ranks = []
    for values in zip(*pairs, strict=True):
        order = sorted(range(len(values)), key=values.__getitem__)
        rank = [0] * len(values)
        for place, index in enumerate(order):
            rank[index] = place
        ranks.append(rank)
    squares = sum((one - two) ** 2 for one, two in zip(*ranks, strict=True))
    count = len(pairs)
    return 1.0 - 6.0 * float(squares) / (count * (count**2 - 1))


def _scatter(page: Page, rows: Sequence[Row], objective: str) -> None:
    traces = []
    for number, (group, parts) in enumerate(_groups(rows).items()):
        both = [(row, parts["out"][at]) for at, row in parts["in"].items() if at in parts["out"]]
        known = [(a, b) for a, b in both if a[objective] is not None and b[objective] is not None]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": ", ".join(group),
                "x": [a[objective] for a, _ in known],
                "y": [b[objective] for _, b in known],
                "marker": {"color": _COLOURS[number % len(_COLOURS)], "size": 6, "opacity": 0.7},
            }
        )
    name = objective.replace("_", " ")
    page.chart(
        traces,
        f"Each point of the sweep: {name} in the search and held out.",
        hovermode="closest",
        xaxis={"title": {"text": f"{name}, search"}},
        yaxis={"title": {"text": f"{name}, held out"}},
    )


def _numeric_axes(sweep: Sweep, rows: Sequence[Row]) -> list[str]:
    """Axes that are numbers and vary; the article's factors first."""
    found = []
    for axis in sweep.axes:
        values = {row[axis.name] for row in rows if row[axis.name] is not None}
        if len(values) > 1 and all(isinstance(value, float) for value in values):
            found.append(axis.name)
    return sorted(found, key=lambda name: name not in FACTORS)


def _frequency(page: Page, rows: Sequence[Row], axis: str) -> None:
    traces: list[dict[str, Any]] = []
    kinds = sorted({(row["strategy"], row["side"]) for row in rows if row[axis] is not None})
    for number, kind in enumerate(kinds):
        by_value: dict[float, list[float]] = defaultdict(list)
        for row in rows:
            if (row["strategy"], row["side"]) == kind and row[axis] is not None:
                by_value[row[axis]].append(row["rebalances_per_year"])
        x = sorted(by_value)
        colour = _COLOURS[number % len(_COLOURS)]
        ends = [max(by_value[value]) for value in x] + [min(by_value[value]) for value in reversed(x)]
        shade: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines",
            "line": {"width": 0},
            "hoverinfo": "skip",
        }
        shade |= {"x": x + x[::-1], "y": ends, "fill": "toself", "fillcolor": colour, "opacity": 0.12}
        traces.append(shade | {"showlegend": False})
        line = {"type": "scatter", "mode": "lines+markers", "name": " ".join(kind), "line": {"color": colour}}
        traces.append(line | {"x": x, "y": [mean(by_value[value]) for value in x]})
    label = FACTORS.get(axis, axis)
    shown = [row["rebalances_per_year"] for row in rows if row[axis] is not None]
    is_wide = min(shown) > 0 and max(shown) > 30 * min(shown)
    scale: dict[str, Any] = {"type": "log"} if is_wide else {"rangemode": "tozero"}
    page.chart(
        traces,
        f"Rebalances per year by {label}{', logarithmic' if is_wide else ''}.",
        xaxis={"title": {"text": label}},
        yaxis={"title": {"text": "rebalances per year"}, **scale},
    )


def _heat_map(page: Page, rows: Sequence[Row], axes: tuple[str, str], figure: str) -> None:
    across, up = axes
    kinds = sorted({(r["strategy"], r["side"]) for r in rows if r[across] is not None and r[up] is not None})
    for kind in kinds:
        cells: dict[tuple[float, float], list[float]] = defaultdict(list)
        for row in rows:
            place = (row[across], row[up])
            if (row["strategy"], row["side"]) == kind and None not in place and row[figure] is not None:
                cells[place].append(row[figure])
        if len(cells) < 4:
            continue
        xs, ys = (sorted({place[side] for place in cells}) for side in (0, 1))
        if len(xs) * len(ys) > 4 * len(cells):
            continue  # points at random are no grid
        z = [[mean(cells[x, y]) if (x, y) in cells else None for x in xs] for y in ys]
        axis_texts = ([f"{value:g}" for value in xs], [f"{value:g}" for value in ys])
        trace: dict[str, Any] = {
            "type": "heatmap",
            "x": axis_texts[0],
            "y": axis_texts[1],
            "z": z,
            "colorscale": "Viridis",
        }
        name = figure.replace("_", " ")
        page.chart(
            [trace],
            f"{' '.join(kind)}: {name}, mean over all series, parts and other axes.",
            hovermode="closest",
            xaxis={"title": {"text": FACTORS.get(across, across)}, "type": "category"},
            yaxis={"title": {"text": FACTORS.get(up, up)}, "type": "category"},
        )
