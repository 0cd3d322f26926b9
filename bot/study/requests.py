"""A backtest as it is asked for on a command line: from texts to funds, strategies and results."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from bot.core.strategy import Strategy
from bot.study.backtest import backtest
from bot.study.choice import choose_strategy, start_leverage_for
from bot.study.errors import BadParameterError
from bot.study.funding import load_funding
from bot.study.prices import load_prices
from bot.study.result import Result
from bot.study.spec import LARGEST, Costs, FixedSlippage, FundSpec, Path, Slippage, SquareRootImpact
from bot.study.tables import STANDARD_INPUT


@dataclass(frozen=True, slots=True)
class FundRequest:
    """One fund as asked for; None leaves a value to its default. `parameters` are the strategy's."""

    name: str = ""
    side: str = "long"
    strategy: str = "strategic"
    band: tuple[float, float] = (1.5, 3.0)
    target: tuple[float, float] = (1.8, 2.6)
    start_leverage: float | None = None
    capital: float = 100_000.0
    emergency: float | None = None
    lot: float | None = None
    min_notional: float = 0.0
    management_fee: float = 0.0
    liquidation: bool | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> tuple[FundSpec, Strategy]:
        """The fund and its strategy, judged. Raises BadParameterError, and StrategyError."""
        if self.side not in ("long", "short"):
            raise BadParameterError("side", f"{self.side} is no side", "give long or short")
        fund = FundSpec(
            side="long" if self.side == "long" else "short",
            band=self.band,
            target_range=self.target,
            emergency=self.emergency,
            capital=self.capital,
            lot=self.lot,
            min_notional=self.min_notional,
            management_fee_daily=self.management_fee,
            brackets={None: None, True: LARGEST, False: ()}[self.liquidation],
            name=self.name,
        )
        strategy = choose_strategy(self.strategy, self.parameters, fund)
        start = self.start_leverage
        fund = replace(
            fund, start_leverage=start_leverage_for(strategy, self.target) if start is None else start
        )
        fund.check(strategy)
        return fund, strategy


def parameters_of(settings: Sequence[str]) -> dict[str, str]:
    """`key=value` texts as a mapping; BadParameterError names one that is none."""
    found = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals):
            raise BadParameterError(
                "set", f'"{text}" is no key=value', "write such as --set confirmation_s=600"
            )
        found[key.strip()] = value.strip()
    return found


def funds_of(shared: FundRequest, texts: Sequence[str]) -> list[FundRequest]:
    """`NAME key=value ...` texts, each a fund that differs from `shared` in what it names.

    Keys are those of FundRequest, pairs written 1.5,3, and `set.KEY` for the strategy's parameters. Without
    any text the answer is `shared` alone. Raises BadParameterError.
    """
    if not texts:
        return [shared]
    funds = [_fund_of(shared, text) for text in texts]
    names = [fund.name for fund in funds]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadParameterError("fund", f"{twice} is given twice", "give each fund its own name")
    return funds


def _pair(text: str) -> tuple[float, float]:
    low, high = text.split(",")
    return float(low), float(high)


_READ: dict[str, Any] = {
    "side": str,
    "strategy": str,
    "band": _pair,
    "target": _pair,
    "start_leverage": float,
    "capital": float,
    "emergency": float,
    "lot": float,
    "min_notional": float,
    "management_fee": float,
}


def _fund_of(shared: FundRequest, text: str) -> FundRequest:
    try:
        name, *settings = shlex.split(text)
    except ValueError as error:
        raise BadParameterError("fund", f'"{text}" cannot be read', 'write "NAME key=value ..."') from error
    if "=" in name:
        raise BadParameterError("fund", f'"{text}" has no name', 'write "NAME key=value ..."')
    changes: dict[str, Any] = {"name": name}
    parameters = dict(shared.parameters)
    for key, value in parameters_of(settings).items():
        if key.startswith("set."):
            parameters[key.removeprefix("set.")] = value
        elif key in _READ:
            changes[key] = _value(name, key, value)
        else:
            known = f"known: {', '.join(_READ)}, set.PARAMETER"
            raise BadParameterError("fund", f'{name} has no key "{key}"', known)
    if changes.get("strategy", shared.strategy) != shared.strategy:
        own = {key.removeprefix("set.") for key in parameters_of(settings) if key.startswith("set.")}
        parameters = {key: value for key, value in parameters.items() if key in own}
    return replace(shared, parameters=parameters, **changes)


def _value(name: str, key: str, text: str) -> Any:
    try:
        return _READ[key](text)
    except ValueError:
        problem = f'{name}: {key} "{text}" cannot be read'
        raise BadParameterError("fund", problem, "give a number, or two as 1.5,3") from None


@dataclass(frozen=True, slots=True)
class Request:
    """A whole backtest as asked for: where prices and funding are, the funds, and what trading costs.

    `book` is a slippage model that takes the place of `slippage_bps` and `impact`.
    """

    data: str
    funding: str | None
    funds: Sequence[FundRequest]
    fee_bps: float = 5.0
    slippage_bps: float = 0.0
    impact: float = 0.0
    path: str = "close"
    seed: int = 0
    book: Slippage | None = None

    def run(self) -> dict[str, Result]:
        """Each fund's result by its name. Raises StudyError and StrategyError before any price is read."""
        if self.path not in get_args(Path):
            raise BadParameterError(
                "path", f"{self.path} is no path", f"choose from {', '.join(get_args(Path))}"
            )
        if self.data == STANDARD_INPUT == self.funding:
            raise BadParameterError("funding", "- is read as prices already", "give funding as a file")
        path = cast("Path", self.path)
        costs = Costs(self.fee_bps, self._slippage())
        built = [fund.build() for fund in self.funds]
        prices = load_prices(self.data)
        if path == "close" and not self.impact:
            prices = prices.closes_only()  # the rest was read to be judged, and is a burden from here on
        funding = None if self.funding is None else load_funding(self.funding)
        return {
            fund.name: backtest(
                prices, fund, strategy, funding=funding, costs=costs, seed=self.seed, path=path
            )
            for fund, strategy in built
        }

    def _slippage(self) -> Slippage | None:
        for name in ("slippage_bps", "impact"):
            value = getattr(self, name)
            if not 0 <= value < 10_000:
                raise BadParameterError(name, f"{value:g} is not a cost", "give a number from 0 on")
        if self.book is not None:
            if self.impact or self.slippage_bps:
                raise BadParameterError(
                    "book", "is a slippage model of its own", "leave impact and slippage-bps out"
                )
            return self.book
        if self.impact:
            return SquareRootImpact(self.impact, self.slippage_bps)
        return FixedSlippage(self.slippage_bps) if self.slippage_bps else None
