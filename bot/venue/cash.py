"""Who brings cash onto an account, and takes it off.

A key for trading cannot, and none that can belongs into a daemon: people make transfers, and the venue's
income records tell of them. On a paper exchange, where the cash is play money, the daemon plays those people.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.core.units import Usd
    from bot.venue.profile import Profile
    from bot.venue.requests import Requests


class Cash(Protocol):
    """Makes transfers, or leaves them to people."""

    async def move(self, requests: "Requests", amount: "Usd") -> str | None:
        """Bring `amount` USDT onto the account, or take it off (< 0), and give the id of its income record.

        None: that is not ours to do.

        Raises `RequestFailed`, after which nobody knows whether it moved: the income records tell.
        """
        ...


class ByHand:
    """People make the transfers."""

    async def move(self, requests: "Requests", amount: "Usd") -> str | None:
        """Nothing."""
        del requests, amount
        return None


class BySpot:
    """Between the account's spot wallet and its futures wallet, by the exchange's own transfer endpoint."""

    def __init__(self, profile: "Profile") -> None:
        self._profile = profile

    async def move(self, requests: "Requests", amount: "Usd") -> str | None:
        """One transfer."""
        return await self._profile.transfer(requests, amount)
