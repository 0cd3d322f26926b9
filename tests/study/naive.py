"""A backtest as one writes it without thinking of speed: bar by bar, in floats, by the contract."""

from dataclasses import dataclass, field
from math import floor, inf

MINUTE_MS = 60_000


@dataclass
class Naive:
    """What the loop found; `margin` is how near any comparison came to going the other way, relatively."""

    nav: list[float] = field(default_factory=list)
    trades: list[tuple[int, float, float]] = field(default_factory=list)
    fees: float = 0.0
    funding: float = 0.0
    turnover: float = 0.0
    dead: int | None = None
    margin: float = inf

    def near(self, value: float, edge: float) -> None:
        """Note how near a value came to an edge."""
        self.margin = min(self.margin, abs(value / edge - 1))


@dataclass(frozen=True)
class Case:
    """A series and a fund: `closes` at `times_ms`, `funding` as (UTC ms, rate)."""

    times_ms: list[int]
    closes: list[float]
    funding: list[tuple[int, float]]
    sign: int
    band: tuple[float, float]
    target: float
    start: float
    capital: float
    fee: float
    lot: float | None


def fixed_band(case: Case) -> Naive:
    """Strategic rebalancing to one fixed target."""
    lower, upper = case.band
    found = Naive()
    position = case.sign * case.start * case.capital / case.closes[0]
    cash = case.capital - position * case.closes[0]
    pending = [(ms // MINUTE_MS * MINUTE_MS, rate) for ms, rate in case.funding]
    for time_ms, price in zip(case.times_ms, case.closes, strict=True):
        while pending and pending[0][0] <= time_ms:
            received = -position * price * pending.pop(0)[1]
            cash += received
            found.funding += received
        value = cash + position * price
        found.near(1 + value / case.capital, 1.0)
        if value <= 0:
            found.dead = time_ms
            found.nav.append(value / case.capital)
            return found
        leverage = abs(position) * price / value
        found.near(leverage, lower)
        found.near(leverage, upper)
        if leverage < lower or leverage > upper:
            quantity = _quantity(case, found, position, price, value)
            if quantity:
                fee = abs(quantity) * price * case.fee
                found.trades.append((time_ms, quantity, fee))
                found.fees += fee
                found.turnover += abs(quantity) * price / value
                cash -= quantity * price + fee
                position += quantity
        found.nav.append((cash + position * price) / case.capital)
    if found.nav[-1] <= 0:
        found.dead = case.times_ms[-1]
    return found


def _quantity(case: Case, found: Naive, position: float, price: float, value: float) -> float:
    exposure, target, fee = abs(position) * price, case.target, case.fee
    if fee:
        found.near(fee * exposure, value)
    if target * value >= exposure:
        wanted = target * (value + fee * exposure) / (1 + target * fee)
    elif fee * exposure >= value:
        wanted = 0.0
    else:
        wanted = target * (value - fee * exposure) / (1 - target * fee)
    quantity = case.sign * (wanted - exposure) / price if wanted else -position
    if case.lot is None:
        return quantity
    lots = abs(quantity) / case.lot
    if lots > 0.5:
        found.near(lots, round(lots))
    return (case.lot * floor(lots)) * (1 if quantity > 0 else -1)
