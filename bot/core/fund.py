"""What a fund is, and what its venue demands of an order: frozen values that the settings produce."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.core.caps import USUAL_CAPS, Caps
from bot.core.margin import Maintenance
from bot.core.strategy import Strategy, uses_band
from bot.core.terms import FlowTerms
from bot.core.units import ONE, Contracts, Leverage, Price, Side, Usd, away_from_zero


@dataclass(frozen=True, slots=True)
class Fund:
    """One leveraged token.

    `band` is the closed interval of real leverage within which nothing is traded; `target_range` is where
    the secret target of a `band` rebalance lies; at `emergency` leverage and beyond the fund delevers at
    once. `caps` bound what it may do; `protective_stop`: one rests at the venue while it holds a position.
    `shadow` is the strategy of a conventional token that is reckoned beside it for comparison.
    `smallest_share` is the smallest trade that it would have to make, as a share of its value.
    """

    name: str
    underlying: str
    side: Side
    band: tuple[Leverage, Leverage]
    target_range: tuple[Leverage, Leverage]
    emergency: Leverage
    capital: Usd
    start_leverage: Leverage
    strategy: Strategy
    account: str
    management_fee_daily: Decimal = Decimal(0)
    terms: FlowTerms = field(default=FlowTerms())
    caps: Caps = USUAL_CAPS
    protective_stop: bool = False
    shadow: Strategy | None = field(default=None, compare=False)
    float_band: tuple[float, float] = field(init=False, repr=False, compare=False)
    float_target_range: tuple[float, float] = field(init=False, repr=False, compare=False)
    float_emergency: float = field(init=False, repr=False, compare=False)
    smallest_share: Decimal = field(init=False, repr=False, compare=False)
    sign: int = field(init=False, repr=False, compare=False)
    uses_band: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every decision needs: floats for the strategy's view, and the smallest trade."""
        lower, (low, high) = self.band[0], self.target_range
        object.__setattr__(self, "sign", self.side.sign)
        object.__setattr__(self, "uses_band", uses_band(self.strategy))
        object.__setattr__(self, "float_band", (float(lower), float(self.band[1])))
        object.__setattr__(self, "float_target_range", (float(low), float(high)))
        object.__setattr__(self, "float_emergency", float(self.emergency))
        # A target range that touches the edge would make any fund too small: half of a usual trade counts.
        share = max(low - lower, min(_SMALLEST_SHARE, ((low + high) / 2 - lower) / 2))
        if not self.uses_band:
            share = self.start_leverage * _SMALLEST_SHARE
        object.__setattr__(self, "smallest_share", share)


_SMALLEST_SHARE = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Contract:
    """The perpetual future that a fund trades, in base units whatever the venue's contract size.

    `price_limit` is the fraction from the mark beyond which the venue refuses an order's price.
    `reduce_only_any_size` says that the venue exempts reduce-only orders from `min_notional`. No order at the
    market is larger than `max_market_quantity`; `maintenance` are the brackets by which the venue liquidates,
    lowest first, where they are known. Derived: an
    order's price lies between `lowest_price` and `highest_price` times the mark; the notional of an increase
    is `safe_notional` or more.
    """

    symbol: str
    tick: Price
    lot: Contracts
    min_quantity: Contracts
    max_quantity: Contracts
    min_notional: Usd
    taker_fee: Decimal
    price_limit: Decimal
    reduce_only_any_size: bool
    venue_leverage: int
    max_market_quantity: Contracts = Decimal("Infinity")
    maintenance: tuple[Maintenance, ...] = ()
    lowest_price: Decimal = field(init=False, repr=False, compare=False)
    highest_price: Decimal = field(init=False, repr=False, compare=False)
    safe_notional: Usd = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every order needs."""
        object.__setattr__(self, "lowest_price", ONE - self.price_limit)
        object.__setattr__(self, "highest_price", ONE + self.price_limit)
        object.__setattr__(self, "safe_notional", self.min_notional * NOTIONAL_BUFFER)

    def min_increase(self, mark: Price) -> Contracts:
        """The smallest quantity that may increase a position at `mark`.

        The notional minimum gets a buffer of 2 %, because the venue judges it at its own price.
        """
        by_notional = self.safe_notional / mark
        return away_from_zero(max(by_notional, self.min_quantity), self.lot)

    def min_decrease(self, mark: Price) -> Contracts:
        """The smallest quantity that may reduce a position at `mark`."""
        return self.min_quantity if self.reduce_only_any_size else self.min_increase(mark)


NOTIONAL_BUFFER = Decimal("1.02")
