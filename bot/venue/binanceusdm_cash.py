"""What a fund's books need of Binance beside its trades: transfers, past marks, and what fees are paid in."""

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.core.disclosure import TRANSFER
from bot.core.units import ZERO, Price
from bot.venue.answers import number, text
from bot.venue.errors import AnswerMalformed

if TYPE_CHECKING:
    from bot.venue.requests import Requests

_TRANSFERS = frozenset(
    {
        "TRANSFER",
        "INTERNAL_TRANSFER",
        "CROSS_COLLATERAL_TRANSFER",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
        "STRATEGY_UMFUTURES_TRANSFER",
    }
)
"""Kinds of income that are deposits and withdrawals: of holders' or the operator's money."""

_TO_FUTURES, _TO_SPOT = 1, 2


def known_as(kind: str) -> str:
    """The name that the core has for a kind of income."""
    return TRANSFER if kind in _TRANSFERS else kind


def income_id(kind: str, transaction: str) -> str:
    """The id of an income record: a tranId is unique only within its kind."""
    return f"{kind}:{transaction}"


async def transfer(requests: "Requests", amount: Decimal) -> str:
    """Between the spot wallet and the futures wallet, in the direction of the amount's sign."""
    direction = _TO_FUTURES if amount > ZERO else _TO_SPOT
    params = {"asset": "USDT", "amount": format(abs(amount), "f"), "type": direction}
    answer = await requests.write("sapiPostFuturesTransfer", params)
    if not isinstance(answer, dict):
        raise AnswerMalformed("the transfer is not an object")
    return income_id(TRANSFER, text(answer, "tranId"))


async def mark_at(requests: "Requests", symbol: str, time_ms: int) -> Price | None:
    """The open of the mark price's one-minute candle that begins at `time_ms`."""
    params = {"symbol": symbol, "interval": "1m", "startTime": time_ms, "limit": 1}
    rows = await requests.read("fapiPublicGetMarkPriceKlines", params, weight=1)
    if not isinstance(rows, list):
        raise AnswerMalformed("the candles are not a list")
    for row in rows:
        if isinstance(row, list) and len(row) > 1 and str(row[0]) == str(time_ms):
            price = number({"open": row[1]}, "open")
            if price > ZERO:
                return price
    return None


async def burns_bnb(requests: "Requests") -> bool:
    """Whether fees are paid in BNB."""
    answer = await requests.read("fapiPrivateGetFeeBurn", {}, weight=30)
    burns = answer.get("feeBurn") if isinstance(answer, dict) else None
    if burns not in (True, False, "true", "false"):
        raise AnswerMalformed("no feeBurn")
    return burns in (True, "true")
