"""The management fee: a fraction of fund value per day, charged at each 00:00 UTC at that day's mark.

It accrues by time. A dealing charges what has accrued until then, so that who leaves pays it, and who comes
does not; the next 00:00 charges the rest of the day. Each 00:00 that was missed is charged by itself, at the
mark that the venue keeps of it, or else at the first mark that is known, on what the fund held then.
"""

from bot.core.commands import FetchDayMark
from bot.core.events import DayMarkSeen, Mark
from bot.core.flow_records import FeeCharged, FeeRateSet
from bot.core.midnight import management_fee, next_day, value_at
from bot.core.shares import down
from bot.core.turn import Turn
from bot.core.units import DAY_MS, ZERO, Price

_FIRST_MARK_WITHIN_MS = 60_000
"""A mark that comes this soon after 00:00 is that day's: the venue need not be asked."""


def watch(turn: Turn, before: Mark, mark: Mark) -> None:
    """Remember the first mark of a day, if no other can have come between it and 00:00."""
    day_ms = mark.time_ms // DAY_MS * DAY_MS
    if before.time_ms < day_ms and mark.time_ms - day_ms <= _FIRST_MARK_WITHIN_MS:
        turn.live = turn.live._replace(day_mark=(day_ms, mark.price))


def attend(turn: Turn, mark: Mark) -> None:
    """Charge every 00:00 that has passed, and take a new rate over; a fund that is over pays nothing more."""
    book = turn.book
    while book.fee_daily and (day_ms := next_day(book.fee_ms)) <= mark.time_ms:
        price = _mark_of(turn, day_ms)
        if price is None:
            return
        accrue(turn, price, day_ms)
    daily = turn.fund.management_fee_daily if book.final is None else ZERO
    if daily != book.fee_daily:
        accrue(turn, mark.price, turn.now_ms)
        turn.record(FeeRateSet(turn.now_ms, daily))


def accrue(turn: Turn, price: Price, until_ms: int) -> None:
    """Charge what has accrued until then, at `price`, on the cash and the position of then."""
    book = turn.book
    if book.fee_daily and until_ms > book.fee_ms:
        fee = management_fee(value_at(book, price, until_ms), book.fee_daily, until_ms - book.fee_ms)
        turn.record(FeeCharged(turn.now_ms, book.fee_ms, until_ms, price, down(fee)))


def charged(turn: Turn, until_ms: int) -> bool:
    """Whether no 00:00 up to a time is still to be charged."""
    return not turn.book.fee_daily or next_day(turn.book.fee_ms) > until_ms


def day_mark_seen(turn: Turn, event: DayMarkSeen) -> None:
    """The venue's mark of a past 00:00, or, where it has none, the first one that is known."""
    price = event.price
    if price is None and turn.mark is not None:
        price = turn.mark.price
    if price is not None:
        turn.live = turn.live._replace(day_mark=(event.day_ms, price))


def day_mark_unread(turn: Turn) -> None:
    """The venue could not be asked: the latest mark stands in for that day's."""
    asked_ms = turn.live.day_asked_ms
    day_mark_seen(turn, DayMarkSeen(turn.now_ms, turn.wall_ms, asked_ms, None))


def _mark_of(turn: Turn, day_ms: int) -> Price | None:
    """That day's mark; None while the venue is asked for it."""
    live = turn.live
    if live.day_mark is not None and live.day_mark[0] == day_ms:
        return live.day_mark[1]
    if live.day_asked_ms != day_ms:
        turn.live = live._replace(day_asked_ms=day_ms)
        turn.commands.append(FetchDayMark(day_ms))
    return None
