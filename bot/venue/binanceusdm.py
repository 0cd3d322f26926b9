"""Binance USDⓈ-M futures, as ccxt 4.5.90 speaks it (its implicit endpoints; raw answers keep every digit).

Fields: Binance's USDⓈ-M futures documentation, the pages of each endpoint; codes: `binanceusdm_codes`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.core.events import Income, Trade
from bot.core.fund import Contract
from bot.core.recovery_events import ListedOrder
from bot.core.trust import contradicts
from bot.core.units import Price
from bot.venue import binanceusdm_cash as cash
from bot.venue import binanceusdm_codes as codes
from bot.venue import binanceusdm_stops as stops
from bot.venue.answers import integer, number, rows_of, text
from bot.venue.binanceusdm_optional import guard, hear_of_contracts, volume
from bot.venue.binanceusdm_setup import brackets, modes, permissions, set_leverage, set_modes
from bot.venue.binanceusdm_trades import (
    account_moved,
    fee_in_usdt,
    settings_moved,
    signed,
    told_ms,
    user_trades,
)
from bot.venue.ccxt_client import make_client
from bot.venue.errors import AnswerMalformed
from bot.venue.profile import (
    Bracket,
    CcxtClient,
    Credentials,
    Door,
    Environment,
    Holding,
    MarkFrame,
    Modes,
    OrderAnswer,
    OrderNews,
    Permissions,
    StopAnswer,
    Volume,
)

if TYPE_CHECKING:
    from bot.core.limits import PlaceStop, SubmitOrder
    from bot.venue.requests import Requests, Sending

_OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
_FORCED = frozenset({"NEW_INSURANCE", "NEW_ADL"})  # no longer documented, and still seen
_CLOSED = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"}) | _FORCED
_EXPLAINED_BY_TRADES = frozenset({"REALIZED_PNL", "COMMISSION"})
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class BinanceUsdm:
    """The profile of `binanceusdm`."""

    name: str = "binanceusdm"
    definite_rejects: frozenset[str] = codes.DEFINITE_REJECTS
    would_take: frozenset[str] = codes.WOULD_TAKE
    by_rules: frozenset[str] = codes.BY_RULES
    missing_order: frozenset[str] = codes.MISSING_ORDER
    nothing_to_cancel: frozenset[str] = codes.NOTHING_TO_CANCEL
    bad_key: frozenset[str] = codes.BAD_KEY
    clock_skew: frozenset[str] = codes.CLOCK_SKEW
    weight_per_s: float = 2400 / 60

    def client(self, door: Door, credentials: Credentials | None) -> CcxtClient:
        """Make the client; testnet is Binance's demo trading, which replaced the futures testnet in 2026."""
        urls = None
        if door.environment is Environment.PAPER:
            if door.paper_url is None:
                raise ValueError("the paper environment needs the paper exchange's URL")
            urls = _paper_urls(door.paper_url)
        client = make_client("binanceusdm", door, credentials, urls)
        if door.environment is Environment.TESTNET:
            client.enable_demo_trading(enable=True)
        # ccxt picks its error classes by URL prefix; without this, all but production URLs get bare ones.
        client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
        return client

    def hosts(self, client: CcxtClient) -> tuple[str, ...]:
        """REST and stream hosts."""
        api = client.urls["api"]
        urls = (api["fapiPublic"], api["fapiPrivate"], api["ws"]["linear"])
        return tuple(dict.fromkeys(urlsplit(url).netloc for url in urls))

    def contract(self, market: Mapping[str, Any], venue_leverage: int) -> Contract:
        """From exchangeInfo's filters, whose strings are exact."""
        info = market["info"]
        filters = {row["filterType"]: row for row in info["filters"]}
        size, percent = filters["LOT_SIZE"], filters["PERCENT_PRICE"]
        up, down = number(percent, "multiplierUp") - 1, 1 - number(percent, "multiplierDown")
        return Contract(
            symbol=info["symbol"],
            tick=number(filters["PRICE_FILTER"], "tickSize"),
            lot=number(size, "stepSize"),
            min_quantity=number(size, "minQty"),
            max_quantity=number(size, "maxQty"),
            min_notional=number(filters["MIN_NOTIONAL"], "notional"),
            taker_fee=Decimal(str(market["taker"])),
            price_limit=min(up, down),
            reduce_only_any_size=True,
            venue_leverage=venue_leverage,
            max_market_quantity=number(filters["MARKET_LOT_SIZE"], "maxQty"),
        )

    def mark_updates(self, frame: Any) -> Sequence[Mapping[str, Any]]:
        """A markPriceUpdate, or the list of them that the stream of all symbols sends; s is the symbol."""
        rows = frame if isinstance(frame, list) else (frame,)
        return [row for row in rows if _is_mark_update(row)]

    def contract_news(self, frame: Any) -> str | None:
        """A contractInfo frame, which tells of listing, closing and brackets; filters change unsaid."""
        if not isinstance(frame, dict) or frame.get("e") != "contractInfo":
            return None
        return str(frame.get("s"))

    async def hear_of_contracts(self, client: CcxtClient) -> None:
        """SUBSCRIBE !contractInfo; see `binanceusdm_optional`."""
        await hear_of_contracts(client)

    def mark_frame(self, frame: Mapping[str, Any]) -> MarkFrame:
        """A markPriceUpdate: E event time, p mark price, i index, T next funding time, r funding rate."""
        try:
            price = Decimal(frame["p"])
            time_ms = int(frame["E"])
            next_funding_ms = int(frame.get("T") or 0)
            rate_text = frame.get("r")
            rate = Decimal(rate_text) if rate_text else None
            index_text = frame.get("i")
            index = Decimal(index_text) if index_text else None
        except (KeyError, TypeError, InvalidOperation) as error:
            raise ValueError(f"no usable {type(error).__name__} in a mark price frame") from None
        if not price.is_finite() or price <= 0:
            raise ValueError("a mark price that is not a positive number")
        if index is not None and not (index.is_finite() and index > 0):
            raise ValueError("an index price that is not a positive number")
        if not next_funding_ms or (rate is not None and not rate.is_finite()):
            return MarkFrame(time_ms, price, None, None, index)
        return MarkFrame(time_ms, price, next_funding_ms, rate, index)

    def order_news(self, frame: Any, symbol: str) -> OrderNews | None:
        """An ORDER_TRADE_UPDATE frame of this symbol."""
        if not isinstance(frame, dict) or frame.get("e") != "ORDER_TRADE_UPDATE":
            return None
        order = frame.get("o")
        if not isinstance(order, dict):
            raise AnswerMalformed("an order update without an order")
        if order.get("s") != symbol:
            return None
        state = _order_state(order, cid="c", venue_id="i", filled="z", status="X")
        # CALCULATED is by liquidation or deleveraging, and begins with an order that has filled nothing.
        if order.get("x") not in {"TRADE", "CALCULATED"} or number(order, "l") == 0:
            return OrderNews(state, None)
        trade = Trade(
            trade_id=text(order, "t"),
            venue_order_id=state.venue_id,
            time_ms=integer(order, "T"),
            quantity=signed(order, "S", "l"),
            price=number(order, "L"),
            fee=fee_in_usdt(order, "n", "N"),
        )
        return OrderNews(state, trade)

    def account_moved(self, frame: Any, symbol: str) -> bool:
        """See `binanceusdm_trades`."""
        return account_moved(frame, symbol)

    def settings_moved(self, frame: Any, symbol: str) -> bool:
        """See `binanceusdm_trades`."""
        return settings_moved(frame, symbol)

    def told_ms(self, frame: Any) -> int | None:
        """See `binanceusdm_trades`."""
        return told_ms(frame)

    def stream_ended(self, frame: Any) -> bool:
        """Of these events ccxt ignores the first, and does not wake its watchers on the second."""
        return isinstance(frame, dict) and frame.get("e") in {"listenKeyExpired", "eventStreamTerminated"}

    async def keep_stream_alive(self, requests: "Requests") -> None:
        """A listen key lives 60 minutes from its last renewal; ccxt renews it only once."""
        await requests.read("fapiPrivatePutListenKey", {}, weight=1)

    def forget_stream_key(self, client: CcxtClient) -> None:
        """The next watch fetches a new listen key."""
        client.options["linear"] = {"listenKey": None, "lastAuthenticatedTime": 0}

    def submit(self, requests: "Requests", order: "SubmitOrder") -> Callable[[], Awaitable[OrderAnswer]]:
        """POST /fapi/v1/order, an immediate-or-cancel or post-only limit answered with its result."""
        params = {
            "symbol": order.symbol,
            "side": "BUY" if order.quantity > 0 else "SELL",
            "type": "LIMIT",
            "timeInForce": "GTX" if order.rests else "IOC",
            "quantity": format(abs(order.quantity), "f"),
            "price": format(order.limit_price, "f"),
            "newClientOrderId": order.cid,
            "newOrderRespType": "RESULT",
        }
        if order.reduce_only:
            params["reduceOnly"] = "true"
        return partial(_sent_order, requests.order("fapiPrivate", "order", params), order.cid)

    def place_stop(self, requests: "Requests", stop: "PlaceStop") -> Callable[[], Awaitable[StopAnswer]]:
        """POST /fapi/v1/algoOrder."""
        return partial(stops.sent, stops.sending(requests, stop), stop.cid)

    async def cancel_stop(self, requests: "Requests", cid: str) -> StopAnswer:
        """DELETE /fapi/v1/algoOrder, and GET."""
        return await stops.cancel(requests, cid)

    query_stop = staticmethod(stops.query)
    resting_stops = staticmethod(stops.resting)

    def stop_news(self, frame: Any, symbol: str) -> StopAnswer | None:
        """An ALGO_UPDATE frame of this symbol."""
        return stops.news(frame, symbol)

    async def cancel(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:
        """DELETE /fapi/v1/order."""
        params = {"symbol": symbol, "origClientOrderId": cid}
        return _answered_order(await requests.cancel("fapiPrivateDeleteOrder", params), cid)

    async def query(self, requests: "Requests", symbol: str, cid: str) -> OrderAnswer:
        """GET /fapi/v1/order."""
        params = {"symbol": symbol, "origClientOrderId": cid}
        return _answered_order(await requests.read("fapiPrivateGetOrder", params, weight=1), cid)

    async def trades(
        self, requests: "Requests", symbol: str, venue_order_id: str | None, since_ms: int, now_ms: int
    ) -> tuple[Trade, ...]:
        """GET /fapi/v1/userTrades."""
        return await user_trades(requests, symbol, venue_order_id, since_ms, now_ms)

    async def orders(self, requests: "Requests", symbol: str) -> tuple[ListedOrder, ...]:
        """GET /fapi/v1/allOrders: the latest ones of the last seven days."""
        answer = await requests.read("fapiPrivateGetAllOrders", {"symbol": symbol, "limit": _PAGE}, weight=5)
        return tuple(
            ListedOrder(text(row, "clientOrderId"), integer(row, "time"), text(row, "status") not in _CLOSED)
            for row in rows_of(answer)
        )

    async def income(self, requests: "Requests", since_ms: int, now_ms: int) -> tuple[Income, ...]:
        """GET /fapi/v1/income, every kind but those that trades explain; a page at a time, inclusive."""
        del now_ms  # without an end time the answer reaches the present
        found: dict[str, Income] = {}
        page = 1
        while True:
            params = {"startTime": since_ms, "limit": _PAGE, "page": page}
            rows = rows_of(await requests.read("fapiPrivateGetIncome", params, weight=30))
            for row in rows:
                kind = text(row, "incomeType")
                if kind in _EXPLAINED_BY_TRADES or row.get("asset") != "USDT":
                    continue
                amount, income_id = number(row, "income"), cash.income_id(kind, text(row, "tranId"))
                item = Income(income_id, integer(row, "time"), cash.known_as(kind), amount)
                found[item.income_id] = item
            if len(rows) < _PAGE:
                return tuple(sorted(found.values(), key=lambda item: (item.time_ms, item.income_id)))
            page += 1

    async def holding(self, requests: "Requests", symbol: str) -> Holding:
        """GET /fapi/v3/account: wallet and positions of one instant; only open positions are listed."""
        answer = await requests.read("fapiPrivateV3GetAccount", {}, weight=5)
        if not isinstance(answer, dict):
            raise AnswerMalformed("the account is not an object")
        assets = [row for row in rows_of(answer.get("assets")) if row.get("asset") == "USDT"]
        if len(assets) != 1:
            raise AnswerMalformed("the account does not state one USDT wallet balance")
        position = Decimal(0)
        for row in rows_of(answer.get("positions")):
            amount = number(row, "positionAmt")
            if text(row, "symbol") != symbol or amount == 0:
                continue
            if row.get("positionSide") != "BOTH":
                raise AnswerMalformed("the account is in hedge mode")
            position += amount
        (usdt,) = assets
        available = number(usdt, "availableBalance") if "availableBalance" in usdt else None
        return Holding(number(usdt, "walletBalance"), position, available)

    async def mark(self, requests: "Requests", symbol: str) -> MarkFrame:
        """GET /fapi/v1/premiumIndex."""
        answer = await requests.read("fapiPublicGetPremiumIndex", {"symbol": symbol}, weight=1)
        price, index = number(answer, "markPrice"), number(answer, "indexPrice")
        if price <= 0 or index <= 0 or contradicts(price, index):
            raise AnswerMalformed("mark and index price contradict each other")
        time_ms, next_funding_ms = integer(answer, "time"), integer(answer, "nextFundingTime")
        return MarkFrame(time_ms, price, next_funding_ms or None, number(answer, "lastFundingRate"), index)

    async def mark_at(self, requests: "Requests", symbol: str, time_ms: int) -> Price | None:
        """GET /fapi/v1/markPriceKlines."""
        return await cash.mark_at(requests, symbol, time_ms)

    async def transfer(self, requests: "Requests", amount: Decimal) -> str:
        """POST /sapi/v1/futures/transfer."""
        return await cash.transfer(requests, amount)

    async def pays_fees_in_usdt(self, requests: "Requests") -> bool:
        """GET /fapi/v1/feeBurn: with it on, fees are paid in BNB."""
        return not await cash.burns_bnb(requests)

    async def touch(self, requests: "Requests", symbol: str) -> tuple[Price, Price]:
        """GET /fapi/v1/ticker/bookTicker."""
        answer = await requests.read("fapiPublicGetTickerBookTicker", {"symbol": symbol}, weight=2)
        bid, ask = number(answer, "bidPrice"), number(answer, "askPrice")
        if not 0 < bid <= ask:
            raise AnswerMalformed("bid and ask are not a pair of prices")
        return bid, ask

    async def volume(self, requests: "Requests", symbol: str) -> Volume:
        """GET /fapi/v1/klines; see `binanceusdm_optional`."""
        return await volume(requests, symbol)

    async def guard(self, requests: "Requests", symbol: str, after_ms: int) -> None:
        """POST /fapi/v1/countdownCancelAll; see `binanceusdm_optional`."""
        await guard(requests, symbol, after_ms)

    async def brackets(self, requests: "Requests", symbol: str) -> tuple[Bracket, ...]:
        """GET /fapi/v1/leverageBracket."""
        return await brackets(requests, symbol)

    async def set_modes(self, requests: "Requests", symbol: str) -> None:
        """One-way, single-asset, cross; see `binanceusdm_setup`."""
        await set_modes(requests, symbol)

    async def modes(self, requests: "Requests", symbol: str) -> Modes:
        """Positions, assets, margin and leverage; see `binanceusdm_setup`."""
        return await modes(requests, symbol)

    async def permissions(self, requests: "Requests") -> Permissions | None:
        """GET /sapi/v1/account/apiRestrictions; see `binanceusdm_setup`."""
        return await permissions(requests)

    async def set_leverage(self, requests: "Requests", symbol: str, leverage: int) -> None:
        """POST /fapi/v1/leverage; see `binanceusdm_setup`."""
        await set_leverage(requests, symbol, leverage)


def _is_mark_update(row: Any) -> bool:
    return isinstance(row, dict) and row.get("e") == "markPriceUpdate" and isinstance(row.get("s"), str)


def _paper_urls(base: str) -> dict[str, Any]:
    rest, socket = base.rstrip("/"), base.rstrip("/").replace("http", "ws", 1)
    return {
        "fapiPublic": f"{rest}/fapi/v1",
        "fapiPublicV2": f"{rest}/fapi/v2",
        "fapiPrivate": f"{rest}/fapi/v1",
        "fapiPrivateV2": f"{rest}/fapi/v2",
        "fapiPrivateV3": f"{rest}/fapi/v3",
        "sapi": f"{rest}/sapi/v1",
        "ws": {"linear": f"{socket}/ws", "ws-api": {"linear": f"{socket}/ws-fapi/v1"}},
    }


async def _sent_order(send: "Sending", cid: str) -> OrderAnswer:
    return _answered_order(await send(), cid)


def _answered_order(answer: Any, cid: str) -> OrderAnswer:
    if not isinstance(answer, dict):
        raise AnswerMalformed("the order is not an object")
    state = _order_state(
        answer, cid="clientOrderId", venue_id="orderId", filled="executedQty", status="status"
    )
    if state.cid != cid:
        raise AnswerMalformed("the answer is about another order")
    return state


def _order_state(row: Mapping[str, Any], *, cid: str, venue_id: str, filled: str, status: str) -> OrderAnswer:
    word = text(row, status)
    if word not in _OPEN and word not in _CLOSED:
        raise AnswerMalformed("an order status that is not documented")
    quantity = number(row, filled)
    if quantity < 0:
        raise AnswerMalformed("a negative filled quantity")
    return OrderAnswer(text(row, cid), text(row, venue_id), quantity, word in _CLOSED)
