"""What flows may never do, whatever the order of marks, trades, funding, fees, flows and restarts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core.book import Book
from bot.core.commands import Command
from bot.core.flow_records import (
    FeeCharged,
    FlowKind,
    FlowsCrossed,
    FlowSettled,
    FlowsInCash,
    UnitsRescaled,
)
from bot.core.fund import Fund
from bot.core.ledger import real_leverage
from bot.core.public_records import PublicationScheduled
from bot.core.reconcile import DIFFERENCE
from bot.core.records import Control, Filled, IncidentOpened, IncomeBooked, Kind, RebalanceStarted, Record
from bot.core.terms import FlowTerms
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic
from tests.support.examples import examples

D = Decimal
NOTHING = D("1e-15")
"""Of a NAV: what the 28 digits of a decimal cannot hold."""

TERMS = FlowTerms(subscribe_fee=D("0.001"), redeem_fee=D("0.002"), every_s=600)


class Auditor(Lab):
    """A laboratory that judges each record by what it does to holders at the mark of that moment.

    `register` holds the units of each holder: the founders', and those of every flow. There is none in the
    product; flows tell what it would be.
    """

    shadow: Book
    register: dict[str, Decimal]
    paid_out: Decimal

    def take(self, event: ev.Event) -> tuple[Command, ...]:
        """One step; each of its records is judged."""
        known = len(self.records)
        if known == 0:
            self.shadow, self.register, self.paid_out = Book(), {}, D(0)
        commands = super().take(event)
        for record in self.records[known:]:
            self._judge(record)
        assert self.shadow == self.state.book
        self._agree()
        return commands

    def _judge(self, record: Record) -> None:
        book, mark = self.shadow, self.price
        units, ledger = book.units, book.ledger
        before = ledger.value(mark) / units if units else None
        leverage = real_leverage(ledger, mark)
        kind = book.rebalance.kind if book.rebalance is not None else None
        flows = isinstance(record, Filled) and record.cid is not None and kind is Kind.FLOW
        expected = self._expected(record, flows=flows)
        levied = self._levied(record)
        book.apply(record)
        self._register(record)
        if before is None or not book.units or isinstance(record, UnitsRescaled):
            return
        moved = book.ledger.value(mark) / book.units - before - expected / units
        assert moved >= -NOTHING, f"{record} took {moved} from every unit"
        if not levied:
            assert moved * book.units <= D("1e-7") * max(D(1), before), f"{record} gave {moved} to every unit"
        after = real_leverage(book.ledger, mark)
        if flows and leverage is not None and after is not None and book.position:
            assert abs(after - leverage) < D("1e-8"), f"{record} moved leverage from {leverage} to {after}"

    def _expected(self, record: Record, *, flows: bool) -> Decimal:
        """What a record takes from the fund: costs of its own trades, funding, the management fee."""
        match record:
            case Filled() if not flows:
                return record.quantity * (self.price - record.price) - record.fee
            case IncomeBooked(kind="FUNDING_FEE"):
                return record.amount
            case FeeCharged():
                return -record.amount
            case _:
                return D(0)

    def _levied(self, record: Record) -> bool:
        """Whether the record pays a levy into the fund, or deals at another mark than this one."""
        return isinstance(record, FlowsInCash | FlowsCrossed)

    def _register(self, record: Record) -> None:
        book = self.shadow
        if not self.register:
            self.register["founders"] = book.units
        if isinstance(record, FlowSettled):
            if record.units and record.amount == record.fee == 0:
                self.register[record.reference] = record.units
            else:
                self._hand_in(record.units)
                self.paid_out += record.amount
        elif isinstance(record, UnitsRescaled):
            for holder in self.register:
                self.register[holder] = self.register[holder] * record.numerator / record.denominator

    def _hand_in(self, units: Decimal) -> None:
        """Redeemed units come from whoever has most."""
        while units > 0:
            richest = max(self.register, key=lambda holder: self.register[holder])
            taken = min(units, self.register[richest])
            assert taken > 0
            self.register[richest] -= taken
            units -= taken

    def _agree(self) -> None:
        """Nobody holds a unit that does not exist; with no dealing under way there is none besides."""
        book = self.shadow
        if book.dealing is None:
            assert abs(sum(self.register.values()) - book.units) < D("0.000001")
        for amount in (book.units, book.payable, book.fees_payable):
            assert amount >= 0

    def reconciled(self) -> None:
        """Every cent on the account has an owner."""
        assert abs(self.state.book.wallet - self.venue.ledger.wallet) < D("0.000001")
        assert self.state.book.position == self.venue.ledger.position
        assert not [i for i in self.of(IncidentOpened) if i.code == DIFFERENCE]


def a_dealing_fund(side: Any = "long") -> Fund:
    """With terms, a management fee, and a delay before it leverages up."""
    fund = a_fund(side=side, strategy=Strategic(confirmation_s=300))
    return replace(fund, terms=TERMS, management_fee_daily=D("0.0005"))


moves = st.tuples(st.just("move"), st.sampled_from([-0.06, -0.02, -0.004, 0.0, 0.004, 0.02, 0.06]))
hours = st.tuples(st.just("wait"), st.sampled_from([1, 30, 590, 600, 3_600, 30_000, 90_000]))
deposits = st.tuples(
    st.just("subscribe"), st.sampled_from(["10", "33.33333333", "150", "4000", "30000", "70000"])
)
exits = st.tuples(st.just("redeem"), st.sampled_from(["11", "170.5", "5000", "40000", "99999.5"]))
funding = st.tuples(st.just("funding"), st.sampled_from(["-31.7", "12.00000001"]))
outcomes = st.tuples(
    st.just("outcome"), st.sampled_from(["half", "nothing", "refuse", "lose", "lose filled"])
)
others = st.tuples(st.sampled_from(["restart", "pause", "resume", "halt", "by hand", "1:7"]), st.just(None))
actions = st.lists(
    st.one_of(moves, hours, deposits, exits, deposits, exits, funding, outcomes, others), max_size=25
)


def act(lab: Auditor, what: str, how: Any) -> None:
    """Let one thing happen."""
    match what:
        case "move":
            lab.mark((lab.price * (1 + D(str(how)))).quantize(D("0.1")))
        case "wait":
            lab.mark(lab.price, after_s=how)
        case "subscribe":
            lab.send(ev.FlowAsked(*lab.now, FlowKind.SUBSCRIBE, D(how), f"s{len(lab.records)}"))
        case "redeem":
            lab.send(ev.FlowAsked(*lab.now, FlowKind.REDEEM, D(how), f"r{len(lab.records)}"))
        case "funding":
            lab.venue.pay_funding(D(how), lab.time_ms)
            lab.send(ev.ReconcileDue(*lab.now))
        case "outcome":
            lab.venue.script.append(how)
        case "restart":
            lab.restart()
        case "by hand":
            lab.moves_cash = not lab.moves_cash
        case "1:7":
            lab.send(ev.RescaleAsked(*lab.now, 1, 7, "ann", "rounder"))
        case _:
            control = {"pause": Control.PAUSED, "resume": Control.RUNNING, "halt": Control.HALTED}[what]
            lab.send(ev.Controlled(*lab.now, control, "ann", "because"))


@settings(max_examples=examples(60), deadline=None)
@given(actions, st.sampled_from(["long", "short"]), st.sampled_from([0, 3, -2]))
@example([("subscribe", "30000"), ("wait", 600), ("redeem", "5000"), ("wait", 600)], "long", 0)
def test_units_times_nav_is_fund_value_and_nobody_pays_for_others(
    doings: list[tuple[str, Any]], side: str, slippage_bps: int
) -> None:
    """Holders' value changes by the market, the fund's costs and its fees, and by nothing else.

    Each record is judged: what it takes from a unit at the mark of its moment is what the fund's own trades,
    funding and the management fee cost; a flow takes nothing from the others, and gives them rounding at
    most (and the levy of what goes in cash). Its trades move no leverage. At the end every cent has an owner.
    """
    lab = Auditor(a_dealing_fund(side), slippage_bps=D(slippage_bps))
    lab.settle()
    for what, how in doings:
        act(lab, what, how)
    lab.moves_cash = True
    lab.venue.script.clear()
    lab.send(ev.Controlled(*lab.now, Control.RUNNING, "ann", "at the end"))
    lab.restart(adopt=True)
    for _ in range(4):
        lab.mark(lab.price, after_s=700)
        lab.settle()
    lab.send(ev.ReconcileDue(*lab.now))
    lab.reconciled()


class Killed(Exception):  # noqa: N818 - it is no error
    """The process ended here."""


class Mortal(Auditor):
    """An auditor that can be killed before a step is durable, after it, and after each command."""

    moments = 0
    fatal: int | None = None

    def take(self, event: ev.Event) -> tuple[Command, ...]:
        """One step, if the process lives that long."""
        self._moment()
        commands = super().take(event)
        self._moment()
        return commands

    def carry_out(self, command: Command) -> ev.Event:
        """Carry a command out; the answer may never come."""
        answer = super().carry_out(command)
        self._moment()
        return answer

    def fork(self) -> "Mortal":
        """Another one that has seen the same."""
        twin = super().fork()
        twin.shadow, twin.register = self.shadow.copy(), self.register.copy()
        return twin

    def _moment(self) -> None:
        self.moments += 1
        if self.moments == self.fatal:
            self.fatal = None
            raise Killed

    def survive(self, what: str, how: Any) -> None:
        """Let one thing happen, in this process or the next; who gets no receipt asks again."""
        try:
            self._do(what, how)
        except Killed:
            self.restart()
            if what in ("subscribe", "redeem"):
                self._do(what, how)

    def _do(self, what: str, how: Any) -> None:
        if what in ("subscribe", "redeem"):
            self.send(ev.FlowAsked(*self.now, FlowKind(what), D(how), f"{what} {how}"))
        else:
            act(self, what, how)

    def day(self) -> None:
        """Flows on both sides and a dealing in the middle of a rise that makes the fund leverage up."""
        for what, how in (
            ("subscribe", "30000"),
            ("redeem", "4000"),
            ("move", 0.07),
            ("wait", 301),
            ("outcome", "half"),
            ("wait", 250),
            ("outcome", "lose filled"),
            ("outcome", "lose"),
            ("wait", 60),
            ("wait", 60),
            ("redeem", "25000"),
            ("wait", 600),
        ):
            self.survive(what, how)
        for _ in range(60):
            self.survive("wait", 30)


def test_killed_at_any_moment_every_flow_ends_and_no_cash_moves_twice() -> None:
    """Every moment of a day with flows is enumerated, dealings during a patient rebalance among them."""
    fund = replace(
        a_fund(band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2"),
        terms=TERMS,
        management_fee_daily=D("0.0005"),
    )
    first = Mortal(fund, slippage_bps=D(3))
    first.settle()
    whole = first.fork()
    whole.day()
    kinds = [record.kind for record in whole.records if isinstance(record, RebalanceStarted)]
    assert kinds == [Kind.OPEN, Kind.BAND, Kind.FLOW, Kind.FLOW]
    ended = [record.number for record in whole.of(PublicationScheduled)]
    assert ended == [1, 3, 4, 2], "both flows were traded in the middle of the rebalance"
    for moment in range(first.moments + 1, whole.moments + 1):
        lab = first.fork()
        lab.fatal = moment
        lab.day()
        assert lab.state.book.flows == ()
        transfers = [item.amount for item in lab.venue.income if item.kind == "TRANSFER"]
        assert sum(amount > 0 for amount in transfers) == 1
        assert sum(amount < 0 for amount in transfers) == 2
        lab.send(ev.ReconcileDue(*lab.now))
        lab.reconciled()
