"""What a rebalance cost, and why: its shortfall in parts that sum exactly, and how it was carried out.

With M the mark at decision, A the mark at the first slice, m the mark at which a slice was decided, b the
best price at which that slice's order traded, p the price of a fill and q its signed quantity (positive:
bought), costs in USDT are

    q (p - M) = q (A - M) + q (m - A) + q (b - m) + q (p - b)
                  delay      drift       spread      impact

and fees come on top. Delay and drift together are timing: what the market did while we waited. The spread
of a post-only order is negative where it was earned. (Implementation shortfall: Perold 1988; its split into
delay, timing, spread and impact as in Kissell and Glantz 2003. They take the touch before the order for b;
the best fill is that touch at the instant of trading, and is known of every order.)
"""

from decimal import Decimal
from typing import NamedTuple

from bot.core import records as rec
from bot.core.units import BPS, ZERO, Contracts, Leverage, Price, Usd

_GRID = Decimal("0.0001")
_SHORTEST_MS = 60_000
"""A rebalance that took less is measured against what the market trades in this time."""


class Slice(NamedTuple):
    """The order under way: its mark, and what it traded. `best` is None before its first fill.

    `market` is the market's volume per second, where it was known.
    """

    mark: Price
    posted: bool
    wanted: Contracts
    quantity: Contracts = ZERO
    paid: Usd = ZERO
    best: Price | None = None
    market: Contracts | None = None

    def plus(self, fill: rec.Filled) -> "Slice":
        """With one more fill."""
        price = fill.price
        if self.best is not None:
            price = min(self.best, price) if fill.quantity > ZERO else max(self.best, price)
        return self._replace(
            quantity=self.quantity + fill.quantity,
            paid=self.paid + fill.quantity * fill.price,
            best=price,
        )


class Measures(NamedTuple):
    """One rebalance so far; sums in USDT over the orders that are over.

    `drift`, `spread` and `impact` are the parts of the shortfall, `fees` what was paid. `made` is the
    unsigned quantity of fills of post-only orders, `traded` that of all. `market` sums the market's volume
    per second as it was known at `seen` orders. `out_ms` and `back_ms`: when leverage was out of the band
    first, and back within it.
    """

    decided: Price
    out_ms: int
    arrival: Price | None = None
    order: Slice | None = None
    quantity: Contracts = ZERO
    drift: Usd = ZERO
    spread: Usd = ZERO
    impact: Usd = ZERO
    paid: Usd = ZERO
    fees: Usd = ZERO
    traded: Contracts = ZERO
    made: Contracts = ZERO
    orders: int = 0
    rejected: int = 0
    repriced: int = 0
    market: Contracts = ZERO
    seen: int = 0
    first_ms: int = 0
    last_ms: int = 0
    back_ms: int | None = None

    def after(self, record: rec.Record) -> "Measures":
        """With what `record` says, if it is about an order of this rebalance."""
        match record:
            case rec.OrderIntended():
                return self._sent(record)
            case rec.Filled() if self.order is not None and record.cid is not None:
                return self._filled(record, self.order)
            case rec.OrderDead() if self.order is not None:
                return self._unsent(self.order.market)
            case rec.OrderRejected():
                refused = not record.would_take
                return self._replace(rejected=self.rejected + refused)
            case rec.SliceSettled() if self.order is not None:
                back_ms = record.time_ms if record.out_of_band is False else None
                repriced = self.order.posted and record.filled * 2 < abs(self.order.wanted)
                return self.settled()._replace(
                    repriced=self.repriced + repriced,
                    back_ms=self.back_ms if self.back_ms is not None else back_ms,
                )
            case _:
                return self

    def _sent(self, record: rec.OrderIntended) -> "Measures":
        market = record.market_per_s
        return self._replace(
            arrival=record.mark if self.arrival is None else self.arrival,
            order=Slice(record.mark, record.rests_until_ms is not None, record.quantity, market=market),
            orders=self.orders + 1,
            market=self.market if market is None else self.market + market,
            seen=self.seen if market is None else self.seen + 1,
            first_ms=self.first_ms or record.time_ms,
        )

    def _unsent(self, market: Contracts | None) -> "Measures":
        """Without the order under way: it never arrived, as if nothing had been sent."""
        known = market is not None
        return self._replace(
            order=None,
            orders=self.orders - 1,
            market=self.market - (market or ZERO),
            seen=self.seen - known,
        )

    def _filled(self, record: rec.Filled, order: Slice) -> "Measures":
        size = abs(record.quantity)
        return self._replace(
            order=order.plus(record),
            traded=self.traded + size,
            made=self.made + size if order.posted else self.made,
            fees=self.fees + record.fee,
            last_ms=record.time_ms,
        )

    def settled(self) -> "Measures":
        """The order under way, if any, is over: its costs are split."""
        order = self.order
        if order is None or order.best is None or self.arrival is None:
            return self._replace(order=None)
        quantity = order.quantity
        return self._replace(
            order=None,
            quantity=self.quantity + quantity,
            paid=self.paid + order.paid,
            drift=self.drift + quantity * (order.mark - self.arrival),
            spread=self.spread + quantity * (order.best - order.mark),
            impact=self.impact + order.paid - quantity * order.best,
        )


MEASURED = frozenset({rec.OrderIntended, rec.Filled, rec.OrderRejected, rec.SliceSettled})
"""The records that `Measures.after` takes in."""


class Shortfall(NamedTuple):
    """Costs in bps of the traded quantity at the mark at decision, positive = worse than that mark.

    shortfall = timing + spread + impact, timing = delay + drift, total = shortfall + fee: all exactly.
    `arrival` is the shortfall against the mark at the first slice.
    """

    shortfall: Decimal
    arrival: Decimal
    delay: Decimal
    drift: Decimal
    timing: Decimal
    spread: Decimal
    impact: Decimal
    fee: Decimal
    total: Decimal


def shortfall(measures: Measures) -> Shortfall | None:
    """The shortfall so far, in parts; None before the first fill."""
    done = measures.settled()
    if not done.traded or done.arrival is None:
        return None
    notional = done.traded * done.decided

    def bps(amount: Usd) -> Decimal:
        return (amount / notional * BPS).quantize(_GRID)

    whole = bps(done.paid - done.quantity * done.decided)
    arrival = bps(done.paid - done.quantity * done.arrival)
    spread, impact, fee = bps(done.spread), bps(done.impact), bps(done.fees)
    # Rounded on their own, parts would not sum: what the market did while we waited takes the rest.
    timing, delay = whole - spread - impact, whole - arrival
    return Shortfall(whole, arrival, delay, timing - delay, timing, spread, impact, fee, whole + fee)


def maker_ratio(measures: Measures) -> Decimal | None:
    """The part of the traded quantity that post-only orders traded."""
    return (measures.made / measures.traded).quantize(_GRID) if measures.traded else None


def participation(measures: Measures) -> Decimal | None:
    """The traded quantity as a part of the market's volume meanwhile; None where no volume is known."""
    if not measures.traded or not measures.market:
        return None
    duration_ms = max(measures.last_ms - measures.first_ms, _SHORTEST_MS)
    volume = measures.market / measures.seen * duration_ms / 1000
    return (measures.traded / volume).quantize(_GRID)


def completion(measures: Measures, finished: rec.RebalanceFinished, target: Leverage) -> Decimal | None:
    """Notional traded as a part of that and what was left at the end; None where value is not positive."""
    if finished.leverage is None:
        return None
    left = ZERO
    if finished.leverage:
        value = abs(finished.position) * finished.mark / finished.leverage
        left = abs(target - finished.leverage) * value
    elif target:
        return ZERO if not measures.traded else None
    traded = measures.traded * measures.decided
    return (traded / (traded + left)).quantize(_GRID) if traded + left else None


def out_of_band_ms(measures: Measures, finished_ms: int) -> int:
    """For how long leverage was out of the band, from the first sign until a slice brought it back."""
    back_ms = measures.back_ms if measures.back_ms is not None else finished_ms
    return max(0, back_ms - measures.out_ms)
