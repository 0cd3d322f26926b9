"""Events of an account as the user data stream sends them.

Numbers have no zeros behind, as on the venue. Fields follow the venue's documentation and recorded frames.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.entities import AccountEvent, OrderEvent, OrderType
from bot.exchange.wire import ASSET, Json, plain, short

if TYPE_CHECKING:
    from bot.exchange.entities import LeverageEvent, Order, PositionChange, Trade


def user_event(event: OrderEvent | AccountEvent | LeverageEvent, now: int) -> Json:
    """Return an event as the user data stream sends it."""
    if isinstance(event, OrderEvent):
        return order_update(event, now)
    if isinstance(event, AccountEvent):
        return account_update(event, now)
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": now,
        "T": now,
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
        "o": "LIQUIDATION" if item.client_id.startswith("autoclose-") else item.type.value,
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
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": item.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": item.type.value,
        "ps": "BOTH",
        "cp": False,
        "rp": short(fill.realised) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
        "er": "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": body}


def account_update(event: AccountEvent, now: int) -> Json:
    """Return ACCOUNT_UPDATE."""
    wallet = short(event.wallet)
    # Binance: "bc" is the balance change except by trading profit and commission.
    change = event.balance_change if event.reason != "ORDER" else Decimal(0)
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now,
        "T": now,
        "a": {
            "m": event.reason,
            "B": [{"a": ASSET, "wb": wallet, "cw": wallet, "bc": short(change)}],
            "P": [_position_change(item) for item in event.positions],
        },
    }


def _position_change(item: PositionChange) -> Json:
    return {
        "s": item.symbol,
        "pa": short(item.quantity),
        "ep": short(item.entry_price),
        "bep": short(item.entry_price),
        "cr": short(item.realised_total),
        "up": short(item.unrealised),
        "mt": "cross",
        "iw": "0",
        "ps": "BOTH",
        "ma": ASSET,
    }
