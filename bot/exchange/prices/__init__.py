"""Price sources of the paper exchange: price paths from recorded bars or scenarios, and funding rates."""

from bot.exchange.prices.errors import PriceError, PriceFileError, ScenarioError
from bot.exchange.prices.funding import FundingSource
from bot.exchange.prices.path import KnotPath, PricePath
from bot.exchange.prices.sources import SCENARIO_START_MS, SCENARIOS, open_funding, open_path

__all__ = [
    "SCENARIOS",
    "SCENARIO_START_MS",
    "FundingSource",
    "KnotPath",
    "PriceError",
    "PriceFileError",
    "PricePath",
    "ScenarioError",
    "open_funding",
    "open_path",
]
