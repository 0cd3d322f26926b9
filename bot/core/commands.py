"""What the outside is asked to do. Reads may be repeated; the one write, `limits.SubmitOrder`, never is."""

from typing import NamedTuple, TypeAlias

from bot.core.limits import SubmitOrder


class QueryOrder(NamedTuple):
    """Look an order up by client id; answer with OrderReport, OrderMissing or ReadFailed."""

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


class DrawSecrets(NamedTuple):
    """Draw `u` and salt for a sequence number; answer with Drawn."""

    sequence: int


Command: TypeAlias = (
    SubmitOrder | QueryOrder | FetchTrades | FetchIncome | FetchAccount | FetchTouch | DrawSecrets
)
