"""What must hold after every step, whatever happens: the promises of the engine as properties."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core import events as ev
from bot.core.book import Book, fold
from bot.core.commands import Command
from bot.core.engine import step
from bot.core.ledger import real_leverage
from bot.core.limits import SubmitOrder
from bot.core.records import Filled, OrderIntended, RebalanceStarted
from bot.testing import Lab, a_fund
from bot.testing_venue import Outcome
from strategies.interval import Interval
from strategies.strategic import Strategic
from tests.support.examples import examples

HARDLY = Decimal("1e-15")


class Killed(Exception):  # noqa: N818 - it is no error
    """The process ended here."""


class Witness(Lab):
    """A laboratory that checks every step, and that can be killed at any moment of any step.

    The moments: before a step's records are durable (then the event never happened), after that but before
    its commands, and after each command but before its answer.
    """

    moments = 0
    fatal: int | None = None
    deaths = 0
    shadow: Book
    seen: set[str]

    def take(self, event: ev.Event) -> tuple[Command, ...]:
        """One step, judged."""
        self._moment()
        before, text = self.state, repr(self.state)
        known = len(self.records)
        commands = super().take(event)
        assert repr(before) == text, "step changed the state it was given"
        if before.region is not None:
            unprepared = before._replace(region=before.region._replace(outlook=None))
            told = step(unprepared, event)[1:]
            assert told == (tuple(self.records[known:]), commands), "an outlook changed what was decided"
        self._judge(known, commands)
        self._moment()
        return commands

    def fork(self) -> "Witness":
        """Another witness, that has seen the same."""
        twin = super().fork()
        twin.shadow, twin.seen = self.shadow.copy(), self.seen.copy()
        return twin

    def carry_out(self, command: Command) -> ev.Event:
        """Carry a command out; the answer may never come."""
        answer = super().carry_out(command)
        self._moment()
        return answer

    def _moment(self) -> None:
        self.moments += 1
        if self.moments == self.fatal:
            raise Killed

    def _judge(self, known: int, commands: tuple[Command, ...]) -> None:
        new = self.records[known:]
        if known == 0:
            self.shadow, self.seen = Book(), set()
        for record in new:
            self.shadow.apply(record)
        assert self.shadow == self.state.book, "the book is not the fold of the records"
        orders = [command for command in commands if isinstance(command, SubmitOrder)]
        intents = {record.cid: record for record in new if isinstance(record, OrderIntended)}
        assert len(orders) == len(intents) <= 1
        for order in orders:
            assert order.cid not in self.seen, "a client id was used twice"
            self.seen.add(order.cid)
            intent = intents[order.cid]
            assert (intent.quantity, intent.limit_price) == (order.quantity, order.limit_price)
            self._judge_order(order)

    def _judge_order(self, order: SubmitOrder) -> None:
        """It leads toward the frozen target, not past it at this mark, and never the other way."""
        open_, ledger = self.state.book.rebalance, self.state.book.ledger
        assert open_ is not None
        assert self.state.mark is not None
        mark, sign = self.state.mark.price, self.fund.side.sign
        assert (order.quantity * sign > 0) is open_.increasing
        fee = abs(order.quantity) * mark * self.contract.taker_fee
        after = real_leverage(ledger.after_trade(order.quantity, mark, fee), mark)
        if open_.increasing:
            assert after is not None
            assert after <= open_.target + HARDLY
        else:
            assert order.reduce_only
            assert abs(order.quantity) <= abs(ledger.position)
            assert after is None or after >= open_.target - HARDLY


def survive(lab: Witness, act: Callable[[], Any]) -> None:
    """Do something; if it kills the process, start the next one from the records."""
    try:
        act()
    except Killed:
        lab.fatal = None
        lab.deaths += 1
        if lab.state.book.created is None:
            lab.send(ev.Opened(*lab.now, key="00" * 32, incarnation="lab", wallet=lab.fund.capital))
        else:
            lab.restart()


def come_to_rest(lab: Witness, *, at_most_s: float = 20_000) -> None:
    """Let time pass until nothing is under way, and compare with the venue."""
    lab.settle(at_most_s=at_most_s)
    for _ in range(4):
        lab.mark(lab.price, after_s=60)
        lab.settle(at_most_s=at_most_s)
        lab.send(ev.ReconcileDue(*lab.now))


def check_at_rest(lab: Witness) -> None:
    """Sum of fills = position, and the ledger is the venue's, mark-free."""
    book, venue = lab.state.book, lab.venue.ledger
    fills = [record for record in lab.records if isinstance(record, Filled)]
    assert sum(fill.quantity for fill in fills) == book.position == venue.position
    assert len({fill.trade_id for fill in fills}) == len(fills) == len(lab.venue.trades)
    assert abs(book.ledger.cash - venue.cash) < Decimal("1e-9")
    assert fold(lab.records) == book


outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    ["fill", "half", "nothing", "refuse", "would take", "rest", "rest half", "lose", "lose filled"]
)
moves = st.tuples(st.just("mark"), st.integers(-300, 300), st.sampled_from([1, 60, 3_600]))
actions = st.one_of(
    moves,
    moves,
    st.tuples(st.just("venue"), st.lists(outcomes, max_size=6)),
    st.tuples(st.just("funding"), st.integers(-50, 50)),
    st.tuples(st.just("kill"), st.integers(1, 12)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("silence")),
    st.tuples(st.just("compare")),
)
external = st.tuples(st.just("external"), st.integers(-500, 500).filter(bool))


def act(lab: Witness, action: tuple[Any, ...]) -> None:
    """Carry one random action out."""
    what, *details = action
    if what == "mark":
        lab.mark(round(lab.price * (1 + Decimal(details[0]) / 10_000), 1), after_s=details[1])
        lab.settle(at_most_s=20)
    elif what == "venue":
        lab.venue.script.extend(details[0])
    elif what == "funding":
        lab.venue.pay_funding(Decimal(details[0]), lab.time_ms)
    elif what == "kill":
        lab.fatal = lab.moments + details[0]
    elif what == "restart":
        lab.restart()
    elif what == "silence":
        lab.send(ev.FeedLost(*lab.now, "silence"))
    elif what == "external":
        lab.venue.trade(Decimal(details[0]) / 1000, lab.time_ms, lab.price)
    else:
        lab.send(ev.ReconcileDue(*lab.now))


strategies = st.sampled_from(
    [
        Strategic(0),
        Strategic(60),
        Strategic(3_600),
        Interval(),
        Interval(move=0.01, at=""),
        Interval(target=2.2),
    ]
)


@settings(max_examples=examples(200))
@given(st.sampled_from(["long", "short"]), strategies, st.lists(actions, max_size=40))
@example("long", Strategic(0), [("venue", ["half", "nothing", "half", "would take"]), ("mark", 0, 1)])
def test_the_promises_hold_on_any_walk(
    side: Literal["long", "short"], strategy: Strategic | Interval, walk: list[tuple[Any, ...]]
) -> None:
    """Pure steps, book = fold, no target passed, no id used twice; in the end ledger and venue agree."""
    fund = a_fund(
        side=side, strategy=strategy, band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2.1"
    )
    lab = Witness(fund, slippage_bps=Decimal(3))
    for action in walk:
        survive(lab, lambda action=action: act(lab, action))  # type: ignore[misc]
    lab.venue.script.clear()
    lab.fatal = None
    if lab.state.book.breaches:  # five refusals in a row: an increase waits for the operator
        lab.restart(adopt=True)
    come_to_rest(lab)
    check_at_rest(lab)
    assert abs(lab.state.book.ledger.wallet - lab.venue.ledger.wallet) < Decimal("1e-9")
    assert lab.state.book.rebalance is None


@settings(max_examples=examples(100))
@given(st.sampled_from(["long", "short"]), st.lists(st.one_of(actions, external), max_size=30))
def test_trades_of_others_never_unhinge_the_ledger(
    side: Literal["long", "short"], walk: list[tuple[Any, ...]]
) -> None:
    """Whoever trades on the account, and whenever: the books follow the venue, and increases stop."""
    lab = Witness(a_fund(side=side, band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2.1"))
    foreign = False
    for action in walk:
        survive(lab, lambda action=action: act(lab, action))  # type: ignore[misc]
        foreign = foreign or action[0] == "external"
    lab.venue.script.clear()
    lab.fatal = None
    come_to_rest(lab, at_most_s=60)  # a breach may leave an increase waiting for the operator
    check_at_rest(lab)
    if foreign:
        assert "external trade" in lab.state.book.incidents


def scenario(lab: Witness) -> None:
    """From 2.1x: a rise and a fall through the band and back, on a venue with bad moments."""
    for price in ("63000", "66500", "60200", "54000", "62500"):
        survive(lab, lambda price=price: lab.mark(price))  # type: ignore[misc]
        while lab.state.book.rebalance is not None:
            survive(lab, lambda: lab.settle())  # noqa: PLW0108 - `settle` has a default
    survive(lab, lambda: come_to_rest(lab))


def decided(lab: Lab) -> list[tuple[str, int | None, Decimal]]:
    """What was decided: kind, sequence and target of each rebalance."""
    return [
        (record.kind.value, record.sequence, record.target)
        for record in lab.records
        if isinstance(record, RebalanceStarted)
    ]


def test_killed_at_any_moment_it_ends_where_it_would_have_ended() -> None:
    """Every moment of a scenario is enumerated: the same decisions, and a ledger that is the venue's."""
    first = Witness(a_fund(band=("1.9", "2.3"), target=("2.0", "2.2"), start_leverage="2.1"))
    first.settle()
    first.venue.script.extend(["half", "lose", "lose filled", "fill", "nothing", "refuse"])
    whole = first.fork()
    scenario(whole)
    decisions = decided(whole)
    assert [kind for kind, *_ in decisions].count("band") == 4
    for moment in range(first.moments + 1, whole.moments + 1):
        lab = first.fork()
        lab.fatal = moment
        scenario(lab)
        come_to_rest(lab)
        assert lab.deaths == 1
        assert decided(lab) == decisions
        check_at_rest(lab)
        assert abs(lab.state.book.ledger.wallet - lab.venue.ledger.wallet) < Decimal("1e-9")
