"""What an exchange lists: loaded once, shared by all clients."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from bot.venue.errors import AnswerMalformed, RequestFailed, UnknownSymbol, Unreachable
from bot.venue.requests import BACK_OFF_S, hold, translate

if TYPE_CHECKING:
    from bot.core.fund import Contract
    from bot.venue.limiter import Limiter
    from bot.venue.profile import CcxtClient, Profile

OnUnreachable: TypeAlias = Callable[[Unreachable, int, float], None]
"""Told of each failed attempt: what cannot be reached and why, the attempt's number, seconds to the next."""

_LONGEST_PAUSE_S = 60.0


class Markets:
    """The perpetual futures of one exchange in one environment."""

    def __init__(self, profile: "Profile", client: "CcxtClient", limiter: "Limiter") -> None:
        self._profile = profile
        self._limiter = limiter
        self._client = client
        self._by_id: dict[str, dict[str, Any]] = {}

    async def load(self, on_unreachable: OnUnreachable) -> None:
        """Load them, however long it takes; cancel to give up."""

        def report(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            pause_s = state.next_action.sleep if state.next_action is not None else 0.0
            if isinstance(error, Unreachable):
                on_unreachable(error, state.attempt_number, pause_s)

        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unreachable),
            wait=wait_exponential_jitter(max=_LONGEST_PAUSE_S, jitter=0.5),
            before_sleep=report,
            reraise=True,
        ):
            with attempt:
                await self.load_once()

    async def load_once(self) -> None:
        """Load them; raises `Unreachable`."""
        failure: RequestFailed | None = None
        host = self._profile.hosts(self._client)[0]
        if (held_s := self._limiter.held_s) > 0:
            raise Unreachable(host, f"it told us to leave it alone for another {held_s:.0f} s")
        try:
            await self._client.load_markets(reload=True)
        except Exception as error:  # noqa: BLE001 - ccxt raises all sorts on bad answers; none may pass with its URL
            failure = translate(error)
        if failure is not None:
            if failure.code in BACK_OFF_S:
                hold(self._limiter, self._client, failure)
            raise Unreachable(host, str(failure))
        markets = self._client.markets.values()
        found = {market["id"]: market for market in markets if market["swap"] and market["linear"]}
        if not found:
            raise Unreachable(host, "its answer lists no perpetuals")
        self._by_id = found

    def contract(self, symbol: str, venue_leverage: int) -> "Contract":
        """The contract of a symbol as the exchange spells it (BTCUSDT); raises `UnknownSymbol`."""
        try:
            return self._profile.contract(self._market(symbol), venue_leverage)
        except (KeyError, AnswerMalformed) as error:
            raise UnknownSymbol(
                f"{self._profile.name} does not say how {symbol} may be traded ({error})"
            ) from None

    async def contract_again(self, symbol: str, venue_leverage: int) -> "Contract | None":
        """The contract as the exchange lists it by now; None if it does not trade it. Raises `Unreachable`.

        Who asks while it is loaded shares the answer.
        """
        await self.load_once()
        market = self._by_id.get(symbol)
        if market is None or market["active"] is False:
            return None
        return self.contract(symbol, venue_leverage)

    def unified(self, symbol: str) -> str:
        """The name that ccxt gives a symbol: BTC/USDT:USDT for BTCUSDT; raises `UnknownSymbol`."""
        return str(self._market(symbol)["symbol"])

    def share_with(self, client: "CcxtClient") -> None:
        """Spare another client the loading."""
        client.set_markets_from_exchange(self._client)

    def _market(self, symbol: str) -> dict[str, Any]:
        market = self._by_id.get(symbol)
        if market is None:
            near = get_close_matches(symbol, self._by_id, n=3, cutoff=0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UnknownSymbol(f"{self._profile.name} lists no perpetual {symbol!r}{hint}")
        return market
