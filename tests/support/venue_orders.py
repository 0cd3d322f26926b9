"""Orders for the venue's tests, approved by the limits as every order is."""

from decimal import Decimal

from bot.core.ledger import Ledger
from bot.core.limits import Conditions, Proposal, SubmitOrder, approve
from bot.testing import a_contract

CID = "inbandtest000000000000000001"


def an_order(
    quantity: str = "0.010", price: str = "50000.0", *, held: str = "0", rests: bool = False
) -> SubmitOrder:
    """An order of `quantity` BTCUSDT by an account that holds `held`."""
    position = Decimal(held)
    ledger = Ledger(cash=Decimal(1_000_000) - position * 50_000, position=position)
    conditions = Conditions(Decimal(50_000), max_leverage=Decimal(4))
    target = position + Decimal(quantity)
    order = approve(
        Proposal(CID, Decimal(quantity), Decimal(price), target, rests), a_contract(), ledger, conditions
    )
    assert isinstance(order, SubmitOrder), order
    return order
