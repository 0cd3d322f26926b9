"""A strategy for a backtest: the same ones, found the same way, as the daemon's."""

import dataclasses
from collections.abc import Mapping

from bot.core.strategy import Strategy, own_target
from bot.strategy_loader import load_strategy, strategy_names
from bot.study.spec import FundSpec


def choose_strategy(
    strategy: Strategy | str, parameters: Mapping[str, object] | None = None, fund: FundSpec | None = None
) -> Strategy:
    """Build a strategy by name or import path, with `parameters`; an object is given back as it is.

    In a backtest the confirmation delay is 0 unless set. For a shipped strategy with a target of its own the
    fund's target counts where it is a single leverage and no parameter says otherwise. Raises StrategyError.
    """
    if not isinstance(strategy, str):
        return strategy
    values = dict(parameters or {})
    given = {name.lower() for name in values}
    plain = load_strategy(strategy, values)
    if strategy.lower() not in strategy_names():
        return plain
    fields = {entry.name for entry in dataclasses.fields(plain)}  # type: ignore[arg-type] # the loader has judged
    if "confirmation_s" in fields - given:
        values["confirmation_s"] = 0.0
    if fund is not None and "target" in fields - given and fund.target_range[0] == fund.target_range[1]:
        values["target"] = fund.target_range[0]
    return load_strategy(strategy, values)


def start_leverage_for(strategy: Strategy, target_range: tuple[float, float]) -> float:
    """The leverage that a fund starts with where none is given: 2 where the target allows, or the target."""
    own = own_target(strategy)
    if own is not None:
        return own
    low, high = target_range
    return 2.0 if low <= 2.0 <= high else (low + high) / 2
