"""What the public knows of a fund: commitments, pending reveals, and the basket that its figures come from.

While anything is hidden (a rebalance under way, or one that is over and not revealed yet) the public sees
the basket, the state and the incidents of before. A rebalance that is over is revealed after a secret random
lag, in the order in which rebalances started; the reveal makes public its facts, its draw, and the basket of
its end.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from bot.core import records as rec
from bot.core.basket import FINEST, Basket
from bot.core.draws import Draw
from bot.core.public_records import FundingImputed, PublicationScheduled, Revealed
from bot.core.shares import down
from bot.core.tracking import Tracking
from bot.core.units import ZERO, Contracts, Price, Urgency, Usd

QUEUED_DRAWS = 3
"""Commitments that are published ahead."""


class Commitment(NamedTuple):
    """A published commitment whose draw is not revealed yet."""

    sequence: int
    commitment: str


class Pending(NamedTuple):
    """A rebalance that is not revealed yet.

    `facts`: the records that tell of it. `due_ms`: when it is to be revealed. `basket`: the fund's at its
    end. Both are None until it is over. `emergency_ms`: when it became an emergency, of which the public
    hears at once.
    """

    number: int
    started_ms: int
    facts: tuple[rec.Record, ...]
    due_ms: int | None = None
    basket: Basket | None = None
    emergency_ms: int | None = None


class Shown(NamedTuple):
    """What the public saw before something began to be hidden; `fees` is the sum until then."""

    state: rec.FundState
    incidents: tuple[rec.IncidentOpened, ...]
    fees: Usd = ZERO


class Public(NamedTuple):
    """What the public knows. `revealed` counts public records, `head` is the hash of the last one.

    The head of a fund without records is `draws.genesis`. `funding` is what the public baskets received so
    far, `tracking` how their NAV followed the underlying: both are trued up when nothing is hidden.
    """

    basket: Basket
    commitments: tuple[Commitment, ...] = ()
    pending: tuple[Pending, ...] = ()
    foreign: tuple[rec.Filled, ...] = ()
    shown: Shown | None = None
    revealed: int = 0
    head: str = ""
    funding: Usd = ZERO
    tracking: Tracking | None = None

    @property
    def hidden(self) -> bool:
        """Whether the truth differs from what is shown, or may."""
        return bool(self.pending)

    @property
    def hidden_since_ms(self) -> int | None:
        """From when on the public's figures are not the true ones; None if they are."""
        return self.pending[0].started_ms if self.pending else None

    @property
    def emergency_ms(self) -> int | None:
        """Since when there is an emergency that is not revealed yet; None if there is none."""
        return min((p.emergency_ms for p in self.pending if p.emergency_ms is not None), default=None)

    @property
    def earns_funding(self) -> bool:
        """Whether any basket holds a position."""
        baskets = (self.basket, *(p.basket for p in self.pending if p.basket is not None))
        return any(basket.position for basket in baskets)

    def tracked(self, tracking: Tracking | None) -> "Public":
        """Its NAV was followed for one more sample; there are more of these than of all else together."""
        return Public._make((*self[:-1], tracking))

    def committed(self, record: rec.DrawQueued) -> "Public":
        """A commitment is published at the end of the queue."""
        return self._replace(commitments=(*self.commitments, Commitment(record.sequence, record.commitment)))

    def started(self, record: rec.RebalanceStarted, draw: Draw | None, shown: Shown) -> "Public":
        """A rebalance began: from now on the public sees what it saw before."""
        facts: tuple[rec.Record, ...] = (record,)
        if draw is not None:
            queued: rec.Record = rec.DrawQueued(
                record.time_ms, draw.sequence, draw.commitment, draw.u, draw.salt
            )
            facts = (queued, record)
        since_ms = record.time_ms if record.urgency is Urgency.EMERGENCY else None
        pending = Pending(record.number, record.time_ms, facts, emergency_ms=since_ms)
        return self._replace(pending=(*self.pending, pending), shown=self.shown or shown)

    def urged(self, record: rec.UrgencyRaised) -> "Public":
        """The rebalance under way became more urgent."""
        since_ms = record.time_ms if record.urgency is Urgency.EMERGENCY else None
        return self._under_way(
            lambda pending: pending._replace(facts=(*pending.facts, record), emergency_ms=since_ms)
        )

    def told(self, record: rec.Record) -> "Public":
        """A fact of the rebalance under way."""
        return self._under_way(lambda was: Pending(was[0], was[1], (*was.facts, record), *was[3:]))

    def finished(self, record: rec.RebalanceFinished, basket: Basket) -> "Public":
        """The rebalance under way is over; until its lag is drawn it counts as due."""
        return self._under_way(
            lambda pending: pending._replace(
                facts=(*pending.facts, record), due_ms=record.time_ms, basket=basket
            )
        )

    def traded_by_others(self, record: rec.ExternalChange, basket: Basket, shown: Shown) -> "Public":
        """Trades that were not ours are an episode of their own, over as it is noticed."""
        facts: tuple[rec.Record, ...] = (*self.foreign, record)
        began_ms = min([record.time_ms, *(fill.time_ms for fill in self.foreign)])
        pending = Pending(record.number, began_ms, facts, record.time_ms, basket)
        return self._replace(pending=(*self.pending, pending), foreign=(), shown=self.shown or shown)

    def scheduled(self, record: PublicationScheduled) -> "Public":
        """The secret instant of a reveal was drawn."""
        return self._replace(
            pending=tuple(
                pending._replace(due_ms=record.due_ms) if pending.number == record.number else pending
                for pending in self.pending
            )
        )

    def after_reveal(self, record: Revealed) -> "Public":
        """The oldest pending rebalance is public, and so is the basket of its end."""
        first, *rest = self.pending
        basket = self.basket
        if first.basket is not None and first.basket.as_of_ms >= basket.as_of_ms:
            basket = first.basket
        return self._replace(
            basket=basket,
            commitments=tuple(c for c in self.commitments if c.sequence != record.sequence),
            pending=tuple(rest),
            shown=self.shown if rest else None,
            revealed=self.revealed + 1,
            head=record.hash,
        )

    def after_funding(self, amount: Usd, position: Contracts) -> "Public":
        """Funding of `amount` was booked to the fund, which holds `position`."""
        return self._funded(lambda basket: basket.after_funding(amount, position))

    def after_imputed(self, record: FundingImputed) -> "Public":
        """The venue books no funding to a flat fund; a basket with a position is paid all the same."""
        return self._funded(
            lambda basket: basket.paid((-basket.position * record.mark * record.rate).quantize(FINEST))
        )

    def _funded(self, change: Callable[[Basket], Basket]) -> "Public":
        basket = change(self.basket)
        funding = self.funding + basket.cash - self.basket.cash
        pending, (foreign, shown, revealed, head) = self._changed(change), self[3:7]
        return Public(basket, self[1], pending, foreign, shown, revealed, head, funding, self.tracking)

    def after_fee(self, fee: Callable[[Basket], Usd]) -> "Public":
        """A management fee: each basket is charged on its own value."""
        return self._each(lambda basket: basket.paid(-fee(basket)))

    def after_flow(self, units: Decimal, mark: Price) -> "Public":
        """Units were made (burned, if negative) for cash alone: no basket's NAV is moved by it.

        Not the public one while something is hidden: how many they are tells the true NAV, and the position.
        What is shown of the dealing then is on record before (`FlowsShown`).
        """
        public = self._each(lambda basket: basket.after_flow(units, mark))
        return public._replace(basket=self.basket) if self.hidden else public

    def rescaled(self, numerator: int, denominator: int) -> "Public":
        """Units were consolidated or split."""
        return self._each(lambda basket: basket._replace(units=down(basket.units * numerator / denominator)))

    def after_other_income(self, amount: Usd) -> "Public":
        """Other income goes to every basket that is not public yet; to the public one unless it is outdated.

        Then it comes with the next reveal: nobody can tell from its absence that something is hidden.
        """
        public = self._each(lambda basket: basket.paid(amount))
        return public._replace(basket=self.basket) if self.hidden else public

    def _each(self, change: Callable[[Basket], Basket]) -> "Public":
        return self._replace(basket=change(self.basket), pending=self._changed(change))

    def _changed(self, change: Callable[[Basket], Basket]) -> tuple[Pending, ...]:
        """What is pending, its baskets changed."""
        if not self.pending:
            return ()
        return tuple(p if p.basket is None else p._replace(basket=change(p.basket)) for p in self.pending)

    def _under_way(self, change: Callable[[Pending], Pending]) -> "Public":
        """The rebalance that trades, changed: the last that is not over. A flow's comes between another's."""
        for place in range(len(self.pending) - 1, -1, -1):
            if self.pending[place].basket is None:
                changed = change(self.pending[place])
                pending = (*self.pending[:place], changed, *self.pending[place + 1 :])
                return Public(self[0], self[1], pending, *self[3:])
        return self
