"""Account settings on Binance USDⓈ-M: read, changed only where they differ, and read back."""

from typing import TYPE_CHECKING, Any

from bot.core.units import ZERO
from bot.venue.answers import integer, number, rows_of, text
from bot.venue.errors import AccountRefused, AnswerMalformed, RequestFailed
from bot.venue.profile import Bracket, Modes, Permissions

if TYPE_CHECKING:
    from bot.venue.requests import Requests

_NO_NEED_TO_CHANGE = frozenset({"-4046", "-4059"})


async def modes(requests: "Requests", symbol: str) -> Modes:
    """Read how the account is set, and change nothing."""
    config = await _symbol_config(requests, symbol)
    return Modes(
        await _is_set(requests, "fapiPrivateGetPositionSideDual", "dualSidePosition"),
        await _is_set(requests, "fapiPrivateGetMultiAssetsMargin", "multiAssetsMargin"),
        text(config, "marginType") != "CROSSED",
        integer(config, "leverage"),
    )


async def permissions(requests: "Requests") -> Permissions | None:
    """GET /sapi/v1/account/apiRestrictions, which Binance has for live keys only."""
    try:
        answer = await requests.read("sapiGetAccountApiRestrictions", {}, weight=1, elsewhere=True)
    except RequestFailed as error:
        if error.transient:
            raise
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("enableWithdrawals"), bool):
        return None
    return Permissions(
        answer["enableWithdrawals"],
        answer.get("enableFutures") is True,
        answer.get("ipRestrict") is True,
    )


async def set_modes(requests: "Requests", symbol: str) -> None:
    """One-way positions, single-asset and cross margin; `AccountRefused` if one of them does not hold."""
    if await _is_set(requests, "fapiPrivateGetPositionSideDual", "dualSidePosition"):
        await _change(requests, "fapiPrivatePostPositionSideDual", {"dualSidePosition": "false"})
        if await _is_set(requests, "fapiPrivateGetPositionSideDual", "dualSidePosition"):
            raise AccountRefused(
                "the account stays in hedge mode; close its positions and choose one-way mode"
            )
    if await _is_set(requests, "fapiPrivateGetMultiAssetsMargin", "multiAssetsMargin"):
        await _change(requests, "fapiPrivatePostMultiAssetsMargin", {"multiAssetsMargin": "false"})
        if await _is_set(requests, "fapiPrivateGetMultiAssetsMargin", "multiAssetsMargin"):
            raise AccountRefused("the account stays in multi-assets mode; choose single-asset mode")
    if text(await _symbol_config(requests, symbol), "marginType") != "CROSSED":
        await _change(requests, "fapiPrivatePostMarginType", {"symbol": symbol, "marginType": "CROSSED"})
        if text(await _symbol_config(requests, symbol), "marginType") != "CROSSED":
            raise AccountRefused(
                f"{symbol} stays on isolated margin; close its position and choose cross margin"
            )


async def set_leverage(requests: "Requests", symbol: str, leverage: int) -> None:
    """The venue's leverage setting; `AccountRefused` if it does not hold."""
    if integer(await _symbol_config(requests, symbol), "leverage") == leverage:
        return
    await _change(requests, "fapiPrivatePostLeverage", {"symbol": symbol, "leverage": leverage})
    set_to = integer(await _symbol_config(requests, symbol), "leverage")
    if set_to != leverage:
        raise AccountRefused(f"{symbol} stays at leverage {set_to} instead of {leverage}")


async def brackets(requests: "Requests", symbol: str) -> tuple[Bracket, ...]:
    """GET /fapi/v1/leverageBracket, which answers with a list even for one symbol."""
    answer = await requests.read("fapiPrivateGetLeverageBracket", {"symbol": symbol}, weight=1)
    rows = rows_of(answer if isinstance(answer, list) else [answer])
    for row in rows:
        if row.get("symbol") == symbol:
            return tuple(
                Bracket(
                    integer(step, "initialLeverage"),
                    number(step, "notionalCap"),
                    number(step, "maintMarginRatio") if "maintMarginRatio" in step else None,
                    number(step, "cum") if "cum" in step else ZERO,
                )
                for step in rows_of(row.get("brackets"))
            )
    raise AnswerMalformed(f"no leverage brackets for {symbol}")


async def _is_set(requests: "Requests", method: str, key: str) -> bool:
    answer = await requests.read(method, {}, weight=30)
    value = answer.get(key) if isinstance(answer, dict) else None
    if value not in (True, False, "true", "false"):
        raise AnswerMalformed(f"no {key}")
    return value in (True, "true")


async def _symbol_config(requests: "Requests", symbol: str) -> dict[str, Any]:
    for row in rows_of(await requests.read("fapiPrivateGetSymbolConfig", {"symbol": symbol}, weight=5)):
        if row.get("symbol") == symbol:
            return row
    raise AnswerMalformed(f"no settings for {symbol}")


async def _change(requests: "Requests", method: str, params: dict[str, Any]) -> None:
    try:
        await requests.write(method, params)
    except RequestFailed as error:
        if error.code not in _NO_NEED_TO_CHANGE:
            raise
