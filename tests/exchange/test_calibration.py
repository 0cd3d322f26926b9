"""The background market against the recorded book and tape of BTCUSDT."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import pstdev
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange.background import WILD, touch_ticks
from bot.exchange.calibration.fit import growth_of, known, recorded_costs
from bot.exchange.calibration.judgement import JUDGED_USD, MINUTE_S, CostRow, Judge, is_near
from bot.exchange.calibration.measures import MEMORY_S, PER_SECOND, even_draws, standard_error
from bot.exchange.calibration.recording import RecordingError, read_recording
from bot.exchange.calibration.render import render
from bot.exchange.calibration.report import Calibration, calibrate, constants, halves
from bot.exchange.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.exchange.calibration.fit import Half

RECORDING = (
    Path(__file__).resolve().parents[3] / "shared/data/BTCUSDT_perp_depth_trades_raw_2024-08-08.jsonl.gz"
)
needs_recording = pytest.mark.skipif(
    not RECORDING.exists(), reason="the recorded book is not part of the repository"
)


@cache
def calibrated() -> Calibration:
    """Calibrate once."""
    return calibrate(RECORDING)


@cache
def both_halves() -> tuple[Half, Half]:
    """Read the half that is fitted to and the half that judges, once."""
    return halves(read_recording(RECORDING))


@needs_recording
@pytest.mark.parametrize("size", [0.1, 1.0, 20.0])
def test_costs_on_the_second_half_are_met_within_fifteen_percent(size: float) -> None:
    """The model was fitted to the first half; the second says how good it is."""
    (row,) = [row for row in calibrated().costs if row.usd == size * 1e6]
    assert row.reached == 1.0
    assert abs(row.error) < 0.15


@needs_recording
def test_the_constants_in_use_are_those_that_the_first_half_gives() -> None:
    """A fit made anew gives what stands in the code, to its rounding."""
    fitted, used = calibrated().fitted, constants()
    assert fitted.normal_bps == pytest.approx(used["normal_bps"], rel=0.01)
    assert fitted.depth_usd == pytest.approx(used["depth_usd"], rel=0.01)
    assert fitted.half_life_s == pytest.approx(used["half_life_s"], rel=0.02)
    for name, value in used["shape"].items():
        assert getattr(fitted.shape, name) == pytest.approx(value, rel=0.01), name
    for name, value in used["arrivals"].items():
        assert getattr(fitted.arrivals, name) == pytest.approx(value, rel=0.01), name


@needs_recording
def test_arrivals_on_the_second_half_are_met() -> None:
    """Market orders a second within 15 %, the middle size within a third; half-lives within half and 20 %."""
    arrivals, life = calibrated().arrivals, calibrated().half_life_s
    assert arrivals["modelled"]["per_s"] == pytest.approx(arrivals["recorded"]["per_s"], rel=0.15)
    assert arrivals["modelled"]["log_mean"] == pytest.approx(arrivals["recorded"]["log_mean"], abs=0.3)
    assert life["second_half"] == pytest.approx(life["first_half"], rel=0.5)
    assert life["modelled"] == pytest.approx(life["first_half"], rel=0.2)


def misses(rows: Sequence[CostRow]) -> dict[tuple[float, int], float]:
    """Return what is off by more than 15 %: size in millions and the place of the window, and by how much."""
    windows = len(rows) // len(JUDGED_USD)
    return {(row.usd / 1e6, at % windows): row.error for at, row in enumerate(rows) if not row.passes}


@needs_recording
def test_costs_by_the_minute_are_met() -> None:
    """All nine within 15 %: three sizes in three minutes."""
    rows = calibrated().minutes
    assert len(rows) == 9
    assert misses(rows) == {}


@needs_recording
def test_yardsticks_stand_beside_each_minute() -> None:
    """First half and minute before are met less often; the expected costs themselves not always."""
    rows = calibrated().minutes
    assert sum(is_near(row.first_half_error) for row in rows) < 7
    assert sum(is_near(row.before_error) for row in rows) < 7
    assert 7 < sum(row.exact_chance for row in rows) < 8.5
    for size in range(3):
        minutes = rows[3 * size : 3 * size + 3]
        assert len({row.first_half_bps for row in minutes}) == 1
        for row, after in pairwise(minutes):
            assert after.before_bps == pytest.approx(row.recorded_bps, rel=0.01)


def a_row(**changes: float) -> CostRow:
    """Return a judged cost."""
    row = CostRow(1e6, 0.0, 60.0, 1.0, 1.0, noise=0.1, reached=1.0, first_half_bps=1.0, before_bps=1.0)
    return replace(row, **changes)


def test_an_exact_model_passes_as_often_as_the_record_lets_it() -> None:
    """Nearly always where the mean is known to a third of the tolerance, two in three where to all of it."""
    assert a_row(noise=0.0).exact_chance == 1
    assert a_row(noise=0.05).exact_chance == pytest.approx(0.997, abs=0.001)
    assert a_row(noise=0.15).exact_chance == pytest.approx(0.683, abs=0.001)


def test_a_miss_is_told_when_it_is_beyond_the_records_own_error() -> None:
    """Off by 20 %: a miss; told as one only if the recorded mean is known to better than the difference."""
    assert not a_row(modelled_bps=1.2).passes
    assert not a_row(modelled_bps=1.2).is_told
    assert a_row(modelled_bps=1.2, noise=0.04).is_told


@needs_recording
def test_the_spread_of_the_first_half_is_one_tick_whatever_the_volatility() -> None:
    """So is the model's, up to the turmoil from which on nothing is recorded; then it widens."""
    first, _ = both_halves()
    assert {round((sample.asks[0][0] - sample.bids[0][0]) / 0.1) for sample in first.samples} == {1}
    mid_ticks = first.samples[0].mid / 0.1
    for turmoil in (0.5, 1.0, 2.0, WILD):
        assert touch_ticks(mid_ticks, turmoil, 1) - touch_ticks(mid_ticks, turmoil, -1) == 1
    assert touch_ticks(mid_ticks, 2 * WILD, 1) - touch_ticks(mid_ticks, 2 * WILD, -1) > 5


@needs_recording
def test_the_growth_of_a_mean_cost_is_found_again() -> None:
    """Costs made with a known power of the recorded volatility and noise of a factor of three: that power."""
    _, half = both_halves()
    draw = Random(3)  # noqa: S311 - no secrets here
    costs = [value**0.4 * math.exp(draw.gauss(0, 1.1)) for value in half.volatility]
    found = growth_of(half, costs)
    assert found.power == pytest.approx(0.4, abs=2 * found.error)
    assert found.error < 0.2
    assert growth_of(half, [value**0.4 for value in half.volatility]).power == pytest.approx(0.4, abs=1e-5)


@needs_recording
def test_standard_errors_are_those_of_a_block_bootstrap() -> None:
    """Of blocks of 15 s, drawn with replacement, within a third."""
    costs = known(recorded_costs(both_halves()[1].samples)[1e6])
    draw, block = Random(5), MEMORY_S * PER_SECOND  # noqa: S311 - no secrets here
    sums = [sum(costs[at : at + block]) for at in range(len(costs) - block + 1)]
    count = len(costs) // block
    means = [sum(draw.choices(sums, k=count)) / count / block for _ in range(1_000)]
    assert standard_error(costs) == pytest.approx(pstdev(means), rel=1 / 3)


def test_draws_of_a_round_hold_each_byte_once_at_each_place() -> None:
    """So a mean over a round has no luck of the draw in any one size."""
    rounds = even_draws(2)
    assert len(rounds) == 512
    for books in (rounds[:256], rounds[256:]):
        assert all(sorted(column) == list(range(256)) for column in zip(*books, strict=True))
    assert rounds[:256] != rounds[256:]


@needs_recording
def test_every_minute_of_the_second_half_is_judged() -> None:
    """The minutes together are the whole: their means, weighted by length, give its mean."""
    for cost in calibrated().judged[:3]:
        rows = [row for row in calibrated().minutes if row.usd == cost.usd]
        assert sum(row.recorded_bps for row in rows) / len(rows) == pytest.approx(cost.recorded_bps, rel=0.01)
        assert (rows[0].from_s, rows[-1].to_s) == (cost.from_s, cost.to_s)


@needs_recording
def test_a_book_of_another_depth_is_found_out() -> None:
    """A third less depth: the judgement fails in most minutes, and over the half."""
    btc = CATALOG["BTCUSDT"]
    symbol = replace(btc, depth_usd=btc.depth_usd * 2 / 3)
    judge = Judge(symbol, *both_halves())
    found = replace(calibrated(), costs=judge.whole(), minutes=judge.windows(MINUTE_S))
    assert len(misses(found.minutes)) >= 6
    assert not found.fits
    assert render(found).endswith("a judged cost is off by more than 15%")


@needs_recording
def test_four_in_five_costs_lie_where_four_in_five_of_the_models_do() -> None:
    """The scatter of single moments is the model's up to a million; beyond it is told as it is."""
    small, million, large = calibrated().scatter
    assert small.inside == pytest.approx(0.8, abs=0.1)
    assert million.inside == pytest.approx(0.8, abs=0.1)
    assert 0.4 < large.inside < 0.8


@needs_recording
def test_no_mean_could_meet_single_moments_of_small_orders() -> None:
    """Not even the recorded cost of five seconds before does, in most of them; so they are no judge."""
    small = [row for row in calibrated().scatter if row.usd < 20e6]
    assert all(row.earlier[5] < 0.35 for row in small)


@needs_recording
def test_the_report_says_every_judgement_and_every_miss() -> None:
    """As text and as JSON."""
    found = calibrated()
    text = render(found)
    assert text.count("turmoil") == 12
    assert "by the minute: 9 of 9 costs are within 15%" in text
    assert "MISS: " not in text
    assert text.endswith("every judged cost is within 15%")
    told = json.loads(json.dumps(found.as_json()))
    assert told["fits"] is True
    assert [row["passes"] for row in told["minutes"]] == [row.passes for row in found.minutes]


@needs_recording
def test_where_a_minute_misses_the_report_says_so() -> None:
    """The verdict follows from the rows."""
    worst, *others = calibrated().minutes
    found = replace(calibrated(), minutes=(replace(worst, modelled_bps=1.2 * worst.recorded_bps), *others))
    text = render(found)
    assert "by the minute: 8 of 9 costs are within 15%" in text
    assert "MISS: 0.1 M from 172 to 230 s is off by +20.0%; the recorded mean is known to 19%" in text
    assert text.endswith("no judged cost is off by 15% and more than its recorded mean may be")


def test_a_mean_of_what_hangs_together_is_known_less_well() -> None:
    """Twice each value in a row: half as much is known of the mean; and of a constant, everything."""
    draw = Random(7)  # noqa: S311 - no secrets here
    values = [draw.gauss(0, 1) for _ in range(2_000)]
    alone = standard_error(values)
    together = standard_error([value for value in values[:1_000] for _ in range(2)])
    assert alone == pytest.approx(2_000**-0.5, rel=0.25)
    assert together == pytest.approx(1_000**-0.5, rel=0.25)
    assert standard_error([3.0] * 100) == 0


def recorded(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write a small recording."""
    file = folder / "small.jsonl.gz"
    with gzip.open(file, "wt") as lines:
        for row in rows:
            lines.write(f"1 {json.dumps(row)}\n")
    return file


def a_diff(first: int, last: int, before: int, time_ms: int, bids: list[list[str]]) -> dict[str, Any]:
    """Return a depth frame."""
    data = {"e": "depthUpdate", "T": time_ms, "s": "BTCUSDT", "U": first, "u": last, "pu": before}
    return {"stream": "btcusdt@depth@0ms", "data": {**data, "b": bids, "a": []}}


SNAPSHOT = {"lastUpdateId": 10, "T": 1_000, "bids": [["100.0", "1"]], "asks": [["101.0", "2"]]}


def test_a_book_is_kept_from_snapshot_and_diffs(tmp_path: Path) -> None:
    """What is older than the snapshot is left out and counted; sizes of zero remove levels."""
    rows = [
        a_diff(1, 5, 0, 900, [["99.9", "7"]]),
        SNAPSHOT,
        a_diff(6, 12, 5, 1_100, [["100.2", "3"]]),
        a_diff(13, 14, 12, 1_300, [["100.0", "0"]]),
        a_diff(15, 16, 14, 1_600, []),
    ]
    recording = read_recording(recorded(tmp_path, rows))
    assert recording.stale_diffs == 1
    assert [sample.bids for sample in recording.samples] == [
        [(100.0, 1.0)],
        [(100.2, 3.0), (100.0, 1.0)],
        [(100.2, 3.0)],
    ]


def test_fills_of_one_market_order_are_one(tmp_path: Path) -> None:
    """Fills of the same millisecond and side are put together; those outside the book are counted."""

    def fill(time_ms: int, size: str, side: str) -> dict[str, Any]:
        data = {"e": "trade", "T": time_ms, "p": "100.0", "q": size, "m": side == "SELL"}
        return {"stream": "btcusdt@trade", "data": data}

    rows = [
        SNAPSHOT,
        a_diff(6, 12, 5, 1_600, []),
        fill(500, "1", "BUY"),
        fill(1_050, "1", "SELL"),
        fill(1_050, "2", "SELL"),
        fill(1_050, "1", "BUY"),
    ]
    recording = read_recording(recorded(tmp_path, rows))
    assert [(trade.sign, trade.usd) for trade in recording.trades] == [(-1, 300.0), (1, 100.0)]
    assert recording.early_trades == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([SNAPSHOT, a_diff(6, 12, 5, 1_100, []), a_diff(14, 15, 13, 1_300, [])], "something is missing"),
        ([SNAPSHOT, a_diff(11, 12, 10, 1_100, []), a_diff(20, 22, 19, 1_300, [])], "something is missing"),
        ([a_diff(6, 12, 5, 1_100, [])], "0 snapshots"),
        ([{"data": {"e": "kline"}}], "neither depth, trade nor snapshot"),
    ],
)
def test_nothing_is_skipped_silently(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    """A gap, a missing snapshot or a line of another kind is an error that says so."""
    with pytest.raises(RecordingError, match=words):
        read_recording(recorded(tmp_path, rows))
