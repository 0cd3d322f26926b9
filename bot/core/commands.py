"""What the outside is asked to do. All may be repeated but orders (`limits`), which never are."""

from typing import NamedTuple, TypeAlias

from bot.core.limits import PlaceStop, SubmitOrder
from bot.core.units import Usd


class QueryOrder(NamedTuple):
    """Look an order up by client id; answer with OrderReport, OrderMissing or ReadFailed."""

    cid: str
    delay_s: float = 0.0


class CancelOrder(NamedTuple):
    """Take a resting order back; answer with what became of it, as for QueryOrder.

    Repeating it does no harm: it names one order, and that can end only once.
    """

    cid: str
    delay_s: float = 0.0


class QueryStop(NamedTuple):
    """Look a protective stop up by client id; answer with StopReport, StopMissing or ReadFailed."""

    cid: str
    delay_s: float = 0.0


class CancelStop(NamedTuple):
    """Take a protective stop back; answer with what became of it, as for QueryStop."""

    cid: str
    delay_s: float = 0.0


class FetchTrades(NamedTuple):
    """List the account's trades: those of one order, or all since a market time; answer TradesSeen."""

    venue_order_id: str | None
    since_ms: int
    delay_s: float = 0.0


class FetchIncome(NamedTuple):
    """List income since a market time, inclusive; answer with IncomeSeen."""

    since_ms: int
    delay_s: float = 0.0


class FetchAccount(NamedTuple):
    """Read wallet, position and income since a market time, at one cursor; answer with AccountSeen."""

    income_since_ms: int
    delay_s: float = 0.0


class FetchTouch(NamedTuple):
    """Read best bid and ask; answer with TouchSeen."""

    delay_s: float = 0.0


class FetchVolume(NamedTuple):
    """Read what the market traded lately; answer with VolumeSeen."""

    delay_s: float = 0.0


class FetchDayMark(NamedTuple):
    """Read the mark at a past 00:00 UTC; answer with DayMarkSeen."""

    day_ms: int
    delay_s: float = 0.0


class MoveCash(NamedTuple):
    """Bring USDT onto the account, or take it off (< 0), where that is ours to do; answer with CashMoved.

    It is given only when the account has shown that it is still wanted, so a lost answer repeats nothing.
    """

    amount: Usd
    delay_s: float = 0.0


class FetchOrders(NamedTuple):
    """List the account's latest orders, closed ones included; answer with OrdersSeen."""

    delay_s: float = 0.0


class DrawIdentity(NamedTuple):
    """Draw key and incarnation for a fund's life `number`; answer with IdentityDrawn."""

    number: int


class GuardOrders(NamedTuple):
    """Have the venue cancel our open orders in `after_ms`, unless it is asked anew; 0: not at all.

    A dead man's switch, where the venue has one: an order must not rest for hours because we died. Answer
    with Guarded.
    """

    after_ms: int
    delay_s: float = 0.0


class FetchContract(NamedTuple):
    """Read anew what the venue demands of orders; answer with ContractSeen."""

    delay_s: float = 0.0


class DrawSecrets(NamedTuple):
    """Draw `u` and salt for a sequence number; answer with Drawn."""

    sequence: int


class FetchStops(NamedTuple):
    """List the stops that rest on the account, anybody's; answer with StopsSeen."""

    delay_s: float = 0.0


StopCommand: TypeAlias = PlaceStop | QueryStop | CancelStop | FetchStops

Command: TypeAlias = (
    SubmitOrder
    | QueryOrder
    | CancelOrder
    | StopCommand
    | FetchTrades
    | FetchIncome
    | FetchAccount
    | FetchTouch
    | FetchDayMark
    | MoveCash
    | FetchVolume
    | FetchOrders
    | FetchContract
    | DrawIdentity
    | GuardOrders
    | DrawSecrets
)
