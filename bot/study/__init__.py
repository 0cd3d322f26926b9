"""Backtests of leveraged-token funds with the code that trades, for the command line and for notebooks.

from bot.study import Costs, FundSpec, backtest, load_prices

result = backtest(load_prices("prices.csv"), FundSpec(side="long"), "strategic", costs=Costs(fee_bps=4))
result.final_nav, result.rebalance_count, result.nav, result.leverage
"""

from bot.study.backtest import backtest
from bot.study.choice import choose_strategy
from bot.study.engine import RebalanceRow
from bot.study.errors import BadParameterError, PriceError, StudyError
from bot.study.funding import Funding, funding_from_arrays, load_funding
from bot.study.prices import Prices, from_arrays, load_prices
from bot.study.result import Result
from bot.study.spec import (
    LARGEST,
    Bracket,
    Costs,
    FixedSlippage,
    FundSpec,
    Slippage,
    SquareRootImpact,
    Trade,
    brackets_from,
)

__all__ = [
    "LARGEST",
    "BadParameterError",
    "Bracket",
    "Costs",
    "FixedSlippage",
    "FundSpec",
    "Funding",
    "PriceError",
    "Prices",
    "RebalanceRow",
    "Result",
    "Slippage",
    "SquareRootImpact",
    "StudyError",
    "Trade",
    "backtest",
    "brackets_from",
    "choose_strategy",
    "from_arrays",
    "funding_from_arrays",
    "load_funding",
    "load_prices",
]
