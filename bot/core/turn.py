"""The state of one fund's engine, and the workspace of one step."""

from decimal import Decimal
from typing import NamedTuple

from bot.core.book import Book
from bot.core.breaches import REMEDIES
from bot.core.commands import Command, FetchAccount
from bot.core.events import Event, Mark, Reconfigured, TouchSeen, VolumeSeen
from bot.core.fund import Contract, Fund
from bot.core.limits import Conditions, Refusal, increases_refused
from bot.core.outlook import Outlook, look_ahead
from bot.core.promise import Shadow
from bot.core.records import Control, IncidentClosed, IncidentOpened, Record
from bot.core.trust import blind, doubt
from bot.core.units import ONE, ZERO, Price, Usd

HIGHEST: Price = Decimal("1e30")
"""The upper end of a region that has none."""

TRIES_IN_TWO_MINUTES = 28
"""Looks at the account, one `Turn.reconcile_again` after the other, that take two minutes together."""


class Region(NamedTuple):
    """Marks in the closed interval [low, high], before `until_ms`, change nothing.

    Two comparisons settle them. `outlook` is ready for the first mark outside. `own`: the interval of the
    fund's strategy alone, where this one is narrower because its shadow would trade in the rest.
    """

    low: Price
    high: Price
    until_ms: int
    outlook: Outlook | None = None
    own: tuple[Price, Price] | None = None


class ShadowHold(NamedTuple):
    """Marks in the closed interval [low, high], before `until_ms`, leave the shadow as it is."""

    of: Shadow | None
    low: Price
    high: Price
    until_ms: int | None

    def covers(self, mark: Price, now_ms: int) -> bool:
        """Whether a mark at this time lies within."""
        return self.low <= mark <= self.high and (self.until_ms is None or now_ms < self.until_ms)


class Live(NamedTuple):
    """What a restart may forget, by subject: it is learnt from the venue again."""

    feed_trusted: bool = True
    """The mark stream is up, or its latest mark came since it was lost."""
    skew_ms: int = 0
    """By how much our clock is ahead of the venue's; negative: behind."""
    parking: bool = False
    """The process is about to stop: nothing more is sent."""
    market_waits: bool = False
    """The market stops with the process (a paper exchange), so that orders may rest meanwhile."""
    settings: Reconfigured | None = None
    """What the fund runs by once its rebalance is over."""
    shadow_hold: ShadowHold | None = None
    """For which marks the shadow stays as it is."""

    touch: TouchSeen | None = None
    """Best bid and ask, as last read for the slice that comes next."""
    touch_asked: bool = False
    """They were asked for, for that slice."""
    volume: VolumeSeen | None = None
    """What the market traded lately."""
    volume_asked_ms: int | None = None
    """When that was last asked for, market time."""
    contract_asked: bool = False
    """What the venue demands of orders is being read anew."""
    draw_asked: int = 0
    """The sequence number of the draw that was last asked for."""
    guarded: bool = False
    """The venue was told to cancel what rests, should we die."""

    missing: int = 0
    """How often in a row the venue said that it does not know the order under way."""
    given_up: str | None = None
    """Client id of an order that the venue lost, and of which an operator says that it is over."""
    proving: str | None = None
    """Client id of the order whose death an account snapshot must confirm."""
    trade_tries: int = 0
    """How often the trades of the order under way were asked for again."""
    strangers: frozenset[str] = frozenset()
    """Venue ids of orders that traded while ours was under way: they may be others'."""
    compare_due: bool = False
    """Ledger and venue are to be compared once the order under way is over."""

    reconciled: bool = False
    """No comparison of ledger and venue is under way: they agree, or an incident says that they differ."""
    compared: bool = False
    """A comparison has come to its end since the start, whatever it found."""
    reconcile_tries: int = 0
    """How often in a row they differed."""
    scanned: bool = True
    """The venue's latest orders were looked through for what the journal has lost; not yet at a restart."""
    looked_at: frozenset[str] = frozenset()
    """Incidents that an operator ended, and whose cause is being looked at anew."""
    adopting: bool = False
    """The operator said at this start that what happened outside is accepted (`--adopt`)."""
    withheld: Usd = ZERO
    """Margin that the venue holds back beyond what the ledger explains."""

    funding_pending_ms: int | None = None
    """A funding instant that has passed and is not booked yet, market time."""
    funding_tries: int = 0
    """How often its booking was asked for again."""
    day_mark: tuple[int, Price] | None = None
    """The mark at a 00:00 UTC, after that time in ms."""
    day_asked_ms: int = 0
    """The 00:00 UTC whose mark was last asked for."""

    by_hand: bool = False
    """People make transfers; else we do."""
    cash_moving: bool = False
    """A transfer was asked for and is not in the venue's income yet."""
    cash_id: str = ""
    """The income that it will show as, once it is made."""
    cash_after_ms: int = 0
    """No other may be asked for before this market time."""
    cash_doubted: bool = False
    """Nobody knows whether the last one was made."""
    cash_looking: bool = False
    """Income is being read, which will tell."""

    stop_missing: int = 0
    """How often in a row the venue said that it does not know the protective stop."""
    stop_after_ms: int = 0
    """No stop is placed before this market time."""
    stop_suspected: bool = False
    """Trades came that may be the stop's own: it is being asked."""
    stop_cleared: bool = False
    """It answered that they are not."""
    stop_reached_ms: int | None = None
    """Since when the mark has been where the stop triggers, market time."""
    stop_order: str | None = None
    """The order that a stop became, whose trades are not known yet."""
    stop_tries: int = 0
    """How often they were asked for again."""


class State(NamedTuple):
    """One fund's engine between two events.

    `wake_ms`: the market time at which it wants an event at the latest.
    """

    fund: Fund
    contract: Contract
    book: Book
    mark: Mark | None = None
    region: Region | None = None
    wake_ms: int | None = None
    live: Live = Live()


class Turn:
    """The workspace of one step: it collects records (applying each at once to its own book) and commands."""

    __slots__ = (
        "_outlook",
        "book",
        "commands",
        "contract",
        "fund",
        "live",
        "mark",
        "now_ms",
        "records",
        "region",
        "wake_ms",
        "wall_ms",
    )

    def __init__(self, state: State, event: Event) -> None:
        """Start from `state`, which is left untouched."""
        self.fund = state.fund
        self.contract = state.contract
        self.book = state.book.copy()
        self.mark = state.mark
        self.live = state.live
        self._outlook = None if state.region is None else state.region.outlook
        self.region: Region | None = None
        self.wake_ms: int | None = None
        self.now_ms = max(event.time_ms, state.book.last_time_ms)
        self.wall_ms = event.wall_ms
        self.records: list[Record] = []
        self.commands: list[Command] = []

    def record(self, record: Record) -> None:
        """Make `record` part of the step, and of the book."""
        self._outlook = None
        self.records.append(record)
        self.book.apply(record)

    def outlook(self) -> Outlook:
        """What comes next, as the book is now."""
        if self._outlook is None:
            self._outlook = look_ahead(self.fund, self.book)
        return self._outlook

    def forget_outlook(self) -> None:
        """What comes next is to be worked out anew, for the fund has changed."""
        self._outlook = None

    def wake_at(self, time_ms: int) -> None:
        """Ask for an event at `time_ms` at the latest."""
        self.wake_ms = time_ms if self.wake_ms is None else min(self.wake_ms, time_ms)

    def open_incident(self, code: str, detail: str, remedy: str, *, stops_increases: bool) -> None:
        """Open an incident, unless one with this code is open already."""
        if code not in self.book.incidents:
            self.record(IncidentOpened(self.now_ms, code, detail, remedy, stops_increases))

    def breach(self, code: str, detail: str) -> None:
        """Stop increases until an operator rearms them."""
        self.open_incident(code, detail, REMEDIES[code], stops_increases=True)

    def close_incident(self, code: str, how: str) -> None:
        """Close the incident with this code, if it is open."""
        if code in self.book.incidents:
            self.record(IncidentClosed(self.now_ms, code, how))

    def reconcile(self, delay_s: float = 0.0) -> None:
        """Ask for the account, to compare it with the ledger."""
        self.commands.append(FetchAccount(self.book.income_cursor_ms, delay_s))

    def reconcile_again(self, tries: int) -> None:
        """The same after a pause that grows with `tries`, to five seconds; see `TRIES_IN_TWO_MINUTES`."""
        self.reconcile(delay_s=min(5.0, 0.25 * 2 ** min(tries, 5)))

    def doubt(self, mark: Mark) -> str | None:
        """Why the price is not to be trusted for an increase, if so."""
        live = self.live
        frozen_ms = self.fund.caps.frozen_ms
        return doubt(mark, self.now_ms, live.skew_ms, frozen_ms, feed_trusted=live.feed_trusted)

    def increases_refused(self, mark: Mark) -> Refusal | None:
        """Why no position may be increased at this moment, if so."""
        return increases_refused(self._stops, self.doubt(mark))

    @property
    def _stops(self) -> tuple[str, ...]:
        """Why increases are stopped; by what an operator ended, too, until a look shows that it is over."""
        looked_at = self.live.looked_at
        if not looked_at:
            return self.book.stops
        return (*self.book.stops, *(f"{code}, which is being looked at" for code in sorted(looked_at)))

    def looked(self, code: str) -> None:
        """The cause of an incident was looked at: if it is open, it is true."""
        if code in self.live.looked_at:
            self.live = self.live._replace(looked_at=self.live.looked_at - {code})

    def conditions(self, mark: Mark) -> Conditions:
        """What the limits judge by at this moment."""
        book, live = self.book, self.live
        open_ = book.rebalance
        # In the order of its fields: by their names it would take 3 us more, of the 40 that a decision has.
        return Conditions(
            mark.price,
            self.fund.emergency,
            self.doubt(mark),
            blind(mark, self.now_ms, feed_trusted=live.feed_trusted),
            mark.index_price,
            self._stops,
            open_ is not None and open_.order is not None,
            book.controlled is not None and book.controlled.control is Control.HALTED,
            self.now_ms,
            book.traffic,
            book.day,
            None if open_ is None else open_.planned,
            ZERO if open_ is None else open_.traded,
            live.withheld,
            book.ledger,
            book.units or ONE,
            self.fund.caps,
        )

    def _with_shadow(self, region: Region) -> Region | None:
        """The part of a region in which the shadow does nothing either."""
        hold = self.live.shadow_hold
        if hold is None or hold.of is not self.book.shadow:
            return None
        until_ms = region.until_ms if hold.until_ms is None else min(region.until_ms, hold.until_ms)
        own = region.own or (region.low, region.high)
        return Region(max(region.low, hold.low), min(region.high, hold.high), until_ms, region.outlook, own)

    def state(self) -> State:
        """The state after the step. With an untrusted feed the next mark matters, whatever its price.

        So does one at the time at which the fund wants to be woken.
        """
        region = self.region if self.live.feed_trusted else None
        if region is not None and self.wake_ms is not None and self.wake_ms < region.until_ms:
            region = region._replace(until_ms=self.wake_ms)
        if region is not None and self.fund.shadow is not None:
            region = self._with_shadow(region)
        return State(self.fund, self.contract, self.book, self.mark, region, self.wake_ms, self.live)
