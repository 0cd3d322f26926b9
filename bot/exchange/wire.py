"""Entities as Binance writes them: JSON objects of REST answers and user streams.

Shapes after Binance's documentation of USD-M futures and recorded answers. Numbers are strings.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.account import CENT_MILLIONTH
from bot.exchange.brackets import max_notional
from bot.exchange.entities import AccountEvent, IncomeType, OrderEvent, OrderType, Side
from bot.exchange.margin import liquidation_price, symbol_margin

if TYPE_CHECKING:
    from bot.exchange.account import Account
    from bot.exchange.catalog import Symbol
    from bot.exchange.entities import Income, LeverageEvent, Order, PositionChange, Trade
    from bot.exchange.venue import Venue

Json = dict[str, Any]
ASSET = "USDT"


def plain(value: Decimal) -> str:
    """Return a number without an exponent."""
    return format(value, "f")


def money(value: Decimal) -> str:
    """Return a number with 8 decimals."""
    return format(value.quantize(CENT_MILLIONTH, ROUND_HALF_EVEN), "f")


def error(code: int, message: str) -> Json:
    """Return an error."""
    return {"code": code, "msg": message}


# --- public -------------------------------------------------------------------------------------------


def symbol_info(symbol: Symbol) -> Json:
    """Return a symbol as in exchangeInfo."""
    step, least = plain(symbol.step), plain(symbol.min_quantity)
    return {
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": symbol.base,
        "quoteAsset": ASSET,
        "marginAsset": ASSET,
        "pricePrecision": symbol.price_digits,
        "quantityPrecision": symbol.quantity_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["Layer-1"],
        "permissionSets": ["GRID", "COPY"],
        "triggerProtect": plain(symbol.price_band),
        "liquidationFee": plain(symbol.liquidation_fee),
        "marketTakeBound": plain(symbol.price_band),
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(symbol.tick),
                "maxPrice": plain(symbol.start_price * 100),
                "tickSize": plain(symbol.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": least,
                "maxQty": plain(symbol.max_quantity),
                "stepSize": step,
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": least,
                "maxQty": plain(symbol.market_max_quantity),
                "stepSize": step,
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": plain(symbol.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{1 + symbol.price_band:.4f}",
                "multiplierDown": f"{1 - symbol.price_band:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def premium_index(venue: Venue, name: str) -> Json:
    """Return mark price and funding of a symbol."""
    mark = money(venue.marks[name])
    funding = venue.next_funding[name]
    return {
        "symbol": name,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": money(funding[1] if funding else Decimal(0)),
        "interestRate": "0.00010000",
        "nextFundingTime": funding[0] if funding else 0,
        "time": venue.now,
    }


def leverage_bracket(symbol: Symbol) -> Json:
    """Return the brackets of a symbol."""
    return {
        "symbol": symbol.name,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": bracket.number,
                "initialLeverage": bracket.leverage,
                "notionalCap": int(bracket.cap),
                "notionalFloor": int(bracket.floor),
                "maintMarginRatio": float(bracket.rate),
                "cum": float(bracket.amount),
            }
            for bracket in symbol.brackets
        ],
    }


# --- account ------------------------------------------------------------------------------------------


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
        "updateTime": venue.now,
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
        "updateTime": venue.now,
    }


def account_info(venue: Venue, account: Account, *, version: int) -> Json:
    """Return /account: version 2 lists all symbols with their settings, version 3 only those in use."""
    asset = asset_row(venue, account)
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
        return list(venue.symbols)
    used = {order.symbol for order in account.open_orders.values()}
    used.update(name for name, position in account.positions.items() if position.quantity)
    return [name for name in venue.symbols if name in used]


def account_position(venue: Venue, account: Account, name: str, *, version: int) -> Json:
    """Return a position as in /account."""
    symbol = venue.symbols[name]
    part = symbol_margin(account, symbol, venue.marks[name])
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
    symbol = venue.symbols[name]
    mark = venue.marks[name]
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


# --- orders -------------------------------------------------------------------------------------------


def order(item: Order, *, placed: bool = False) -> Json:
    """Return an order as in a query, or as in the answer to placing or cancelling it."""
    row: Json = {
        "orderId": item.id,
        "symbol": item.symbol,
        "status": item.status.value,
        "clientOrderId": item.client_id,
        "price": plain(item.price),
        "avgPrice": money(item.average_price),
        "origQty": plain(item.quantity),
        "executedQty": plain(item.filled),
        "cumQuote": plain(item.quote),
        "timeInForce": item.time_in_force.value,
        "type": item.type.value,
        "reduceOnly": item.reduce_only,
        "closePosition": False,
        "side": item.side.value,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": item.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": item.update_ms,
    }
    return row | ({"cumQty": plain(item.filled)} if placed else {"time": item.time_ms})


def trade(item: Trade) -> Json:
    """Return a trade of the user."""
    return {
        "symbol": item.symbol,
        "id": item.id,
        "orderId": item.order_id,
        "side": item.side.value,
        "price": plain(item.price),
        "qty": plain(item.quantity),
        "realizedPnl": money(item.realised),
        "quoteQty": plain(item.price * item.quantity),
        "commission": money(item.commission),
        "commissionAsset": ASSET,
        "time": item.time_ms,
        "positionSide": "BOTH",
        "buyer": item.side is Side.BUY,
        "maker": item.maker,
    }


def income(item: Income) -> Json:
    """Return a row of the income history."""
    info = str(item.trade_id) if item.trade_id else item.type.value
    return {
        "symbol": item.symbol,
        "incomeType": item.type.value,
        "income": money(item.amount),
        "asset": ASSET,
        "time": item.time_ms,
        "info": "" if item.type is IncomeType.TRANSFER else info,
        "tranId": item.id,
        "tradeId": str(item.trade_id) if item.trade_id else "",
    }


# --- user stream --------------------------------------------------------------------------------------


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
