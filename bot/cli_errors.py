"""Which exit code an error has, and its one line.

Rooms do not know of exit codes, and must not be imported only to be asked: their errors stand here by name.
"""

import traceback

from typer.exceptions import TyperException

FAILED = 1
"""Failed or refused."""
USAGE = 2
"""Wrong usage, setting or input file."""

EXIT_CODES = {
    "bot.errors.UserError": USAGE,
    "bot.errors.RefusedError": FAILED,
    "bot.exchange.errors.StartError": USAGE,
    "bot.exchange.prices.errors.PriceError": USAGE,
    "bot.journal.errors.DataDirUnusable": USAGE,
    "bot.journal.errors.JournalMismatch": USAGE,
    "bot.journal.errors.JournalSettingError": USAGE,
    "bot.journal.errors.JournalKeyError": USAGE,
    "bot.journal.errors.JournalError": FAILED,
    "bot.venue.errors.UnknownExchange": USAGE,
    "bot.venue.errors.UnknownSymbol": USAGE,
    "bot.venue.errors.NotOffered": USAGE,
    "bot.venue.errors.BadKey": USAGE,
    "bot.venue.errors.AccountRefused": USAGE,
    "bot.venue.errors.VenueError": FAILED,
}
"""Of an error's class, or else of the nearest class that it derives from."""


def explain(error: Exception) -> tuple[str, int]:
    """Give the one line that says what went wrong, and the exit code.

    An error that nobody expected keeps its traceback: it is printed before the line.
    """
    if isinstance(error, TyperException):
        return f"{_one_line(error.format_message()).rstrip('.')}; see --help", error.exit_code
    for kind in type(error).__mro__:
        code = EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return _one_line(str(error)), code
    traceback.print_exception(error)
    return (
        f"unexpected {type(error).__name__}: {_one_line(str(error))}; please report this with the above",
        FAILED,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
