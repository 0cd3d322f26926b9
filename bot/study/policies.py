"""The shipped strategies as one compiled loop, for the thousands of runs of a comparison or a sweep.

The engine that trades live is the reference: a property test holds this loop equal to it (tests/study/
test_policies.py). It jumps like the engine does: with constant cash and position a range of leverage is a
range of prices, so a bar inside costs two comparisons. What it cannot do, a user's own strategy, a
confirmation delay or a walk inside bars, is left to the engine.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.study.jit import compiled, inlined

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

BAND: Final = 0
"""To a drawn target when leverage is outside [lower, upper]: `strategic`."""
CLOCK: Final = 1
"""To `target` at scheduled times, after a move of `move`, and at the emergency leverage: `interval`."""
STEP: Final = 2
"""`speed` of the way to `target` every `every_ms`, to the edge outside [lower, upper]: `recenter`."""
EDGE: Final = 3
"""To the nearer edge of [lower, upper] when leverage is outside, to `target` in an emergency: `corridor`."""

_BLOCK: Final = 128
_NEAR: Final = 32
"""Bars that are looked at one by one first: a policy that trades often seldom comes further."""
_NEVER: Final = 1 << 62
_INWARD: Final = 1e-9
_AS_GOOD_AS: Final = 1 - 1e-12


class Policy(NamedTuple):
    """One policy and its fund; every field is a number, so that a compiled loop can take it.

    `kind` is one of the above; `sign` +1 or -1; leverages are real leverages; `fee` and `slip` (how much
    worse than the mark a trade fills) are fractions; capital is 1, so that `lot` (base units, 0 for none) and
    `min_notional` are per unit of capital.
    """

    kind: int
    sign: int
    lower: float
    upper: float
    emergency: float
    start_leverage: float
    fee: float
    slip: float = 0.0
    lot: float = 0.0
    min_notional: float = 0.0
    target: float = 0.0
    move: float = 0.0
    speed: float = 0.0
    every_ms: float = 0.0


class Run(NamedTuple):
    """What a run came to, in units of capital; `dead_at` is the bar of death, or -1."""

    value: float
    rebalances: int
    turnover: float
    fees: float
    slippage: float
    funding: float
    dead_at: int


@inlined
def _gearing(leverage: float, sign: int) -> float:
    """The price at which real leverage is `leverage`, in units of cash / size of the position."""
    slope = 1.0 - sign * leverage
    return leverage / slope if slope != 0.0 else np.inf


@inlined
def _gearings(policy: Policy) -> tuple[float, float]:
    """Those of the lowest and the highest leverage at which this policy waits."""
    highest = policy.emergency * (1.0 - _INWARD)
    if policy.kind == CLOCK:
        return 0.0, _gearing(highest, policy.sign)
    return _gearing(policy.lower, policy.sign), _gearing(min(policy.upper, highest), policy.sign)


@inlined
def _region(
    policy: Policy, gearings: tuple[float, float], cash: float, position: float, last_price: float
) -> tuple[float, float]:
    """The prices between which this policy certainly does nothing but wait for its time."""
    if position == 0.0 or cash == 0.0:  # flat, or unlevered: asked at every bar
        return np.inf, -np.inf
    unit = cash / abs(position)
    low, high = gearings[0] * unit, gearings[1] * unit
    at_high = high if high > 0.0 else np.inf
    if policy.sign > 0 and cash < 0.0:  # a long fund that has borrowed: its leverage falls as the price rises
        floor, ceiling = at_high, (low if low > 0.0 else np.inf)
    else:
        floor, ceiling = (low if low >= 0.0 else np.inf), at_high
    floor *= 1.0 + _INWARD
    ceiling *= 1.0 - _INWARD
    if policy.kind == CLOCK and policy.move > 0.0:
        floor = max(floor, last_price * (1.0 - policy.move) * (1.0 + _INWARD))
        ceiling = min(ceiling, last_price * (1.0 + policy.move) * (1.0 - _INWARD))
    return floor, ceiling


@inlined
def _goal(policy: Policy, leverage: float, moved: float, due: int, drawn: float) -> float:
    """The leverage to trade to; negative to hold."""
    if policy.kind == CLOCK:
        wanted = leverage >= policy.emergency or due > 0
        if policy.move > 0.0 and moved >= policy.move * _AS_GOOD_AS:
            wanted = True
        return policy.target if wanted else -1.0
    if policy.kind == BAND:
        outside = leverage < policy.lower or leverage > policy.upper or leverage >= policy.emergency
        return drawn if outside else -1.0
    goal = min(max(leverage, policy.lower), policy.upper)
    if goal == leverage:
        if policy.kind == STEP and due > 0:
            goal = leverage + policy.speed * (policy.target - leverage)
        elif leverage < policy.emergency:
            return -1.0
    if goal >= policy.emergency:  # from there down to the fund's own target; up to there never
        goal = policy.target if leverage >= policy.emergency else -1.0
    return goal


@inlined
def _order(
    policy: Policy, cash: float, position: float, price: float, goal: float
) -> tuple[float, float, float]:
    """Signed quantity that brings real leverage to `goal` once the fee is paid, its slippage and its fee.

    In lots, rounded toward zero; zero where there is nothing to trade, or less than may be traded.
    """
    value = cash + position * price
    exposure = position * policy.sign * price
    if goal * value >= exposure:
        after = goal * (value + policy.fee * exposure) / (1.0 + goal * policy.fee)
    elif policy.fee * exposure >= value:
        after = 0.0
    else:
        after = goal * (value - policy.fee * exposure) / (1.0 - goal * policy.fee)
    quantity = policy.sign * after / price - position
    if policy.lot > 0.0:
        quantity = np.trunc(quantity / policy.lot) * policy.lot
    notional = abs(quantity) * price
    if notional <= 1e-12 * value or (quantity * position > 0.0 and notional < policy.min_notional):
        return 0.0, 0.0, 0.0
    slipped = notional * policy.slip
    return quantity, slipped, (notional + (slipped if quantity > 0.0 else -slipped)) * policy.fee


@inlined
def _next_time(policy: Policy, clock: Ints, times_ms: Ints, last_bar: int) -> int:
    """The first bar at which the time of a CLOCK or a STEP has come; beyond all bars where there is none."""
    if policy.kind == CLOCK:
        place = int(np.searchsorted(clock, last_bar, side="right"))
        return int(clock[place]) if place < clock.shape[0] else _NEVER
    due_ms = times_ms[last_bar] + policy.every_ms
    if due_ms > times_ms[-1]:
        return _NEVER
    # A search through all bars misses the cache at every turn, and nearly always bars are evenly spaced.
    likely = last_bar + int(np.ceil(policy.every_ms / (times_ms[1] - times_ms[0])))
    if likely < times_ms.shape[0] and times_ms[likely - 1] < due_ms <= times_ms[likely]:
        return likely
    return int(np.searchsorted(times_ms, due_ms))


@inlined
def _leave(
    closes: Floats,
    bar: int,
    end: int,
    region: tuple[float, float],
    books: tuple[float, float],
    nav: Floats,
    leverage: Floats,
) -> int:
    """The first bar from `bar` on whose close lies outside the region, `end` if none; writes those before."""
    floor, ceiling = region
    if nav.shape[0] == 0:
        near = min(end, bar + _NEAR)
        while bar < near and floor <= closes[bar] <= ceiling:
            bar += 1
        if bar < near:
            return bar
        while bar + _BLOCK <= end:  # counting has no early way out, so that the compiler makes vectors of it
            outside = 0
            for place in range(bar, bar + _BLOCK):
                outside += (closes[place] < floor) | (closes[place] > ceiling)
            if outside:
                break
            bar += _BLOCK
        while bar < end and floor <= closes[bar] <= ceiling:
            bar += 1
        return bar
    cash, position = books
    while bar < end and floor <= closes[bar] <= ceiling:
        exposure = position * closes[bar]
        nav[bar] = cash + exposure
        leverage[bar] = exposure / nav[bar]
        bar += 1
    return bar


@compiled
def run(  # noqa: PLR0913, PLR0917 - numba takes no keywords
    policy: Policy,
    closes: Floats,
    funding_bars: Ints,
    funding_rates: Floats,
    clock: Ints,
    times_ms: Ints,
    targets: Floats,
    nav: Floats,
    leverage: Floats,
    trades: Floats,
) -> Run:
    """Follow one policy over `closes` from a given position at the first close.

    `funding_rates` fall due at the closes `funding_bars` (ascending), scheduled times at the bars `clock`
    (ascending). `nav` and `leverage` (signed, after the bar's trade) are written per bar;
    `trades` [count, 2] gets (bar, cost as a fraction of NAV before); each may be empty, which leaves it out.
    The k-th rebalance takes targets[k] where its target is drawn, from the start again at the end.
    """
    bars, payments = closes.shape[0], funding_bars.shape[0]
    position = policy.sign * policy.start_leverage / closes[0]
    cash = 1.0 - position * closes[0]
    turnover = fees = slippage = funding = 0.0
    count = bar = last_bar = payment = 0
    timed = policy.kind in (CLOCK, STEP)
    due_bar = _next_time(policy, clock, times_ms, 0) if timed else _NEVER
    gearings, region = _gearings(policy), (np.inf, -np.inf)
    while True:
        end = min(bars, due_bar) if payment == payments else min(bars, due_bar, funding_bars[payment])
        bar = _leave(closes, bar, end, region, (cash, position), nav, leverage)
        if bar >= bars:
            return Run(cash + position * closes[-1], count, turnover, fees, slippage, funding, -1)
        price = closes[bar]
        while payment < payments and funding_bars[payment] == bar:
            paid = position * price * funding_rates[payment]
            cash -= paid
            funding -= paid
            payment += 1
        value = cash + position * price
        if value <= 0.0:
            nav[bar:] = value
            leverage[bar:] = 0.0
            return Run(value, count, turnover, fees, slippage, funding, bar)
        moved = abs(price / closes[last_bar] - 1.0) if policy.kind == CLOCK else 0.0
        drawn = targets[count % targets.shape[0]] if policy.kind == BAND else 0.0
        goal = _goal(policy, abs(position) * price / value, moved, int(bar >= due_bar), drawn)
        quantity = slipped = fee = 0.0
        if goal >= 0.0:
            quantity, slipped, fee = _order(policy, cash, position, price, goal)
        if quantity != 0.0:
            cash -= quantity * price + slipped + fee
            position += quantity
            fees += fee
            slippage += slipped
            turnover += abs(quantity) * price / value
            if count < trades.shape[0]:
                trades[count, 0], trades[count, 1] = bar, (fee + slipped) / value
            count += 1
            last_bar = bar
            if timed:
                due_bar = _next_time(policy, clock, times_ms, bar)
            value = cash + position * price
        if nav.shape[0] > 0:
            nav[bar], leverage[bar] = value, position * price / value
        region = _region(policy, gearings, cash, position, closes[last_bar])
        bar += 1
