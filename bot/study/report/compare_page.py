"""The report of `compare`: what was found for and against each claim, with tables and charts."""

from collections.abc import Callable, Iterator
from typing import Any

from bot.core.texts import how_many
from bot.study.compare import NAMES, SAMPLES, SIDES, Comparison
from bot.study.contenders import MATCHED, PARTS, STRATEGIC
from bot.study.report import compare_charts as charts
from bot.study.report.form import MISSING, day, iso, millions, percent, plain, short, times
from bot.study.report.page import Page
from bot.study.spec import Side

_Form = Callable[[float | None], str]

FORMS: dict[str, _Form] = {
    "rebalances_per_year": lambda value: plain(value, 1),
    "cost_per_year": lambda value: percent(value, 2),
    "daily_exposure_change": lambda value: percent(value, 2),
    "leverage_deviation": lambda value: plain(value, 3),
}


def compare_page(found: Comparison) -> Page:
    """Write the report of a comparison."""
    page = Page("Strategic against interval rebalancing")
    page.heading(page.title, 1)
    page.text(_what(found), soft=True)
    page.heading("What these data say")
    for side in SIDES:
        page.heading(f"{NAMES[side]} fund", 3)
        page.points(_findings(found, side))
    page.heading("How sure that is")
    page.text(_HOW_SURE.format(**_counts(found)))
    for side in SIDES:
        page.heading(f"{NAMES[side]}: the claims, one by one", 3)
        page.table(_CLAIM_HEAD, _claim_rows(found, side, "claims"))
    charts.differences(page, found)
    page.heading("All figures on the data as they are")
    page.text(_TABLE_NOTE.format(**_counts(found)), soft=True)
    for side in SIDES:
        page.heading(NAMES[side], 3)
        page.table(["", *(found.labels[key] for key in _keys(found, side))], _figure_rows(found, side))
    page.heading("Where growth came from")
    page.text(_GROWTH_NOTE)
    for side in SIDES:
        charts.growth(page, found, side)
        page.table(
            _CLAIM_HEAD,
            _claim_rows(found, side, "growth_details"),
            folded=f"{NAMES[side]}: the parts, with their spread",
        )
    page.heading("The article's three charts, in kind: its five days")
    page.text(_FOUNDING_NOTE)
    charts.founding(page, found.founding)
    page.heading("The same three charts on the given data")
    charts.underlying(page, found)
    for side in SIDES:
        charts.courses(page, found, side)
    for side in SIDES:
        page.table(_DAILY_HEAD, _daily_rows(found, side), folded=f"{NAMES[side]}: every day as a table")
    page.heading("What this does not show")
    page.points(_caveats(found))
    return page


_HOW_SURE = (
    "Every difference is paired: strategic minus the other, on the same prices and funding. It was measured "
    "on the data "
    "as they are (mean over {target_seeds} seeds of secret targets), from {starts} start dates for half of "
    "the data each "
    "(they overlap), on {resamples} paths made of blocks of the data of {block_days:g} days on average "
    "(stationary "
    "bootstrap, price and funding together), and on {resamples} such paths without the average return. A "
    "verdict is "
    "for or against where the middle 95 % of the paths lie on one side, else undecided."
)
_TABLE_NOTE = (
    "Strategic: mean over {target_seeds} seeds of its secret targets. Growth is logarithmic; so are the "
    "parts of growth. "
    "Correlation, beta, volatility and tracking error come from daily returns; tracking error is against "
    "the fund's own "
    "mean leverage. Cost is fees and slippage as a share of fund value."
)
_GROWTH_NOTE = (
    "Growth of a fund splits exactly into four parts. Level: what the price change and volatility give a "
    "fund that is "
    "held at this fund's mean leverage without friction. Path: what leverage did around its mean, when it "
    "was high and "
    "how much it varied; a band cannot escape volatility drag, and at equal mean leverage it has slightly "
    "more of it. "
    "Trading: fees and slippage. Funding: received or paid. A difference in level is owed to lower "
    "leverage, which any "
    "fund can choose; what the manner of rebalancing adds is in path and trading."
)
_FOUNDING_NOTE = (
    "The published chart of daily returns is not available. This path of five days is ours; it fits every "
    "figure of the "
    "text: a fund of 100 million at 2x, band 1.5 to 3, whose exposure of 332 million goes to 465 million on "
    "the fifth "
    "day. No costs. Charts by Inband."
)


def _counts(found: Comparison) -> dict[str, Any]:
    effort = found.effort
    return {
        "target_seeds": effort.target_seeds,
        "starts": effort.starts,
        "resamples": effort.resamples,
        "block_days": effort.block_days,
    }


def _what(found: Comparison) -> str:
    data, terms = found.data, found.terms
    return (
        f"{data['source'] or 'Prices'}, {day(data['from_ms'])} to {day(data['to_ms'])}: {data['bars']:,} "
        "bars, price "
        f"{short(data['first_price'])} to {short(data['last_price'])}, volatility "
        f"{percent(data['volatility'], 0)} a year, "
        f"{data['funding_payments']:,} funding payments. Funds of {millions(terms.capital)}, fee "
        f"{terms.fee_bps:g} bps, "
        f"slippage {terms.slippage_bps:g} bps, band {terms.band[0]:g} to {terms.band[1]:g}, secret target "
        f"{terms.target_range[0]:g} to {terms.target_range[1]:g}. One decision per bar, at its close."
    )


def _keys(found: Comparison, side: Side) -> list[str]:
    return list(found.sides[side]["table"])


def _claim(found: Comparison, side: Side, figure: str, other: str) -> dict[str, Any]:
    entries = [*found.sides[side]["claims"], *found.sides[side]["growth_details"]]
    (entry,) = [entry for entry in entries if (entry["figure"], entry["against"]) == (figure, other)]
    return dict(entry)


def _findings(found: Comparison, side: Side) -> Iterator[str | tuple[str, str]]:
    """One sentence per claim against the conventional token, and one against the matched control."""
    for figure, words in (
        ("rebalances_per_year", "fewer rebalances than the conventional token, a year"),
        ("cost_per_year", "lower trading costs than the conventional token, of fund value a year"),
        ("daily_exposure_change", "exposure changes less from day to day than the conventional token's"),
        ("leverage_deviation", "real leverage is steadier than the conventional token's, by its deviation"),
        ("growth_per_year", "less erosion than the conventional token, logarithmic growth a year"),
    ):
        yield _finding(found, side, figure, "both", words)
    yield _finding(
        found,
        side,
        "growth_per_year",
        MATCHED,
        "less erosion than daily rebalancing at the same mean leverage, logarithmic growth a year",
    )
    parts = [(part, _claim(found, side, f"{part}_per_year", "both")) for part in PARTS]
    known = [(part, entry["flat"]["mean"]) for part, entry in parts if entry["flat"]]
    split = ", ".join(f"{part} {percent(mean)}" for part, mean in known)
    yield f"without the market's trend, the difference in yearly growth from the token's is made of: {split}"


def _finding(found: Comparison, side: Side, figure: str, other: str, words: str) -> tuple[str, str]:
    entry = _claim(found, side, figure, other)
    form = FORMS.get(figure, percent)
    measured, flat = entry["bootstrap"], entry["flat"]
    if measured is None:
        return "undecided", f"{words}: not defined on these data"
    text = f"{words}: {form(entry['strategic'])} against {form(entry['other'])}"
    text += f"; true on {percent(measured['in_favour'], 0)} of the resampled paths"
    if flat is not None:
        text += f", and on {percent(flat['in_favour'], 0)} of those without the market's trend"
    return measured["verdict"], text


_CLAIM_HEAD = [
    "claim, against",
    "strategic",
    "the other",
    "start dates in favour",
    "difference, resampled: mean [middle 95 %]",
    "in favour",
    "verdict",
    "without trend: mean [middle 95 %]",
    "verdict without trend",
]


def _claim_rows(found: Comparison, side: Side, part: str) -> Iterator[list[str]]:
    told = ""
    for entry in found.sides[side][part]:
        if entry["claim"] != told:
            told = entry["claim"]
            yield [told]
        form = FORMS.get(entry["figure"], percent)
        starts, real, flat = (entry[name] for name in ("starts", "bootstrap", "flat"))
        yield [
            found.labels[entry["against"]],
            form(entry["strategic"]),
            form(entry["other"]),
            percent(starts["in_favour"], 0) if starts else MISSING,
            _interval(real, form),
            percent(real["in_favour"], 0) if real else MISSING,
            real["verdict"] if real else MISSING,
            _interval(flat, form),
            flat["verdict"] if flat else MISSING,
        ]


def _interval(measured: dict[str, Any] | None, form: _Form) -> str:
    if measured is None:
        return MISSING
    return f"{form(measured['mean'])} [{form(measured['low'])}, {form(measured['high'])}]"


_ROWS: tuple[tuple[str, str, _Form] | str, ...] = (
    "Result",
    ("return", "total_return", percent),
    ("growth per year", "growth_per_year", percent),
    ("NAV at the end", "nav", short),
    ("deepest drawdown", "max_drawdown", percent),
    "Daily returns",
    ("mean", "mean_daily_return", lambda value: percent(value, 2)),
    ("best day", "best_day", percent),
    ("worst day", "worst_day", percent),
    ("volatility per year", "volatility", percent),
    "Exposure and real leverage",
    ("mean exposure", "mean_exposure", millions),
    ("mean change of exposure in a day", "daily_exposure_change", lambda value: percent(value, 2)),
    ("mean real leverage", "mean_leverage", lambda value: times(None if value is None else abs(value))),
    ("deviation of real leverage", "leverage_deviation", plain),
    ("lowest", "lowest_leverage", times),
    ("highest", "highest_leverage", times),
    "Tracking",
    ("correlation", "correlation", lambda value: plain(value, 3)),
    ("beta", "beta", plain),
    ("tracking error per year", "tracking_error", percent),
    "Trading",
    ("rebalances", "rebalances", lambda value: plain(value, 1)),
    ("rebalances per year", "rebalances_per_year", lambda value: plain(value, 1)),
    ("turnover per year, times NAV", "turnover_per_year", plain),
    ("fees", "fees", millions),
    ("slippage", "slippage", millions),
    ("cost per year", "cost_per_year", lambda value: percent(value, 2)),
    ("funding received", "funding", millions),
    "Growth per year, in parts",
    ("level of leverage", "level_per_year", percent),
    ("path", "path_per_year", percent),
    ("trading", "trading_per_year", lambda value: percent(value, 2)),
    ("funding", "funding_per_year", percent),
    "Volatility drag, whole period (logarithmic)",
    ("of the mean leverage", "growth_level_drag", percent),
    ("of variation around it", "growth_variation_drag", percent),
)
_AMOUNTS = {"fees", "slippage", "funding", "mean_exposure"}


def _figure_rows(found: Comparison, side: Side) -> Iterator[list[str]]:
    table = found.sides[side]["table"]
    for row in _ROWS:
        if isinstance(row, str):
            yield [row]
            continue
        label, name, form = row
        scale = found.terms.capital if name in _AMOUNTS else 1.0
        cells = [table[key][name] for key in table]
        yield [label, *(form(None if cell is None else cell * scale) for cell in cells)]
    impact = found.sides[side]["impact"]
    if impact:
        yield ["With square-root market impact in place of slippage (coefficient 1)"]
        for label, name in (("cost per year", "cost_per_year"), ("growth per year", "growth_per_year")):
            yield [label, *(_or_died(impact.get(key), name) for key in table)]
    if any(values["dead"] for values in table.values()):
        yield ["fund died", *(percent(table[key]["dead"], 0) for key in table)]


def _or_died(figures: dict[str, float | None] | None, name: str) -> str:
    if figures is None:
        return MISSING
    return "died" if figures["dead"] else percent(figures[name])


_DAILY_HEAD = [
    "day (UTC)",
    "underlying",
    "strategic: return",
    "exposure",
    "real leverage",
    "NAV",
    "interval daily: return",
    "exposure",
    "real leverage",
    "NAV",
]


def _daily_rows(found: Comparison, side: Side) -> Iterator[list[str]]:
    courses = found.sides[side]["courses"]
    own, other = courses[STRATEGIC], courses["daily"]
    for row, change in enumerate(found.underlying):
        cells = [iso(own["times_ms"][row + 1])[:16], percent(change, 2)]
        for course in (own, other):
            cells += [
                percent(course["returns"][row], 2),
                millions(course["exposure"][row + 1]),
                times(course["leverage"][row + 1]),
                short(course["nav"][row + 1]),
            ]
        yield cells


def _caveats(found: Comparison) -> Iterator[str]:
    data = found.data
    yield "One underlying over one period, and it is still traded. Coins that failed are not in it."
    yield (
        "The prices are those of the file, at the closes of its bars. A live fund watches the mark price "
        "every second; "
        "spot or last prices differ from it most in a crash, and with bars of an hour a band is left later "
        "and further."
    )
    if data["funding_payments"]:
        yield "Funding is that of the perpetual future; where the prices are spot, the basis is missing."
    else:
        yield "No funding was given: a long fund would mostly have paid, a short one received."
    if data["gaps"]:
        yield (
            f"The prices have {how_many(data['gaps'], 'gap')} with "
            f"{how_many(data['missing_bars'], 'missing bar')}, kept as they are; in them nothing trades."
        )
    yield (
        f"Costs are fixed: {found.terms.fee_bps:g} bps fee and {found.terms.slippage_bps:g} bps slippage "
        "whatever the size. "
        "Real impact grows with size; the rows with square-root impact, where volumes are known, show how "
        "much that may "
        "matter; they use the volumes of the file, which are those of one market. Being front-run at known "
        "times is not in any of these costs; it would fall on interval rebalancing."
    )
    if any(
        entry[name] and entry[name]["undefined"]
        for side in SIDES
        for entry in found.sides[side]["claims"]
        for name in SAMPLES
    ):
        yield "Paths on which one of two funds died are left out of their comparison; the JSON counts them."
    yield (
        "A resampled path breaks trends that last longer than a block, and a path without trend is a "
        "thought experiment. "
        "The verdicts say what these data support, not what will happen."
    )
