"""Trades of an account on Binance USDⓈ-M: all of them, however many pages that takes."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.core.events import Trade
from bot.venue.answers import integer, number, rows_of, text
from bot.venue.errors import AnswerMalformed

if TYPE_CHECKING:
    from bot.venue.requests import Requests

_PAGE = 1000
_TRADES_WINDOW_MS = 7 * 86_400_000
"""userTrades covers at most seven days from its start time."""


async def user_trades(
    requests: "Requests", symbol: str, venue_order_id: str | None, since_ms: int, now_ms: int
) -> tuple[Trade, ...]:
    """GET /fapi/v1/userTrades, in windows by time, then by trade id once a page is full.

    Of one order it tells only what came in the last seven days: those of an older one are looked for by time.
    """
    found: dict[str, Trade] = {}
    base: dict[str, Any] = {"symbol": symbol, "limit": _PAGE}
    starts: list[dict[str, Any]]
    if venue_order_id is not None and now_ms - since_ms < _TRADES_WINDOW_MS:
        base["orderId"] = venue_order_id
        starts = [{}]
    else:
        starts = list(_trade_windows(since_ms, now_ms))
    for start in starts:
        page = await _trades_page(requests, {**base, **start}, found)
        if page < _PAGE:
            continue
        # Trade ids rise with time, so paging by id from here on reaches the present.
        while page == _PAGE:
            following = max(int(trade_id) for trade_id in found) + 1
            page = await _trades_page(requests, {**base, "fromId": following}, found)
        break
    return tuple(sorted(found.values(), key=lambda trade: int(trade.trade_id)))


async def _trades_page(requests: "Requests", params: dict[str, Any], found: dict[str, Trade]) -> int:
    rows = rows_of(await requests.read("fapiPrivateGetUserTrades", params, weight=5))
    for row in rows:
        trade = Trade(
            trade_id=text(row, "id"),
            venue_order_id=text(row, "orderId"),
            time_ms=integer(row, "time"),
            quantity=signed(row, "side", "qty"),
            price=number(row, "price"),
            fee=fee_in_usdt(row, "commission", "commissionAsset"),
        )
        found[trade.trade_id] = trade
    return len(rows)


def _trade_windows(since_ms: int, now_ms: int) -> Iterator[dict[str, int]]:
    start = since_ms
    while start + _TRADES_WINDOW_MS <= now_ms:
        yield {"startTime": start, "endTime": start + _TRADES_WINDOW_MS - 1}
        start += _TRADES_WINDOW_MS
    yield {"startTime": start}


def fee_in_usdt(row: Mapping[str, Any], amount: str, asset: str) -> Decimal:
    """The fee of a trade, which the ledger can take only in USDT."""
    if amount not in row:
        return Decimal(0)
    fee = number(row, amount)
    if fee != 0 and row.get(asset) != "USDT":
        raise AnswerMalformed(f"a fee in {row.get(asset)}; switch that off, for the ledger is in USDT")
    return fee


def signed(row: Mapping[str, Any], side: str, quantity: str) -> Decimal:
    """The quantity of a trade: positive where it was bought."""
    amount = number(row, quantity)
    match row.get(side):
        case "BUY":
            return amount
        case "SELL":
            return -amount
        case _:
            raise AnswerMalformed("a trade that is neither bought nor sold")


def told_ms(frame: Any) -> int | None:
    """Every event of a stream carries the time at which it was sent, as E."""
    time_ms = frame.get("E") if isinstance(frame, dict) else None
    return time_ms if isinstance(time_ms, int) else None


def account_moved(frame: Any, symbol: str) -> bool:
    """A trade on another symbol (ORDER_TRADE_UPDATE), or a wallet moved by neither trade nor funding.

    ACCOUNT_UPDATE gives the reason as m: DEPOSIT, WITHDRAW, MARGIN_TRANSFER, INSURANCE_CLEAR and others.
    """
    if not isinstance(frame, dict):
        return False
    if frame.get("e") == "ACCOUNT_UPDATE":
        told = frame.get("a")
        return isinstance(told, dict) and told.get("m") not in {"ORDER", "FUNDING_FEE"}
    order = frame.get("o")
    if frame.get("e") != "ORDER_TRADE_UPDATE" or not isinstance(order, dict):
        return False
    return order.get("s") != symbol and order.get("x") in {"TRADE", "CALCULATED"}


def settings_moved(frame: Any, symbol: str) -> bool:
    """Another leverage (`ac`) or asset mode (`ai`), by ACCOUNT_CONFIG_UPDATE; or margin type, as a movement.

    Of a position mode that is changed no event tells.
    """
    if not isinstance(frame, dict):
        return False
    if frame.get("e") == "ACCOUNT_UPDATE":
        told = frame.get("a")
        return isinstance(told, dict) and told.get("m") == "MARGIN_TYPE_CHANGE"
    if frame.get("e") != "ACCOUNT_CONFIG_UPDATE":
        return False
    of_symbol = frame.get("ac")
    return not isinstance(of_symbol, dict) or of_symbol.get("s") == symbol
