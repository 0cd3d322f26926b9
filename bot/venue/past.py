"""Past prices and funding of any exchange that ccxt knows, page by page, by its public endpoints."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from bot.venue.ccxt_client import make_client, new_session
from bot.venue.errors import RequestFailed, UnknownExchange, UnknownSymbol
from bot.venue.profile import Door, Environment
from bot.venue.profiles import PROFILES
from bot.venue.requests import translate

if TYPE_CHECKING:
    from bot.venue.profile import CcxtClient

Row: TypeAlias = tuple[int, tuple[str, ...]]
"""Timestamp in UTC ms, and the cells after it as texts, exact."""

_PAGE = 1_000
_TRIES = 6
_LONGEST_PAUSE_S = 30.0


class Past:
    """An exchange's public history; `async with` opens and closes it.

    `paper_url`: a paper exchange that stands for it. Rows come in ascending order of time, each once.
    """

    def __init__(self, exchange: str, *, paper_url: str | None = None) -> None:
        """Raise UnknownExchange for a name that ccxt does not know. Nothing is opened yet."""
        import ccxt.pro  # noqa: PLC0415 - it costs half a second, so only who downloads pays

        if exchange not in ccxt.pro.exchanges:
            raise UnknownExchange(f"unknown exchange {exchange!r}; give one that ccxt lists")
        self._exchange, self._paper_url = exchange, paper_url
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Load what the exchange lists."""
        async with AsyncExitStack() as opened:
            session = new_session(encrypted=self._paper_url is None)
            opened.push_async_callback(session.close)
            environment = Environment.LIVE if self._paper_url is None else Environment.PAPER
            door = Door(environment, session, self._paper_url)
            profile = PROFILES.get(self._exchange)
            self._client: CcxtClient = (
                make_client(self._exchange, door, None, None)
                if profile is None
                else profile.client(door, None)
            )
            opened.push_async_callback(self._client.close)
            self._client.enableRateLimit = self._paper_url is None
            await self._read(self._client.load_markets)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._opened.aclose()

    def spacing_ms(self, timeframe: str) -> int:
        """Length of one bar of `timeframe` ("1m", "8h")."""
        return int(self._client.parse_timeframe(timeframe) * 1000)

    async def now_ms(self) -> int:
        """The exchange's time."""
        return int(await self._read(self._client.fetch_time))

    def pages(
        self, symbol: str, kind: str, timeframe: str, since_ms: int, until_ms: int
    ) -> AsyncIterator[list[Row]]:
        """`funding`, or the bars of the `last` price, the `mark` or the `index`."""
        if kind == "funding":
            return self.funding(symbol, since_ms, until_ms)
        return self.bars(symbol, kind, timeframe, since_ms, until_ms)

    async def bars(
        self, symbol: str, kind: str, timeframe: str, since_ms: int, until_ms: int
    ) -> AsyncIterator[list[Row]]:
        """Complete bars that open in [since_ms, until_ms): open, high, low, close and, of `last`, volume."""
        name, spacing = self._unified(symbol), self.spacing_ms(timeframe)
        parameters = {} if kind == "last" else {"price": kind}
        width = 6 if kind == "last" else 5
        while since_ms < until_ms:
            found = await self._read(
                lambda since=since_ms: self._client.fetch_ohlcv(name, timeframe, since, _PAGE, parameters)
            )
            wanted = [row for row in found if since_ms <= int(row[0]) and int(row[0]) + spacing <= until_ms]
            if not wanted:
                return
            yield [(int(row[0]), tuple(_text(cell) for cell in row[1:width])) for row in wanted]
            since_ms = int(wanted[-1][0]) + spacing

    async def funding(self, symbol: str, since_ms: int, until_ms: int) -> AsyncIterator[list[Row]]:
        """Funding payments in [since_ms, until_ms): the rate."""
        name = self._unified(symbol)
        while since_ms < until_ms:
            found = await self._read(
                lambda since=since_ms: self._client.fetch_funding_rate_history(name, since, _PAGE)
            )
            wanted = [row for row in found if since_ms <= int(row["timestamp"]) < until_ms]
            if not wanted:
                return
            yield [(int(row["timestamp"]), (_text(row["fundingRate"]),)) for row in wanted]
            since_ms = int(wanted[-1]["timestamp"]) + 1

    def _unified(self, symbol: str) -> str:
        """The symbol that ccxt has for `BTCUSDT` or `BTC/USDT:USDT`: a perpetual, where there is one."""
        markets = self._client.markets_by_id.get(symbol, [])
        if symbol in self._client.markets:
            return symbol
        for market in sorted(markets, key=lambda market: not market["swap"]):
            return str(market["symbol"])
        raise UnknownSymbol(f"{self._exchange} does not list {symbol!r}")

    async def _read(self, request: Callable[..., Awaitable[Any]]) -> Any:
        """One read; what may succeed a moment later is tried again a few times."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestFailed) and error.transient),
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential_jitter(multiplier=0.5, max=_LONGEST_PAUSE_S),
            reraise=True,
        ):
            with attempt:
                try:
                    return await request()
                except Exception as error:  # noqa: BLE001 - ccxt raises many kinds, with URLs in their texts
                    raise translate(error) from None
        raise AssertionError("tenacity ends with a result or an error")


def _text(number: object) -> str:
    return f"{number:f}" if number is not None else ""
