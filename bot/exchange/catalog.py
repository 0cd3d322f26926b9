"""The perpetuals that can be traded, with the filters and depth of each.

Filters are those of Binance USD-M futures in August 2025 where recorded, else of the same kind. Depth is a
rough class of our own (see `book`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bot.exchange.brackets import Bracket, build_brackets

FUNDING_CAP_SHARE = Decimal("0.75")  # of the first bracket's maintenance margin rate


@dataclass(frozen=True, slots=True)
class Symbol:
    """One linear USDT perpetual. Quantities in base coin, prices and notionals in USDT.

    `funding_hours` lie between two fundings, unless they are recorded.
    """

    name: str
    base: str
    tick: Decimal
    price_digits: int
    step: Decimal
    quantity_digits: int
    max_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    price_band: Decimal
    liquidation_fee: Decimal
    start_price: Decimal
    funding_hours: int
    depth_usd: float
    brackets: tuple[Bracket, ...]

    @property
    def tick_size(self) -> float:
        """The tick as a float, for the statistics of the background market."""
        return float(self.tick)

    @property
    def step_size(self) -> float:
        """The lot step as a float, for the statistics of the background market."""
        return float(self.step)

    @property
    def funding_cap(self) -> Decimal:
        """The highest funding rate; minus it is the lowest."""
        return self.brackets[0].rate * FUNDING_CAP_SHARE

    @property
    def min_quantity(self) -> Decimal:
        """The least order quantity: one step."""
        return self.step


@dataclass(frozen=True, slots=True)
class _Size:
    """What goes with the size of a market: brackets, and USDT within 1 bp behind the touch."""

    bracket_scale: Decimal
    max_leverage: int
    depth_usd: float


_SIZES = {
    "largest": _Size(Decimal(1), 150, 362_000.0),
    "second": _Size(Decimal("0.6"), 100, 257_000.0),
    "major": _Size(Decimal("0.1"), 75, 86_000.0),
    "minor": _Size(Decimal("0.03"), 50, 29_000.0),
}

# base, tick, price digits, step, largest limit and market quantity, least notional, price band, start, hours
# between two fundings, size
_ROWS = """
BTC   0.10      2  0.001  1000      120       100  0.05  60000   8  largest
ETH   0.01      2  0.001  10000     2000      20   0.05  3000    8  second
BNB   0.010     3  0.01   100000    2000      5    0.05  550     8  major
SOL   0.0100    4  0.01   1000000   80000     5    0.05  150     8  major
XRP   0.0001    4  0.1    10000000  2000000   5    0.05  0.6     8  major
DOGE  0.000010  6  1      50000000  30000000  5    0.05  0.12    8  major
ADA   0.00010   5  1      6000000   1300000   5    0.05  0.45    8  major
AVAX  0.0010    4  1      1000000   60000     5    0.05  28      8  major
LINK  0.001     3  0.01   200000    20000     20   0.10  14      8  major
LTC   0.01      2  0.001  10000     5000      20   0.05  75      8  major
BCH   0.01      2  0.001  10000     850       20   0.05  380     8  major
TRX   0.00001   5  1      10000000  5000000   5    0.05  0.13    8  major
DOT   0.001     3  0.1    1000000   50000     5    0.05  6       8  minor
ETC   0.001     3  0.01   100000    10000     20   0.10  22      8  minor
XLM   0.00001   5  1      10000000  1000000   5    0.05  0.1     8  minor
ATOM  0.001     3  0.01   100000    20000     5    0.10  7       8  minor
UNI   0.0010    4  1      1000000   30000     5    0.10  8       8  minor
NEAR  0.0010    4  1      1000000   150000    5    0.05  5       8  minor
FIL   0.001     3  0.1    1000000   60000     5    0.05  4.5     8  minor
APT   0.00010   5  0.1    1000000   100000    5    0.05  8       4  minor
ARB   0.000100  6  0.1    20000000  1000000   5    0.05  0.8     8  minor
OP    0.0001000 7  0.1    10000000  600000    5    0.05  1.8     8  minor
SUI   0.000100  6  0.1    10000000  1000000   5    0.05  1.2     4  minor
AAVE  0.010     3  0.1    1000000   20000     5    0.10  110     8  minor
XMR   0.01      2  0.001  10000     1200      5    0.05  160     8  minor
"""


def _symbol(row: str) -> Symbol:
    base, tick, digits, step, most, market_most, least, band, start, hours, size_name = row.split()
    size = _SIZES[size_name]
    return Symbol(
        name=f"{base}USDT",
        base=base,
        tick=Decimal(tick),
        price_digits=int(digits),
        step=Decimal(step),
        quantity_digits=max(0, -int(Decimal(step).as_tuple().exponent)),
        max_quantity=Decimal(most),
        market_max_quantity=Decimal(market_most),
        min_notional=Decimal(least),
        price_band=Decimal(band),
        liquidation_fee=Decimal("0.0125"),
        start_price=Decimal(start),
        funding_hours=int(hours),
        depth_usd=size.depth_usd,
        brackets=build_brackets(size.bracket_scale, size.max_leverage),
    )


CATALOG: dict[str, Symbol] = {symbol.name: symbol for symbol in map(_symbol, _ROWS.strip().splitlines())}
