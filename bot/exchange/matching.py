"""Matching in one symbol: aggressive orders against the background book and the resting orders of accounts.

Pure, and in whole ticks and lots. Price goes before time; at one price the background's size goes first, then
resting orders by market time and id. An account does not meet its own orders.

Against the background, accounts do not see each other within one market instant: what the others took is
missing from the next instant on, what an account itself took at once. So the order in which the requests of
two accounts arrive at one instant cannot change what either gets from the background. Resting orders of
other accounts are hit as they stand.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.exchange.background import BUCKET_MS, Ladder, build_ladder, half_spread_bps, noise, touch_ticks
from bot.exchange.flow import SECOND_MS, MarketOrder, orders_in
from bot.exchange.impact import PERMANENT_BPS, Impact, PastImpact
from bot.exchange.resting import RestingOrder, RestingOrders
from bot.exchange.tape import Tape
from bot.exchange.volatility import Turmoil

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.catalog import Symbol
    from bot.exchange.prices import PricePath

LARGEST_DEPTH_USD = 362_000.0
BIDS, ASKS = 0, 1
NO_LADDER = Ladder((), ())
UNSEEN = -1.0


class LotFill(NamedTuple):
    """One fill: price in ticks, lots, and the id of the resting order that was hit, 0 for the background."""

    ticks: int
    lots: int
    maker_id: int


class Strain(NamedTuple):
    """From `from_ms` to before `until_ms` the book lies `away_bps` off, and holds `share` of its size."""

    from_ms: int
    until_ms: float
    away_bps: float = 0.0
    share: float = 1.0

    def holds(self, time_ms: int) -> bool:
        """Whether it does at a time."""
        return self.from_ms <= time_ms < self.until_ms


class Matching:
    """The market of one symbol at one market time."""

    def __init__(self, symbol: Symbol, path: PricePath, *, seed: str, time_ms: int, mark: Decimal) -> None:
        self.symbol = symbol
        self.now = time_ms
        self.impact = Impact(time_ms)
        self._past = PastImpact()
        self.resting = RestingOrders()
        self.changed = False
        self.strains: list[Strain] = []  # put there by faults
        self.passive: list[tuple[int, int, int]] = []  # (order id, ticks, lots) since last handed out
        self._path = path
        self.tape = Tape(self, path)
        self._turmoil = Turmoil(path)
        self._mark = float(mark)
        self._key = f"{seed}|{symbol.name}"
        self._scale = symbol.depth_usd / LARGEST_DEPTH_USD
        self._bps_per_lot_price = PERMANENT_BPS * symbol.step_size / 1e6 / self._scale
        # Taken this instant by each account: lots from bids and from asks, and resting orders' lots, signed.
        self._taken: dict[str, list[int]] = {}
        self._made = 0
        # The book of this instant: built when it is looked at, as deep as it is looked into.
        self._ladders = [NO_LADDER, NO_LADDER]
        self._depths = [UNSEEN, UNSEEN]  # up to how many lots
        self._missing = [0, 0]
        self._noise_of, self._noise = -1, b""

    # --- time -----------------------------------------------------------------------------------------

    def move_to(self, time_ms: int, mark: Decimal) -> None:
        """Move on to `time_ms` and `mark`; what this fills of resting orders goes to `passive`."""
        self._merge()
        before, self._mark = self._mark, float(mark)
        start_ms, self.now = self.now, time_ms
        self._depths[BIDS] = self._depths[ASKS] = UNSEEN
        if len(self.resting):
            if self._is_near(start_ms, before):
                for second in range(start_ms // SECOND_MS + 1, time_ms // SECOND_MS + 1):
                    self._trade_flow(second)
            self._trade_through(self.mid)

    def _merge(self) -> None:
        """Add what accounts did at this instant to the impact that all of them meet from the next one on."""
        if self._taken or self._made:
            bids = sum(taken[BIDS] for taken in self._taken.values())
            asks = sum(taken[ASKS] for taken in self._taken.values())
            self._past.note(self.now, self.impact)
            self.impact.add(self.now, asks, bids, self._made)
            self._taken.clear()
            self._made = 0
            self.changed = True

    @property
    def turmoil(self) -> float:
        """Volatility of late over that of a normal evening."""
        return self._turmoil.at(self.now)

    @property
    def mid(self) -> float:
        """The background's mid price in USDT: the mark, moved by the permanent impact of accounts."""
        return self._mid_at(self.now, self._mark, self.impact)

    def _mid_at(self, time_ms: int, mark: float, impact: Impact) -> float:
        for strain in self.strains:
            if strain.holds(time_ms):
                mark *= 1 + strain.away_bps * 1e-4
        lasting = impact.lasting(time_ms)
        if not lasting:
            return mark
        return mark * math.exp(lasting * self._bps_per_lot_price * mark * 1e-4)

    # --- the book -------------------------------------------------------------------------------------

    def _ladder(self, side: int, account: str | None = None, lots: float = math.inf) -> tuple[Ladder, int]:
        """Return a side, levels enough for `lots`, and the lots that are missing as `account` sees it."""
        sign = 1 if side == ASKS else -1
        is_first_look = self._depths[side] == UNSEEN
        if is_first_look:
            self._missing[side] = self.impact.missing(sign, self.now)
        own = self._taken.get(account) if account is not None else None
        gone = self._missing[side] + own[side] if own else self._missing[side]
        if self._depths[side] < gone + lots:
            bucket = self.now // BUCKET_MS
            if bucket != self._noise_of:
                self._noise_of, self._noise = bucket, noise(self._key, self.now)
            half = len(self._noise) // 2
            part = self._noise[half:] if side == ASKS else self._noise[:half]
            depth = self._depths[side] = gone + lots if is_first_look else math.inf
            self._ladders[side] = build_ladder(
                self._strained(), self.mid, self.turmoil, sign, part, lots=depth
            )
        return self._ladders[side], gone

    def _strained(self) -> Symbol:
        """Return the symbol with the depth it has now."""
        if not self.strains:
            return self.symbol
        share = math.prod(strain.share for strain in self.strains if strain.holds(self.now))
        return replace(self.symbol, depth_usd=self.symbol.depth_usd * share) if share != 1 else self.symbol

    def levels(self, sign: int, account: str | None) -> list[tuple[int, int]]:
        """Return the (ticks, lots) of the bids (1) or asks (-1), resting orders of all accounts included.

        Background levels that a resting order has come to are left out: its account has taken them at this
        very instant, which the others do not see as missing yet, and a book is never crossed.
        """
        side = BIDS if sign > 0 else ASKS
        (ticks, cumulative), gone = self._ladder(side, account)
        facing = self.resting.side(-sign)
        sizes: dict[int, int] = {}
        for price, total in zip(ticks, cumulative, strict=True):
            if total > gone:
                if not facing or sign * (price - facing[0].ticks) < 0:
                    sizes[price] = total - gone
                gone = total
        for order in self.resting.side(sign):
            sizes[order.ticks] = sizes.get(order.ticks, 0) + order.lots
        return sorted(sizes.items(), reverse=sign > 0)

    # --- aggressive orders ----------------------------------------------------------------------------

    def look(self, account: str, sign: int, limit: int | None, lots: int) -> list[LotFill]:
        """Return the fills that `take` would give, and change nothing."""
        side = ASKS if sign > 0 else BIDS
        resting = self.resting.side(-sign)
        if resting:
            return self._walk_both(account, sign, limit, lots, resting)
        (ticks, cumulative), gone = self._ladder(side, account, lots)
        place = bisect_right(cumulative, gone)
        if place == len(cumulative):
            return []
        if cumulative[place] - gone >= lots:  # most orders cross one level
            reached = limit is None or sign * (ticks[place] - limit) <= 0
            return [LotFill(ticks[place], lots, 0)] if reached else []
        fills = []
        for price, total in zip(ticks[place:], cumulative[place:], strict=True):
            if limit is not None and sign * (price - limit) > 0:
                break
            there = total - gone
            if there >= lots:
                fills.append(LotFill(price, lots, 0))
                break
            fills.append(LotFill(price, there, 0))
            lots -= there
            gone = total
        return fills

    def _walk_both(
        self, account: str, sign: int, limit: int | None, lots: int, resting: list[RestingOrder]
    ) -> list[LotFill]:
        side = ASKS if sign > 0 else BIDS
        (ticks, cumulative), gone = self._ladder(side, account, lots)
        place = bisect_right(cumulative, gone)
        offers = [(order.ticks, order.lots, order.order_id) for order in resting if order.account != account]
        waiting, fills = 0, []
        while lots > 0:
            background = place < len(ticks)
            if waiting < len(offers) and (not background or sign * (offers[waiting][0] - ticks[place]) < 0):
                price, there, maker_id = offers[waiting]
                waiting += 1
            elif background:
                price, there, maker_id = ticks[place], cumulative[place] - gone, 0
                gone = cumulative[place]
                place += 1
            else:
                break
            if limit is not None and sign * (price - limit) > 0:
                break
            filled = min(lots, there)
            fills.append(LotFill(price, filled, maker_id))
            lots -= filled
        return fills

    def take(self, account: str, sign: int, limit: int | None, lots: int) -> list[LotFill]:
        """Execute an aggressive order of `lots`, at `limit` ticks or better; fills may add up to less."""
        fills = self.look(account, sign, limit, lots)
        taken = 0
        for _, filled, maker_id in fills:
            if not maker_id:
                taken += filled
            else:
                order = self.resting.get(maker_id)
                assert order is not None  # noqa: S101 - it was just looked at
                self.resting.fill(order, filled)
        if taken:
            own = self._taken.get(account)
            if own is None:
                own = self._taken[account] = [0, 0]
            own[ASKS if sign > 0 else BIDS] += taken
        if fills:
            self.changed = True
            self.tape.add(fills, sign)
        return fills

    # --- resting orders -------------------------------------------------------------------------------

    def rest(self, order_id: int, account: str, sign: int, ticks: int, lots: int) -> None:
        """Let what is left of an order rest, behind what the background has at its price."""
        ahead = self._queue_at(sign, ticks)
        self.resting.add(RestingOrder(order_id, account, sign, ticks, lots, ahead, self.now))
        self.changed = True

    def _queue_at(self, sign: int, price: int) -> int:
        """Return the background's lots at a price; between two levels of the ladder, an even share."""
        side = BIDS if sign > 0 else ASKS
        (ticks, cumulative), gone = self._ladder(side)
        previous, total_before = None, gone
        for level, total in zip(ticks, cumulative, strict=True):
            if total <= gone:
                continue
            if sign * (level - price) <= 0:
                if previous is None:
                    return total - total_before if level == price else 0
                return (total - total_before) // abs(level - previous)
            previous, total_before = level, total
        return 0

    def unrest(self, order_id: int) -> None:
        """Take an order out."""
        if self.resting.remove(order_id) is not None:
            self.changed = True

    def reduce(self, order_id: int, lots: int) -> None:
        """Make an order smaller by `lots`; it keeps its place."""
        order = self.resting.get(order_id)
        if order is not None:
            self.resting.fill(order, lots)
            self.changed = True

    def give_back(self, sign: int, lots: int) -> None:
        """Undo the impact of a passive fill of a bid (1) or ask (-1) that did not happen in full."""
        self._made -= sign * lots
        self.changed = True

    def _is_near(self, start_ms: int, mark_before: float) -> bool:
        """Return whether the touch may have come to any resting order since `start_ms`.

        Between two instants the mark is straight in time, so its ends bound it.
        """
        mids = (self._mid_at(start_ms, mark_before, self.impact), self.mid)
        margin = 2e-4 * half_spread_bps(max(self.turmoil, self._turmoil.at(start_ms))) + 1e-4
        tick = self.symbol.tick_size
        bids, asks = self.resting.bids, self.resting.asks
        return bool(
            (bids and (bids[0].ticks + 1) * tick >= min(mids) * (1 - margin))
            or (asks and (asks[0].ticks - 1) * tick <= max(mids) * (1 + margin))
        )

    def _trade_flow(self, second: int) -> None:
        """Let the background's market orders of the second before `second` hit what rests at the touch."""
        time_ms = second * SECOND_MS
        mid = self._mid_at(time_ms, float(self._path.price_at(time_ms)), self.impact)
        tick = self.symbol.tick_size
        turmoil = self._turmoil.at(time_ms)
        flow = {1: 0.0, -1: 0.0}
        for order in self.orders_in(second - 1):
            flow[order.sign] += order.usd
        lot_usd = mid * self.symbol.step_size
        self._hit(1, touch_ticks(mid / tick, turmoil, -1), int(flow[-1] / lot_usd))
        self._hit(-1, touch_ticks(mid / tick, turmoil, 1), int(flow[1] / lot_usd))
        self._trade_through(mid)

    def _hit(self, sign: int, touch: int, lots: int) -> None:
        """Let `lots` trade with the bids (1) or asks (-1) of accounts that are at the touch or better."""
        price, reach = None, lots
        for order in list(self.resting.side(sign)):
            if lots <= 0 or sign * (order.ticks - touch) < 0:
                break
            if order.ticks != price:
                price, reach = order.ticks, lots
            passed = min(order.ahead, reach)
            filled = min(order.lots, reach - passed)
            order.ahead -= passed
            self.changed = True
            if filled:
                reach -= filled
                lots -= filled
                self._fill(order, filled)

    def _trade_through(self, mid: float) -> None:
        """Fill in full whatever the mid has come to: the background has traded through it."""
        tick = self.symbol.tick_size
        for sign in (1, -1):
            side = self.resting.side(sign)
            while side and sign * (side[0].ticks * tick - mid) >= -1e-9 * mid:
                self._fill(side[0], side[0].lots)

    def _fill(self, order: RestingOrder, lots: int) -> None:
        self.passive.append((order.order_id, order.ticks, lots))
        self._made += order.sign * lots
        self.resting.fill(order, lots)
        self.changed = True

    def touch_at(self, time_ms: int, mark: float, sign: int) -> int:
        """Return the background's best ask (`sign` 1) or bid (-1) at a past time and mark, in ticks."""
        impact = self._past.at(time_ms, self.impact)
        mid_ticks = self._mid_at(time_ms, mark, impact) / self.symbol.tick_size
        return touch_ticks(mid_ticks, self._turmoil.at(time_ms), sign)

    # --- the tape, and what is kept -------------------------------------------------------------------

    def orders_in(self, second: int) -> list[MarketOrder]:
        """Return the market orders of the background in one second (UTC ms // 1000)."""
        turmoil = self._turmoil.at(second * SECOND_MS)
        return orders_in(f"{self._key}|flow", second, turmoil, self._scale)

    def stored(self) -> dict[str, Any]:
        """Return the state as JSON-able values."""
        impact = self.impact
        return {
            "impact": [impact.time_ms, impact.asks, impact.bids, impact.recent, impact.net],
            "taken": {account: taken.copy() for account, taken in self._taken.items()},
            "made": self._made,
            "at": self.now,
            "resting": self.resting.stored(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `stored` gave at the same market time or before."""
        self.impact = Impact(*state["impact"])
        self._taken = {account: list(taken) for account, taken in state["taken"].items()}
        self._made = state["made"]
        self.resting.restore(state["resting"])
        if state["at"] != self.now:
            now, self.now = self.now, state["at"]
            self._merge()
            self.now = now
        self._depths[BIDS] = self._depths[ASKS] = UNSEEN
        self.changed = False
