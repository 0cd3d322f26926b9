"""Which unified methods ccxt offers for the venue, by its `has`, and which of them mean nothing here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ELSEWHERE = "another business of the venue, on another host"
REASONS = {
    # No methods, but kinds of market and of interface.
    "future sandbox public_api private_api spot swap margin option": "no method",
    # ccxt sends them to the spot, margin, option or wallet API.
    "borrow_cross_margin borrow_isolated_margin repay_cross_margin repay_isolated_margin": ELSEWHERE,
    "fetch_borrow_interest fetch_borrow_rate_history fetch_cross_borrow_rate": ELSEWHERE,
    "fetch_isolated_borrow_rate fetch_isolated_borrow_rates": ELSEWHERE,
    "create_convert_trade fetch_convert_currencies fetch_convert_quote fetch_convert_trade": ELSEWHERE,
    "fetch_convert_trade_history fetch_trading_limits": ELSEWHERE,
    "fetch_deposit_address fetch_deposit_withdraw_fee fetch_deposit_withdraw_fees fetch_deposits": ELSEWHERE,
    "fetch_transaction_fee fetch_transaction_fees fetch_withdrawals withdraw": ELSEWHERE,
    "fetch_all_greeks fetch_greeks fetch_option fetch_position fetch_ledger_entry": ELSEWHERE,
    "fetch_my_settlement_history fetch_settlement_history": ELSEWHERE,
    "create_market_buy_order_with_cost create_market_order_with_cost": "spot alone takes a cost",
    "create_market_sell_order_with_cost": "spot alone takes a cost",
    "fetch_long_short_ratio_history fetch_open_interest_history": "not served: docs/exchange-rest.md",
    "fetch_currencies_ws fetch_position_for_symbol_ws watch_orders_for_symbols": "ccxt has no such method",
    "fetch_order_trades": "spot alone",
    # ccxt asks these of the websocket API of spot: it fails on a contract.
    "cancel_all_orders_ws fetch_my_trades_ws fetch_ohlcv_ws fetch_open_orders_ws": "spot alone",
    "fetch_orders_ws fetch_trades_ws": "spot alone",
}
NOT_HERE = {name for names in REASONS for name in names.split()}


def offered(client: Any) -> set[str]:
    """Return the methods that a client says it has for this venue, in Python's spelling, but for NOT_HERE."""
    return {_spelled(name) for name, has in client.has.items() if has} - NOT_HERE


def of_sockets(names: Iterable[str]) -> set[str]:
    """Return those that go over a websocket."""
    return {name for name in names if "watch" in name or name.endswith("_ws")}


def _spelled(name: str) -> str:
    name = name.replace("OHLCV", "Ohlcv").replace("ADL", "Adl").replace("API", "Api")
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
