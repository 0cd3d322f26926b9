"""Whatever accounts do to each other and to themselves, the books balance: a machine tries everything."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.exchange.account import Account, Holding, Position
from bot.exchange.algo import AlgoRequest, AlgoType, WorkingType
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import (
    ZERO,
    Cause,
    IncomeType,
    MarginType,
    OrderRequest,
    OrderType,
    PositionSide,
    PriceMatch,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from bot.exchange.errors import RequestError
from tests.exchange.venues import Reopened, open_market, traded
from tests.support.examples import examples

if TYPE_CHECKING:
    from bot.exchange.ledger import Changes

NAMES = ("A", "B", "C")
SYMBOLS = ("BTCUSDT", "ETHUSDT")
TINY = Decimal("1e-8")
HOUR_MS = 3_600_000
KINDS = [(OrderType.LIMIT, force) for force in TimeInForce if force is not TimeInForce.GTE_GTC]

accounts = st.sampled_from(NAMES)
symbols = st.sampled_from(SYMBOLS)
sides = st.sampled_from(Side)
position_sides = st.sampled_from(PositionSide)
distances = st.integers(-300, 300)
sizes = st.integers(1, 400)


class Accounts(RuleBasedStateMachine):
    """Three accounts on two symbols, one of them with a small insurance fund behind it."""

    @initialize(
        seed=st.integers(0, 1_000),
        swing=st.sampled_from([50, 300, 1_500]),
        fund=st.sampled_from([0, 1_000, 1_000_000_000]),
        rate=st.sampled_from(["0.0001", "-0.003"]),
    )
    def start(self, seed: int, swing: int, fund: int, rate: str) -> None:
        """Open the venue and the accounts; prices swing by so many bps an hour."""
        walk = [Random(f"{seed} {hour}").randint(-swing, swing) for hour in range(60)]  # noqa: S311
        paths: dict[str, list[Decimal | int | str]] = {name: [] for name in SYMBOLS}
        for name, turn in (("BTCUSDT", 1), ("ETHUSDT", -1)):
            price = CATALOG[name].start_price
            for bps in walk:
                paths[name].append(price)
                price = (price * (1 + Decimal(turn * bps) / 10_000)).quantize(Decimal("0.01"))
        self.venue = open_market(paths, step_ms=HOUR_MS, rate=rate, fund=Decimal(fund))
        self.kept = Reopened(traded(paths, step_ms=HOUR_MS, rate=rate))
        for name, deposit in zip(NAMES, (10_000, 50_000, 1_000_000), strict=True):
            self.venue.open_account(name, Decimal(deposit))
        self.number = 0
        self.seen = (0, 0)
        self.income: dict[str, Decimal] = defaultdict(Decimal)
        self.cash: dict[str, Decimal] = defaultdict(Decimal)
        self.other: dict[str, Decimal] = defaultdict(Decimal)
        self.traded: dict[tuple[str, str, PositionSide], Decimal] = defaultdict(Decimal)
        self.filled: dict[int, Decimal] = defaultdict(Decimal)

    # --- what accounts do -----------------------------------------------------------------------------

    @rule(
        name=accounts,
        symbol=symbols,
        side=sides,
        position_side=position_sides,
        kind=st.sampled_from([(OrderType.MARKET, TimeInForce.IOC), *KINDS]),
        size=sizes,
        bps=distances,
        how=st.tuples(
            st.booleans(),
            st.sampled_from([PriceMatch.NONE] * 4 + list(PriceMatch)),
            st.sampled_from(SelfTradePrevention),
        ),
    )
    def place(
        self,
        name: str,
        symbol: str,
        side: Side,
        position_side: PositionSide,
        kind: tuple[OrderType, TimeInForce],
        size: int,
        bps: int,
        how: tuple[bool, PriceMatch, SelfTradePrevention],
    ) -> None:
        """Place an order of any kind."""
        account, (reduce_only, match, mode) = self.venue.accounts[name], how
        is_limit = kind[0] is OrderType.LIMIT
        request = OrderRequest(
            symbol,
            side,
            kind[0],
            self.quantity(account, symbol, size),
            self.price(symbol, bps) if is_limit and match is PriceMatch.NONE else ZERO,
            kind[1],
            reduce_only and not account.hedge,
            self.client_id(),
            position_side if account.hedge else PositionSide.BOTH,
            match if is_limit else PriceMatch.NONE,
            mode,
            self.venue.market.now + 3 * HOUR_MS if kind[1] is TimeInForce.GTD else 0,
        )
        with suppress(RequestError):
            self.venue.place(account, request)

    @rule(name=accounts, size=sizes, bps=distances, pick=st.integers(0, 9))
    def amend(self, name: str, size: int, bps: int, pick: int) -> None:
        """Change an open order."""
        account = self.venue.accounts[name]
        if account.open_orders:
            order = list(account.open_orders.values())[pick % len(account.open_orders)]
            quantity, price = self.quantity(account, order.symbol, size), self.price(order.symbol, bps)
            with suppress(RequestError):
                self.venue.amend(account, order.id, order.side, quantity, price)

    @rule(name=accounts, symbol=symbols, what=st.sampled_from(["one", "all", "countdown", "algos"]))
    def cancel(self, name: str, symbol: str, what: str) -> None:
        """Cancel orders in one way or another."""
        account = self.venue.accounts[name]
        if what == "one" and account.open_orders:
            self.venue.cancel(account, min(account.open_orders))
        elif what == "all":
            self.venue.cancel_all(account, symbol)
        elif what == "countdown":
            self.venue.countdown(account, symbol, HOUR_MS // 2)
        elif what == "algos":
            self.venue.cancel_all_algos(account, symbol)

    @rule(
        name=accounts,
        symbol=symbols,
        side=sides,
        kind=st.sampled_from(AlgoType),
        position_side=position_sides,
        size=sizes,
        bps=distances,
        how=st.tuples(st.booleans(), st.sampled_from(WorkingType)),
    )
    def place_algo(
        self,
        name: str,
        symbol: str,
        side: Side,
        kind: AlgoType,
        position_side: PositionSide,
        size: int,
        bps: int,
        how: tuple[bool, WorkingType],
    ) -> None:
        """Place a conditional order."""
        account, (close, working) = self.venue.accounts[name], how
        trailing = kind is AlgoType.TRAILING_STOP_MARKET
        request = AlgoRequest(
            symbol,
            side,
            kind,
            self.client_id(),
            ZERO if close else self.quantity(account, symbol, size),
            self.price(symbol, bps) if kind.has_price else ZERO,
            ZERO if trailing else self.price(symbol, bps),
            position_side if account.hedge else PositionSide.BOTH,
            working_type=working,
            close_position=close,
            callback_rate=Decimal("0.5") if trailing else ZERO,
        )
        with suppress(RequestError):
            self.venue.place_algo(account, request)

    @rule(name=accounts, symbol=symbols, leverage=st.sampled_from([1, 5, 20, 75, 100]))
    def set_leverage(self, name: str, symbol: str, leverage: int) -> None:
        """Change a leverage."""
        with suppress(RequestError):
            self.venue.set_leverage(self.venue.accounts[name], symbol, leverage)

    @rule(name=accounts, symbol=symbols, margin_type=st.sampled_from(MarginType), hedge=st.booleans())
    def set_modes(self, name: str, symbol: str, margin_type: MarginType, hedge: bool) -> None:  # noqa: FBT001
        """Change margin type and position mode."""
        account = self.venue.accounts[name]
        with suppress(RequestError):
            self.venue.set_margin_type(account, symbol, margin_type)
        with suppress(RequestError):
            self.venue.set_position_mode(account, hedge=hedge)

    @rule(name=accounts, symbol=symbols, side=position_sides, amount=st.integers(-20_000, 20_000))
    def move_money(self, name: str, symbol: str, side: PositionSide, amount: int) -> None:
        """Move margin of an isolated position, and pay in or out."""
        account = self.venue.accounts[name]
        with suppress(RequestError):
            self.venue.change_position_margin(account, symbol, side, Decimal(amount) / 7)
        with suppress(RequestError):
            self.venue.transfer(account, Decimal(amount))

    # --- what the venue does --------------------------------------------------------------------------

    @precondition(lambda self: self.venue.market.next_knot() is not None)
    @rule(instants=st.integers(1, 3))
    def go(self, instants: int) -> None:
        """Let the market move."""
        for _ in range(instants):
            knot = self.venue.market.next_knot()
            if knot is not None:
                self.venue.advance(knot)

    @rule(name=accounts, symbol=symbols, side=position_sides)
    def force(self, name: str, symbol: str, side: PositionSide) -> None:
        """Deleverage a position, as a fault on demand would."""
        self.venue.deleverage(self.venue.accounts[name], symbol, side, Decimal("0.01"))

    @rule()
    def restart(self) -> None:
        """Kill the exchange and start it from its store: nothing is different."""
        self.take_in(self.venue.changes)
        before = self.venue
        self.venue = self.kept.reopen(before)
        self.seen = (0, 0)
        assert self.venue.fund == before.fund
        for name, account in before.accounts.items():
            _forget_the_empty(account)
            _forget_the_empty(self.venue.accounts[name])
            assert self.venue.accounts[name] == account
        for symbol in SYMBOLS:
            for viewer in (None, *NAMES):
                assert self.venue.market.book(symbol, viewer) == before.market.book(symbol, viewer)

    # --- what always holds ----------------------------------------------------------------------------

    @invariant()
    def books_balance(self) -> None:
        """Wallet = deposits + realised + funding - fees + insurance; equity adds unrealised; to 1e-8."""
        self.take_in(self.venue.changes)
        marks = self.venue.market.marks
        for name, account in self.venue.accounts.items():
            assert account.wallet == self.income[name]
            worth = ZERO
            for symbol, side, position in account.held():
                assert position.quantity == self.traded[name, symbol, side]
                worth += position.quantity * marks[symbol]
            equity = self.venue.margin(account).balance
            assert abs(equity - (self.other[name] + self.cash[name] + worth)) <= TINY
        self.accounts_are_sound()

    def accounts_are_sound(self) -> None:
        """No isolated margin without its position, no order counted twice, no hedge of the wrong sign."""
        for account in self.venue.accounts.values():
            isolated = ZERO
            for symbol, holding in account.holdings.items():
                for side, position in holding.positions.items():
                    isolated += position.isolated_wallet
                    assert holding.isolated or position.isolated_wallet == 0
                    assert position.quantity or position.isolated_wallet == 0
                    assert side is not PositionSide.LONG or position.quantity >= 0
                    assert side is not PositionSide.SHORT or position.quantity <= 0
                    waiting = [
                        order
                        for order in account.open_orders.values()
                        if (order.symbol, order.position_side, order.reduce_only) == (symbol, side, False)
                    ]
                    for way, counted in ((Side.BUY, position.bids), (Side.SELL, position.asks)):
                        notionals = [item.remaining * item.price for item in waiting if item.side is way]
                        assert counted == sum(notionals, ZERO)
            assert account.isolated == isolated
            for order in account.open_orders.values():
                assert order.status.is_open
                assert order.filled == self.filled[order.id] < order.quantity

    # --- helpers --------------------------------------------------------------------------------------

    def take_in(self, changes: Changes) -> None:
        """Add up what the venue says has happened."""
        for income in changes.incomes[self.seen[0] :]:
            self.income[income.account] += income.amount
            if income.type not in {IncomeType.REALIZED_PNL, IncomeType.COMMISSION}:
                self.other[income.account] += income.amount
        for trade in changes.trades[self.seen[1] :]:
            signed = trade.side.sign * trade.quantity
            self.cash[trade.account] -= signed * trade.price + trade.commission
            self.traded[trade.account, trade.symbol, trade.position_side] += signed
            self.filled[trade.order_id] += trade.quantity
        for order in changes.orders.values():
            assert order.filled == self.filled[order.id] <= order.quantity
            assert order.cause is Cause.CLIENT or not order.status.is_open
        self.seen = (len(changes.incomes), len(changes.trades))

    def client_id(self) -> str:
        """Return a fresh client id."""
        self.number += 1
        return f"c{self.number}"

    def quantity(self, account: Account, symbol: str, size: int) -> Decimal:
        """Return a quantity worth `size` percent of the account."""
        lot = CATALOG[symbol].step
        worth = account.wallet * size / 100 / self.venue.market.marks[symbol]
        return max(lot, (worth / lot).to_integral_value() * lot)

    def price(self, symbol: str, bps: int) -> Decimal:
        """Return a price at a distance from the mark."""
        tick = CATALOG[symbol].tick
        price = self.venue.market.marks[symbol] * (1 + Decimal(bps) / 10_000)
        return (price / tick).to_integral_value() * tick

    def teardown(self) -> None:
        """Remove the store."""
        if hasattr(self, "kept"):
            self.kept.close()


def _forget_the_empty(account: Account) -> None:
    """Drop what differs in nothing from what an account is given when it first looks."""
    for holding in account.holdings.values():
        for side in [side for side, position in holding.positions.items() if position == Position()]:
            del holding.positions[side]
    for symbol in [symbol for symbol, holding in account.holdings.items() if holding == Holding()]:
        del account.holdings[symbol]


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(
    max_examples=examples(40), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
