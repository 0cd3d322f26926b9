"""Choosing a price source: recorded bars or a scenario, and the funding rates to go with it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.exchange.prices.errors import ScenarioError
from bot.exchange.prices.founding import FoundingPath
from bot.exchange.prices.funding import DEFAULT_RATE, ConstantFunding, FundingSource, load_funding
from bot.exchange.prices.replay import load_replay
from bot.exchange.prices.scenarios import SCRIPTS, ScenarioPath
from bot.exchange.prices.table import EARLIEST_MS, LATEST_MS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.exchange.prices.path import KnotPath

SCENARIO_START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
SCENARIOS = (*SCRIPTS, "founding")


def open_path(
    *,
    replay: str | Path | None = None,
    scenario: str | None = None,
    symbol: str = "",
    seed: int | str = 0,
    start_ms: int = SCENARIO_START_MS,
    start_price: Decimal = Decimal(100),
) -> KnotPath:
    """Open the price path of one symbol: a replay file, or else a scenario.

    `symbol`, `seed`, `start_ms` (UTC ms) and `start_price` shape scenarios; a replay has its own. Raises
    PriceFileError for a bad file, ScenarioError for a bad scenario.
    """
    if (replay is None) == (scenario is None):
        message = "a price path needs either a replay file or a scenario"
        raise ScenarioError(f"{message}; name one of them")
    if replay is not None:
        return load_replay(replay)
    if scenario not in SCENARIOS:
        raise ScenarioError(f"no scenario {scenario!r}; choose one of {', '.join(SCENARIOS)}")
    if not (start_price.is_finite() and start_price > 0):
        raise ScenarioError(f"start price {start_price} is not a price; give a number above 0")
    if not EARLIEST_MS <= start_ms <= LATEST_MS:
        raise ScenarioError(f"start {start_ms} is not a time in UTC milliseconds; give one")
    if scenario == "founding":
        return FoundingPath(start_ms=start_ms, start_price=start_price)
    return ScenarioPath(scenario, symbol=symbol, seed=seed, start_ms=start_ms, start_price=start_price)


def open_funding(source: str | Path | None = None, *, rate: Decimal = DEFAULT_RATE) -> FundingSource:
    """Open the funding rates of a file, or without one a constant rate every 8 hours."""
    return ConstantFunding(rate) if source is None else load_funding(source)
