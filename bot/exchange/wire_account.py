"""Balances, positions and settings of an account as Binance writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.account import Position
from bot.exchange.brackets import max_notional
from bot.exchange.entities import ZERO, MarginType, PositionSide
from bot.exchange.margin import position_margin
from bot.exchange.wire import ASSET, Json, money, plain

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.exchange.account import Account
    from bot.exchange.catalog import Symbol
    from bot.exchange.margin import PositionMargin
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
        "crossWalletBalance": money(margin.cross_wallet),
        "crossUnPnl": money(margin.cross_unrealised),
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(margin.withdrawable),
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
        "crossWalletBalance": money(margin.cross_wallet),
        "crossUnPnl": money(margin.cross_unrealised),
        "availableBalance": money(margin.available),
        "maxWithdrawAmount": money(margin.withdrawable),
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
            account_position(venue, account, name, side, version=version)
            for name, side in positions_listed(venue, account, version=version)
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


def positions_listed(venue: Venue, account: Account, *, version: int) -> list[tuple[str, PositionSide]]:
    """Return the positions that a version of /account or /positionRisk lists.

    Version 2 lists all symbols, in hedge mode once for each position side; version 3 only what is in use.
    """
    if version == 2:
        sides = (PositionSide.BOTH, *account.position_sides) if account.hedge else account.position_sides
        return [(name, side) for name in venue.market.symbols for side in sides]
    used = {(order.symbol, order.position_side) for order in account.open_orders.values()}
    used.update((name, side) for name, side, _ in account.held())
    return [(name, side) for name in venue.market.symbols for side in PositionSide if (name, side) in used]


def account_position(venue: Venue, account: Account, name: str, side: PositionSide, *, version: int) -> Json:
    """Return a position as in /account."""
    symbol = venue.market.symbols[name]
    part = position_margin(account, symbol, venue.market.marks[name], side)
    position = _position(account, name, side)
    isolated = account.margin_type_of(name) is MarginType.ISOLATED
    row: Json = {
        "symbol": name,
        "positionSide": side.value,
        "positionAmt": plain(position.quantity.quantize(symbol.step)),
        "unrealizedProfit": money(part.unrealised),
        "isolatedMargin": money(_isolated_margin(position, part, isolated=isolated)),
        "notional": _sum(part.notional),
        "isolatedWallet": _sum(position.isolated_wallet),
        "initialMargin": _sum(part.initial),
        "maintMargin": _sum(part.maintenance),
        "updateTime": position.update_ms,
    }
    if version == 3:
        return row
    leverage = account.leverage_of(name)
    return row | {
        "leverage": str(leverage),
        "isolated": isolated,
        "entryPrice": _price(position.entry_price),
        "breakEvenPrice": _price(position.break_even_price),
        "maxNotional": plain(max_notional(symbol.brackets, leverage).normalize()),
        "positionInitialMargin": _sum(part.position_initial),
        "openOrderInitialMargin": _sum(part.initial - part.position_initial),
        "bidNotional": _sum(part.bids),
        "askNotional": _sum(part.asks),
    }


def position_risk(venue: Venue, account: Account, name: str, side: PositionSide, *, version: int) -> Json:
    """Return a position as in /positionRisk."""
    symbol, mark = venue.market.symbols[name], venue.market.marks[name]
    part = position_margin(account, symbol, mark, side)
    position = _position(account, name, side)
    isolated = account.margin_type_of(name) is MarginType.ISOLATED
    margin = _isolated_margin(position, part, isolated=isolated)
    amount = {"positionAmt": plain(position.quantity.quantize(symbol.step))}
    where = {"positionSide": side.value}
    prices = {
        "entryPrice": _price(position.entry_price),
        "breakEvenPrice": _price(position.break_even_price),
        "markPrice": money(mark),
        "unRealizedProfit": money(part.unrealised),
        "liquidationPrice": _sum(venue.liquidation_price(account, name, side)),
    }
    if version == 3:
        return {
            "symbol": name,
            **where,
            **amount,
            **prices,
            "isolatedMargin": _sum(margin),
            "notional": _sum(part.notional),
            "marginAsset": ASSET,
            "isolatedWallet": _sum(position.isolated_wallet),
            "initialMargin": _sum(part.initial),
            "maintMargin": _sum(part.maintenance),
            "positionInitialMargin": _sum(part.position_initial),
            "openOrderInitialMargin": _sum(part.initial - part.position_initial),
            "adl": venue.adl_quantile(account, name, side),
            "bidNotional": _sum(part.bids),
            "askNotional": _sum(part.asks),
            "updateTime": position.update_ms,
        }
    leverage = account.leverage_of(name)
    return {
        "symbol": name,
        **amount,
        **prices,
        "leverage": str(leverage),
        "maxNotionalValue": plain(max_notional(symbol.brackets, leverage).normalize()),
        "marginType": "isolated" if isolated else "cross",
        "isolatedMargin": money(margin),
        "isAutoAddMargin": "false",
        **where,
        "notional": _sum(part.notional),
        "isolatedWallet": _sum(position.isolated_wallet),
        "updateTime": position.update_ms,
        "isolated": isolated,
        "adlQuantile": venue.adl_quantile(account, name, side),
    }


def _position(account: Account, name: str, side: PositionSide) -> Position:
    holding = account.holdings.get(name)
    return (holding.positions.get(side) if holding else None) or Position()


def _price(price: Decimal) -> str:
    """Return an average price as the venue writes it: no zeros behind, but at least one decimal."""
    text = money(price).rstrip("0")
    return text + "0" if text.endswith(".") else text


def _sum(value: Decimal) -> str:
    """Return an amount as the venue writes those of a position: 8 decimals, or a bare 0."""
    return money(value) if value else "0"


def _isolated_margin(position: Position, part: PositionMargin, *, isolated: bool) -> Decimal:
    return position.isolated_wallet + part.unrealised if isolated else ZERO


def symbol_config(account: Account, symbol: Symbol) -> Json:
    """Return the settings of a symbol."""
    leverage = account.leverage_of(symbol.name)
    return {
        "symbol": symbol.name,
        "marginType": account.margin_type_of(symbol.name).value,
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": plain(max_notional(symbol.brackets, leverage).normalize()),
    }
