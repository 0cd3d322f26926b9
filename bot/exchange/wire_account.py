"""Balances, positions and settings of an account as Binance writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.brackets import max_notional
from bot.exchange.margin import liquidation_price, symbol_margin
from bot.exchange.wire import ASSET, Json, money, plain

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.catalog import Symbol
    from bot.exchange.venue import Venue


def asset_row(venue: Venue, account: Account) -> Json:
    """Return the USDT asset of an account as in /account."""
    margin = venue.margin(account)
    return {
        "asset": ASSET,
        "walletBalance": money(margin.wallet),
        "unrealizedProfit": money(margin.unrealised),
        "marginBalance": money(margin.balance),
        "maintMargin": money(margin.maintenance),
        "initialMargin": money(margin.initial),
        "positionInitialMargin": money(margin.position_initial),
        "openOrderInitialMargin": money(margin.initial - margin.position_initial),
        "crossWalletBalance": money(margin.wallet),
        "crossUnPnl": money(margin.unrealised),
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(min(margin.available, max(margin.wallet, Decimal(0)))),
        "marginAvailable": True,
        "updateTime": venue.market.now,
    }


def balance_row(venue: Venue, account: Account) -> Json:
    """Return the USDT row of /balance."""
    margin = venue.margin(account)
    return {
        "accountAlias": f"paper{account.slot}",
        "asset": ASSET,
        "balance": money(margin.wallet),
        "crossWalletBalance": money(margin.wallet),
        "crossUnPnl": money(margin.unrealised),
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(min(margin.available, max(margin.wallet, Decimal(0)))),
        "marginAvailable": True,
        "updateTime": venue.market.now,
    }


def account_info(venue: Venue, account: Account, *, version: int) -> Json:
    """Return /account: version 2 lists all symbols with their settings, version 3 only those in use."""
    asset = asset_row(venue, account)
    if version == 3:
        del asset["marginAvailable"]
    totals: Json = {
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "totalWalletBalance": asset["walletBalance"],
        "totalUnrealizedProfit": asset["unrealizedProfit"],
        "totalMarginBalance": asset["marginBalance"],
        "totalPositionInitialMargin": asset["positionInitialMargin"],
        "totalOpenOrderInitialMargin": asset["openOrderInitialMargin"],
        "totalCrossWalletBalance": asset["crossWalletBalance"],
        "totalCrossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
        "assets": [asset],
        "positions": [
            account_position(venue, account, name, version=version)
            for name in symbols_listed(venue, account, version=version)
        ],
    }
    if version == 3:
        return totals
    flags = {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }
    return flags | totals


def symbols_listed(venue: Venue, account: Account, *, version: int) -> list[str]:
    """Return the symbols that a version of /account or /positionRisk lists."""
    if version == 2:
        return list(venue.market.symbols)
    used = {order.symbol for order in account.open_orders.values()}
    used.update(name for name, position in account.positions.items() if position.quantity)
    return [name for name in venue.market.symbols if name in used]


def account_position(venue: Venue, account: Account, name: str, *, version: int) -> Json:
    """Return a position as in /account."""
    symbol = venue.market.symbols[name]
    part = symbol_margin(account, symbol, venue.market.marks[name])
    position = account.positions.get(name)
    row: Json = {
        "symbol": name,
        "positionSide": "BOTH",
        "positionAmt": plain(account.quantity(name)),
        "unrealizedProfit": money(part.unrealised),
        "isolatedMargin": "0",
        "notional": money(part.notional),
        "isolatedWallet": "0",
        "initialMargin": money(part.initial),
        "maintMargin": money(part.maintenance),
        "updateTime": position.update_ms if position else 0,
    }
    if version == 3:
        return row
    leverage = account.leverage_of(name)
    entry = money(position.entry_price) if position else "0.0"
    return row | {
        "leverage": str(leverage),
        "isolated": False,
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "maxNotional": plain(max_notional(symbol.brackets, leverage)),
        "positionInitialMargin": money(part.position_initial),
        "openOrderInitialMargin": money(part.initial - part.position_initial),
        "bidNotional": money(part.bids),
        "askNotional": money(part.asks),
    }


def position_risk(venue: Venue, account: Account, name: str, *, version: int) -> Json:
    """Return a position as in /positionRisk."""
    symbol = venue.market.symbols[name]
    mark = venue.market.marks[name]
    position = account.positions.get(name)
    part = symbol_margin(account, symbol, mark)
    entry = money(position.entry_price) if position else "0.0"
    liquidation = liquidation_price(position, symbol, mark, venue.margin(account)) if position else Decimal(0)
    row: Json = {
        "symbol": name,
        "positionSide": "BOTH",
        "positionAmt": plain(account.quantity(name)),
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "markPrice": money(mark),
        "unRealizedProfit": money(part.unrealised),
        "liquidationPrice": money(liquidation) if liquidation else "0",
        "isolatedMargin": "0",
        "notional": money(part.notional),
        "isolatedWallet": "0",
        "updateTime": position.update_ms if position else 0,
    }
    if version == 3:
        return row | {
            "marginAsset": ASSET,
            "initialMargin": money(part.initial),
            "maintMargin": money(part.maintenance),
            "positionInitialMargin": money(part.position_initial),
            "openOrderInitialMargin": money(part.initial - part.position_initial),
            "adl": 1 if part.notional else 0,
            "bidNotional": money(part.bids),
            "askNotional": money(part.asks),
        }
    leverage = account.leverage_of(name)
    return row | {
        "leverage": str(leverage),
        "maxNotionalValue": plain(max_notional(symbol.brackets, leverage)),
        "marginType": "cross",
        "isAutoAddMargin": "false",
        "isolated": False,
        "adlQuantile": 1 if part.notional else 0,
    }


def symbol_config(account: Account, symbol: Symbol) -> Json:
    """Return the settings of a symbol."""
    leverage = account.leverage_of(symbol.name)
    return {
        "symbol": symbol.name,
        "marginType": "CROSSED",
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": plain(max_notional(symbol.brackets, leverage)),
    }
