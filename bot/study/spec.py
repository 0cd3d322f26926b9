"""What is backtested: the fund, and what trading costs. A BadParameterError names what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf, isfinite, sqrt
from typing import Literal, NamedTuple, Protocol

from bot.core.strategy import Strategy, own_limit, own_target, uses_band
from bot.study.errors import BadParameterError

Side = Literal["long", "short"]
Path = Literal["close", "ohlc", "olhc"]


class Bracket(NamedTuple):
    """Maintenance margin of a position of up to `cap` notional (USDT) = notional x `rate` - `amount`.

    Source: Binance, "Leverage and Margin of USD-M Futures"; amounts make the margin continuous.
    """

    cap: float
    rate: float
    amount: float


def brackets_from(rows: Sequence[tuple[float, float]]) -> tuple[Bracket, ...]:
    """Brackets from (cap in USDT, maintenance margin rate) in ascending order; the amounts follow."""
    built: list[Bracket] = []
    floor = rate_before = amount = 0.0
    for cap, rate in rows:
        amount += floor * (rate - rate_before)
        built.append(Bracket(cap, rate, amount))
        floor, rate_before = cap, rate
    return tuple(built)


LARGEST = brackets_from(
    [
        (300_000, 0.004),
        (800_000, 0.005),
        (3_000_000, 0.0065),
        (12_000_000, 0.01),
        (70_000_000, 0.02),
        (100_000_000, 0.025),
        (230_000_000, 0.05),
        (480_000_000, 0.1),
        (600_000_000, 0.125),
        (800_000_000, 0.15),
        (1_200_000_000, 0.25),
        (inf, 0.5),
    ]
)
"""The shape of BTCUSDT's brackets on Binance in 2025."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundSpec:
    """One fund.

    `band`, `target_range`, `emergency` and `start_leverage` are real leverages; `capital` is in the quote
    currency. `lot` (base units) is None for quantities of any size; trades are rounded to it toward zero.
    An increase of less than `min_notional` (quote currency) is not made. `management_fee_daily` is the
    fraction of fund value that a day costs, taken at each 00:00 UTC for the time since the last, or since the
    start. `emergency` None: 3.5 for a long fund, 4 for a short one, or where the band reaches as far, 6.7 %
    of price beyond its upper edge; a strategy that ignores the band has its own `max_leverage`. `brackets`
    None: LARGEST where the path walks inside bars, else no liquidation; () for none.
    """

    side: Side = "long"
    band: tuple[float, float] = (1.5, 3.0)
    target_range: tuple[float, float] = (1.8, 2.6)
    emergency: float | None = None
    start_leverage: float = 2.0
    capital: float = 100_000.0
    lot: float | None = None
    min_notional: float = 0.0
    management_fee_daily: float = 0.0
    brackets: tuple[Bracket, ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no sense whatever the strategy."""
        if self.side not in ("long", "short"):
            raise BadParameterError("side", f"{self.side} is no side", "give long or short")
        for name in ("capital", "start_leverage"):
            _positive(name, getattr(self, name))
        for name, pair in (("band", self.band), ("target_range", self.target_range)):
            if not all(isfinite(leverage) for leverage in pair):
                raise BadParameterError(name, f"[{pair[0]:g}, {pair[1]:g}] is no range", "give two numbers")
        if self.lot is not None:
            _positive("lot", self.lot)
        if self.emergency is not None:
            _positive("emergency", self.emergency)
        if not (isfinite(self.min_notional) and self.min_notional >= 0):
            raise BadParameterError("min_notional", f"{self.min_notional:g} is no amount", "give 0 or more")
        if not 0 <= self.management_fee_daily < 1:
            problem = f"{self.management_fee_daily:g} is no fraction in [0, 1)"
            raise BadParameterError("management_fee_daily", problem, "0.0001 is 0.01 % a day")

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self.side == "long" else -1

    def emergency_for(self, strategy: Strategy) -> float:
        """The emergency leverage of this fund under `strategy`."""
        if self.emergency is not None:
            return self.emergency
        default = 3.5 if self.side == "long" else 4.0
        if not uses_band(strategy):
            return own_limit(strategy) or default
        upper = self.band[1]
        if upper < default:
            return default
        moved = 14 / 15 if self.side == "long" else 16 / 15
        value = 1 + self.sign * upper * (moved - 1)
        if value <= 0:
            problem = f"[{self.band[0]:g}, {upper:g}] leaves no room for an emergency before death"
            raise BadParameterError("band", problem, f"set emergency above {upper:g}")
        return upper * moved / value

    def targets_for(self, strategy: Strategy) -> tuple[float, float]:
        """The range of this fund's secret target under `strategy`: its own, or the strategy's single one."""
        own = own_target(strategy)
        return self.target_range if own is None else (own, own)

    def check(self, strategy: Strategy) -> None:
        """Refuse a fund that `strategy` cannot run; BadParameterError names the parameter and the remedy."""
        emergency, start = self.emergency_for(strategy), self.start_leverage
        if not uses_band(strategy):
            own = own_target(strategy)
            if own is not None and own >= emergency:
                problem = f"{emergency:g} is not above the strategy's target {own:g}"
                raise BadParameterError("emergency", problem, f"set it above {own:g}")
            if start >= emergency:
                problem = f"{start:g} is not below the emergency leverage {emergency:g}"
                raise BadParameterError("start_leverage", problem, "set it below that")
            return
        (lower, upper), (low, high) = self.band, self.target_range
        band = f"[{lower:g}, {upper:g}]"
        floor, kind = (1.0, "an UP") if self.side == "long" else (0.0, "a DOWN")
        if not (isfinite(upper) and lower < upper):
            raise BadParameterError(
                "band", f"{band} is empty or reversed", "give the lower edge first, such as 1.5 3"
            )
        if not lower > floor:
            problem = f"{band} does not lie above {floor:g}, as {kind} band must"
            raise BadParameterError("band", problem, f"set its lower edge above {floor:g}")
        if not low <= high:
            raise BadParameterError(
                "target_range", f"[{low:g}, {high:g}] is reversed", "give the lower end first"
            )
        if low < lower or high > upper:
            problem = f"[{low:g}, {high:g}] is not inside the band {band}"
            raise BadParameterError("target_range", problem, "set it inside")
        if emergency <= upper:
            raise BadParameterError(
                "emergency", f"{emergency:g} is not above the band {band}", f"set it above {upper:g}"
            )
        if not lower <= start <= upper:
            raise BadParameterError(
                "start_leverage", f"{start:g} is outside the band {band}", "set it inside the band"
            )


class Trade(NamedTuple):
    """A trade to be priced: signed `quantity` (base units, positive: buy) at mark `mark`.

    `volatility_daily` (fraction) and `volume_daily` (base units) are those of the last 24 hours before it.
    """

    time_ms: int
    mark: float
    quantity: float
    volatility_daily: float
    volume_daily: float


class Slippage(Protocol):
    """A model of what a trade costs beyond its fee."""

    @property
    def needs_volume(self) -> bool:
        """Whether `volume_daily` must be known; else it may be 0."""
        ...

    def price(self, trade: Trade) -> float:
        """The average price at which the trade fills."""
        ...


@dataclass(frozen=True, slots=True)
class FixedSlippage:
    """Every trade fills `bps` worse than the mark."""

    bps: float = 0.0
    needs_volume: bool = field(default=False, init=False)

    def price(self, trade: Trade) -> float:
        """The mark, moved against the trade."""
        return trade.mark * (1 + (self.bps if trade.quantity > 0 else -self.bps) / 1e4)


@dataclass(frozen=True, slots=True)
class SquareRootImpact:
    """The square-root law: cost as a fraction = `coefficient` x daily volatility x sqrt(its share of volume).

    Source: Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market impact" (2005), and the
    literature after it, in which the coefficient is close to 1. `half_spread_bps` is paid on top.
    """

    coefficient: float = 1.0
    half_spread_bps: float = 0.0
    needs_volume: bool = field(default=True, init=False)

    def price(self, trade: Trade) -> float:
        """The mark, moved against the trade; without any volume the whole volatility is paid."""
        share = abs(trade.quantity) / trade.volume_daily if trade.volume_daily > 0 else 1.0
        cost = self.coefficient * trade.volatility_daily * sqrt(share) + self.half_spread_bps / 1e4
        return trade.mark * (1 + cost if trade.quantity > 0 else max(0.0, 1 - cost))


@dataclass(frozen=True, slots=True)
class Costs:
    """What a trade costs: `fee_bps` of its notional, and slippage by a model (None: fills at the mark)."""

    fee_bps: float = 0.0
    slippage: Slippage | None = None

    def __post_init__(self) -> None:
        """Refuse a fee that is none."""
        if not -100 <= self.fee_bps < 1_000:
            raise BadParameterError(
                "fee_bps", f"{self.fee_bps:g} is not between -100 and 1000", "5 is 0.05 %"
            )


def decimal(value: float) -> Decimal:
    """The decimal that a float is written as."""
    return Decimal(repr(float(value)))


def _positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise BadParameterError(name, f"{value:g} is not a positive number", "give one above 0")
