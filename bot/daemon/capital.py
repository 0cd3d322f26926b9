"""Whether a fund's capital is enough to trade its underlying in slices."""

from bot.core.fund import Contract, Fund
from bot.core.units import Price
from bot.errors import UserError

MIN_ORDERS_OF_CAPITAL = 10
"""A fund must be able to trade in slices: its capital is at least this many minimum orders."""


def refuse_small_capital(fund: Fund, contract: Contract, price: Price) -> None:
    """Raise `UserError` if the fund's capital is under ten minimum orders at `price`."""
    smallest = MIN_ORDERS_OF_CAPITAL * contract.min_increase(price) * price
    if fund.capital < smallest:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__CAPITAL={fund.capital}: under {MIN_ORDERS_OF_CAPITAL} minimum "
            f"orders of {contract.symbol}; give it at least {smallest.__ceil__()}"
        )
