"""A venue in memory that answers at once, for `bot.testing`."""

from collections import deque
from decimal import Decimal
from typing import Literal

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.fund import Contract
from bot.core.ledger import Ledger
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.recovery_events import ListedOrder
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopsSeen, StopStatus, StopUnknown
from bot.core.units import BPS, ZERO

Outcome = Literal[
    "fill", "half", "nothing", "refuse", "would take", "rest", "rest half", "lose", "lose filled"
]
"""What the venue does with an order; `lose` drops the request, `lose filled` only the answer.

`rest` and `rest half` leave a post-only order on the book, untouched or half filled, until it is cancelled.
"""

_SHARES = {"half": Decimal("0.5"), "rest half": Decimal("0.5"), "nothing": ZERO, "rest": ZERO}


class InstantVenue:
    """An account in memory. Every order gets its outcome from `script`, or else fills."""

    def __init__(self, contract: Contract, wallet: Decimal, slippage_bps: Decimal = ZERO) -> None:
        """Open a flat account that holds `wallet`."""
        self.contract = contract
        self.ledger = Ledger(wallet)
        self.slippage_bps = slippage_bps
        self.trades_it = True
        self.volume: Decimal | None = None  # of the market, in a quarter of an hour
        self.script: deque[Outcome] = deque()
        self.income: list[ev.Income] = []
        self.trades: list[ev.Trade] = []
        self.orders: dict[str, tuple[str, Decimal]] = {}
        self.sent: list[SubmitOrder] = []
        self.resting: set[str] = set()
        self.listed: list[ListedOrder] = []
        self.stop_script: deque[Outcome] = deque()
        self.stops: dict[str, tuple[PlaceStop, StopStatus]] = {}

    def submit(self, order: SubmitOrder, now: tuple[int, int], mark: Decimal) -> ev.Event:
        """Carry an order out, as the script says."""
        self.sent.append(order)
        off_grid = order.quantity % self.contract.lot or order.limit_price % self.contract.tick
        outcome = self.script.popleft() if self.script else "fill"
        if outcome == "refuse" or off_grid or not self.trades_it:
            return self._refuse(order, now, by_rules=outcome != "refuse")
        if outcome == "would take":
            return ev.OrderRefused(*now, order.cid, "-5022", "It would have crossed.", would_take=True)
        if outcome == "lose":
            return ev.OrderUnknown(*now, order.cid, "timeout")
        share = _SHARES.get(outcome, Decimal(1))
        if order.rests and outcome in ("rest", "rest half"):
            self.resting.add(order.cid)
        lot = self.contract.lot
        size = (abs(order.quantity) * share / lot).to_integral_value() * lot
        self._fill(order, size, now[0], mark)
        if outcome == "lose filled":
            return ev.OrderUnknown(*now, order.cid, "timeout")
        return self.look_up(order.cid, now)

    def _refuse(self, order: SubmitOrder, now: tuple[int, int], *, by_rules: bool) -> ev.OrderRefused:
        if by_rules:
            return ev.OrderRefused(*now, order.cid, "-1111", "Precision is over the maximum.", by_rules=True)
        return ev.OrderRefused(*now, order.cid, "-2019", "Margin is insufficient.")

    def _fill(self, order: SubmitOrder, size: Decimal, time_ms: int, mark: Decimal) -> None:
        venue_id = str(len(self.orders) + 1)
        self.orders[order.cid] = (venue_id, size)
        self.listed.append(ListedOrder(order.cid, time_ms, order.cid in self.resting))
        if size:
            self.trade(size if order.quantity > ZERO else -size, time_ms, mark, venue_id)

    def trade(self, quantity: Decimal, time_ms: int, mark: Decimal, venue_id: str = "by hand") -> None:
        """Trade on the account; also by somebody who is not the fund."""
        sign = 1 if quantity > ZERO else -1
        price = mark * (1 + sign * self.slippage_bps / BPS)
        fee = abs(quantity) * price * self.contract.taker_fee
        self.ledger = self.ledger.after_trade(quantity, price, fee)
        number = str(len(self.trades) + 1)
        self.trades.append(ev.Trade(number, venue_id, time_ms, quantity, price, fee))

    def pay_funding(self, amount: Decimal, time_ms: int) -> None:
        """Book funding on the account."""
        self.ledger = self.ledger.after_funding(amount)
        self.income.append(ev.Income(str(len(self.income) + 1), time_ms, "FUNDING_FEE", amount))

    def transfer(self, amount: Decimal, time_ms: int) -> str:
        """Bring cash onto the account, or take it off (< 0); the income's id."""
        self.ledger = self.ledger.with_cash(amount)
        self.income.append(ev.Income(str(len(self.income) + 1), time_ms, "TRANSFER", amount))
        return self.income[-1].income_id

    def look_up(self, cid: str, now: tuple[int, int]) -> ev.Event:
        """The order by client id."""
        if cid not in self.orders:
            return ev.OrderMissing(*now, cid)
        venue_id, filled = self.orders[cid]
        return ev.OrderReport(*now, cid, venue_id, filled, closed=cid not in self.resting)

    def cancel(self, cid: str, now: tuple[int, int]) -> ev.Event:
        """Take a resting order off the book; what it filled stays."""
        if cid not in self.orders:
            return ev.OrderMissing(*now, cid, off_book=True)
        self.resting.discard(cid)
        return self.look_up(cid, now)

    def answer_stop(self, command: cmd.StopCommand, now: tuple[int, int]) -> ev.Event:
        """Carry out what concerns a protective stop."""
        if isinstance(command, PlaceStop):
            return self.place_stop(command, now)
        if isinstance(command, cmd.QueryStop):
            return self.look_up_stop(command.cid, now)
        if isinstance(command, cmd.FetchStops):
            resting = (cid for cid, (_, status) in self.stops.items() if status is StopStatus.RESTING)
            return StopsSeen(*now, tuple(resting))
        return self.cancel_stop(command.cid, now)

    def place_stop(self, stop: PlaceStop, now: tuple[int, int]) -> ev.Event:
        """Take a protective stop, as the script says."""
        outcome = self.stop_script.popleft() if self.stop_script else "rest"
        if stop.trigger_price % self.contract.tick:
            return StopRefused(*now, stop.cid, "-1111", "Precision is over the maximum.", by_rules=True)
        if outcome == "refuse":
            return StopRefused(*now, stop.cid, "-2021", "Order would immediately trigger.")
        if outcome != "lose":
            self.stops[stop.cid] = (stop, StopStatus.RESTING)
        return (
            StopUnknown(*now, stop.cid, "timeout") if "lose" in outcome else self.look_up_stop(stop.cid, now)
        )

    def look_up_stop(self, cid: str, now: tuple[int, int]) -> StopReport | StopMissing:
        """The stop by client id; what it became is named for it."""
        if cid not in self.stops:
            return StopMissing(*now, cid)
        status, became = self.stops[cid][1], f"of {cid}"
        return StopReport(*now, cid, "7", status, became if status is StopStatus.TRIGGERED else None)

    def cancel_stop(self, cid: str, now: tuple[int, int]) -> ev.Event:
        """Take a stop back, if it rests."""
        if cid in self.stops and self.stops[cid][1] is StopStatus.RESTING:
            self.stops[cid] = (self.stops[cid][0], StopStatus.GONE)
        return self.look_up_stop(cid, now)

    def trigger_stops(self, mark: Decimal, now: tuple[int, int]) -> list[ev.Event]:
        """Fill the stops whose price the mark has reached, and say so as a stream would."""
        told: list[ev.Event] = []
        for cid, (stop, status) in self.stops.items():
            sign = 1 if stop.quantity > ZERO else -1
            if status is not StopStatus.RESTING or (mark - stop.trigger_price) * sign < ZERO:
                continue
            self.stops[cid] = (stop, StopStatus.TRIGGERED)
            size = min(abs(stop.quantity), abs(self.ledger.position))  # it only reduces
            if size and stop.quantity * self.ledger.position < ZERO:
                self.trade(sign * size, now[0], mark, f"of {cid}")
            self.listed.append(ListedOrder(cid, now[0], is_open=False))  # what it became has its id
            told.append(self.look_up_stop(cid, now))
        return told
