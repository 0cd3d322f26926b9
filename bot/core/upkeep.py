"""What a fund keeps up beside trading: its queue of draws, the sampling grid, and funding."""

from decimal import Decimal
from math import exp, log

from bot.core import cash
from bot.core.commands import DrawSecrets, FetchIncome
from bot.core.disclosure import FUNDING, TRANSFER
from bot.core.draws import commitment
from bot.core.events import Drawn, Income, IncomeSeen, Mark
from bot.core.ledger import real_leverage
from bot.core.public import QUEUED_DRAWS
from bot.core.public_records import FundingImputed
from bot.core.records import DrawQueued, IncomeBooked, Sampled
from bot.core.turn import Turn
from bot.core.units import ZERO

GRID_MS = 3_600_000
"""Spacing of the sampling grid for volatility."""

_HALF_LIFE_SAMPLES = 24
_WEIGHT = exp(-log(2) / _HALF_LIFE_SAMPLES)
_FUNDING_TRIES = 6


def keep_draws_queued(turn: Turn) -> None:
    """Ask for the next draw while too few commitments are published, one at a time.

    A draw that is used keeps its place until it is revealed: a new commitment would tell that it was used.
    """
    wanted = turn.book.next_sequence
    if len(turn.book.public.commitments) < QUEUED_DRAWS and turn.live.draw_asked != wanted:
        turn.live = turn.live._replace(draw_asked=wanted)
        turn.commands.append(DrawSecrets(wanted))


def take_draw(turn: Turn, event: Drawn) -> None:
    """Queue a draw; one that is out of order repeats what is queued already, and changes nothing."""
    if event.sequence == turn.book.next_sequence:
        digest = commitment(turn.fund.name, event.sequence, event.u, event.salt)
        turn.record(DrawQueued(turn.now_ms, event.sequence, digest, event.u, event.salt))


def next_grid_ms(now_ms: int) -> int:
    """The first instant of the sampling grid after `now_ms`."""
    return (now_ms // GRID_MS + 1) * GRID_MS


def sample(turn: Turn, mark: Mark) -> None:
    """On the first mark of each grid interval, update the exponentially weighted variance per second."""
    last = turn.book.sample
    if last is not None and mark.time_ms < next_grid_ms(last.time_ms):
        return
    variance: Decimal | None = None
    if last is not None:
        seconds = (mark.time_ms - last.time_ms) / 1000
        latest = log(float(mark.price) / float(last.mark)) ** 2 / seconds
        before = None if last.variance is None else float(last.variance)
        variance = Decimal(repr(smoothed(before, latest)))
    turn.record(Sampled(mark.time_ms, mark.price, variance))


def smoothed(variance: float | None, latest: float) -> float:
    """The exponentially weighted variance per second with its `latest` sample; None before the first."""
    return latest if variance is None else _WEIGHT * variance + (1 - _WEIGHT) * latest


def emergency(turn: Turn, mark: Mark) -> bool:
    """Whether real leverage has reached the emergency leverage; also when fund value is not positive."""
    if turn.book.position == ZERO:
        return False
    leverage = real_leverage(turn.book.ledger, mark.price)
    return leverage is None or leverage >= turn.fund.emergency


def watch_funding(turn: Turn, before: Mark, mark: Mark) -> None:
    """When a funding instant lies between two marks, fetch the venue's booking of it.

    There is none without a position, or at a rate of zero. What is compared with the fund pays its own share.
    """
    due_ms = before.next_funding_ms
    if due_ms is None or not before.time_ms < due_ms <= mark.time_ms:
        return
    others = turn.book.public.earns_funding or turn.book.shadow is not None
    if turn.book.position == ZERO and before.funding_rate and others:
        turn.record(FundingImputed(turn.now_ms, before.price, before.funding_rate))
    if ZERO not in (turn.book.position, before.funding_rate):
        turn.live = turn.live._replace(funding_pending_ms=due_ms, funding_tries=0)
        turn.commands.append(FetchIncome(turn.book.income_cursor_ms))


def income_seen(turn: Turn, event: IncomeSeen) -> None:
    """Book what is new; a funding payment that is still missing is asked for again."""
    book_income(turn, event.items)
    pending = turn.live.funding_pending_ms
    if pending is None:
        return
    if any(item.kind == FUNDING and item.time_ms >= pending - 60_000 for item in event.items):
        turn.live = turn.live._replace(funding_pending_ms=None)
    else:
        await_funding(turn)


def await_funding(turn: Turn) -> None:
    """Ask for the pending funding once more, later each time.

    After a few tries decisions go on without it: the comparison with the venue says what is missing.
    """
    tries = turn.live.funding_tries + 1
    if turn.live.funding_pending_ms is None:
        return
    if tries > _FUNDING_TRIES:
        turn.live = turn.live._replace(funding_pending_ms=None)
        turn.reconcile()
        return
    turn.live = turn.live._replace(funding_tries=tries)
    turn.commands.append(FetchIncome(turn.book.income_cursor_ms, delay_s=0.25 * 2**tries))


def book_income(turn: Turn, items: tuple[Income, ...]) -> None:
    """Book each income item once."""
    for item in items:
        if not turn.book.recent_income.has(item.income_id):
            turn.record(IncomeBooked(turn.now_ms, item.income_id, item.time_ms, item.kind, item.amount))
            if item.kind == TRANSFER and item.amount < ZERO:
                cash.withdrawn(turn, -item.amount)
