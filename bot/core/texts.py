"""How figures, counts and times are written: plain decimals, ISO 8601, and null for what is unknown."""

from datetime import UTC, datetime
from decimal import Decimal

from bot.core.units import ZERO

UNBOUNDED = Decimal("1e18")
"""From here on an amount means as good as none: on a grid it would have more digits than a decimal holds."""


def decimal_text(value: Decimal) -> str:
    """A decimal in plain notation: no exponent, no zeros that say nothing, no negative zero."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if value == ZERO else text


def decimal_or_null(value: Decimal | None, grid: Decimal | None = None) -> str | None:
    """A decimal in plain notation, rounded to `grid` where it is given and the value is not `UNBOUNDED`."""
    if value is None:
        return None
    return decimal_text(value if grid is None or abs(value) >= UNBOUNDED else value.quantize(grid))


def how_many(count: int, one: str, several: str = "") -> str:
    """A count and what it counts: `1 order`, `1,200 orders`; `several` where that is not `one` with an s."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def time_text(time_ms: int) -> str:
    """Milliseconds UTC as ISO 8601, to the millisecond."""
    seconds, millis = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def time_or_null(time_ms: int | None) -> str | None:
    """Milliseconds UTC as ISO 8601, to the millisecond."""
    return None if time_ms is None else time_text(time_ms)
