"""`backtest`: one fund, one strategy, one series of prices."""

from collections.abc import Mapping

from bot.core.strategy import Strategy
from bot.core.texts import how_many
from bot.study.calendar import Calendar, calendar_of
from bot.study.choice import choose_strategy
from bot.study.engine import Course, FundRun
from bot.study.errors import BadParameterError
from bot.study.funding import Funding
from bot.study.market import Market
from bot.study.points import points_of
from bot.study.prices import Prices
from bot.study.result import Result
from bot.study.spec import LARGEST, Costs, FundSpec, Path

FREE = Costs()


def backtest(
    prices: Prices,
    fund: FundSpec,
    strategy: Strategy | str = "strategic",
    *,
    funding: Funding | None = None,
    costs: Costs = FREE,
    seed: int = 0,
    path: Path = "close",
    parameters: Mapping[str, object] | None = None,
) -> Result:
    """Run one fund through `prices` and say what became of it.

    `strategy` is an object with `decide`, or a name or import path, built with `parameters`. The fund starts
    at the first price with NAV 1 and its start leverage, which is given and not traded. At each close (with
    `path` "ohlc" or "olhc": at each point of a walk inside each bar) funding and fees are taken, the strategy
    decides, and a rebalance fills there and then. `seed` gives the secret targets and confirmation delays.

    Raises StudyError, which names the parameter, and StrategyError. A fund that dies is a result, no error.
    """
    _are("prices", prices, Prices, "make them by load_prices or from_arrays")
    _are("fund", fund, FundSpec, 'describe it, such as FundSpec(side="long", band=(1.5, 3))')
    if funding is not None:
        _are("funding", funding, Funding, "make it by load_funding or funding_from_arrays")
    chosen = choose_strategy(strategy, parameters, fund)
    fund.check(chosen)
    points = points_of(prices, path)
    brackets = fund.brackets if fund.brackets is not None else (() if path == "close" else LARGEST)
    calendar = calendar_of(prices, points, funding, fund.management_fee_daily)
    market = Market(prices, points, costs.slippage)
    course = FundRun(points, fund, chosen, costs, market, brackets, seed).run(calendar.happenings)
    dead_at = None if course.dead_point is None else int(points.times_ms[course.dead_point])
    return Result(
        fund=fund,
        prices=prices,
        final_nav=course.final_value / fund.capital,
        final_value=course.final_value,
        turnover=course.turnover,
        fees=course.fees,
        funding=course.funding,
        management_fees=course.management_fees,
        slippage=course.slippage,
        decisions=course.decisions,
        dead=course.dead_point is not None,
        dead_at=dead_at,
        liquidated=course.liquidated,
        warnings=_warnings(prices, calendar, course, fund, chosen),
        rebalances=tuple(course.rebalances),
        _course=course,
        _points=points,
    )


def _are(name: str, given: object, wanted: type, remedy: str) -> None:
    if not isinstance(given, wanted):
        raise BadParameterError(name, f"is of type {type(given).__name__}", remedy)


def _warnings(
    prices: Prices, calendar: Calendar, course: Course, fund: FundSpec, strategy: Strategy
) -> tuple[str, ...]:
    found = []
    if prices.gaps:
        gaps, bars = how_many(prices.gaps, "gap"), how_many(prices.missing_bars, "missing bar")
        found.append(f"prices: {gaps} with {bars}, kept as they are")
    if calendar.funding_outside:
        found.append(
            f"funding: {how_many(calendar.funding_outside, 'payment')} outside the prices, not applied"
        )
    if course.small:
        found.append(
            f"{course.small} decisions to increase were below min_notional {fund.min_notional:g}; not traded"
        )
    if course.denied:
        found.append(
            f"{course.denied} decisions wanted a target at the emergency leverage "
            f"{fund.emergency_for(strategy):g} or above; not traded, as live"
        )
    if course.liquidated:
        found.append("the venue liquidated the fund: nothing was left")
    return tuple(found)
