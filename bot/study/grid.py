"""What a sweep varies.

Axes of values, the points of a grid or a random search, and the fund at each point.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from bot.core.strategy import Strategy
from bot.errors import did_you_mean
from bot.strategy_loader import StrategyError, parameter_names, strategy_class
from bot.study.choice import choose_strategy, start_leverage_for
from bot.study.errors import BadParameterError, StudyError
from bot.study.simulate import Rng, generator
from bot.study.spec import Costs, FixedSlippage, FundSpec, Side

Value: TypeAlias = float | str
Point: TypeAlias = dict[str, Value]
"""A strategy, a side, and a value for each axis that concerns them."""

MODEL = "model."
"""Before the name of an axis: a parameter of the model of prices."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter and its values; for a random search a range instead, from `low` to `high`."""

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def is_range(self) -> bool:
        """Whether it has a range and no values."""
        return not self.values

    def draw(self, rng: Rng) -> Value:
        """One value at random."""
        if self.is_range:
            return float(rng.uniform(self.low, self.high))
        return self.values[int(rng.integers(len(self.values)))]


def axis_of(text: str) -> Axis:
    """Read `name=1,2,3`, `name=low:high:count` (evenly spaced) or `name=low:high` (for a random search).

    Values that hold commas are separated by semicolons: `at=00:00;00:00,12:00`. Raises BadParameterError.
    """
    name, sign, rest = (part.strip() for part in text.partition("="))
    if not (sign and name):
        raise BadParameterError("grid", f'"{text}" is no axis', "write name=1,2,3 or name=1:3:5")
    split = rest.split(":")
    if ";" not in rest and len(split) in (2, 3) and all(_number(part) is not None for part in split):
        low, high = float(split[0]), float(split[1])
        if not low < high:
            raise BadParameterError("grid", f"{name}={rest} is an empty range", "give the lower end first")
        if len(split) == 2:
            return Axis(name, low=low, high=high)
        count = int(float(split[2]))
        if count < 1:
            raise BadParameterError("grid", f"{name}={rest} has no values", "give a count of 1 or more")
        return Axis(name, tuple(float(value) for value in np.linspace(low, high, count)))
    parts = [part.strip() for part in rest.split(";" if ";" in rest else ",")]
    if not any(parts):
        raise BadParameterError("grid", f"{name} has no values", "write name=1,2,3 or name=1:3:5")
    return Axis(name, tuple(number if (number := _number(part)) is not None else part for part in parts))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Base:
    """What every point has unless an axis says otherwise; leverages real, amounts in the quote currency."""

    strategies: tuple[str, ...] = ("strategic",)
    sides: tuple[Side, ...] = ("long",)
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    band: tuple[float, float] = (1.5, 3.0)
    target_range: tuple[float, float] = (1.8, 2.6)
    start_leverage: float | None = None
    emergency: float | None = None
    capital: float = 100_000.0
    lot: float | None = None
    fee_bps: float = 5.0
    slippage_bps: float = 0.0


_Setter: TypeAlias = Callable[[Base, float], Base]

SHARED: Mapping[str, _Setter] = {
    "target": lambda base, value: replace(base, target_range=(value, value)),
    "start_leverage": lambda base, value: replace(base, start_leverage=value),
    "emergency": lambda base, value: replace(base, emergency=value),
    "capital": lambda base, value: replace(base, capital=value),
    "lot": lambda base, value: replace(base, lot=value or None),
    "fee_bps": lambda base, value: replace(base, fee_bps=value),
    "slippage_bps": lambda base, value: replace(base, slippage_bps=value),
}
"""Axes that every strategy has. `target` is one leverage."""

OF_BANDS: Mapping[str, _Setter] = {
    "band_lower": lambda base, value: replace(base, band=(value, base.band[1])),
    "band_upper": lambda base, value: replace(base, band=(base.band[0], value)),
    "target_low": lambda base, value: replace(base, target_range=(value, base.target_range[1])),
    "target_high": lambda base, value: replace(base, target_range=(base.target_range[0], value)),
    "half_width": lambda base, value: replace(base, band=_around(base.target_range, value)),
}
"""Axes of strategies that use the fund's band. `half_width` is that of a band about the target."""

INTERVAL = "interval_h"
"""An axis of `interval` (every so many hours from midnight, 24 at most) and of `recenter` (since the last).
"""


def _around(target_range: tuple[float, float], half_width: float) -> tuple[float, float]:
    middle = sum(target_range) / 2
    return middle - half_width, middle + half_width


def points(
    base: Base, axes: Sequence[Axis], model_parameters: Sequence[str], count: int, seed: int
) -> list[Point]:
    """Every combination of the axes' values, or with `count` above 0 as many at random.

    An axis that a strategy does not have is left out of its points. Raises BadParameterError for an axis
    that none of them has, for one given twice, and for a range without a count in a grid.
    """
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise BadParameterError("grid", f"{name} is given twice", "give all its values at once")
    if not count:
        for axis in axes:
            if axis.is_range:
                remedy = f"write {axis.name}={axis.low:g}:{axis.high:g}:5, or search by --random"
                raise BadParameterError("grid", f"{axis.name} is a range without a count", remedy)
    known = {name: _own_axes(name) for name in base.strategies}
    model_axes = {MODEL + name for name in model_parameters}
    everything = set(SHARED) | model_axes | set().union(*known.values())
    for name in names:
        if name not in everything:
            remedy = did_you_mean(name, sorted(everything))
            raise BadParameterError("grid", f'has an unknown parameter "{name}"', remedy)
    found: dict[tuple[tuple[str, Value], ...], Point] = {}
    for strategy, side in itertools.product(base.strategies, base.sides):
        its = [axis for axis in axes if axis.name in known[strategy] | set(SHARED) | model_axes]
        for values in _combinations(its, count, seed):
            point: Point = {"strategy": strategy, "side": side, **values}
            found[tuple(point.items())] = point
    return list(found.values())


def _combinations(axes: Sequence[Axis], count: int, seed: int) -> Iterator[Point]:
    if not count:
        for values in itertools.product(*(axis.values for axis in axes)):
            yield dict(zip((axis.name for axis in axes), values, strict=True))
        return
    rng = generator(seed, 2)
    for _ in range(count):
        yield {axis.name: axis.draw(rng) for axis in axes}


def _own_axes(strategy: str) -> set[str]:
    fields = set(parameter_names(strategy))
    bands = set(OF_BANDS) if getattr(strategy_class(strategy), "uses_band", True) else set()
    return fields | bands | ({INTERVAL} if {"at", "every_s"} & fields else set())


def _its_parameters(strategy: str, base: Base) -> dict[str, object]:
    """Of the parameters given for all strategies, those that this one has."""
    fields = parameter_names(strategy)
    return {name.lower(): value for name, value in base.parameters.items() if name.lower() in fields}


def check_parameters(base: Base) -> None:
    """Refuse a parameter, given for all strategies, that none of them has."""
    known = {name for strategy in base.strategies for name in parameter_names(strategy)}
    for name in base.parameters:
        if name.lower() not in known:
            problem = f'has a parameter that no strategy here has: "{name}"'
            raise BadParameterError("set", problem, did_you_mean(name, sorted(known)) or "they take none")


def build(point: Point, base: Base) -> tuple[FundSpec, Strategy, Costs]:
    """The fund, its strategy and its costs at a point. Raises StudyError and StrategyError."""
    strategy_name = str(point["strategy"])
    own = _its_parameters(strategy_name, base)
    axes = _own_axes(strategy_name)
    at_point = replace(base, sides=())
    # A band about a target comes after the target.
    for name in sorted(point, key=lambda name: name == "half_width"):
        value = point[name]
        if name in ("strategy", "side") or name.startswith(MODEL):
            continue
        if name == INTERVAL:
            own |= _interval(axes, value)
        elif name in parameter_names(strategy_name):
            own[name] = value
        setter = SHARED.get(name) or OF_BANDS.get(name)
        if setter and not (name == "target" and "target" in axes and "half_width" not in point):
            if not isinstance(value, float):
                raise BadParameterError("grid", f"{name}={value} is no number", "give numbers")
            at_point = setter(at_point, value)
    fund = FundSpec(
        side="long" if point["side"] == "long" else "short",
        band=at_point.band,
        target_range=at_point.target_range,
        emergency=at_point.emergency,
        capital=at_point.capital,
        lot=at_point.lot,
    )
    strategy = choose_strategy(strategy_name, own, fund)
    start = at_point.start_leverage
    if start is None:
        start = start_leverage_for(strategy, at_point.target_range)
    fund = replace(fund, start_leverage=start)
    fund.check(strategy)
    slippage = FixedSlippage(at_point.slippage_bps) if at_point.slippage_bps else None
    return fund, strategy, Costs(fee_bps=at_point.fee_bps, slippage=slippage)


def _interval(axes: set[str], value: Value) -> dict[str, object]:
    hours = value if isinstance(value, float) else 0.0
    if "every_s" in axes:
        return {"every_s": hours * 3600}
    minutes = round(hours * 60)
    if minutes < 1 or 1440 % minutes:
        problem = f"{INTERVAL}={value} does not divide the day"
        raise BadParameterError("grid", problem, "give 24, 12, 8, 6, 4, 3, 2, 1 or a part of an hour")
    return {"at": ",".join(f"{at // 60:02d}:{at % 60:02d}" for at in range(0, 1440, minutes))}


def possible(found: Sequence[Point], base: Base) -> tuple[list[Point], list[str]]:
    """The points that are funds, and why the others are none; StudyError where none is left."""
    kept, reasons = [], []
    for point in found:
        try:
            build(point, base)
        except (StudyError, StrategyError) as error:
            reasons.append(str(error))
        else:
            kept.append(point)
    if not kept:
        reason = reasons[0] if reasons else "there is no point"
        raise StudyError(f"grid: none of its {len(found)} points is a fund; the first: {reason}")
    return kept, reasons


def described(point: Mapping[str, Any]) -> str:
    """A point in one line."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in point.items()
    )
