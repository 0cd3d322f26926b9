import json
import math

import numpy as np
import pytest

from bot.study import Prices
from bot.study.compare import CLAIMS, DETAILS, Comparison, Effort, compare
from bot.study.contenders import MATCHED, PARTS, STRATEGIC, Terms
from bot.study.errors import BadParameterError, StudyError
from bot.study.evidence import Row, blocks_of, resampled, spread
from bot.study.report.compare_page import compare_page
from bot.study.runs import Series, series

HOUR_MS = 3_600_000
KEYS = {STRATEGIC, "daily", "moves", "both", "recenter", "corridor", MATCHED}


def test_all_contenders_are_compared_on_both_sides(found: Comparison) -> None:
    """The product, three conventional tokens and three controls; every figure is there."""
    for side in found.sides.values():
        table = side["table"]
        assert set(table) == KEYS
        assert table["daily"]["rebalances"] >= 59
        assert abs(table[MATCHED]["mean_leverage"]) == pytest.approx(
            abs(table[STRATEGIC]["mean_leverage"]), rel=0.1
        )


def test_the_parts_of_growth_add_up(found: Comparison) -> None:
    """Level, path, trading and funding make the growth of every contender."""
    for side in found.sides.values():
        for figures in side["table"].values():
            total = sum(figures[f"{part}_per_year"] for part in PARTS)
            assert total == pytest.approx(figures["growth_per_year"], abs=1e-9)


def test_every_claim_is_judged_against_every_other(found: Comparison) -> None:
    """By all three samples, with a verdict each."""
    for side in found.sides.values():
        assert len(side["claims"]) == len(CLAIMS) * (len(KEYS) - 1)
        assert len(side["growth_details"]) == len(DETAILS) * (len(KEYS) - 1)
        for entry in side["claims"]:
            for sample in ("starts", "bootstrap", "flat"):
                assert entry[sample]["verdict"] in {"for", "against", "undecided"}
                assert entry[sample]["low"] <= entry[sample]["mean"] <= entry[sample]["high"]


def test_the_result_is_json(found: Comparison) -> None:
    """Without NaN or infinity."""
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert read["labels"][STRATEGIC] == "strategic"
    assert len(read["underlying_daily_returns"]) == len(read["sides"]["long"]["courses"]["daily"]["returns"])


def test_the_same_seed_finds_the_same(market: Series, found: Comparison) -> None:
    """Nothing depends on anything but the data, the terms and the effort."""
    again = compare(market, Terms(capital=1e6), Effort(target_seeds=3, starts=4, resamples=6))
    assert again.to_json() == found.to_json()


def test_progress_is_told_step_by_step(market: Series) -> None:
    """As often as announced."""
    told: list[None] = []
    effort = Effort(target_seeds=2, starts=3, resamples=2)
    compare(market, Terms(), effort, lambda: told.append(None))
    assert len(told) == effort.steps


def test_the_report_is_one_file_that_asks_for_nothing(found: Comparison) -> None:
    """Text, tables and charts, with the drawing library inside."""
    html = compare_page(found).html()
    own = html[: html.index("<script>")] + html[html.index("<main>") :]
    assert "://" not in own
    assert "Plotly.newPlot" in own
    assert html.count("<table>") >= 8
    for words in ("What these data say", "What this does not show", "Our path and our chart", "made-up.csv"):
        assert words in html


def test_a_verdict_needs_the_middle_of_the_paths_on_one_side() -> None:
    """And where more is better, more is in favour."""

    def rows(differences: list[float]) -> list[Row]:
        return [{STRATEGIC: {"x": value}, "daily": {"x": 0.0}} for value in differences]

    for differences, better, verdict in (
        ([1.0, 2.0, 3.0], True, "for"),
        ([1.0, 2.0, 3.0], False, "against"),
        ([-1.0, -2.0], False, "for"),
        ([-1.0, 2.0], True, "undecided"),
    ):
        measured = spread(rows(differences), "daily", "x", more_is_better=better)
        assert measured is not None
        assert measured.verdict == verdict


def test_paths_on_which_a_figure_is_undefined_are_counted() -> None:
    """They are left out of mean and share, and said to be."""
    rows: list[Row] = [
        {STRATEGIC: {"x": 1.0}, "daily": {"x": 0.0}},
        {STRATEGIC: {"x": None}, "daily": {"x": 0.0}},
    ]
    measured = spread(rows, "daily", "x", more_is_better=True)
    assert measured is not None
    assert (measured.runs, measured.undefined, measured.in_favour) == (1, 1, 1.0)
    assert spread(rows[1:], "daily", "x", more_is_better=True) is None


def test_resampled_paths_are_as_long_as_the_data_and_made_of_them(market: Series) -> None:
    """Each return is one of the source's; without trend the expected price does not change."""
    returns = np.diff(np.log(market.prices.close))
    (path,) = resampled(market, blocks_of(market, 5.0, flat=False), 1, 0)
    assert len(path) == len(market)
    assert set(np.round(np.diff(np.log(path.prices.close)), 9)) <= set(np.round(returns, 9))
    flat = blocks_of(market, 5.0, flat=True)
    assert math.isclose(float(np.exp(flat.log_returns).mean()), 1.0)


@pytest.mark.parametrize(
    ("bad", "named"), [({"resamples": 0}, "resamples"), ({"block_days": 0.0}, "block_days")]
)
def test_no_effort_is_refused_by_name(bad: dict[str, float], named: str) -> None:
    """The error names the option."""
    with pytest.raises(BadParameterError, match=f"^{named}"):
        Effort(**bad)  # type: ignore[arg-type]


def test_a_few_days_are_too_few() -> None:
    """Half of them would not be two."""
    times = 1_600_000_000_000 + np.arange(48, dtype=np.int64) * HOUR_MS
    with pytest.raises(StudyError, match="at least four"):
        compare(series(Prices(times, np.full(48, 5.0), HOUR_MS), None), Terms(), Effort())
