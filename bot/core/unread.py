"""Reads of the venue that gave nothing: it is evidence of nothing. Each subject says how it goes on."""

from collections.abc import Callable

from bot.core import cash, contract_rules, fees, protection, settlement, upkeep
from bot.core import commands as cmd
from bot.core.breaches import KEY_REFUSED
from bot.core.events import ReadFailed, VolumeSeen
from bot.core.turn import Turn
from bot.core.units import Urgency


def read_failed(turn: Turn, event: ReadFailed) -> None:
    """Go on without an answer; a key that the venue does not take is a breach besides."""
    if event.refused:
        turn.breach(KEY_REFUSED, event.reason)
    go_on = _GO_ON.get(event.what)
    if go_on is not None:
        go_on(turn)


def _income(turn: Turn) -> None:
    upkeep.await_funding(turn)
    cash.unread(turn)


def _orders(turn: Turn) -> None:
    turn.commands.append(cmd.FetchOrders(delay_s=1.0))


def _account(turn: Turn) -> None:
    turn.reconcile(delay_s=2.0)


def _touch(turn: Turn) -> None:
    """A patient slice waits for best bid and ask, an urgent one goes by the mark; later ones ask anew."""
    open_ = turn.book.rebalance
    if open_ is not None and open_.order is None and open_.urgency is Urgency.PATIENT:
        turn.commands.append(cmd.FetchTouch(delay_s=2.0))
    elif open_ is None:
        turn.live = turn.live._replace(touch_asked=False)


def _volume(turn: Turn) -> None:
    """The market's volume then bounds no slice: see `execution`."""
    turn.live = turn.live._replace(volume=VolumeSeen(turn.now_ms, turn.wall_ms, None))


_GO_ON: dict[str, Callable[[Turn], None]] = {
    command.__name__: go_on
    for command, go_on in {
        cmd.QueryOrder: settlement.query_unread,
        cmd.CancelOrder: settlement.cancel_unread,
        cmd.FetchTrades: settlement.trades_unread,
        cmd.QueryStop: protection.unread,
        cmd.CancelStop: protection.unread,
        cmd.FetchStops: protection.list_unread,
        cmd.FetchIncome: _income,
        cmd.FetchOrders: _orders,
        cmd.FetchAccount: _account,
        cmd.FetchTouch: _touch,
        cmd.FetchVolume: _volume,
        cmd.FetchDayMark: fees.day_mark_unread,
        cmd.FetchContract: contract_rules.unread,
        cmd.MoveCash: cash.unmoved,
    }.items()
}
"""By the command's name. `GuardOrders` is not here: the next order that rests gives it anew."""
