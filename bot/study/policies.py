"""The shipped strategies as one compiled loop, for the thousands of runs of a comparison or a sweep.

The engine that trades live is the reference: a property test holds this loop equal to it (tests/study/
test_policies.py). It jumps like the engine does: with constant cash and position a range of leverage is a
range of prices, so a bar inside costs two comparisons. What it cannot do, a user's own strategy, a
confirmation delay or a walk inside bars, is left to the engine.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.study.jit import compiled

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


@compiled
def _price_at(leverage: float, cash: float, position: float, sign: int) -> float:
    """The price at which real leverage would be `leverage`; infinite if there is none."""
    slope = abs(position) * (1.0 - sign * leverage)
    if slope == 0.0 or cash / slope <= 0.0:
        return np.inf
    return leverage * cash / slope


@compiled
def _region(policy: Policy, cash: float, position: float, last_price: float) -> tuple[float, float]:
    """The prices between which this policy certainly does nothing but wait for its time."""
    low_leverage, high_leverage = policy.lower, min(policy.upper, policy.emergency * (1.0 - _INWARD))
    if policy.kind == CLOCK:
        low_leverage, high_leverage = 0.0, policy.emergency * (1.0 - _INWARD)
    if position == 0.0:
        return np.inf, -np.inf
    if policy.sign > 0 and cash <= 0.0:
        floor = _price_at(high_leverage, cash, position, policy.sign)
        ceiling = _price_at(low_leverage, cash, position, policy.sign) if low_leverage > 1.0 else np.inf
        if cash == 0.0:
            floor = 0.0
    else:
        floor = _price_at(low_leverage, cash, position, policy.sign)
        ceiling = _price_at(high_leverage, cash, position, policy.sign)
        if floor == np.inf:
            floor = 0.0
    floor *= 1.0 + _INWARD
    ceiling *= 1.0 - _INWARD
    if policy.kind == CLOCK and policy.move > 0.0:
        floor = max(floor, last_price * (1.0 - policy.move) * (1.0 + _INWARD))
        ceiling = min(ceiling, last_price * (1.0 + policy.move) * (1.0 - _INWARD))
    return floor, ceiling


@compiled
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


@compiled
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


@compiled
def _next_time(policy: Policy, clock: Ints, times_ms: Ints, last_bar: int) -> int:
    """The first bar at which a policy's time has come; the number of bars for one without a schedule."""
    if policy.kind == CLOCK:
        return int(np.searchsorted(clock, clock[last_bar], side="right"))
    if policy.kind == STEP:
        return int(np.searchsorted(times_ms, times_ms[last_bar] + policy.every_ms))
    return int(times_ms.shape[0])


@compiled
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

    `funding_rates` fall due at the closes `funding_bars` (ascending); `clock` is the number of scheduled
    times at or before each close. `nav` and `leverage` (signed, after the bar's trade) are written per bar;
    `trades` [count, 2] gets (bar, cost as a fraction of NAV before); each may be empty, which leaves it out.
    The k-th rebalance takes targets[k] where its target is drawn, from the start again at the end.
    """
    bars, payments = closes.shape[0], funding_bars.shape[0]
    position = policy.sign * policy.start_leverage / closes[0]
    cash = 1.0 - position * closes[0]
    turnover = fees = slippage = funding = 0.0
    count = bar = last_bar = payment = 0
    due_bar = _next_time(policy, clock, times_ms, 0)
    region = (np.inf, -np.inf)
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
        moved = abs(price / closes[last_bar] - 1.0)
        drawn = targets[count % targets.shape[0]]
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
            due_bar = _next_time(policy, clock, times_ms, bar)
            value = cash + position * price
        if nav.shape[0] > 0:
            nav[bar], leverage[bar] = value, position * price / value
        region = _region(policy, cash, position, closes[last_bar])
        bar += 1
