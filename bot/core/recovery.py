"""Taking a fund up again: what may have been sent is resolved, and what the journal has lost is noticed.

A journal that was rolled back (an old backup, a disk that lied) repeats numbers. So before anything is sent,
the venue's latest orders are looked through for orders of ours that are later than the journal's last and
that it does not know. If there are any, the fund halts, and goes on with a new identity once an operator
says so; if it only came from a backup, it takes the new identity and goes on.
"""

from bot.core.book import CLOCKS_APART_MS
from bot.core.commands import CancelOrder, DrawIdentity, FetchOrders
from bot.core.draws import ID_PREFIX
from bot.core.events import Resumed
from bot.core.records import Control, ControlChanged
from bot.core.recovery_events import IdentityDrawn, ListedOrder, OrdersSeen, StorageSeen
from bot.core.recovery_records import Reincarnated, TakenOver
from bot.core.texts import how_many
from bot.core.turn import Turn

LOST_RECORDS = "records lost"
LOW_DISK = "disk almost full"

_NAMED = 5

_REMEDY = (
    "find out which backup was put back, or why the disk lost what it had written; compare ledger and "
    "account, then `resume`: the fund goes on with new order ids and new draws"
)


def resumed(turn: Turn, event: Resumed) -> None:
    """Ask for the venue's latest orders; until they are seen, nothing new is sent."""
    if event.taken_from is not None:
        turn.record(TakenOver(turn.now_ms, event.taken_from))
    turn.live = turn.live._replace(scanned=False, adopting=event.adopt)
    turn.commands.append(FetchOrders())


def orders_seen(turn: Turn, event: OrdersSeen) -> None:
    """Halt if there are orders of ours that the journal lacks; those that rest are taken back."""
    if turn.live.scanned:
        return
    turn.live = turn.live._replace(scanned=True)
    lost = unknown_orders(turn, event.orders)
    if lost:
        turn.commands += [CancelOrder(order.cid) for order in lost if order.is_open]
        ids = ", ".join(order.cid for order in lost[:_NAMED])
        unknown = how_many(len(lost), "order of ours at the venue is", "orders of ours at the venue are")
        why = f"{unknown} not in the journal, among them {ids}"
        turn.open_incident(LOST_RECORDS, why, _REMEDY, stops_increases=True)
        if not turn.live.adopting:
            turn.record(ControlChanged(turn.now_ms, Control.HALTED, "inband", "the journal has lost records"))
    if lost or turn.book.restored:
        turn.commands.append(DrawIdentity(turn.book.lives + 1))


def unknown_orders(turn: Turn, orders: tuple[ListedOrder, ...]) -> list[ListedOrder]:
    """Orders with our mark that are later than the journal's last one, and that it does not know.

    What it has lost is its end, so an earlier order is known, or was once.
    """
    book = turn.book
    begun_ms = book.created.time_ms if book.created is not None else 0
    since_ms = book.last_order_ms - CLOCKS_APART_MS if book.last_order_ms else begun_ms
    if book.reincarnated is not None:
        since_ms = max(since_ms, book.reincarnated.time_ms)  # what was lost before was told then
    return [
        order
        for order in orders
        if order.cid.startswith(ID_PREFIX)
        and order.time_ms >= since_ms
        and order.cid not in book.recent_orders
    ]


def identity_drawn(turn: Turn, event: IdentityDrawn) -> None:
    """From here on ids and draws are new ones. A repeat changes nothing."""
    if event.number != turn.book.lives + 1:
        return
    why = "records may be lost: the journal came from a backup" if turn.book.restored else "records are lost"
    turn.record(Reincarnated(turn.now_ms, event.number, event.incarnation, event.key, why))
    turn.live = turn.live._replace(draw_asked=0)


def storage_seen(turn: Turn, event: StorageSeen) -> None:
    """A disk that is almost full stops increases before it is full; delevering goes on while it can."""
    if event.problem is None:
        turn.close_incident(LOW_DISK, "there is space again")
        return
    remedy = "free space on the disk of the data directory; increases resume by themselves"
    turn.open_incident(LOW_DISK, event.problem, remedy, stops_increases=True)
