"""Looking at an account without changing it: what the preflight judges. Only reads are sent."""

from typing import TYPE_CHECKING, NamedTuple

from bot.core.units import Contracts, Price, Usd
from bot.venue import binanceusdm_setup as binance
from bot.venue.clock import monotonic_s
from bot.venue.profile import Bracket, Permissions

if TYPE_CHECKING:
    from bot.venue.profile import CcxtClient
    from bot.venue.venue import Venue


class AccountReport(NamedTuple):
    """An account as it is. `permissions` is None where the venue does not tell them.

    `skew_ms`: how far our clock is ahead of the venue's; `answered_s`: how long a read took.
    """

    skew_ms: int
    answered_s: float
    hedge_mode: bool
    multi_assets: bool
    isolated: bool
    leverage: int
    brackets: tuple[Bracket, ...]
    fees_in_usdt: bool
    wallet: Usd
    position: Contracts
    bid: Price
    ask: Price
    permissions: Permissions | None


async def inspect(venue: "Venue", client: "CcxtClient", symbol: str) -> AccountReport:
    """Read everything that the preflight wants to know; raises `RequestFailed`."""
    profile, requests = venue.profile, venue.requests(client)
    skew_ms = await requests.synchronise()
    began_s = monotonic_s()
    bid, ask = await profile.touch(requests, symbol)
    answered_s = monotonic_s() - began_s
    modes = await binance.modes(requests, symbol)
    holding = await profile.holding(requests, symbol)
    return AccountReport(
        skew_ms=skew_ms,
        answered_s=answered_s,
        hedge_mode=modes.hedge,
        multi_assets=modes.multi_assets,
        isolated=modes.isolated,
        leverage=modes.leverage,
        brackets=await profile.brackets(requests, symbol),
        fees_in_usdt=await profile.pays_fees_in_usdt(requests),
        wallet=holding.wallet,
        position=holding.position,
        bid=bid,
        ask=ask,
        permissions=await profile.permissions(requests),
    )
