"""Before the first order: the account gets the modes and the leverage that its fund needs, or is refused."""

from typing import TYPE_CHECKING

from bot.venue.errors import AccountRefused, AnswerMalformed, BadKey, RequestFailed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.fund import Fund
    from bot.core.units import Leverage
    from bot.venue.profile import Bracket, Profile
    from bot.venue.requests import Requests


async def prepare(
    profile: "Profile",
    requests: "Requests",
    hosts: str,
    symbol: str,
    fund: "Fund",
    compared: "Callable[[int], None]",
) -> int:
    """Set the account up for `fund`, verify it, and return the venue leverage that now holds.

    One-way mode, single-asset mode and cross margin; leverage by `leverage_for`. It reads first and changes
    only what differs, so it may be repeated. `compared` hears by how many ms our clock is ahead of the
    venue's. Raises `BadKey`, `AccountRefused` or `Unreachable`.
    """
    try:
        compared(await requests.synchronise())
        await profile.set_modes(requests, symbol)
        leverage = leverage_for(fund, await profile.brackets(requests, symbol))
        await profile.set_leverage(requests, symbol, leverage)
    except AnswerMalformed as error:
        raise Unreachable(hosts, error.reason) from None
    except RequestFailed as error:
        if error.code in profile.bad_key:
            account = f"INBAND_ACCOUNTS__{fund.account}__"
            raise BadKey(
                f"{account}API_KEY: the exchange refuses it ({error}); check it, {account}SECRET, "
                "and the key's permissions and allowed addresses"
            ) from None
        if error.transient or not error.code.startswith("-"):
            raise Unreachable(hosts, str(error)) from None
        raise AccountRefused(f"account {fund.account} cannot be set up for {fund.name}: {error}") from None
    return leverage


def smallest_leverage(emergency: "Leverage") -> int:
    """The smallest whole leverage that is at least 1.5 x the emergency leverage."""
    return int((emergency * 3 / 2).__ceil__())


def leverage_for(fund: "Fund", brackets: "tuple[Bracket, ...]") -> int:
    """The smallest whole leverage >= 1.5 x emergency whose bracket admits twice the largest notional.

    The largest notional is emergency leverage x capital; subscriptions may take the fund to its capacity.
    Higher leverage never admits more notional, so only the smallest one needs a look. `AccountRefused` names
    the setting that asks for too much.
    """
    leverage = smallest_leverage(fund.emergency)
    setting = f"INBAND_FUNDS__{fund.name}__"
    admitted = max((step.notional_cap for step in brackets if step.max_leverage >= leverage), default=None)
    if admitted is None:
        highest = max((step.max_leverage for step in brackets), default=0)
        raise AccountRefused(
            f"{setting}EMERGENCY: {fund.emergency} needs venue leverage {leverage}, but {fund.underlying} "
            f"allows {highest}; lower it to at most {highest * 2 // 3}"
        )
    if admitted < 2 * fund.emergency * fund.capital:
        raise AccountRefused(
            f"{setting}CAPITAL: twice {fund.capital} at emergency leverage {fund.emergency} is more than the "
            f"{admitted} USDT that {fund.underlying} allows at venue leverage {leverage}; "
            f"lower it to at most {int(admitted / 2 / fund.emergency)}"
        )
    capacity = fund.terms.capacity
    if capacity is not None and admitted < fund.emergency * capacity:
        raise AccountRefused(
            f"{setting}CAPACITY: {capacity} at emergency leverage {fund.emergency} is more than the "
            f"{admitted} USDT that {fund.underlying} allows at venue leverage {leverage}; "
            f"lower it to at most {int(admitted / fund.emergency)}"
        )
    return leverage
