"""Symbols, marks and brackets as Binance writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.algo import AlgoType
from bot.exchange.entities import OrderType
from bot.exchange.prices.funding_model import EIGHT_HOURS_MS, INTEREST
from bot.exchange.wire import ASSET, Json, money, plain

if TYPE_CHECKING:
    from bot.exchange.brackets import Bracket
    from bot.exchange.catalog import Symbol
    from bot.exchange.market import Market, TradedSymbol

HOUR_MS = 3_600_000
ONBOARD_MS = 1_569_398_400_000
COLLATERAL = "USDTUSD"


def symbol_info(symbol: Symbol) -> Json:
    """Return a symbol as in exchangeInfo."""
    step, least = plain(symbol.step), plain(symbol.min_quantity)
    return {
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": ONBOARD_MS,
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
        "triggerProtect": f"{symbol.price_band:.4f}",
        "liquidationFee": f"{symbol.liquidation_fee:.6f}",
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
            {"filterType": "MIN_NOTIONAL", "notional": plain(symbol.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{1 + symbol.price_band:.4f}",
                "multiplierDown": f"{1 - symbol.price_band:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": [*(kind.value for kind in OrderType), *(kind.value for kind in AlgoType)],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def premium_index(market: Market, name: str) -> Json:
    """Return mark price and funding of a symbol."""
    mark = money(market.marks[name])
    funding = market.next_funding[name]
    return {
        "symbol": name,
        "markPrice": mark,
        "indexPrice": money(market.index(name)),
        "estimatedSettlePrice": mark,
        "lastFundingRate": money(funding[1] if funding else Decimal(0)),
        "interestRate": money(INTEREST * market.traded[name].funding.interval_ms / EIGHT_HOURS_MS),
        "nextFundingTime": funding[0] if funding else 0,
        "time": market.now,
    }


def funding_info(traded: TradedSymbol) -> Json:
    """Return how often a symbol is funded, and within which rates."""
    cap = money(traded.symbol.funding_cap)
    return {
        "symbol": traded.symbol.name,
        "adjustedFundingRateCap": cap,
        "adjustedFundingRateFloor": f"-{cap}",
        "fundingIntervalHours": traded.funding.interval_ms // HOUR_MS,
        "disclaimer": False,
        "updateTime": ONBOARD_MS,
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


def contract_brackets(brackets: tuple[Bracket, ...]) -> list[Json]:
    """Return brackets as `!contractInfo` has them; `mi` and `ma` are the leverages that belong to one."""
    lower = [bracket.leverage for bracket in brackets[1:]] + [0]
    return [
        {
            "bs": bracket.number,
            "bnf": int(bracket.floor),
            "bnc": int(bracket.cap),
            "mmr": float(bracket.rate),
            "cf": int(bracket.amount),
            "mi": below + 1,
            "ma": bracket.leverage,
        }
        for bracket, below in zip(brackets, lower, strict=True)
    ]


def asset_index(now: int) -> Json:
    """Return the price of the one asset that is collateral here, in USD."""
    one, buffer = "1.00000000", "0.00000000"
    return {
        "symbol": COLLATERAL,
        "time": now,
        "index": one,
        "bidBuffer": buffer,
        "askBuffer": buffer,
        "bidRate": one,
        "askRate": one,
        "autoExchangeBidBuffer": buffer,
        "autoExchangeAskBuffer": buffer,
        "autoExchangeBidRate": one,
        "autoExchangeAskRate": one,
    }
