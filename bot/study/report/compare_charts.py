"""The charts of a comparison."""

from typing import Any

from bot.study.compare import NAMES, SIDES, Comparison
from bot.study.contenders import PARTS, STRATEGIC
from bot.study.founding import Founding
from bot.study.report.form import iso
from bot.study.report.page import Page
from bot.study.spec import Side

COLOURS = {
    STRATEGIC: "#2f74d8",
    "daily": "#d9772b",
    "moves": "#8c564b",
    "both": "#c23b3b",
    "matched": "#6b7280",
    "recenter": "#2a9d6f",
    "corridor": "#8a5cc2",
}
PART_COLOURS = {"level": "#4c78a8", "path": "#e0a33e", "trading": "#c23b3b", "funding": "#72b7a1"}
_BAND = "rgba(64,128,224,0.12)"


def founding(page: Page, found: Founding) -> None:
    """Daily returns, exposure and real leverage on the five days."""
    days = [f"day {day}" for day in found.days]
    returns = {"type": "bar", "x": days[1:], "y": [100 * value for value in found.returns]}
    page.chart(
        [returns | {"name": "underlying", "marker": {"color": "#6b7690"}}],
        "1. Daily returns of the underlying, per cent. Our path and our chart.",
        yaxis={"ticksuffix": " %"},
    )
    page.chart(
        [
            _line(
                "strategic, before its trade", days, _millions(found.strategic_before), STRATEGIC, dash="dot"
            ),
            _line("strategic", days, _millions(found.strategic_exposure), STRATEGIC),
            _line("interval, daily to 2x", days, _millions(found.interval_exposure), "daily"),
        ],
        f"2. Exposure in millions at each close. Strategic: {found.strategic_trades} rebalance, on day 5 "
        "from "
        f"{found.strategic_before[-1] / 1e6:.0f} to {found.strategic_exposure[-1] / 1e6:.0f} million; "
        "interval: "
        f"{found.interval_trades}. Our path and our chart.",
    )
    page.chart(
        [
            _line("strategic, before its trade", days, found.leverage_before, STRATEGIC, dash="dot"),
            _line("strategic", days, found.strategic_leverage, STRATEGIC),
            _line("interval, daily to 2x", days, found.interval_leverage, "daily"),
        ],
        "3. Real leverage at each close, band 1.5 to 3 shaded. NAV at the end: strategic "
        f"{found.strategic_nav:.3f}, "
        f"interval {found.interval_nav:.3f}: on five days that trend, the fund that buys more of the rise "
        "ends higher. "
        "Our path and our chart.",
        yaxis={"ticksuffix": "x"},
        shapes=[_band((1.5, 3.0))],
    )


def underlying(page: Page, found: Comparison) -> None:
    """Daily returns of the underlying on the given data."""
    days = [iso(time) for time in found.sides["long"]["courses"][STRATEGIC]["times_ms"][1:]]
    returns = [100 * value for value in found.underlying]
    page.chart(
        [{"type": "bar", "x": days, "y": returns, "name": "underlying", "marker": {"color": "#6b7690"}}],
        "1. Daily returns of the underlying, per cent (UTC days). Charts by Inband, from the data given.",
        yaxis={"ticksuffix": " %"},
    )


def courses(page: Page, found: Comparison, side: Side) -> None:
    """Exposure, real leverage and NAV of one side."""
    name, side_courses = NAMES[side], found.sides[side]["courses"]
    days = [iso(time) for time in side_courses[STRATEGIC]["times_ms"]]
    shown = (STRATEGIC, "daily")
    page.chart(
        [_line(found.labels[key], days, _millions(side_courses[key]["exposure"]), key) for key in shown],
        f"2. {name}: exposure in millions at the end of each day, logarithmic.",
        yaxis={"type": "log", **_decades([v / 1e6 for k in shown for v in side_courses[k]["exposure"]])},
    )
    page.chart(
        [_line(found.labels[key], days, side_courses[key]["leverage"], key) for key in reversed(shown)],
        f"3. {name}: real leverage at the end of each day, the strategic fund's band shaded.",
        yaxis={"ticksuffix": "x"},
        shapes=[_band(found.terms.band)],
    )
    page.chart(
        [
            _line(found.labels[key], days, [value if value > 0 else None for value in course["nav"]], key)
            for key, course in side_courses.items()
        ],
        f"{name}: NAV of all contenders (one seed of secret targets), logarithmic.",
        tall=True,
        yaxis={"type": "log", **_decades([v for c in side_courses.values() for v in c["nav"]])},
    )


def growth(page: Page, found: Comparison, side: Side) -> None:
    """The parts of yearly growth of every contender, stacked."""
    table = found.sides[side]["table"]
    labels = [_wrapped(found.labels[key]) for key in reversed(table)]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": part,
            "y": labels,
            "x": [_percent(table[key][f"{part}_per_year"]) for key in reversed(table)],
            "marker": {"color": PART_COLOURS[part]},
        }
        for part in PARTS
    ]
    total = [_percent(table[key]["growth_per_year"]) for key in reversed(table)]
    marker = {"color": "#1d2330", "size": 9, "symbol": "diamond", "line": {"color": "#ffffff", "width": 1.5}}
    traces.append(
        {"type": "scatter", "mode": "markers", "name": "growth", "y": labels, "x": total, "marker": marker}
    )
    page.chart(
        traces,
        f"{NAMES[side]}: growth per year (logarithmic) and its parts, on the data as they are.",
        tall=True,
        barmode="relative",
        hovermode="closest",
        xaxis={"ticksuffix": " %"},
    )


def differences(page: Page, found: Comparison) -> None:
    """Growth of strategic minus that of each other, with its spread, in three ways of sampling."""
    samples = {"bootstrap": "resampled", "flat": "resampled, without trend", "starts": "rolling starts"}
    tints = {"bootstrap": "#1f5fbf", "flat": "#2a9d6f", "starts": "#d9772b"}
    for side in SIDES:
        entries = [e for e in found.sides[side]["claims"] if e["figure"] == "growth_per_year"]
        traces = []
        for name, label in samples.items():
            known = [entry for entry in reversed(entries) if entry[name]]
            means = [100 * entry[name]["mean"] for entry in known]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": label,
                    "y": [_wrapped(found.labels[entry["against"]]) for entry in known],
                    "x": means,
                    "marker": {"color": tints[name], "size": 8},
                    "error_x": {
                        "type": "data",
                        "symmetric": False,
                        "array": [100 * e[name]["high"] - m for e, m in zip(known, means, strict=True)],
                        "arrayminus": [m - 100 * e[name]["low"] for e, m in zip(known, means, strict=True)],
                        "color": tints[name],
                        "thickness": 1.6,
                    },
                }
            )
        page.chart(
            traces,
            f"{NAMES[side]}: yearly growth of strategic minus that of each other; mean and middle 95 % of "
            "the paths. "
            "Right of zero is in favour of strategic.",
            tall=True,
            hovermode="closest",
            scattermode="group",
            xaxis={"ticksuffix": " %", "zeroline": True},
        )


def _line(name: str, x: list[str], y: list[Any], key: str, *, dash: str = "solid") -> dict[str, Any]:
    line = {"color": COLOURS[key], "width": 2 if key == STRATEGIC else 1.4, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line}


def _band(band: tuple[float, float]) -> dict[str, Any]:
    box = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": band[0], "y1": band[1]}
    return box | {"fillcolor": _BAND, "line": {"width": 0}, "layer": "below"}


def _decades(values: list[float]) -> dict[str, Any]:
    """Ticks at powers of ten where the values span several, and plotly's own otherwise."""
    known = [value for value in values if value > 0]
    return {"dtick": 1, "exponentformat": "power"} if known and max(known) / min(known) > 1e3 else {}


def _millions(values: list[float]) -> list[float | None]:
    return [value / 1e6 if value > 0 else None for value in values]


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _wrapped(label: str) -> str:
    """A label over two lines where it is long: a narrow page has no room beside the chart."""
    words, lines = label.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= 20:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
