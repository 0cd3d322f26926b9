"""A laboratory for strategies and for the engine: builders, and a venue in memory that answers at once.

    lab = Lab(a_fund(strategy=Mine()), start="60000")
    lab.walk("66000", "58000")
    assert lab.leverage < 3

The laboratory runs the very step that trades live, in memory, without a clock. Its venue fills at the mark
plus `slippage_bps`; `script` lets a test say what happens to the next orders instead.
"""

from collections import deque
from collections.abc import Callable
from copy import copy
from decimal import Decimal
from typing import Literal, Self, TypeAlias, TypeVar

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.book import fold
from bot.core.engine import start, step
from bot.core.fund import Contract, Fund
from bot.core.ledger import Ledger, real_leverage
from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.margin import Maintenance
from bot.core.records import Record
from bot.core.recovery_events import IdentityDrawn, ListedOrder, OrdersSeen
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopStatus, StopUnknown
from bot.core.strategy import Strategy
from bot.core.turn import State
from bot.core.units import BPS, ZERO, Leverage, Side
from strategies.strategic import Strategic

Outcome = Literal[
    "fill", "half", "nothing", "refuse", "would take", "rest", "rest half", "lose", "lose filled"
]
"""What the venue does with an order; `lose` drops the request, `lose filled` only the answer.

`rest` and `rest half` leave a post-only order on the book, untouched or half filled, until it is cancelled.
"""

Asked: TypeAlias = (
    cmd.DrawSecrets | cmd.FetchTouch | cmd.FetchVolume | cmd.GuardOrders | cmd.FetchDayMark | cmd.MoveCash
)
_Record = TypeVar("_Record", bound=Record)


def a_fund(
    *,
    side: Literal["long", "short"] = "long",
    band: tuple[str, str] = ("1.5", "3"),
    target: tuple[str, str] = ("1.8", "2.6"),
    emergency: str | None = None,
    capital: str = "100000",
    start_leverage: str = "2",
    strategy: Strategy | None = None,
    protective_stop: bool = False,
) -> Fund:
    """A fund on BTCUSDT with the defaults of paper mode, but without a confirmation delay."""
    default_emergency = "3.5" if side == "long" else "4"
    return Fund(
        name="BTCUP" if side == "long" else "BTCDOWN",
        underlying="BTCUSDT",
        side=Side(side),
        band=(Decimal(band[0]), Decimal(band[1])),
        target_range=(Decimal(target[0]), Decimal(target[1])),
        emergency=Decimal(emergency or default_emergency),
        capital=Decimal(capital),
        start_leverage=Decimal(start_leverage),
        strategy=strategy if strategy is not None else Strategic(confirmation_s=0),
        account="UP",
        protective_stop=protective_stop,
    )


def a_contract(*, min_notional: str = "100", lot: str = "0.001", taker_fee: str = "0.0005") -> Contract:
    """The BTCUSDT perpetual, about as Binance lists it."""
    return Contract(
        symbol="BTCUSDT",
        tick=Decimal("0.1"),
        lot=Decimal(lot),
        min_quantity=Decimal(lot),
        max_quantity=Decimal(120),
        min_notional=Decimal(min_notional),
        taker_fee=Decimal(taker_fee),
        price_limit=Decimal("0.05"),
        reduce_only_any_size=True,
        venue_leverage=6,
        maintenance=(
            Maintenance(Decimal(300_000), Decimal("0.004"), ZERO),
            Maintenance(Decimal(800_000), Decimal("0.005"), Decimal(300)),
            Maintenance(Decimal(3_000_000), Decimal("0.0065"), Decimal(1_500)),
        ),
    )


_SHARES = {"half": Decimal("0.5"), "rest half": Decimal("0.5"), "nothing": ZERO, "rest": ZERO}


class InstantVenue:
    """An account in memory. Every order gets its outcome from `script`, or else fills."""

    def __init__(self, contract: Contract, wallet: Decimal, slippage_bps: Decimal = ZERO) -> None:
        """Open a flat account that holds `wallet`."""
        self.contract = contract
        self.ledger = Ledger(wallet)
        self.slippage_bps = slippage_bps
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
        outcome = self.script.popleft() if self.script else "fill"
        if outcome == "refuse":
            return ev.OrderRefused(*now, order.cid, "-2019", "Margin is insufficient.")
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
        self.resting.discard(cid)
        return self.look_up(cid, now)

    def answer_stop(self, command: cmd.StopCommand, now: tuple[int, int]) -> ev.Event:
        """Carry out what concerns a protective stop."""
        if isinstance(command, PlaceStop):
            return self.place_stop(command, now)
        if isinstance(command, cmd.QueryStop):
            return self.look_up_stop(command.cid, now)
        return self.cancel_stop(command.cid, now)

    def place_stop(self, stop: PlaceStop, now: tuple[int, int]) -> ev.Event:
        """Take a protective stop, as the script says."""
        outcome = self.stop_script.popleft() if self.stop_script else "rest"
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
            told.append(self.look_up_stop(cid, now))
        return told


class Lab:
    """One fund on an `InstantVenue`: feed it marks, and look at what it did.

    `deliver` says which commands are carried out; all of them, unless a test decides otherwise. `moves_cash`:
    whether transfers are made here, or by people; `tells`: whether a stream brings news of stops.
    `day_marks`: what the venue keeps of marks at 00:00 UTC.
    """

    deliver: Callable[[cmd.Command], bool]

    def __init__(
        self,
        fund: Fund | None = None,
        contract: Contract | None = None,
        *,
        start: str = "60000",
        slippage_bps: Decimal = ZERO,
        key: str = "00" * 32,
    ) -> None:
        """Open the fund for the first time, at market time zero, on a mark of `start`, with sealed `key`."""
        self.fund = fund if fund is not None else a_fund()
        self.contract = contract if contract is not None else a_contract()
        self.venue = InstantVenue(self.contract, self.fund.capital, slippage_bps)
        self.records: list[Record] = []
        self.commands: list[cmd.Command] = []
        self.time_ms = 0
        self.wall_ms = 0
        self.price = Decimal(start)
        self.deliver = lambda _: True
        self.moves_cash = True
        self.tells = True
        self.day_marks: dict[int, Decimal] = {}
        self.state = self._from_records()
        self.send(ev.Opened(*self.now, key=key, incarnation="lab", wallet=self.fund.capital))
        self.mark(self.price)

    @property
    def now(self) -> tuple[int, int]:
        """Both clocks, as events carry them."""
        return self.time_ms, self.wall_ms

    @property
    def leverage(self) -> Leverage | None:
        """Real leverage at the latest mark."""
        return real_leverage(self.state.book.ledger, self.price)

    def send(self, event: ev.Event) -> None:
        """Give the engine one event, and carry out what it commands until it is quiet."""
        queue = deque([event])
        while queue:
            commands = self.take(queue.popleft())
            queue.extend(self.carry_out(command) for command in commands if self.deliver(command))

    def take(self, event: ev.Event) -> tuple[cmd.Command, ...]:
        """One step: its records are kept, its commands are returned."""
        self.state, records, commands = step(self.state, event)
        self.records.extend(records)
        self.commands.extend(commands)
        return commands

    def mark(self, price: str | Decimal, *, after_s: float = 60, rate: str | None = None) -> None:
        """The mark moves to `price`, `after_s` later; funding is due every eight hours of market time."""
        self.price = Decimal(price)
        self._pass(int(after_s * 1000))
        due = (self.time_ms // 28_800_000 + 1) * 28_800_000
        told = self.venue.trigger_stops(self.price, self.now)
        self.send(ev.Mark(*self.now, self.price, due, Decimal(rate) if rate else None))
        for news in told if self.tells else ():
            self.send(news)

    def settle(self, *, at_most_s: float = 7_200) -> None:
        """Let time pass at the present mark until no rebalance is under way."""
        end_ms = self.time_ms + int(at_most_s * 1000)
        while self.state.book.rebalance is not None and self.time_ms < end_ms:
            wake_ms = self.state.wake_ms
            step_ms = 1_000 if wake_ms is None else max(1, wake_ms - self.time_ms)
            self.mark(self.price, after_s=step_ms / 1000)

    def walk(self, *prices: str) -> None:
        """Go through `prices` in steps of at most 0.1 %, a minute each, settling rebalances on the way."""
        for price in prices:
            goal = Decimal(price)
            while self.price != goal:
                near = self.price * (1 + (Decimal("0.001") if goal > self.price else Decimal("-0.001")))
                reached = near >= goal if goal > self.price else near <= goal
                self.mark(goal if reached else near.quantize(Decimal("0.01")))
                self.settle()

    def restart(self, *, adopt: bool = False) -> None:
        """Lose everything but the records, and start again."""
        self.state = self._from_records()
        self.send(ev.Resumed(*self.now, adopt))
        self.mark(self.price, after_s=0)

    def fork(self) -> Self:
        """An independent laboratory that has come exactly this far."""
        twin, twin.venue = copy(self), copy(self.venue)
        twin.records, twin.commands = self.records.copy(), self.commands.copy()
        venue = twin.venue
        venue.script, venue.income, venue.trades = (
            venue.script.copy(),
            venue.income.copy(),
            venue.trades.copy(),
        )
        venue.orders, venue.sent = venue.orders.copy(), venue.sent.copy()
        venue.resting, venue.listed = venue.resting.copy(), venue.listed.copy()
        venue.stops = venue.stops.copy()
        return twin

    def of(self, kind: type[_Record]) -> list[_Record]:
        """The records of one class, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def _from_records(self) -> State:
        return start(self.fund, self.contract, fold(self.records))

    def _pass(self, milliseconds: int) -> None:
        self.time_ms += milliseconds
        self.wall_ms += milliseconds

    def carry_out(self, command: cmd.Command) -> ev.Event:
        """Do what a command asks, at the venue or here; the answer is an event."""
        if isinstance(command, SubmitOrder):
            return self.venue.submit(command, self.now, self.price)
        if isinstance(command, cmd.StopCommand):
            self.wall_ms += int(getattr(command, "delay_s", 0.0) * 1000)
            return self.venue.answer_stop(command, self.now)
        if isinstance(command, Asked):
            return self._answer(command)
        if isinstance(command, cmd.DrawIdentity):
            return IdentityDrawn(*self.now, command.number, f"{command.number:064x}", f"lab {command.number}")
        self.wall_ms += int(command.delay_s * 1000)
        return self._read(command)

    def _answer(self, command: Asked) -> ev.Event:
        if isinstance(command, cmd.MoveCash):
            moved = self.venue.transfer(command.amount, self.time_ms) if self.moves_cash else None
            return ev.CashMoved(*self.now, command.amount, moved)
        if isinstance(command, cmd.FetchDayMark):
            return ev.DayMarkSeen(*self.now, command.day_ms, self.day_marks.get(command.day_ms))
        if isinstance(command, cmd.DrawSecrets):
            u = f"0.{(command.sequence * 618_033_988_749_894_848) % 10**18:018d}"
            return ev.Drawn(*self.now, command.sequence, u, f"{command.sequence:064x}")
        if isinstance(command, cmd.GuardOrders):
            return ev.Guarded(*self.now)
        if isinstance(command, cmd.FetchVolume):
            return ev.VolumeSeen(*self.now, self.venue.volume, 900_000)
        return ev.TouchSeen(*self.now, self.price, self.price)

    def _read(
        self,
        command: cmd.QueryOrder
        | cmd.CancelOrder
        | cmd.FetchTrades
        | cmd.FetchIncome
        | cmd.FetchOrders
        | cmd.FetchAccount,
    ) -> ev.Event:
        if isinstance(command, cmd.QueryOrder):
            return self.venue.look_up(command.cid, self.now)
        if isinstance(command, cmd.CancelOrder):
            return self.venue.cancel(command.cid, self.now)
        if isinstance(command, cmd.FetchTrades):
            wanted = command.venue_order_id
            trades = (t for t in self.venue.trades if wanted in (None, t.venue_order_id))
            return ev.TradesSeen(*self.now, tuple(t for t in trades if t.time_ms >= command.since_ms))
        if isinstance(command, cmd.FetchIncome):
            return ev.IncomeSeen(*self.now, self._income(command.since_ms))
        if isinstance(command, cmd.FetchOrders):
            return OrdersSeen(*self.now, tuple(self.venue.listed))
        ledger = self.venue.ledger
        income = self._income(command.income_since_ms)
        return ev.AccountSeen(*self.now, ledger.wallet, ledger.position, income)

    def _income(self, since_ms: int) -> tuple[ev.Income, ...]:
        return tuple(item for item in self.venue.income if item.time_ms >= since_ms)
