# ruff: noqa: N818 - these are findings, and callers read better without "Error"
"""What can go wrong at a venue, split by whose fault it is.

No text here ever holds a URL, a key or a signature: `requests` translates ccxt's exceptions, which do.
"""


class VenueError(Exception):
    """Anything that this room reports."""


class UnknownExchange(VenueError):
    """The settings name an exchange that there is no profile for."""


class UnknownSymbol(VenueError):
    """The settings name a symbol that the exchange does not list."""


class NotOffered(VenueError):
    """The exchange has no such data, or ccxt cannot read them from it."""


class BadKey(VenueError):
    """The exchange does not accept the account's key, secret or permissions."""


class AccountRefused(VenueError):
    """The account cannot serve its fund, for a reason that its operator must remove."""


class Unreachable(VenueError):
    """A host cannot be reached, or answers nothing that can be used."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"cannot reach {host}: {reason}")
        self.host = host
        self.reason = reason


class RequestFailed(VenueError):
    """One request came to nothing.

    `code` is the venue's own code, the HTTP status where it sent none, or the name of ccxt's class.
    `transient`: the same read may succeed a moment later. `wait_s`: the host takes nothing before then.
    """

    def __init__(self, code: str, reason: str, *, transient: bool, wait_s: float = 0.0) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.transient = transient
        self.wait_s = wait_s


class AnswerMalformed(RequestFailed):
    """The venue answered with something that is not what it documents."""

    def __init__(self, reason: str) -> None:
        super().__init__("malformed", reason, transient=True)
