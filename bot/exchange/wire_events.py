"""Events of an account as the user data stream sends them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.entities import AccountEvent, OrderEvent, OrderType
from bot.exchange.wire import ASSET, Json, money, plain

if TYPE_CHECKING:
    from bot.exchange.entities import LeverageEvent, PositionChange


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
        "q": plain(item.quantity),
        "p": plain(item.price),
        "ap": money(item.average_price),
        "sp": "0",
        "x": event.execution,
        "X": item.status.value,
        "i": item.id,
        "l": plain(fill.quantity) if fill else "0",
        "z": plain(item.filled),
        "L": plain(fill.price) if fill else "0",
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
        "rp": money(fill.realised) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    if fill:
        body |= {"N": ASSET, "n": money(fill.commission)}
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": body}


def account_update(event: AccountEvent, now: int) -> Json:
    """Return ACCOUNT_UPDATE."""
    wallet = money(event.wallet)
    # Binance: "bc" is the balance change except by trading profit and commission.
    change = event.balance_change if event.reason != "ORDER" else Decimal(0)
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now,
        "T": now,
        "a": {
            "m": event.reason,
            "B": [{"a": ASSET, "wb": wallet, "cw": wallet, "bc": money(change)}],
            "P": [_position_change(item) for item in event.positions],
        },
    }


def _position_change(item: PositionChange) -> Json:
    return {
        "s": item.symbol,
        "pa": plain(item.quantity),
        "ep": money(item.entry_price),
        "bep": money(item.entry_price),
        "cr": money(item.realised_total),
        "up": money(item.unrealised),
        "mt": "cross",
        "iw": "0",
        "ps": "BOTH",
        "ma": ASSET,
    }
