"""Where a position is liquidated, and where leverage is what."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.core.ledger import Ledger, real_leverage
from bot.core.margin import Maintenance, liquidation_price, price_at
from bot.core.units import ZERO

BRACKETS = (
    Maintenance(Decimal(50_000), Decimal("0.004"), ZERO),
    Maintenance(Decimal(600_000), Decimal("0.005"), Decimal(50)),
    Maintenance(Decimal(10_000_000), Decimal("0.01"), Decimal(3_050)),
)

sizes = st.decimals("0.01", "400", places=3)
leverages = st.decimals("1.2", "20", places=2)


def at_leverage(quantity: Decimal, leverage: Decimal, mark: Decimal) -> Ledger:
    """A ledger that holds `quantity` at `leverage` when the mark is `mark`."""
    return Ledger(abs(quantity) * mark / leverage - quantity * mark, quantity)


@given(size=sizes, leverage=leverages, short=st.booleans())
def test_at_the_liquidation_price_value_is_the_maintenance_margin(
    size: Decimal, leverage: Decimal, *, short: bool
) -> None:
    """By the bracket that the notional at that price falls into, or by the last where it is beyond."""
    ledger = at_leverage(-size if short else size, leverage, Decimal(60_000))
    price = liquidation_price(ledger, BRACKETS)
    assert price is not None
    notional = size * price
    bracket = next((b for b in BRACKETS if notional <= b.notional_cap), BRACKETS[-1])
    kept = notional * bracket.rate - bracket.deduction
    assert abs(ledger.value(price) - kept) < Decimal("1e-9")


def test_the_reference_prices_of_constant_maintenance() -> None:
    """Long (1 - 1/L) / (1 - m), short (1 + 1/L) / (1 + m)."""
    flat = (Maintenance(Decimal("Infinity"), Decimal("0.005"), ZERO),)
    long = liquidation_price(at_leverage(Decimal(1), Decimal(3), Decimal(1)), flat)
    short = liquidation_price(at_leverage(Decimal(-1), Decimal(3), Decimal(1)), flat)
    assert long is not None
    assert short is not None
    assert round(long, 5) == Decimal("0.67002")
    assert round(short, 5) == Decimal("1.32670")


def test_a_long_below_one_is_never_liquidated() -> None:
    """It could lose all of the underlying's worth and have cash left."""
    assert liquidation_price(Ledger(Decimal(100), Decimal(1)), BRACKETS) is None
    assert liquidation_price(Ledger(Decimal(100)), BRACKETS) is None


@given(size=sizes, leverage=leverages, wanted=leverages, short=st.booleans())
def test_leverage_at_the_price_for_it_is_as_wanted(
    size: Decimal, leverage: Decimal, wanted: Decimal, *, short: bool
) -> None:
    """The inverse of real leverage."""
    ledger = at_leverage(-size if short else size, leverage, Decimal(60_000))
    price = price_at(ledger, wanted)
    assert price is not None
    found = real_leverage(ledger, price)
    assert found is not None
    assert abs(found - wanted) < Decimal("1e-9")


def test_where_no_price_gives_the_leverage_there_is_none() -> None:
    """Flat, exactly unlevered, and a long that could only have it below zero."""
    assert price_at(Ledger(Decimal(100)), Decimal(2)) is None
    assert price_at(Ledger(Decimal(100), Decimal(1)), Decimal(1)) is None
    assert price_at(Ledger(Decimal(100), Decimal(1)), Decimal(2)) is None
