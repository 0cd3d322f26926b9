"""A calibration as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bot.exchange.calibration.judgement import JUDGED_USD, TOLERANCE, is_near
from bot.exchange.calibration.recording import MILLION
from bot.exchange.calibration.report import constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.exchange.calibration.fit import Fit
    from bot.exchange.calibration.judgement import CostRow
    from bot.exchange.calibration.report import Calibration


def render(calibration: Calibration) -> str:
    """Return the calibration as text, its verdict last."""
    parts = (
        _fitted(calibration),
        _whole(calibration),
        _windows("by the minute, bps (± standard error)", calibration.minutes),
        _yardsticks(calibration.minutes),
        _windows("by the half minute, not judged", calibration.half_minutes),
        _moments(calibration),
        _scatter(calibration),
        _flow(calibration),
        _verdict(calibration),
    )
    return "\n\n".join("\n".join(part) for part in parts)


def _fitted(calibration: Calibration) -> Iterator[str]:
    counts = f"{calibration.samples} books, {calibration.market_orders} market orders"
    left_out = f"{calibration.unused_lines} lines outside; {calibration.walls} walls of 250 coins left out"
    yield f"{calibration.symbol}: {counts}; {left_out}"
    yield ""
    yield "fitted to the first half         fitted    in use"
    for name, value, constant in _parameters(calibration.fitted, constants()):
        yield f"  {name:<28} {value:9.4g} {constant:9.4g}"


def _parameters(found: Fit, used: dict[str, Any]) -> list[tuple[str, float, float]]:
    rows = [
        ("volatility, bps per root s", found.normal_bps, used["normal_bps"]),
        ("depth within 1 bp, USDT", found.depth_usd, used["depth_usd"]),
        *((name, value, used["shape"][name]) for name, value in asdict(found.shape).items()),
        ("half-life, s", found.half_life_s, used["half_life_s"]),
    ]
    rows += [(name, value, used["arrivals"][name]) for name, value in asdict(found.arrivals).items()]
    return rows


def _whole(calibration: Calibration) -> Iterator[str]:
    yield "cost on the second half, bps   recorded  modelled     error   reached"
    for row in calibration.costs:
        judged = _judgement(row) if row.usd in JUDGED_USD else "(not judged)"
        yield (
            f"  {row.usd / MILLION:6.1f} M                    {row.recorded_bps:9.3f} {row.modelled_bps:9.3f}"
            f" {row.error:9.1%} {row.reached:9.0%}  {judged}"
        )


def _windows(title: str, rows: Iterable[CostRow]) -> Iterator[str]:
    yield f"{title:<36} recorded      modelled     error"
    for row in rows:
        yield (
            f"  {row.usd / MILLION:6.1f} M   {row.from_s:5.1f} to {row.to_s:5.1f} s   "
            f" {row.recorded_bps:9.3f} ±{row.noise:3.0%} {row.modelled_bps:12.3f} {row.error:9.1%}"
            f"  {_judgement(row)}"
        )


def _yardsticks(rows: Sequence[CostRow]) -> Iterator[str]:
    yield "by the minute: off by; the chance of a model that knows the expected cost to pass"
    yield f"{'':<32}the model   first half's mean   minute before   exact model"
    for row in rows:
        yield (
            f"  {row.usd / MILLION:6.1f} M   {row.from_s:5.1f} to {row.to_s:5.1f} s   {row.error:+10.1%}"
            f" {row.first_half_error:+19.1%} {row.before_error:+15.1%} {row.exact_chance:13.0%}"
        )
    within = [
        sum(is_near(getattr(row, name)) for row in rows)
        for name in ("error", "first_half_error", "before_error")
    ]
    chances = sum(row.exact_chance for row in rows)
    yield (
        f"  within {TOLERANCE:.0%}, of {len(rows):<2}          {within[0]:14} {within[1]:19} {within[2]:15}"
        f" {chances:13.1f}"
    )


def _judgement(row: CostRow) -> str:
    return "PASS" if row.passes else "MISS"


def _moments(calibration: Calibration) -> Iterator[str]:
    yield "moments, bps: recorded in the range that four in five of the model's books lie in; ! outside"
    for moment in calibration.moments:
        cells = []
        for size, (recorded, model) in moment.costs.items():
            was = "-" if recorded is None else f"{recorded:.3f}{' ' if model.holds(recorded) else '!'}"
            cells.append(f"{size} {was:>7} in {model.low:.3f} to {model.high:.3f}")
        yield f"  {moment.time_ms / 1_000:6.1f} s  turmoil {moment.turmoil:4.2f}   {'   '.join(cells)}"


def _scatter(calibration: Calibration) -> Iterator[str]:
    yield f"all moments: share in that range; share within {TOLERANCE:.0%} of the model's mean, or of the"
    yield "recorded cost of so many seconds before"
    for row in calibration.scatter:
        before = "   ".join(f"{lag_s} s before {share:4.0%}" for lag_s, share in row.earlier.items())
        shares = f"in the range {row.inside:4.0%}   model's mean {row.model:4.0%}   {before}"
        yield f"  {row.usd / MILLION:6.1f} M   {shares}"


def _flow(calibration: Calibration) -> Iterator[str]:
    life, arrivals = calibration.half_life_s, calibration.arrivals
    ages = f"{life['first_half']:.1f} s in the first half, {life['second_half']:.1f} s in the second"
    yield f"replenishment half-life: {ages}; {life['modelled']:.1f} s in the model"
    yield "market orders in the second half: recorded / modelled"
    for name, value in arrivals["recorded"].items():
        yield f"  {name:<12} {value:8.3f} / {arrivals['modelled'][name]:.3f}"


def _verdict(calibration: Calibration) -> Iterator[str]:
    for name, rows in (
        ("over the half", [row for row in calibration.costs if row.usd in JUDGED_USD]),
        ("by the minute", calibration.minutes),
        ("by the half minute, not judged", calibration.half_minutes),
    ):
        yield f"{name}: {sum(row.passes for row in rows)} of {len(rows)} costs are within {TOLERANCE:.0%}"
    for row in calibration.judged:
        if not row.passes:
            yield (
                f"MISS: {row.usd / MILLION:g} M from {row.from_s:.0f} to {row.to_s:.0f} s is off by"
                f" {row.error:+.1%}; the recorded mean is known to {row.noise:.0%}"
            )
    if all(row.passes for row in calibration.judged):
        yield f"every judged cost is within {TOLERANCE:.0%}"
    elif calibration.fits:
        yield f"no judged cost is off by {TOLERANCE:.0%} and more than its recorded mean may be"
    else:
        yield f"a judged cost is off by more than {TOLERANCE:.0%}"
