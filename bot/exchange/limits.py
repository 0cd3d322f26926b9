"""Rate limits by wall time: request weight and number of orders, counted as Binance counts them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.exchange.errors import RequestError


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much a client may ask for: Binance's limits for USD-M futures."""

    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200
    messages_1s: int = 10  # that one websocket may send


UNLIMITED = RateLimits(weight_1m=10**12, orders_10s=10**12, orders_1m=10**12, messages_1s=10**12)


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
    """A limit is used up for `retry_after_s` seconds."""

    def __init__(self, code: int, message: str, retry_after_s: int) -> None:
        super().__init__(code, message, 429)
        self.retry_after_s = retry_after_s


class RateCounter:
    """Counts weight for the whole exchange (one address), and orders for one account."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._weight_1m = Counter(60_000)
        self._orders: dict[str, tuple[Counter, Counter]] = {}

    def count_weight(self, weight: int, wall_ms: int) -> dict[str, str]:
        """Count a request and return its headers; raises TooManyRequestsError past the limit."""
        used = self._weight_1m.add(weight, wall_ms)
        if used > self._limits.weight_1m:
            message = (
                f"Too many requests; current limit of IP is {self._limits.weight_1m} requests per minute."
                " Please use the websocket for live updates to avoid polling the API."
            )
            raise TooManyRequestsError(-1003, message, self._weight_1m.left_s(wall_ms))
        return {"X-MBX-USED-WEIGHT-1M": str(used)}

    def count_orders(self, account: str, orders: tuple[int, int], wall_ms: int) -> dict[str, str]:
        """Count orders (in 10 s, in a minute) and return the headers; raises TooManyRequestsError."""
        short, long = self._orders.setdefault(account, (Counter(10_000), Counter(60_000)))
        for counter, count, limit, words in (
            (short, orders[0], self._limits.orders_10s, "10 SECONDS"),
            (long, orders[1], self._limits.orders_1m, "MINUTE"),
        ):
            if counter.add(count, wall_ms) > limit:
                message = f"Too many new orders; current limit is {limit} orders per {words}."
                raise TooManyRequestsError(-1015, message, counter.left_s(wall_ms))
        return {"X-MBX-ORDER-COUNT-10S": str(short.used), "X-MBX-ORDER-COUNT-1M": str(long.used)}
