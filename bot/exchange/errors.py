"""What can go wrong: a refused request, with Binance's own code and words, or a start that is impossible.

USD-M futures name parameters in lower case in these words ('timeinforce', 'reduceonly'), as its users report.
"""

from __future__ import annotations


class RequestError(Exception):
    """A request that the exchange refuses; it reaches the client as Binance error JSON.

    `code` and `message` are Binance's; `status` is the HTTP status.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class StartError(Exception):
    """The exchange cannot start as configured; the text is one line that names the cause and the remedy."""


class StoreMismatchError(StartError):
    """The store on disk belongs to another market (other prices, symbols or seed)."""


class PortInUseError(StartError):
    """Somebody else listens on the port."""


def missing(name: str) -> RequestError:
    """Return the error for a mandatory parameter that is absent or malformed."""
    return RequestError(
        -1102, f"Mandatory parameter '{name.lower()}' was not sent, was empty/null, or malformed."
    )


def missing_both(one: str, other: str) -> RequestError:
    """Return the error for a request with neither of two parameters."""
    return RequestError(
        -1102, f"Param '{one.lower()}' or '{other.lower()}' must be sent, but both were empty/null!"
    )


def unwanted(name: str) -> RequestError:
    """Return the error for a parameter that does not belong to the others."""
    return RequestError(-1106, f"Parameter '{name.lower()}' sent when not required.")


def illegal(name: str, pattern: str) -> RequestError:
    """Return the error for a parameter with characters outside its legal range."""
    return RequestError(
        -1100, f"Illegal characters found in parameter '{name.lower()}'; legal range is '{pattern}'."
    )


def invalid(name: str) -> RequestError:
    """Return the error for a parameter whose value is none of those that there are."""
    return RequestError(-1130, f"Data sent for parameter '{name.lower()}' is not valid.")


def too_long(hours: int) -> RequestError:
    """Return the error for a search over more hours than one request may span."""
    return RequestError(
        -1127, f"Lookup interval is too big. More than {hours} hours between startTime and endTime."
    )


def no_such_order() -> RequestError:
    """Return the error for a query of an order that is not there."""
    return RequestError(-2013, "Order does not exist.")


def unknown_order() -> RequestError:
    """Return the error for cancelling an order that is not there, or not open."""
    return RequestError(-2011, "Unknown order sent.")


def unknown_symbol() -> RequestError:
    """Return the error for a symbol that is not traded here."""
    return RequestError(-1121, "Invalid symbol.")


def not_yet() -> RequestError:
    """Return Binance's error for a method that is known but not offered (UPCOMING_METHOD)."""
    return RequestError(-4084, "Method is not allowed currently. Upcoming soon.")
