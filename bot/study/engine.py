"""One fund through one series: the live core's decisions, filled at the point where they are taken.

The strategy is asked as the daemon asks it (`FundView` in, `Hold` or `Rebalance` out). Between two answers
the price index finds the next point outside the hold region, or the point at which its time ends. Balances
are the core's `Ledger`, in Decimal; prices are floats until one is traded at. Rules: docs/study.md.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from math import inf
from typing import NamedTuple

from bot.core import draws
from bot.core.fund import Fund
from bot.core.ledger import Ledger, real_leverage, target_position
from bot.core.midnight import management_fee
from bot.core.records import Kind
from bot.core.rules import Denied, Wish, confirmation_deadline_ms, judge
from bot.core.strategy import INWARD, Hold, Strategy
from bot.core.units import ZERO, Side, toward_zero
from bot.study.calendar import Happening
from bot.study.liquidation import leverage_limit, maintenance_margin
from bot.study.market import Market
from bot.study.points import Points
from bot.study.sampling import Sampler, StudyView
from bot.study.spec import Bracket, Costs, FundSpec, Trade, decimal


class RebalanceRow(NamedTuple):
    """One rebalance: time in UTC ms, positions signed in base units, fee in the quote currency."""

    time: int
    price: float
    kind: str
    reason: str
    target: float
    leverage_before: float
    leverage_after: float
    position_before: float
    position_after: float
    fill_price: float
    fee: float

    @property
    def slippage(self) -> float:
        """What filling away from the mark cost, in the quote currency."""
        return (self.position_after - self.position_before) * (self.fill_price - self.price)


class Change(NamedTuple):
    """From `point` on the fund has this cash and position, until the next change."""

    point: int
    cash: float
    position: float


@dataclass(slots=True)
class Course:
    """What became of a fund: the changes of its books in order, and its totals in the quote currency.

    `small` counts the increases that were not made because they were below the minimum notional, `denied` the
    rebalances that the core does not allow.
    """

    changes: list[Change] = field(default_factory=list)
    rebalances: list[RebalanceRow] = field(default_factory=list)
    final_value: float = 0.0
    turnover: float = 0.0
    fees: float = 0.0
    funding: float = 0.0
    management_fees: float = 0.0
    slippage: float = 0.0
    decisions: int = 0
    small: int = 0
    denied: int = 0
    dead_point: int | None = None
    liquidated: bool = False


class _Region(NamedTuple):
    """Nothing happens at points before `until` whose price lies in [low, high]."""

    low: float
    high: float
    until: int


class FundRun:
    """Runs one fund from the first point to the last, or to its death."""

    def __init__(
        self,
        points: Points,
        fund: FundSpec,
        strategy: Strategy,
        costs: Costs,
        market: Market,
        brackets: tuple[Bracket, ...],
        seed: int,
    ) -> None:
        """Take what `FundSpec.check` has judged."""
        self._points, self._fund, self._market = points, fund, market
        self._brackets = brackets
        self._fee = decimal(costs.fee_bps) / 10_000
        self._slippage = costs.slippage
        self._lot = None if fund.lot is None else decimal(fund.lot)
        self._core_fund = _core_fund(fund, strategy)
        self._key = sha256(f"inband|{seed}|key|{fund.name or fund.side}".encode()).hexdigest()
        self._sampler = Sampler(points.times_ms, points.prices)
        self._ledger = _opening(fund, float(points.prices[0]))
        self._last_s, self._last_mark = points.times_ms[0].item() / 1000, points.prices[0].item()
        self._bands = self._confirmations = 0
        self._deadline_ms: int | None = None
        self.course = Course(changes=[Change(0, float(self._ledger.cash), float(self._ledger.position))])

    def run(self, happenings: list[Happening]) -> Course:
        """Go through all points; `happenings` are in order of their points."""
        end, prices = len(self._points.prices), self._points.prices
        due = iter(happenings)
        coming = next(due, None)
        point = 0
        while point < end:
            price = prices[point].item()
            mark = Decimal(repr(price))
            while coming is not None and coming.point <= point:
                self._befall(coming, mark)
                coming = next(due, None)
            if self._ended(point, price, mark):
                return self.course
            region = self._decide(point, price, mark)
            stop = min(end, region.until) if coming is None else min(end, region.until, coming.point)
            point = self._points.blocks.next_outside(point + 1, stop, region.low, region.high)
        value = self._ledger.value(Decimal(repr(prices[-1].item())))
        self.course.final_value = float(value)
        if value <= ZERO:  # its own fee at the last point took what was left: no later one tells
            self._die(end - 1)
        return self.course

    def _decide(self, point: int, price: float, mark: Decimal) -> _Region:
        """Ask the strategy, do what it says, and say for how long nothing else is to be done."""
        next_point = _Region(inf, -inf, point + 1)
        leverage = real_leverage(self._ledger, mark)
        if leverage is None:
            return next_point
        time_ms, fund = self._points.times_ms[point].item(), self._fund
        self._sampler.point, self._sampler.asked = point, False
        view = StudyView(
            time_ms / 1000,
            fund.side,
            price,
            float(leverage),
            fund.band,
            self._core_fund.float_target_range,
            self._last_s,
            self._last_mark,
            self._sampler.volatility,  # type: ignore[arg-type] # StudyView calls it when it is read
        )
        self.course.decisions += 1
        verdict = judge(self._core_fund, view, leverage)
        if isinstance(verdict, Hold):
            self._deadline_ms = None
            return self._region(point, view, verdict)
        if isinstance(verdict, Denied):
            self.course.denied += 1
            return next_point
        self._rebalance(point, time_ms, view, mark, verdict)
        return next_point

    def _region(self, point: int, view: StudyView, hold: Hold) -> _Region:
        low, high = hold.low, hold.high
        if self._brackets:
            notional = abs(float(self._ledger.position)) * view.mark
            margin = view.hold_between(0.0, leverage_limit(self._brackets, 2 * notional) * (1 - INWARD))
            low, high = max(low, margin.low), min(high, margin.high, 2 * view.mark)
        until = len(self._points.prices)
        if hold.until_s != inf:
            until = int(self._points.times_ms.searchsorted(int(hold.until_s * 1000)))
        if self._sampler.asked:
            until = min(until, self._sampler.next_sample(until))
        return _Region(low, high, max(until, point + 1))

    def _rebalance(self, point: int, time_ms: int, view: StudyView, mark: Decimal, wish: Wish) -> None:
        """Trade to the target of a wish, unless it must be confirmed first or there is nothing to trade."""
        if wish.confirmation_s > 0 and not self._confirmed(time_ms, wish.confirmation_s):
            return
        target = self._target(wish)
        quantity = (
            target_position(self._ledger, mark, target, self._fund.sign, self._fee) - self._ledger.position
        )
        if self._lot is not None:
            quantity = toward_zero(quantity, self._lot)
        if quantity == ZERO:
            return
        if quantity * self._ledger.position > ZERO and abs(quantity) * mark < self._fund.min_notional:
            self.course.small += 1
            return
        self._trade(point, time_ms, view, mark, quantity, (wish.kind.value, wish.reason, float(target)))
        self._bands += wish.kind is Kind.BAND
        self._deadline_ms = None
        self._last_s, self._last_mark = view.time_s, view.mark

    def _confirmed(self, time_ms: int, cap_s: float) -> bool:
        if self._deadline_ms is None:
            self._confirmations += 1
            self._deadline_ms = confirmation_deadline_ms(time_ms, cap_s, self._key, self._confirmations)
        return time_ms >= self._deadline_ms

    def _target(self, wish: Wish) -> Decimal:
        """The target by the core's public law, from this seed's draw for this rebalance."""
        if wish.low == wish.high:
            return wish.low
        number = self._bands if wish.kind is Kind.BAND else len(self.course.rebalances)
        return draws.target(draws.digits(self._key, wish.kind.value, number + 1), wish.low, wish.high)

    def _trade(
        self,
        point: int,
        time_ms: int,
        view: StudyView,
        mark: Decimal,
        quantity: Decimal,
        why: tuple[str, str, float],
    ) -> None:
        """Fill `quantity` at the mark, or where the slippage model says, and book it."""
        course, before = self.course, self._ledger
        fill = mark
        if self._slippage is not None:
            trade = Trade(time_ms, view.mark, float(quantity), *self._market.at(point))
            fill = decimal(self._slippage.price(trade))
        fee = abs(quantity) * fill * self._fee
        self._ledger = after = before.after_trade(quantity, fill, fee)
        self._note(point)
        course.turnover += float(abs(quantity) * mark / before.value(mark))
        course.fees += float(fee)
        course.slippage += float(quantity * (fill - mark))
        course.rebalances.append(
            RebalanceRow(
                time_ms,
                view.mark,
                *why,
                leverage_before=view.real_leverage,
                leverage_after=float(real_leverage(after, mark) or ZERO),
                position_before=float(before.position),
                position_after=float(after.position),
                fill_price=float(fill),
                fee=float(fee),
            )
        )

    def _befall(self, happening: Happening, mark: Decimal) -> None:
        rate = Decimal(repr(happening.rate))
        if not happening.fee_ms:
            received = -self._ledger.position * mark * rate
            self.course.funding += float(received)
            self._ledger = self._ledger.after_funding(received)
        else:
            fee = management_fee(self._ledger.value(mark), rate, happening.fee_ms)
            self.course.management_fees += float(fee)
            self._ledger = self._ledger.after_other_income(-fee)
        self._note(happening.point)

    def _ended(self, point: int, price: float, mark: Decimal) -> bool:
        """Whether the fund is dead: its value is gone, or the venue has liquidated it."""
        value = self._ledger.value(mark)
        if self._brackets and self._ledger.position:
            notional = abs(float(self._ledger.position)) * price
            self.course.liquidated = float(value) <= maintenance_margin(self._brackets, notional)
        if value > ZERO and not self.course.liquidated:
            return False
        self.course.final_value = 0.0 if self.course.liquidated else float(value)
        self._die(point)
        return True

    def _die(self, point: int) -> None:
        """Nothing happens any more: what is left, or owed, stays as it is."""
        self.course.dead_point = point
        self._ledger = Ledger(decimal(self.course.final_value))
        self._note(point)

    def _note(self, point: int) -> None:
        changes = self.course.changes
        if changes[-1].point == point:
            changes.pop()
        changes.append(Change(point, float(self._ledger.cash), float(self._ledger.position)))


def _core_fund(fund: FundSpec, strategy: Strategy) -> Fund:
    """The fund as the live core knows it: the strategy's answers are judged by it."""
    (lower, upper), (low, high) = fund.band, fund.targets_for(strategy)
    return Fund(
        name=fund.name,
        underlying="",
        side=Side(fund.side),
        band=(decimal(lower), decimal(upper)),
        target_range=(decimal(low), decimal(high)),
        emergency=decimal(fund.emergency_for(strategy)),
        capital=decimal(fund.capital),
        start_leverage=decimal(fund.start_leverage),
        strategy=strategy,
        account="",
    )


def _opening(fund: FundSpec, price: float) -> Ledger:
    """The starting books: the position is given at the first price, not traded."""
    mark, capital = decimal(price), decimal(fund.capital)
    position = fund.sign * decimal(fund.start_leverage) * capital / mark
    return Ledger(capital - position * mark, position)
