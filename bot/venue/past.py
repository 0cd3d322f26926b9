"""Past prices and funding of any exchange that ccxt knows, page by page, by its public endpoints."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from difflib import get_close_matches
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from bot.venue.ccxt_client import make_client, new_session
from bot.venue.errors import NotOffered, RequestFailed, UnknownExchange, UnknownSymbol, Unreachable
from bot.venue.profile import Door, Environment
from bot.venue.profiles import PROFILES
from bot.venue.requests import translate

if TYPE_CHECKING:
    from bot.venue.profile import CcxtClient

Row: TypeAlias = tuple[int, tuple[str, ...]]
"""Timestamp in UTC ms, and the cells after it as texts, exact."""

_PAGE = 1_000
_FUNDING_PAGE_MS = 30 * 86_400_000
"""How much time is passed over where a page of funding is empty."""
_ABILITIES = {
    "last": "fetchOHLCV",
    "mark": "fetchMarkOHLCV",
    "index": "fetchIndexOHLCV",
    "funding": "fetchFundingRateHistory",
}
_TRIES = 6
_LONGEST_PAUSE_S = 30.0


class Past:
    """One kind of an exchange's public history; `async with` opens and closes it.

    `kind`: `funding`, or the bars of the `last` price, the `mark` or the `index`, each of length `timeframe`.
    `paper_url`: a paper exchange that stands for it. Rows come in ascending order of time, each once.
    """

    def __init__(self, exchange: str, kind: str, timeframe: str, *, paper_url: str | None = None) -> None:
        """Raise UnknownExchange for a name that ccxt does not know. Nothing is opened yet."""
        import ccxt.pro  # noqa: PLC0415 - it costs half a second, so only who downloads pays

        if exchange not in ccxt.pro.exchanges:
            near = get_close_matches(exchange, ccxt.pro.exchanges, n=1)
            remedy = f"did you mean {near[0]}?" if near else "give one that ccxt lists"
            raise UnknownExchange(f"unknown exchange {exchange!r}; {remedy}")
        self._exchange, self._kind, self._timeframe = exchange, kind, timeframe
        self._paper_url = paper_url
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Load what the exchange lists. Raises NotOffered, and Unreachable."""
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
            self._check()
            try:
                await self._read(self._client.load_markets)
            except RequestFailed as error:
                where = self._paper_url or self._exchange
                remedy = "check the network, and run the same command again"
                raise Unreachable(where, f"{error}; {remedy}") from None
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._opened.aclose()

    def _check(self) -> None:
        """Refuse what the exchange, as ccxt knows it, does not have."""
        if not self._client.has.get(_ABILITIES[self._kind]):
            problem = f"{self._exchange} has no past {self._kind} that ccxt can read"
            raise NotOffered(f"{problem}; try another --kind, or another exchange")
        offered = self._client.timeframes or {}
        if self._kind != "funding" and offered and self._timeframe not in offered:
            problem = f"{self._exchange} has no bars of {self._timeframe!r}"
            raise NotOffered(f"{problem}; choose --timeframe from {', '.join(offered)}")

    @property
    def spacing_ms(self) -> int:
        """Length of one bar; of funding the least distance of two payments that are told apart."""
        return 1 if self._kind == "funding" else int(self._client.parse_timeframe(self._timeframe) * 1000)

    async def now_ms(self) -> int:
        """The exchange's time; this machine's, where the exchange does not tell."""
        if not self._client.has.get("fetchTime"):
            return int(self._client.milliseconds())
        return int(await self._read(self._client.fetch_time))

    async def pages(self, symbol: str, since_ms: int, until_ms: int) -> AsyncIterator[list[Row]]:
        """Complete rows from [since_ms, until_ms).

        Bars by their opening: open, high, low, close and, of `last`, volume; funding: the rate.
        """
        name = self._unified(symbol)
        read, passed_over_ms = (
            (self._funding, _FUNDING_PAGE_MS)
            if self._kind == "funding"
            else (self._bars, _PAGE * self.spacing_ms)
        )
        while since_ms < until_ms:
            rows = [row for row in await read(name, since_ms, until_ms) if row[0] >= since_ms]
            if not rows:  # not listed yet, or nothing traded: many exchanges look no further than a page
                since_ms += passed_over_ms
                continue
            yield rows
            since_ms = rows[-1][0] + self.spacing_ms

    async def _bars(self, name: str, since_ms: int, until_ms: int) -> list[Row]:
        parameters = {} if self._kind == "last" else {"price": self._kind}
        found = await self._read(
            lambda: self._client.fetch_ohlcv(name, self._timeframe, since_ms, _PAGE, parameters)
        )
        latest_ms, width = until_ms - self.spacing_ms, 6 if self._kind == "last" else 5
        return [
            (int(row[0]), tuple(_text(cell) for cell in row[1:width]))
            for row in found
            if int(row[0]) <= latest_ms
        ]

    async def _funding(self, name: str, since_ms: int, until_ms: int) -> list[Row]:
        found = await self._read(lambda: self._client.fetch_funding_rate_history(name, since_ms, _PAGE))
        return [
            (int(row["timestamp"]), (_text(row["fundingRate"]),))
            for row in found
            if int(row["timestamp"]) < until_ms
        ]

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
