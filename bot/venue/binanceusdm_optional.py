"""What Binance USDⓈ-M offers and a venue may lack: volume, a dead man's switch, news of contracts."""

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.venue.answers import number
from bot.venue.errors import AnswerMalformed
from bot.venue.profile import Volume

if TYPE_CHECKING:
    from bot.venue.profile import CcxtClient
    from bot.venue.requests import Requests

_VOLUME_MINUTES = 15


async def volume(requests: "Requests", symbol: str) -> Volume:
    """GET /fapi/v1/klines: the last quarter of an hour, without the minute that is not over."""
    params = {"symbol": symbol, "interval": "1m", "limit": _VOLUME_MINUTES + 1}
    answer = await requests.read("fapiPublicGetKlines", params, weight=1)
    if not isinstance(answer, list):
        raise AnswerMalformed("the candles are not a list")
    complete = answer[:-1]
    traded = sum((number(row, 5) for row in complete), Decimal(0))
    return Volume(traded or None, len(complete) * 60_000)


async def guard(requests: "Requests", symbol: str, after_ms: int) -> None:
    """POST /fapi/v1/countdownCancelAll, which may be repeated: the last one counts."""
    params = {"symbol": symbol, "countdownTime": after_ms}
    await requests.read("fapiPrivatePostCountdownCancelAll", params, weight=10)


async def hear_of_contracts(client: "CcxtClient") -> None:
    """SUBSCRIBE !contractInfo on the sockets that carry marks: ccxt 4.5.90 has no watch for it."""
    for url, socket in (client.clients or {}).items():
        if socket.connection is not None:
            number = client.request_id(url)
            await socket.send({"method": "SUBSCRIBE", "params": ["!contractInfo"], "id": number})
