"""The judge: what the daemon wrote and sent, against the venue's own ledger.

It reads the journal's records as anybody could (each is a fact that was claimed), keeps its own account of
them, and asks the venue what is true. It shares no bookkeeping with the daemon: of `bot.core` it takes the
classes of the records, and, to replay the journal (I8), the fold. Codes are those of docs/reliability.md.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from bot.core import records as rec
from bot.core.book import Book
from bot.core.fund import Contract, Fund
from bot.simulation.claims import Claimed, Claims
from bot.simulation.holders import Holders
from bot.simulation.money import CENT, MoneyJudge
from bot.simulation.protection import ProtectionJudge
from bot.simulation.trace import Trace
from bot.simulation.venue import OrderRequest, Venue, VenueTrade

ZERO = Decimal(0)
HARDLY = Decimal("1e-12")
MAX_MARK_AGE_MS = 10_000
_IN_TURN_MS = 60
"""An order leaves in the turn that decides, or the next; a drawn order of turns takes no time at all."""
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
_SAME_WORTH = Decimal("1e-9")
"""Both accounts know what a fund is worth, but each rounds for itself."""
LARGEST_BASIS = Decimal("0.05")
_WIDEST, _WIDEST_OF_A_FLOW = Decimal("0.01"), Decimal("0.05")


class Violation(NamedTuple):
    """A broken invariant: its code, and what was seen."""

    code: str
    text: str


class Seen(NamedTuple):
    """The mark that the daemon was given last."""

    time_ms: int
    price: Decimal
    index_price: Decimal
    trusted: bool


class Judge:
    """Looks on. The first violation is kept, and `on_violation` hears of it."""

    def __init__(
        self,
        fund: Fund,
        contract: Contract,
        venue: Venue,
        under_way: Callable[[str], int],
        trace: Trace,
    ) -> None:
        """`under_way`: how many requests to make an order of this client id are on their way."""
        self.violation: Violation | None = None
        self.on_violation: Callable[[], None] = lambda: None
        self.on_written: Callable[[rec.Record], None] = lambda _: None
        self.claims = Claims()
        self.holders = Holders()
        self.replayed = Book()
        self.sends: dict[str, OrderRequest] = {}
        self.decided: list[tuple[int, Decimal]] = []
        self.seen: Seen | None = None
        self._at_large: list[str] = []
        self.fund = fund
        self._contract = contract
        self.venue = venue
        self._under_way = under_way
        self._trace = trace
        self.money = MoneyJudge(venue, self.holders, self.expect)
        accounts = self.claims, self.holders
        self.protection = ProtectionJudge(fund, contract, venue, *accounts, under_way, self.expect)

    def accuse(self, code: str, text: str) -> None:
        """Note a violation."""
        if self.violation is None:
            self.violation = Violation(code, text)
            self._trace.note("VIOLATION", code, text)
            self.on_violation()

    def expect(self, holds: bool, code: str, text: str) -> None:  # noqa: FBT001 - it is what is expected
        """Accuse unless it holds."""
        if not holds:
            self.accuse(code, text)

    # What the daemon was told.

    def marked(self, time_ms: int, price: Decimal, index: Decimal) -> None:
        """A mark reached the daemon."""
        if self.seen is None or time_ms >= self.seen.time_ms:
            self.seen = Seen(time_ms, price, index, trusted=True)

    def feed_lost(self) -> None:
        """The daemon was told that its marks are no longer current."""
        if self.seen is not None:
            self.seen = self.seen._replace(trusted=False)

    def died(self) -> None:
        """A process ended: the next one has seen nothing."""
        self.seen = None

    # What the daemon wrote.

    def written(self, records: list[rec.Record]) -> None:
        """A step became durable."""
        for record in records:
            self._trace.note("wrote", type(record).__name__, *_short(record))
            self.replayed.apply(record)
            self.on_written(record)
            for code, text in (*self.claims.take(record), *self.holders.take(record)):
                self.accuse(code, text)
            self.protection.take(record)
            self.money.take(record)
            check = _CHECKS.get(type(record))
            if check is not None:
                check(self, record)

    def compare(self, book: Book) -> None:
        """I8: the live state is what the journal, read back, folds to."""
        self.expect(book == self.replayed, "I8", "the live book is not the fold of the journal")
        self.expect(book.position == self.claims.position, "I8", "the book's position is not its fills' sum")

    def logged(self, fields: Mapping[str, Any]) -> None:
        """I12: a line of the log holds no secret, in whole or in part of a longer text."""
        line = " ".join(str(value) for value in fields.values())
        for secret in self.claims.secrets():
            if secret in line:
                self.accuse("I12", f"the log line {fields.get('event')} holds a secret")

    # What the daemon sent.

    def sent(self, request: OrderRequest, now_ms: int) -> None:
        """An order leaves the process."""
        cid = request.cid
        self._trace.note("sends", cid, request.quantity, "at", request.limit_price)
        self.expect(cid not in self.sends, "I4", f"order {cid} is sent twice")
        claimed = self.claims.orders.get(cid)
        if claimed is None:
            self.accuse("I5", f"order {cid} is sent without a durable intent")
            return
        intent = claimed.intent
        same = (intent.quantity, intent.limit_price, intent.reduce_only) == request[1:4]
        self.expect(same, "I5", f"order {cid} is not what its intent says")
        self._at_large = [other for other in self._at_large if not self._over(other)]
        for other in self._at_large:
            self.accuse("I6", f"order {cid} is sent while {other} may still trade")
        self.sends[cid] = request
        self._at_large.append(cid)
        self._judge_direction(request)
        self._judge_data(request, now_ms)
        self._judge_target(request, intent)

    def _over(self, cid: str) -> bool:
        """Whether an order can trade no more, by the venue's word alone."""
        if self._under_way(cid):
            return self.claims.is_final(cid)  # it arrives after its window: `arrived` sees that it is refused
        return all(not order.is_open for order in self.venue.orders.get(cid, ()))

    def _judge_direction(self, request: OrderRequest) -> None:
        """I1: a reduction says so, and reverses nothing; by what the daemon can know of the position."""
        position, quantity = self.claims.position, request.quantity
        if position * quantity < ZERO:
            self.expect(request.reduce_only, "I1", "a reduction is not reduce-only")
            self.expect(abs(quantity) <= abs(position), "I1", "a reduction would reverse the position")
        else:
            self.expect(not request.reduce_only, "I1", "an increase is marked reduce-only")

    def _judge_data(self, request: OrderRequest, now_ms: int) -> None:
        """I9: nothing while halted; no increase on data that is not current, nor while something stops it."""
        control = self.claims.control
        self.expect(control is not rec.Control.HALTED, "I9", "an order is sent although the fund is halted")
        if request.reduce_only:
            return
        self.expect(control is rec.Control.RUNNING, "I9", "an increase is sent although the fund is paused")
        self.expect(not self.claims.breaches, "I9", f"an increase in spite of {sorted(self.claims.breaches)}")
        seen = self.seen
        if seen is None:
            self.accuse("I9", "an increase without a mark")
            return
        self.expect(seen.trusted, "I9", "an increase although the feed is silent")
        self.expect(
            now_ms - seen.time_ms <= MAX_MARK_AGE_MS + _IN_TURN_MS, "I9", "an increase on a stale mark"
        )
        apart = abs(seen.price - seen.index_price) > LARGEST_BASIS * seen.index_price
        self.expect(not apart, "I9", "an increase although mark and index contradict each other")
        episode, mark = self.claims.episode, self.claims.orders[request.cid].intent.mark
        widest = _WIDEST_OF_A_FLOW if episode is not None and episode.for_a_flow else _WIDEST
        beyond = (request.limit_price - mark) * self.fund.sign
        self.expect(beyond <= widest * mark, "I9", "an increase may trade far from the mark of its decision")

    def _judge_target(self, request: OrderRequest, intent: rec.OrderIntended) -> None:
        """I1: at the mark of its decision the order leads toward the frozen target, and not past it."""
        episode, venue = self.claims.episode, self.venue
        if episode is None:
            self.accuse("I1", "an order without a rebalance")
            return
        if self.claims.position != venue.position or self.claims.unbooked_income(venue.income):
            return  # the venue moved a moment ago, and the daemon cannot know yet
        if venue.position * self.fund.sign < ZERO:  # a stranger's trade: what has the wrong sign is closed
            self.expect(request.reduce_only, "I1", "an order on top of a position of the wrong sign")
            return
        mark, after = intent.mark, venue.position + request.quantity
        fee = abs(request.quantity) * mark * self._contract.taker_fee
        value = venue.wallet - self.holders.beside + venue.position * mark - venue.cost - fee
        if episode.for_a_flow:
            self.money.sent(request, value)
            return
        exposure = abs(after) * mark
        towards = (request.quantity > ZERO) == ((self.fund.sign > 0) == episode.increasing)
        self.expect(towards, "I1", "an order leads away from its target")
        if episode.increasing:
            self.expect(exposure <= (episode.target + HARDLY) * value, "I1", "an order leads past its target")
        elif value > ZERO:
            self.expect(exposure >= (episode.target - HARDLY) * value, "I1", "an order leads past its target")

    def judge_rate(self, intent: rec.OrderIntended) -> None:
        """I10: in any 60 s and in any 3,600 s of market time no more is sent to raise leverage than may be.

        Those that end with an order are looked at: in any others there is no more. Each order is measured by
        what the fund was worth when it was decided, with what a flow brings in: holders may leave later.
        What an operator says forgets nothing.
        """
        episode, now_ms, caps = self.claims.episode, intent.time_ms, self.fund.caps
        for_a_flow = episode is not None and episode.for_a_flow
        worth = self.holders.value(intent.mark) + (self.holders.bringing if for_a_flow else ZERO)
        values = abs(intent.quantity) * intent.mark / worth if worth > ZERO else ZERO
        self.decided = [entry for entry in self.decided if entry[0] > now_ms - _HOUR_MS]
        self.decided.append((now_ms, values))
        minute = [1 for time_ms, _ in self.decided if time_ms > now_ms - _MINUTE_MS]
        self.expect(len(minute) <= caps.orders_per_minute, "I10", "too many increases in a minute")
        hour = sum((sent for _, sent in self.decided), start=ZERO)
        most = caps.hourly_notional * (1 + _SAME_WORTH)
        self.expect(hour <= most, "I10", f"too much notional in an hour: {hour} fund values")

    # What the venue did.

    def arrived(self, cid: str) -> None:
        """The venue accepted an order."""
        self.expect(len(self.venue.orders[cid]) == 1, "I4", f"the venue executed id {cid} twice")
        if self.claims.is_final(cid):
            self.accuse(
                "I13", f"order {cid} is at the venue after it was declared {self.claims.orders[cid].end}"
            )

    # What each record claims, against the venue.

    def filled_at_venue(self, cid: str) -> Decimal:
        """What the venue filled of an order."""
        return sum((order.filled for order in self.venue.orders.get(cid, ())), start=ZERO)

    def trade_at_venue(self, number: str) -> VenueTrade | None:
        """A trade of the venue, by its number."""
        return next((trade for trade in reversed(self.venue.trades) if trade.number == number), None)

    def shows(self, cid: str | None) -> bool:
        """Whether the venue's answers tell of an order yet; until then its trades seem to be a stranger's.

        Who looked last when it did not show yet, cannot know that it does now.
        """
        orders = self.venue.orders.get(cid or "", ())
        shows = any(order.visible_ms <= self.venue.now_ms for order in orders)
        return shows and cid not in self.venue.unfound

    def at_rest(self, book: Book) -> None:
        """When all is quiet: fills add up to the position at the venue, and the wallet agrees to the cent."""
        venue, claims = self.venue, self.claims
        self.expect(
            claims.position == venue.position,
            "I3",
            f"fills add up to {claims.position}, the venue's position is {venue.position}",
        )
        booked = book.wallet
        off = abs(booked - venue.wallet)
        self.expect(off < CENT, "I3", f"the wallet is {venue.wallet}, the ledger's {booked}")
        self.money.at_rest(book.units)
        for cid in self._at_large:
            self.expect(self._over(cid), "I11", f"order {cid} is not resolved")
        self.protection.at_rest(self.claims.incidents)
        self.compare(book)


def _advanced(judge: Judge, record: rec.OrderAdvanced) -> None:
    """I7, I13: the venue's cumulative word only grows, and is the venue's."""
    filled = judge.filled_at_venue(record.cid)
    judge.expect(
        record.filled <= filled, "I7", f"order {record.cid}: filled {record.filled} is more than {filled}"
    )
    if record.closed:
        judge.expect(
            record.filled == filled, "I7", f"order {record.cid} closed with {record.filled}, not {filled}"
        )


def _rejected(judge: Judge, record: rec.OrderRejected) -> None:
    """I2: a refusal is definite only if the venue has, and will have, nothing of the order."""
    judge.expect(
        record.cid not in judge.venue.orders,
        "I2",
        f"order {record.cid} is booked as refused, and is at the venue",
    )


def _dead(judge: Judge, record: rec.OrderDead) -> None:
    """I2: an order is dead only if it never came, and no longer can."""
    known = judge.venue.orders.get(record.cid, ())
    booked = judge.claims.trades
    trades = [trade for trade in judge.venue.trades if trade.cid == record.cid]
    harmless = not any(order.is_open for order in known) and all(t.number in booked for t in trades)
    judge.expect(harmless, "I2", f"order {record.cid} is declared dead, and is at the venue")


def _filled(judge: Judge, record: rec.Filled) -> None:
    """I3, I7: each booked fill is a trade of the venue, to the digit, and of that order."""
    trade = judge.trade_at_venue(record.trade_id)
    if trade is None:
        judge.accuse("I3", f"trade {record.trade_id} is booked, and the venue knows none")
        return
    same = (trade.quantity, trade.price, trade.fee) == (record.quantity, record.price, record.fee)
    judge.expect(same, "I3", f"trade {record.trade_id} is booked as something else")
    known = trade.cid in judge.claims.orders and judge.shows(trade.cid)
    judge.expect(
        record.cid == trade.cid or not known, "I3", f"trade {record.trade_id} is booked to another order"
    )


def _settled(judge: Judge, record: rec.SliceSettled) -> None:
    """I2: a slice is over when the venue's order is, and all of its fills are booked."""
    if judge.claims.orders[record.cid].end == "dead":
        return  # `_dead` has seen to it that nothing of it is left
    filled = judge.filled_at_venue(record.cid)
    booked = judge.claims.orders[record.cid].booked
    judge.expect(
        booked == filled, "I2", f"order {record.cid} is settled with {booked} booked of {filled} filled"
    )
    still = any(order.is_open for order in judge.venue.orders.get(record.cid, ()))
    judge.expect(not still, "I2", f"order {record.cid} is settled, and still open at the venue")


def _reconciled(judge: Judge, record: rec.Reconciled) -> None:
    """I3: who says that all agrees has booked all fills."""
    judge.expect(
        record.position == judge.claims.position, "I3", "reconciled at a position that is not booked"
    )


def _queued(judge: Judge, record: rec.DrawQueued) -> None:
    """I14: what is committed to is what will be revealed."""
    text = f"inband-1|{judge.fund.name}|{record.sequence}|{record.u}|{record.salt}"
    judge.expect(
        sha256(text.encode()).hexdigest() == record.commitment, "I14", "a commitment that does not open"
    )


def _started(judge: Judge, record: rec.RebalanceStarted) -> None:
    """I14: the target of a band rebalance is the committed draw's, by the public law."""
    if record.sequence is None:
        return
    u = judge.claims.draws.get(record.sequence)
    if u is None:
        judge.accuse("I14", f"rebalance {record.number} uses a draw that was never committed to")
        return
    low, high = judge.fund.target_range
    lawful = low + round((high - low) * Decimal(u), 9)
    judge.expect(
        record.target == lawful, "I14", f"rebalance {record.number} has another target than was drawn for it"
    )


def _intended(judge: Judge, record: rec.OrderIntended) -> None:
    """I10: reductions are sent however many there are."""
    if not record.reduce_only:
        judge.judge_rate(record)


def _short(record: rec.Record) -> list[str]:
    return [f"{name}={value}" for name, value in zip(record._fields[1:], record[1:], strict=True)]


_CHECKS: dict[type, Callable[[Judge, Any], None]] = {
    rec.OrderAdvanced: _advanced,
    rec.OrderRejected: _rejected,
    rec.OrderDead: _dead,
    rec.Filled: _filled,
    rec.SliceSettled: _settled,
    rec.Reconciled: _reconciled,
    rec.DrawQueued: _queued,
    rec.RebalanceStarted: _started,
    rec.OrderIntended: _intended,
}

__all__ = ["Claimed", "Judge", "Violation"]
