"""The exchanges that we have a profile for."""

from typing import TYPE_CHECKING

from bot.venue.binanceusdm import BinanceUsdm
from bot.venue.errors import UnknownExchange

if TYPE_CHECKING:
    from bot.venue.profile import Profile

PROFILES: "dict[str, Profile]" = {"binanceusdm": BinanceUsdm()}


def profile_named(name: str) -> "Profile":
    """The profile of an exchange; `UnknownExchange` names those that there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownExchange(f"unknown exchange {name!r}; known: {', '.join(sorted(PROFILES))}") from None
