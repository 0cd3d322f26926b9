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
from bot.core.ledger import real_leverage
from bot.core.limits import SubmitOrder
from bot.core.margin import Maintenance
from bot.core.records import Record
from bot.core.recovery_events import IdentityDrawn, OrdersSeen
from bot.core.strategy import Strategy
from bot.core.turn import State
from bot.core.units import ZERO, Leverage, Side
from bot.core.watch_events import ContractSeen
from bot.testing_venue import InstantVenue
from strategies.strategic import Strategic

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
        """Let time pass at the present mark until no rebalance is under way.

        One that may send nothing now tries again each second, for hours: it is watched once a minute.
        """
        end_ms = self.time_ms + int(at_most_s * 1000)
        while (open_ := self.state.book.rebalance) is not None and self.time_ms < end_ms:
            wake_ms = self.state.wake_ms
            step_ms = 1_000 if wake_ms is None else max(1, wake_ms - self.time_ms)
            step_ms = step_ms if open_.deferred is None else 60_000
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
        if isinstance(command, cmd.FetchContract):
            return ContractSeen(*self.now, self.venue.contract if self.venue.trades_it else None)
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
