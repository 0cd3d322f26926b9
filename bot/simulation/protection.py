"""The judge of protective stops: by what the venue holds, and by the promise that each of them keeps."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bot.core import records as rec
from bot.core import stop_records as stops
from bot.core.fund import Contract, Fund
from bot.simulation.claims import Claims
from bot.simulation.holders import Holders
from bot.simulation.stops import StopRequest
from bot.simulation.venue import RECEIVE_WINDOW_MS, Venue

ZERO = Decimal(0)

Expect = Callable[[bool, str, str], None]


class ProtectionJudge:
    """Looks on at stops alone."""

    def __init__(
        self,
        fund: Fund,
        contract: Contract,
        venue: Venue,
        claims: Claims,
        holders: Holders,
        under_way: Callable[[str], int],
        expect: Expect,
    ) -> None:
        """`under_way`: how many requests to make a stop of this client id are on their way."""
        self.sent_requests: dict[str, StopRequest] = {}
        self.over: dict[str, stops.StopEnding | None] = {}
        self._resting: stops.StopIntended | None = None
        self._foreign: list[bool] = []
        self._fund = fund
        self._contract = contract
        self._venue = venue
        self._claims = claims
        self._holders = holders
        self._under_way = under_way
        self._expect = expect

    # What the daemon sends, and what arrives.

    def sent(self, request: StopRequest) -> None:
        """A stop leaves the process."""
        cid, intent = request.cid, self._resting
        self._expect(cid not in self.sent_requests, "I4", f"stop {cid} is sent twice")
        if intent is None or intent.cid != cid:
            self._expect(False, "I5", f"stop {cid} is sent without a durable intent")  # noqa: FBT003 - it is what holds
            return
        same = (intent.quantity, intent.trigger_price) == request[1:3]
        self._expect(same, "I5", f"stop {cid} is not what its intent says")
        for other in self.sent_requests:
            self._expect(
                not self._at_large(other), "I6", f"stop {cid} is sent while {other} may still trigger"
            )
        halted = self._claims.control is rec.Control.HALTED
        self._expect(not halted, "I9", "a stop is sent although the fund is halted")
        self.sent_requests[cid] = request

    def arrived(self, cid: str) -> None:
        """The venue accepted a stop."""
        self._expect(cid not in self.over, "I13", f"stop {cid} is at the venue after it was declared over")

    def _at_large(self, cid: str) -> bool:
        if self._under_way(cid):
            sent = self.sent_requests.get(cid)  # what comes after its window is refused
            late = sent is not None and self._venue.now_ms > sent.signed_ms + RECEIVE_WINDOW_MS
            return not late and cid not in self.over
        stop = self._venue.stops.by_cid.get(cid)
        return stop is not None and stop in self._venue.stops.resting

    # What the daemon writes.

    def take(self, record: rec.Record) -> None:
        """Take one record in, after the judge's other accounts have."""
        act = _TAKE.get(type(record))
        if act is not None:
            act(self, record)

    def intended(self, record: stops.StopIntended) -> None:
        """A stop follows from the position as it is, and never comes while that is being changed."""
        self._expect(self._resting is None, "I6", f"stop {record.cid} is intended while another may rest")
        self._expect(record.cid not in self.sent_requests, "I4", f"stop {record.cid} is intended twice")
        self._expect(not self._holders.kinds, "I6", "a stop is placed while a rebalance runs")
        self._expect(self._holders.mark is None, "I6", "a stop is placed while a dealing is under way")
        self._resting = record
        position = self._holders.position
        self._expect(record.position == position, "I1", f"stop {record.cid} is for another position")
        reduces = record.quantity * position < ZERO and abs(record.quantity) <= abs(position)
        self._expect(reduces, "I1", f"stop {record.cid} does not reduce, or reverses")
        wish = self._promised()
        if wish is None:
            self._expect(False, "I1", f"stop {record.cid} where no price is promised")  # noqa: FBT003 - as above
            return
        trigger, size = wish
        tick, lot = self._contract.tick, self._contract.lot
        near = abs(record.trigger_price - trigger) <= tick
        self._expect(near, "I1", f"stop {record.cid} triggers at {record.trigger_price}, not at {trigger}")
        # Funding of this minute may not be booked yet, and sizes move by it.
        right = abs(abs(record.quantity) - size) <= max(2 * lot, size / 5_000)
        self._expect(right, "I1", f"stop {record.cid} is of {abs(record.quantity)}, not of {size}")

    def ended(self, record: stops.StopEnded) -> None:
        """A stop is over only when the venue has nothing of it any more, or has made it an order."""
        stop = self._venue.stops.by_cid.get(record.cid)
        if record.ending is stops.StopEnding.TRIGGERED:
            became = None if stop is None else stop.order
            self._expect(record.order_id == became, "I3", f"stop {record.cid} became {became}")
        else:
            gone = not self._at_large(record.cid) and (stop is None or stop.order is None)
            self._expect(gone, "I2", f"stop {record.cid} is {record.ending}, and is at the venue")
        self.over[record.cid] = record.ending
        self._resting = None

    def rejected(self, record: stops.StopRejected) -> None:
        """A refusal is definite only if the venue has nothing of the stop."""
        self._expect(not self._at_large(record.cid), "I2", f"stop {record.cid} is refused, and rests")
        self.over[record.cid] = None
        self._resting = None

    def filled(self, record: rec.Filled) -> None:
        """Trades of a stop are nobody's order's."""
        if record.cid is None:
            trade = next((t for t in reversed(self._venue.trades) if t.number == record.trade_id), None)
            self._foreign.append(trade is not None and trade.cid in self.sent_requests)

    def changed(self, record: rec.ExternalChange) -> None:
        """A stop's trades are booked as a stop's, and a stranger's as a stranger's."""
        ours, self._foreign = self._foreign, []
        all_ours = bool(ours) and all(ours)
        booked = record.kind is rec.Kind.STOP
        self._expect(not booked or all_ours, "I3", "trades of others are booked as a stop's")
        self._expect(booked or not any(ours), "I3", "a stop's trades are booked as a stranger's")

    def told(self, record: rec.IncidentOpened) -> None:
        """No journal here loses anything: an order that it is said to lack is what a stop became."""
        self._expect(record.code != "records lost", "I8", record.detail)

    # When all is quiet.

    def at_rest(self, incidents: set[str]) -> None:
        """One stop rests where one is promised, for the position that there is; else none does."""
        resting = self._venue.stops.resting
        claimed = None if self._resting is None else self._resting.cid
        self._expect(
            [stop.request.cid for stop in resting] == ([] if claimed is None else [claimed]),
            "I11",
            f"the venue has {len(resting)} stops, the daemon says {claimed}",
        )
        if self._resting is not None:
            right = self._resting.position == self._venue.position
            self._expect(right, "I11", "the stop that rests is for another position")
        elif self._fund.protective_stop and self._promised() is not None and not self._too_late():
            told = "no protective stop" in incidents
            self._expect(told, "I11", "no stop rests, and nobody is told")

    def _too_late(self) -> bool:
        """Whether the mark is beyond where the stop would trigger, or the trade would be too small."""
        wish = self._promised()
        if wish is None:
            return True
        trigger, size = wish
        small = size <= self._contract.min_decrease(trigger) + self._contract.lot
        return small or (self._venue.mark - trigger) * self._fund.sign <= self._contract.tick

    def _promised(self) -> tuple[Decimal, Decimal] | None:
        """Where a stop has to trigger, and how much it then has to reduce: from the promise in words."""
        held, cash = self._holders.position, self._holders.cash
        there = cash + min(ZERO, self._holders.beside)
        size, side = abs(held), self._fund.sign
        if held * side <= ZERO:
            return None
        emergency = self._fund.emergency
        steep = size - emergency * held
        if not steep or emergency * there / steep <= ZERO:
            return None
        end = self._liquidated_at(held, there)
        if end is None:
            return None
        trigger = (emergency * there / steep + end) / 2
        value, top, fee = cash + held * trigger, self._fund.target_range[1], self._contract.taker_fee
        exposure = size * trigger
        if value <= fee * exposure:
            return trigger, size
        after = top * (value - fee * exposure) / (1 - top * fee)
        reduction = (exposure - after) / trigger
        return (trigger, min(reduction, self._contract.max_market_quantity)) if reduction > ZERO else None

    def _liquidated_at(self, held: Decimal, cash: Decimal) -> Decimal | None:
        """The mark at which value and maintenance margin meet, sought bracket by bracket."""
        last = self._contract.maintenance[-1] if self._contract.maintenance else None
        low = ZERO
        for bracket in self._contract.maintenance:
            slope = held - abs(held) * bracket.rate
            mark = -(cash + bracket.deduction) / slope
            if mark > ZERO and low < abs(held) * mark and (bracket is last or abs(held) * mark <= bracket[0]):
                return mark
            low = bracket.notional_cap
        return None


_TAKE: dict[type, Callable[[ProtectionJudge, Any], None]] = {
    stops.StopIntended: ProtectionJudge.intended,
    stops.StopEnded: ProtectionJudge.ended,
    stops.StopRejected: ProtectionJudge.rejected,
    rec.Filled: ProtectionJudge.filled,
    rec.ExternalChange: ProtectionJudge.changed,
    rec.IncidentOpened: ProtectionJudge.told,
}
