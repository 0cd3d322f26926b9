"""Funds with flows, for tests."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.core import events as ev
from bot.core.flow_records import FlowKind
from bot.core.fund import Fund
from bot.core.terms import FlowTerms
from bot.testing import Lab, a_fund

EVERY_S = 600


def a_dealing_fund(fee_daily: str = "0", **terms: str) -> Fund:
    """A fund that deals every ten minutes, its narrow band easily left."""
    fund = a_fund(band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2")
    chosen: dict[str, Any] = {name: Decimal(value) for name, value in terms.items()}
    return replace(fund, terms=FlowTerms(every_s=EVERY_S, **chosen), management_fee_daily=Decimal(fee_daily))


class FlowLab(Lab):
    """A laboratory with short ways to say what flows need."""

    def subscribe(self, amount: str, request_id: str = "") -> None:
        """Ask for units worth `amount`."""
        self.send(ev.FlowAsked(*self.now, FlowKind.SUBSCRIBE, Decimal(amount), request_id))

    def redeem(self, units: str, request_id: str = "") -> None:
        """Ask for the worth of `units`."""
        self.send(ev.FlowAsked(*self.now, FlowKind.REDEEM, Decimal(units), request_id))

    def wait(self, seconds: float) -> None:
        """The mark stays as it is, that much later."""
        self.mark(self.price, after_s=seconds)

    def until_dealing(self, price: str | None = None) -> None:
        """The first mark of the next dealing comes."""
        at_ms = self.fund.terms.dealing_after(self.time_ms)
        self.mark(price or self.price, after_s=(at_ms - self.time_ms) / 1000)

    @property
    def nav(self) -> Decimal:
        """True NAV at the latest mark."""
        book = self.state.book
        return book.ledger.value(self.price) / book.units


def a_flow_lab(fee_daily: str = "0", **terms: str) -> FlowLab:
    """A fund that has opened, and rests."""
    lab = FlowLab(a_dealing_fund(fee_daily, **terms))
    lab.settle()
    return lab
