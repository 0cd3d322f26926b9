"""Events of an account as the user data stream sends them.

Numbers have no zeros behind, as on the venue. Fields, and their order, follow the venue's documentation and
recorded frames.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.algo import AlgoType
from bot.exchange.entities import Cause, MarginType, OrderType
from bot.exchange.events import AccountEvent, AlgoEvent, LeverageEvent, MarginCallEvent, OrderEvent
from bot.exchange.wire import ASSET, Json, plain, quote_digits, short

if TYPE_CHECKING:
    from bot.exchange.entities import Order, Trade
    from bot.exchange.events import CalledPosition, Event, PositionChange

MARGIN_TYPES = {MarginType.CROSSED: "cross", MarginType.ISOLATED: "isolated"}


def user_event(event: Event, now: int) -> Json:
    """Return an event as the user data stream sends it."""
    if isinstance(event, OrderEvent):
        return order_update(event, now)
    if isinstance(event, AccountEvent):
        return account_update(event, now)
    if isinstance(event, AlgoEvent):
        return algo_update(event, now)
    if isinstance(event, MarginCallEvent):
        return margin_call(event, now)
    return account_config_update(event, now)


def account_config_update(event: LeverageEvent, now: int) -> Json:
    """Return ACCOUNT_CONFIG_UPDATE."""
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "T": now,
        "E": now,
        "ac": {"s": event.symbol, "l": event.leverage},
    }


def trade_lite(item: Order, fill: Trade, now: int) -> Json:
    """Return TRADE_LITE."""
    return {
        "e": "TRADE_LITE",
        "E": now,
        "T": fill.time_ms,
        "s": item.symbol,
        "q": plain(item.quantity),
        "p": plain(item.price),
        "m": fill.maker,
        "c": item.client_id,
        "S": item.side.value,
        "L": plain(fill.price),
        "l": plain(fill.quantity),
        "t": fill.id,
        "i": item.id,
    }


def order_update(event: OrderEvent, now: int) -> Json:
    """Return ORDER_TRADE_UPDATE."""
    item, fill = event.order, event.trade
    force = item.time_in_force.value if item.type is OrderType.LIMIT else "GTC"
    body: Json = {
        "s": item.symbol,
        "c": item.client_id,
        "S": item.side.value,
        "o": "LIQUIDATION" if item.cause is Cause.LIQUIDATION else item.type.value,
        "f": force,
        "q": short(item.quantity),
        "p": short(item.price),
        "ap": short(item.average_price),
        "sp": "0",
        "x": event.execution,
        "X": item.status.value,
        "i": item.id,
        "l": short(fill.quantity) if fill else "0",
        "z": short(item.filled),
        "L": short(fill.price) if fill else "0",
        "n": short(fill.commission) if fill else "0",
        "N": ASSET,
        "T": item.update_ms,
        "t": fill.id if fill else 0,
        "b": _open_notional(event.bids, item),
        "a": _open_notional(event.asks, item),
        "m": fill.maker if fill else False,
        "R": item.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": item.type.value,
        "ps": item.position_side.value,
        "cp": False,
        "rp": short(fill.realised) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": item.self_trade.value,
        "pm": item.price_match.value,
        "gtd": item.good_till_ms,
        "er": item.expiry.value,
    }
    if event.modify_id:
        body["M"] = str(event.modify_id)
    return {"e": "ORDER_TRADE_UPDATE", "T": now, "E": now, "o": body}


def _open_notional(value: Decimal | int, item: Order) -> str:
    """Return a notional with all digits of price times quantity, as the venue was recorded to write it."""
    return plain(Decimal(value).quantize(quote_digits(item))) if value else "0"


def account_update(event: AccountEvent, now: int) -> Json:
    """Return ACCOUNT_UPDATE."""
    balance = {
        "a": ASSET,
        "wb": short(event.wallet),
        "cw": short(event.cross_wallet),
        "bc": short(event.balance_change),
    }
    body: Json = {
        "B": [balance],
        "P": [_position_change(item) for item in event.positions],
        "m": event.reason,
    }
    if event.funded:
        body["S"] = event.funded
    return {"e": "ACCOUNT_UPDATE", "T": now, "E": now, "a": body}


def _position_change(item: PositionChange) -> Json:
    return {
        "s": item.symbol,
        "pa": short(item.quantity),
        "ep": short(item.entry_price),
        "cr": short(item.realised_total),
        "up": short(item.unrealised),
        "mt": MARGIN_TYPES[item.margin_type],
        "iw": short(item.isolated_wallet),
        "ps": item.position_side.value,
        "ma": ASSET,
        "bep": short(item.break_even_price),
    }


def algo_update(event: AlgoEvent, now: int) -> Json:
    """Return ALGO_UPDATE; what the order has become is told once it has."""
    item = event.order
    became: Json = {}
    if item.order_id:
        became = {
            "ap": short(item.average_price),
            "aq": short(item.filled),
            "act": "LIMIT" if item.type.has_price else "MARKET",
        }
    body: Json = {
        "caid": item.client_id,
        "aid": item.id,
        "at": "CONDITIONAL",
        "o": item.type.value,
        "s": item.symbol,
        "S": item.side.value,
        "ps": item.position_side.value,
        "f": item.time_in_force.value,
        "q": short(item.quantity),
        "X": item.status.value,
        "ai": str(item.order_id) if item.order_id else "",
        **became,
        "tp": short(item.trigger_price),
        "p": short(item.price),
        "V": item.self_trade.value,
        "wt": item.working_type.value,
        "pm": item.price_match.value,
        "cp": item.close_position,
        "pP": item.price_protect,
        "R": item.reduce_only or item.close_position,
        "tt": item.trigger_ms,
        "gtd": item.good_till_ms,
        "rm": item.reason,
        "ia": item.type is AlgoType.TRAILING_STOP_MARKET and item.extreme > 0,
    }
    return {"e": "ALGO_UPDATE", "T": now, "E": now, "o": body}


def margin_call(event: MarginCallEvent, now: int) -> Json:
    """Return MARGIN_CALL; the cross wallet is told of a cross margin only."""
    frame: Json = {"e": "MARGIN_CALL", "E": now}
    if event.cross_wallet is not None:
        frame["cw"] = short(event.cross_wallet)
    return frame | {"p": [_called_position(item) for item in event.positions]}


def _called_position(item: CalledPosition) -> Json:
    return {
        "s": item.symbol,
        "ps": item.position_side.value,
        "pa": short(item.quantity),
        "mt": item.margin_type.value,
        "iw": short(item.isolated_wallet),
        "mp": short(item.mark),
        "up": short(item.unrealised),
        "mm": short(item.maintenance),
    }
