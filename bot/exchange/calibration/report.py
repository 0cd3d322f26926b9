"""The fit as a command shows it: fitted on the first half of a recording, judged on the second.

What is judged is the model that the exchange runs on, with its constants; see `judgement`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bot.exchange.background import RECORDED
from bot.exchange.calibration.fit import Fit, Half, arrivals_of, book_half_life_s, fit
from bot.exchange.calibration.judgement import (
    HALF_MINUTE_S,
    JUDGED_USD,
    MINUTE_S,
    TOLERANCE,
    CostRow,
    Judge,
    Moment,
    Scatter,
)
from bot.exchange.calibration.measures import model_half_life_s, volatility
from bot.exchange.calibration.recording import read_recording
from bot.exchange.catalog import CATALOG
from bot.exchange.flow import ARRIVALS_PER_S, DISPERSION, SIZE_LOG_MEAN, SIZE_LOG_SPREAD
from bot.exchange.impact import HALF_LIFE_MS
from bot.exchange.volatility import NORMAL_BPS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.exchange.calibration.recording import Recording


JUDGED_AS = ("error", "passes", "is_told", "first_half_error", "before_error", "exact_chance")


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
    minutes: tuple[CostRow, ...]
    half_minutes: tuple[CostRow, ...]
    moments: tuple[Moment, ...]
    scatter: tuple[Scatter, ...]
    half_life_s: dict[str, float]
    arrivals: dict[str, dict[str, float]]

    @property
    def judged(self) -> list[CostRow]:
        """What is judged: three sizes, over the half and in each of its minutes."""
        return [row for row in self.costs if row.usd in JUDGED_USD] + list(self.minutes)

    @property
    def fits(self) -> bool:
        """Whether each cost over the half is within the tolerance, and none of a minute told to miss it."""
        half = [row for row in self.costs if row.usd in JUDGED_USD]
        return all(row.passes for row in half) and not any(row.is_told for row in self.minutes)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        rows = {
            name: [{**asdict(row), **{figure: getattr(row, figure) for figure in JUDGED_AS}} for row in found]
            for name, found in (
                ("costs", self.costs),
                ("minutes", self.minutes),
                ("half_minutes", self.half_minutes),
            )
        }
        return {**asdict(self), **rows, "constants": constants(), "tolerance": TOLERANCE, "fits": self.fits}


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
    judge = Judge(symbol, first, second)
    return Calibration(
        symbol=recording.symbol,
        samples=len(recording.samples),
        market_orders=len(recording.trades),
        unused_lines=recording.stale_diffs + recording.early_trades,
        walls=max(sample.walls for sample in recording.samples),
        fitted=fit(first, symbol),
        costs=judge.whole(),
        minutes=judge.windows(MINUTE_S),
        half_minutes=judge.windows(HALF_MINUTE_S),
        moments=judge.moments(),
        scatter=tuple(map(judge.scatter, JUDGED_USD)),
        half_life_s={
            "first_half": book_half_life_s(first),
            "second_half": book_half_life_s(second),
            "modelled": model_half_life_s(symbol, second.samples[0].mid),
        },
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
