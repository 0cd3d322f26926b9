"""How numbers are written in a report; what is not defined is a dash."""

from datetime import UTC, datetime

MISSING = "\N{EN DASH}"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in per cent; very small ones with two significant digits."""
    if value is None:
        return MISSING
    tiny = value and abs(value) < 0.5 * 10 ** (-digits - 2)
    number = f"{value * 100:.2g}" if tiny else f"{value * 100:,.{digits}f}"
    return f"{_signed(number)}\N{NO-BREAK SPACE}%"


def times(value: float | None) -> str:
    """A leverage."""
    return MISSING if value is None else _signed(f"{value:.2f}x")


def plain(value: float | None, digits: int = 2) -> str:
    """A number."""
    return MISSING if value is None else _signed(f"{value:,.{digits}f}")


def short(value: float | None) -> str:
    """A number with three significant digits, also where it is tiny."""
    if value is None:
        return MISSING
    return _signed(f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}")


def millions(value: float | None) -> str:
    """An amount in millions."""
    if value is None:
        return MISSING
    size = abs(value) / 1e6
    digits = 0 if size >= 100 else 2 if size >= 0.01 or not size else 4
    return f"{_signed(f'{value / 1e6:,.{digits}f}')}\N{NO-BREAK SPACE}M"


def day(time_ms: int) -> str:
    """A date, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def iso(time_ms: int) -> str:
    """A time as plotly reads it, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _signed(number: str) -> str:
    """With a minus that is as wide as a plus."""
    return number.replace("-", "\N{MINUS SIGN}")
