"""The paper exchange: a local venue that speaks the Binance USD-M futures protocol over real sockets.

Usable by itself: `exchange = await start_exchange(ExchangeConfig(...))`. The protocol by which clients pace
the market is described in `pacing`.
"""

from bot.exchange.auth import AccountConfig
from bot.exchange.catalog import CATALOG, Symbol
from bot.exchange.errors import PortInUseError, StartError, StoreMismatchError
from bot.exchange.limits import RateLimits
from bot.exchange.server import Exchange, ExchangeConfig, start_exchange

__all__ = [
    "CATALOG",
    "AccountConfig",
    "Exchange",
    "ExchangeConfig",
    "PortInUseError",
    "RateLimits",
    "StartError",
    "StoreMismatchError",
    "Symbol",
    "start_exchange",
]
