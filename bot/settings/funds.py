"""One fund's settings, judged together and turned into the core's `Fund`."""

from collections.abc import Iterator
from decimal import Decimal

from bot.core.caps import Caps
from bot.core.fund import Fund
from bot.core.strategy import Strategy, own_limit, own_target, uses_band
from bot.core.terms import FlowTerms
from bot.core.units import ONE, ZERO, Leverage, Side
from bot.settings.errors import SettingsError
from bot.settings.layers import Layer
from bot.settings.names import variable
from bot.settings.schema import FundSettings, LimitSettings
from bot.strategy_loader import ParameterError, StrategyError, load_strategy

EMERGENCY = {Side.LONG: Decimal("3.5"), Side.SHORT: Decimal(4)}
"""Default emergency leverage: each is about 6.7 % of price beyond an upper edge of 3."""
START_LEVERAGE = Decimal(2)
SHADOW = {"target": 3.0, "at": "00:00", "move": 0.10, "max_leverage": 4.0}
"""The conventional token that every fund is compared with: 3x, rebalanced daily and on moves of 10 %."""
_DAY_S = 86_400
EDGE_DISTANCE = Decimal("0.2")
"""A target nearer to an edge of the band than this is soon left again."""


class _Faults:
    """Errors of one fund, each with where its setting was set."""

    def __init__(self, fund: str, given: Layer) -> None:
        self._fund = fund.lower()
        self._given = given

    def fault(self, setting: str, problem: str, remedy: str) -> SettingsError:
        path = ("funds", self._fund, setting)
        origin = self._given[path].origin.in_errors if path in self._given else ""
        return SettingsError(variable(path), problem, remedy, origin)


def build_fund(name: str, described: FundSettings, given: Layer, *, stop_by_default: bool = False) -> Fund:
    """Judge one fund's settings together, and work out the defaults that depend on others.

    `stop_by_default`: what the mode says of protective stops where the fund's settings say nothing.
    """
    faults = _Faults(name, given)
    side = Side(described.side)
    strategy = _strategy(described, faults)
    if _DAY_S % described.dealing_every_s:
        problem = f"{described.dealing_every_s} s do not divide a day"
        raise faults.fault("dealing_every_s", problem, "set it to 60, 300, 3600 or 86400, for example")
    target = described.target
    if uses_band(strategy):
        _check_band(described, side, faults)
        emergency = described.emergency or EMERGENCY[side]
        if emergency <= described.band[1]:
            problem = f"{emergency} is not above the band {_pair(described.band)}"
            raise faults.fault("emergency", problem, f"set it above {described.band[1]}")
        start = described.start_leverage or _start_leverage(target)
        if not described.band[0] <= start <= described.band[1]:
            problem = f"{start} is outside the band {_pair(described.band)}"
            raise faults.fault("start_leverage", problem, "set it inside the band")
    else:
        named = own_target(strategy)
        own = None if named is None else Decimal(str(named))
        target = described.target if own is None else (own, own)
        limit = own_limit(strategy)
        emergency = described.emergency or (EMERGENCY[side] if limit is None else Decimal(str(limit)))
        start = described.start_leverage or own or START_LEVERAGE
        if start >= emergency:
            problem = f"{start} is not below the emergency leverage {emergency}"
            raise faults.fault("start_leverage", problem, "set it below that")
        if own is not None and own >= emergency:
            problem = f"{emergency} is not above the strategy's target {own}"
            raise faults.fault("emergency", problem, f"set it above {own}")
    return Fund(
        name=name,
        underlying=described.underlying,
        side=side,
        band=described.band,
        target_range=target,
        emergency=emergency,
        capital=described.capital,
        start_leverage=start,
        strategy=strategy,
        account=described.account,
        management_fee_daily=described.management_fee_daily,
        terms=_terms(described),
        caps=_caps(described.limits),
        protective_stop=stop_by_default if described.protective_stop is None else described.protective_stop,
        shadow=load_strategy("interval", SHADOW),
    )


def _terms(described: FundSettings) -> FlowTerms:
    return FlowTerms(
        subscribe_fee=described.subscribe_fee,
        redeem_fee=described.redeem_fee,
        min_subscribe=described.min_subscribe,
        min_redeem=described.min_redeem,
        daily_subscribe=described.daily_subscribe,
        daily_redeem=described.daily_redeem,
        capacity=described.capacity or 2 * described.capital,
        every_s=described.dealing_every_s,
    )


def _caps(limits: LimitSettings) -> Caps:
    return Caps(
        order_notional=limits.order_notional,
        position_notional=limits.position_notional,
        orders_per_minute=limits.orders_per_minute,
        hourly_notional=limits.hourly_notional,
        daily_turnover=limits.daily_turnover,
        daily_loss=limits.daily_loss,
        daily_costs=limits.daily_costs,
        collar=limits.collar,
        participation=limits.participation,
        frozen_ms=limits.frozen_s * 1000,
    )


def fund_warnings(fund: Fund) -> Iterator[str]:
    """Say what is allowed and yet unwise."""
    if not uses_band(fund.strategy):
        return
    (lower, upper), (low, high) = fund.band, fund.target_range
    if low - lower < EDGE_DISTANCE or upper - high < EDGE_DISTANCE:
        yield (
            f"INBAND_FUNDS__{fund.name}__TARGET: {_pair(fund.target_range)} comes closer than "
            f"{EDGE_DISTANCE} to an edge of the band {_pair(fund.band)}, so that the fund will trade often; "
            "narrow it, or widen the band"
        )


def _strategy(described: FundSettings, faults: _Faults) -> Strategy:
    try:
        return load_strategy(described.strategy, described.parameters)
    except ParameterError as error:
        problem, _, remedy = str(error).rpartition("; ")
        known = "correct the parameter" if not problem else remedy
        raise faults.fault("parameters", problem or remedy, known) from error
    except StrategyError as error:
        problem, _, remedy = str(error).partition("; ")
        raise faults.fault("strategy", problem, remedy) from error


def _check_band(described: FundSettings, side: Side, faults: _Faults) -> None:
    lower, upper = described.band
    if lower >= upper:
        problem = (
            f"{_pair(described.band)} is reversed" if lower > upper else f"{_pair(described.band)} is empty"
        )
        raise faults.fault("band", problem, "give the lower edge first, such as [1.5, 3]")
    floor = ONE if side is Side.LONG else ZERO
    if lower <= floor:
        kind = "an UP" if side is Side.LONG else "a DOWN"
        remedy = f"set its lower edge above {floor}, such as [1.5, 3]"
        raise faults.fault(
            "band", f"{_pair(described.band)} does not lie above {floor}, as {kind} band must", remedy
        )
    low, high = described.target
    if low > high:
        raise faults.fault("target", f"{_pair(described.target)} is reversed", "give the lower end first")
    if low < lower or high > upper:
        problem = f"{_pair(described.target)} is not inside the band {_pair(described.band)}"
        raise faults.fault("target", problem, "set it inside, 0.2 or more from each edge")


def _start_leverage(target: tuple[Leverage, Leverage]) -> Leverage:
    low, high = target
    return START_LEVERAGE if low <= START_LEVERAGE <= high else (low + high) / 2


def _pair(pair: tuple[Leverage, Leverage]) -> str:
    return f"[{pair[0]}, {pair[1]}]"
