"""Rate limits by wall time, counted as Binance counts them: weight by address, orders by account.

Whoever goes on asking while limited is banned: 418 for two minutes at first, four times as long each further
time, up to three days. A ban is told until when it lasts and does not grow by asking; three good days clear
the record. After how many refused requests the venue bans is not published; here it is 10 in one minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.exchange.errors import RequestError

REFUSALS_BEFORE_BAN = 10
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 259_200_000
BAN_GROWTH = 4


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much a client may ask for: Binance's limits for USD-M futures."""

    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200
    funding_5m: int = 500  # requests for funding rates and intervals
    messages_1s: int = 10  # that one websocket may send


UNLIMITED = RateLimits(
    weight_1m=10**12, orders_10s=10**12, orders_1m=10**12, funding_5m=10**12, messages_1s=10**12
)


class Counter:
    """Counts what happens within fixed windows of wall time."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._window = -1
        self.used = 0

    def add(self, amount: int, wall_ms: int) -> int:
        """Count and return what the current window holds."""
        window = wall_ms // self._window_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += amount
        return self.used

    def left_s(self, wall_ms: int) -> int:
        """Return the seconds until the window ends, rounded up."""
        return (self._window_ms - wall_ms % self._window_ms + 999) // 1_000


class TooManyRequestsError(RequestError):
    """A limit is used up for `retry_after_s` seconds (429), or its user is banned for so long (418)."""

    def __init__(self, code: int, message: str, retry_after_s: int, status: int = 429) -> None:
        super().__init__(code, message, status)
        self.retry_after_s = retry_after_s


class _Address:
    """What one address has asked for, and how often it was banned."""

    def __init__(self) -> None:
        self.weight = Counter(60_000)
        self.funding = Counter(300_000)
        self.refusals = Counter(60_000)
        self.bans = 0
        self.banned_until_ms = 0

    def ban(self, wall_ms: int) -> None:
        if wall_ms - self.banned_until_ms > LONGEST_BAN_MS:
            self.bans = 0
        self.banned_until_ms = wall_ms + min(FIRST_BAN_MS * BAN_GROWTH**self.bans, LONGEST_BAN_MS)
        self.bans += 1


class RateCounter:
    """Counts the weight of each address, and the orders of each account."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, tuple[Counter, Counter]] = {}

    def count_weight(self, address: str, weight: int, wall_ms: int, headers: dict[str, str]) -> None:
        """Count a request and add its headers; raises TooManyRequestsError past the limit."""
        known = self._addresses.get(address)
        if known is None:
            known = self._addresses[address] = _Address()
        if known.banned_until_ms > wall_ms:
            raise _banned(address, known.banned_until_ms, wall_ms)
        used = known.weight.add(weight, wall_ms)
        headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if used > self._limits.weight_1m:
            words = f"{self._limits.weight_1m} requests per minute"
            raise _too_many(address, known, words, known.weight.left_s(wall_ms), wall_ms)

    def count_funding(self, address: str, wall_ms: int) -> None:
        """Count a request about funding, after its weight; raises TooManyRequestsError past their limit."""
        known = self._addresses[address]
        if known.funding.add(1, wall_ms) > self._limits.funding_5m:
            words = f"{self._limits.funding_5m} requests per 5 minutes"
            raise _too_many(address, known, words, known.funding.left_s(wall_ms), wall_ms)

    def count_orders(
        self, account: str, orders: tuple[int, int], wall_ms: int, headers: dict[str, str]
    ) -> None:
        """Count orders (in 10 s, in a minute) and add the headers; raises TooManyRequestsError."""
        counters = self._orders.get(account)
        if counters is None:
            counters = self._orders[account] = (Counter(10_000), Counter(60_000))
        short, long = counters
        headers["X-MBX-ORDER-COUNT-10S"] = str(short.add(orders[0], wall_ms))
        headers["X-MBX-ORDER-COUNT-1M"] = str(long.add(orders[1], wall_ms))
        if short.used > self._limits.orders_10s:
            raise _too_many_orders(short, self._limits.orders_10s, "10 SECONDS", wall_ms)
        if long.used > self._limits.orders_1m:
            raise _too_many_orders(long, self._limits.orders_1m, "MINUTE", wall_ms)


def _too_many(
    address: str, known: _Address, limit: str, retry_after_s: int, wall_ms: int
) -> TooManyRequestsError:
    if known.refusals.add(1, wall_ms) > REFUSALS_BEFORE_BAN:
        known.ban(wall_ms)
        return _banned(address, known.banned_until_ms, wall_ms)
    message = (
        f"Too many requests; current limit of IP({address}) is {limit}."
        " Please use the websocket for live updates to avoid polling the API."
    )
    return TooManyRequestsError(-1003, message, retry_after_s)


def _banned(address: str, until_ms: int, wall_ms: int) -> TooManyRequestsError:
    message = (
        f"Way too many requests; IP({address}) banned until {until_ms}. Please use the websocket for live"
        " updates to avoid bans."
    )
    return TooManyRequestsError(-1003, message, (until_ms - wall_ms + 999) // 1_000, 418)


def _too_many_orders(counter: Counter, limit: int, words: str, wall_ms: int) -> TooManyRequestsError:
    message = f"Too many new orders; current limit is {limit} orders per {words}."
    return TooManyRequestsError(-1015, message, counter.left_s(wall_ms))
