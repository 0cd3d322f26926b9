"""The fit as a command shows it: fitted on the first half of a recording, judged on the second.

What is judged is the model that the exchange runs on, with its constants: the mean cost of an order over
all samples of the second half, recorded against modelled at the volatility observed there. Single moments
are shown too; a book fluctuates within seconds, so no model hits those.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bot.exchange.background import RECORDED
from bot.exchange.calibration.fit import Fit, Half, arrivals_of, book_half_life_s, fit, known
from bot.exchange.calibration.measures import SIZES_USD, mean_cost, model_costs, volatility
from bot.exchange.calibration.recording import MILLION, read_recording
from bot.exchange.catalog import CATALOG
from bot.exchange.flow import (
    ARRIVALS_PER_S,
    ARRIVALS_POWER,
    DISPERSION,
    SIZE_LOG_MEAN,
    SIZE_LOG_SPREAD,
    SIZE_POWER,
)
from bot.exchange.impact import HALF_LIFE_MS
from bot.exchange.volatility import NORMAL_BPS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.exchange.calibration.recording import Recording
    from bot.exchange.catalog import Symbol

INSTANTS = 12
TOLERANCE = 0.15
JUDGED_USD = (0.1 * MILLION, 1.0 * MILLION, 20.0 * MILLION)
TURMOIL_STEPS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)


@dataclass(frozen=True, slots=True)
class CostRow:
    """Mean cost of one size over the second half, in bps from the mid; `reached`: share of samples known."""

    usd: float
    recorded_bps: float
    modelled_bps: float
    error: float
    reached: float


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment of the second half: ms since the snapshot, turmoil, and (recorded, modelled) bps by size."""

    time_ms: int
    turmoil: float
    costs: dict[str, tuple[float | None, float]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fit to the first half, the constants in force, and the judgement on the second half."""

    symbol: str
    samples: int
    market_orders: int
    unused_lines: int
    walls: int
    fitted: Fit
    costs: tuple[CostRow, ...]
    instants: tuple[Instant, ...]
    half_life_s: dict[str, float]
    arrivals: dict[str, dict[str, float]]

    @property
    def fits(self) -> bool:
        """Whether every judged cost is within the tolerance."""
        return all(abs(row.error) <= TOLERANCE for row in self.costs if row.usd in JUDGED_USD)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return {**asdict(self), "constants": constants(), "tolerance": TOLERANCE, "fits": self.fits}


def constants() -> dict[str, Any]:
    """Return the constants that the exchange runs on."""
    return {
        "normal_bps": NORMAL_BPS,
        "depth_usd": CATALOG["BTCUSDT"].depth_usd,
        "shape": asdict(RECORDED),
        "half_life_s": HALF_LIFE_MS / 1_000,
        "arrivals": {
            "per_s": ARRIVALS_PER_S,
            "dispersion": DISPERSION,
            "log_mean": SIZE_LOG_MEAN,
            "log_spread": SIZE_LOG_SPREAD,
        },
    }


def calibrate(file: Path) -> Calibration:
    """Fit the first half of a recording and judge the model on the second; raises RecordingError."""
    recording = read_recording(file)
    first, second = halves(recording)
    symbol = CATALOG[recording.symbol]
    judge = _Judge(symbol, second)
    places = [round((place + 0.5) * len(second.samples) / INSTANTS) for place in range(INSTANTS)]
    return Calibration(
        symbol=recording.symbol,
        samples=len(recording.samples),
        market_orders=len(recording.trades),
        unused_lines=recording.stale_diffs + recording.early_trades,
        walls=max(sample.walls for sample in recording.samples),
        fitted=fit(first, symbol),
        costs=tuple(map(judge.row, SIZES_USD)),
        instants=tuple(map(judge.instant, places)),
        half_life_s={"first_half": book_half_life_s(first), "second_half": book_half_life_s(second)},
        arrivals={"recorded": asdict(arrivals_of(second)), "modelled": judge.arrivals()},
    )


def halves(recording: Recording) -> tuple[Half, Half]:
    """Cut a recording in two."""
    found = volatility(recording.samples)
    middle = len(recording.samples) // 2
    middle_ms = recording.samples[middle].time_ms
    early = [trade for trade in recording.trades if trade.time_ms < middle_ms]
    late = [trade for trade in recording.trades if trade.time_ms >= middle_ms]
    return (
        Half(recording.samples[:middle], found[:middle], early),
        Half(recording.samples[middle:], found[middle:], late),
    )


class _Judge:
    """Compares the model with the second half."""

    def __init__(self, symbol: Symbol, half: Half) -> None:
        self._half = half
        self._turmoil = [value / NORMAL_BPS for value in half.volatility]
        mid = half.samples[0].mid
        self._model: list[dict[float, float]] = []
        for step in TURMOIL_STEPS:
            costs = model_costs(symbol, RECORDED, mid=mid, turmoil=step)
            self._model.append({usd: fmean(found) for usd, found in costs.items()})

    def modelled(self, usd: float, turmoil: float) -> float:
        """Return the model's mean cost at a turmoil, straight between the steps."""
        turmoil = min(max(turmoil, TURMOIL_STEPS[0]), TURMOIL_STEPS[-1])
        place = max(i for i, step in enumerate(TURMOIL_STEPS[:-1]) if step <= turmoil)
        low, high = TURMOIL_STEPS[place], TURMOIL_STEPS[place + 1]
        share = (turmoil - low) / (high - low)
        return self._model[place][usd] * (1 - share) + self._model[place + 1][usd] * share

    def row(self, usd: float) -> CostRow:
        """Judge the mean cost of one size."""
        costs = [mean_cost(sample, usd) for sample in self._half.samples]
        recorded = fmean(known(costs))
        modelled = fmean(
            self.modelled(usd, turmoil)
            for cost, turmoil in zip(costs, self._turmoil, strict=True)
            if cost is not None
        )
        return CostRow(usd, recorded, modelled, modelled / recorded - 1, len(known(costs)) / len(costs))

    def instant(self, place: int) -> Instant:
        """Compare at one moment."""
        sample, turmoil = self._half.samples[place], self._turmoil[place]
        costs = {
            f"{usd / MILLION:g}M": (mean_cost(sample, usd), self.modelled(usd, turmoil)) for usd in JUDGED_USD
        }
        return Instant(sample.time_ms, turmoil, costs)

    def arrivals(self) -> dict[str, float]:
        """Return what the model's market orders would have been."""
        return {
            "per_s": ARRIVALS_PER_S * fmean(turmoil**ARRIVALS_POWER for turmoil in self._turmoil),
            "dispersion": DISPERSION,
            "log_mean": SIZE_LOG_MEAN + SIZE_POWER * fmean(map(math.log, self._turmoil)),
            "log_spread": SIZE_LOG_SPREAD,
        }


def render(calibration: Calibration) -> str:
    """Return the calibration as text."""
    found, used = calibration.fitted, constants()
    counts = f"{calibration.samples} books, {calibration.market_orders} market orders"
    left_out = f"{calibration.unused_lines} lines outside; {calibration.walls} walls of 250 coins left out"
    lines = [f"{calibration.symbol}: {counts}; {left_out}", ""]
    lines.append("fitted to the first half         fitted    in use")
    for name, value, constant in _parameters(found, used):
        lines.append(f"  {name:<28} {value:9.4g} {constant:9.4g}")
    lines += ["", "cost on the second half, bps   recorded  modelled     error   reached"]
    for row in calibration.costs:
        judged = "" if row.usd in JUDGED_USD else "  (not judged)"
        lines.append(
            f"  {row.usd / MILLION:6.1f} M                    {row.recorded_bps:9.3f} {row.modelled_bps:9.3f}"
            f" {row.error:9.1%} {row.reached:9.0%}{judged}"
        )
    lines += ["", "moments of the second half: recorded / modelled, bps"]
    for instant in calibration.instants:
        cells = "   ".join(
            f"{size} {'-' if recorded is None else format(recorded, '.3f')} / {modelled:.3f}"
            for size, (recorded, modelled) in instant.costs.items()
        )
        lines.append(f"  {instant.time_ms / 1_000:6.1f} s  turmoil {instant.turmoil:4.2f}   {cells}")
    life, arrivals = calibration.half_life_s, calibration.arrivals
    ages = f"{life['first_half']:.1f} s in the first half, {life['second_half']:.1f} s in the second"
    lines.append("")
    lines.append(f"replenishment half-life: {ages}; in use {used['half_life_s']:.1f} s")
    lines.append("market orders in the second half: recorded / modelled")
    lines += [
        f"  {name:<12} {value:8.3f} / {arrivals['modelled'][name]:.3f}"
        for name, value in arrivals["recorded"].items()
    ]
    lines.append(
        f"every judged cost is within {TOLERANCE:.0%}"
        if calibration.fits
        else f"a judged cost is off by more than {TOLERANCE:.0%}"
    )
    return "\n".join(lines)


def _parameters(found: Fit, used: dict[str, Any]) -> list[tuple[str, float, float]]:
    rows = [
        ("volatility, bps per root s", found.normal_bps, used["normal_bps"]),
        ("depth within 1 bp, USDT", found.depth_usd, used["depth_usd"]),
        *((name, value, used["shape"][name]) for name, value in asdict(found.shape).items()),
        ("half-life, s", found.half_life_s, used["half_life_s"]),
    ]
    rows += [(name, value, used["arrivals"][name]) for name, value in asdict(found.arrivals).items()]
    return rows
