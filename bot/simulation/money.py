"""The judge of the holders' money: what is claimed of it, against what came onto the account, and left it."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from bot.core import flow_records as flows
from bot.core import records as rec
from bot.simulation.holders import Holders
from bot.simulation.venue import OrderRequest, Venue

ZERO = Decimal(0)
CENT = Decimal("0.01")
TRANSFER = "TRANSFER"

Expect = Callable[[bool, str, str], None]


class MoneyJudge:
    """Looks on at deposits, withdrawals, and the trades of flows."""

    def __init__(self, venue: Venue, holders: Holders, expect: Expect) -> None:
        """`holders` is kept by the judge."""
        self._venue = venue
        self._holders = holders
        self._expect = expect
        self._paid_out: Counter[Decimal] = Counter()

    def take(self, record: rec.Record) -> None:
        """I3: what is counted as brought was brought; what is counted as paid was taken off the account."""
        if not isinstance(record, flows.FlowFunded | flows.FlowPaid | flows.FeesPaid):
            return
        moved = [item.amount for item in self._venue.income if item.kind == TRANSFER]
        if isinstance(record, flows.FlowFunded):
            brought = sum((amount for amount in moved if amount > ZERO), start=ZERO)
            self._expect(
                self._holders.funded <= brought, "I3", f"flow {record.reference} is funded by nothing"
            )
        else:
            fetched = -sum((amount for amount in moved if amount < ZERO), start=ZERO)
            self._expect(
                self._holders.paid <= fetched, "I3", "more is booked as paid out than left the account"
            )

    def transferred(self, amount: Decimal) -> None:
        """I4: the daemon, where it moves the cash itself, pays each redemption once."""
        if amount < ZERO:
            self._paid_out[-amount] += 1
            once = self._paid_out[-amount] <= self._holders.owed[-amount]
            self._expect(once, "I4", f"{-amount} is paid out once more than it is owed")

    def sent(self, request: OrderRequest, value: Decimal) -> None:
        """I1: a flow's order trades no more than the share of who comes, or goes; `value` is the fund's."""
        holders, share = self._holders, abs(request.quantity) / abs(self._venue.position)
        if request.reduce_only:
            holds = share * holders.units <= holders.leaving
        else:
            holds = share * value <= holders.bringing
        self._expect(holds, "I1", "an order of a flow is of more than the flow's share")

    def at_rest(self, units: Decimal) -> None:
        """I3: what holders and others own is what the venue has; no unit is held that was not made."""
        venue, owned = self._venue, self._holders.cash + self._holders.beside
        off = abs(venue.wallet - venue.cost - owned)
        self._expect(off < CENT, "I3", f"holders and others own {owned}, {off} from what the venue has")
        self._expect(self._holders.units == units, "I3", "the units are not what was made and burned")
