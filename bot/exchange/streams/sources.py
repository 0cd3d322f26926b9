"""What feeds are made from, and which feed a topic has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.exchange.streams.assets import AssetIndexFeed
from bot.exchange.streams.books import BookTickerFeed, DepthFeed, PartialDepthFeed
from bot.exchange.streams.candles import CandleFeed
from bot.exchange.streams.contracts import ContractFeed
from bot.exchange.streams.liquidations import LiquidationFeed, Liquidations
from bot.exchange.streams.marks import MarkFeed
from bot.exchange.streams.tickers import TickerFeed
from bot.exchange.streams.topics import Kind, Topic
from bot.exchange.streams.trades import AggregateTradeFeed, TradeFeed

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from bot.exchange.book_versions import BookVersions
    from bot.exchange.market import Market
    from bot.exchange.streams.feeds import Feed


class Sources:
    """The market, the versions of its books, and the liquidations told so far.

    `listing` gives the symbols that are closed at present; faults set it.
    """

    def __init__(self, market: Market, versions: BookVersions) -> None:
        self.market = market
        self.versions = versions
        self.liquidations = Liquidations()
        self.listing: Callable[[], AbstractSet[str]] = frozenset

    def closed(self) -> AbstractSet[str]:
        """Return the symbols that are closed."""
        return self.listing()

    def feed(self, topic: Topic) -> Feed | None:
        """Return a new feed for a topic; None when its symbol is not traded here."""
        if topic.symbol and topic.symbol not in self.market.symbols:
            return None
        return _MAKERS[topic.kind](self, topic)


_MAKERS: dict[Kind, Callable[[Sources, Topic], Feed]] = {
    Kind.MARK: lambda at, topic: MarkFeed(at.market, topic.symbol),
    Kind.BOOK_TICKER: lambda at, topic: BookTickerFeed(at.market, at.versions, topic.symbol),
    Kind.DEPTH: lambda at, topic: DepthFeed(at.market, at.versions, topic.symbol),
    Kind.PARTIAL_DEPTH: lambda at, topic: PartialDepthFeed(
        at.market, at.versions, topic.symbol, int(topic.detail)
    ),
    Kind.TRADE: lambda at, topic: TradeFeed(at.market, topic.symbol),
    Kind.AGGREGATE_TRADE: lambda at, topic: AggregateTradeFeed(at.market, topic.symbol),
    Kind.KLINE: lambda at, topic: CandleFeed(at.market, topic.symbol, topic.detail, continuous=False),
    Kind.CONTINUOUS_KLINE: lambda at, topic: CandleFeed(
        at.market, topic.symbol, topic.detail, continuous=True
    ),
    Kind.TICKER: lambda at, topic: TickerFeed(at.market, topic.symbol, mini=False),
    Kind.MINI_TICKER: lambda at, topic: TickerFeed(at.market, topic.symbol, mini=True),
    Kind.ASSET_INDEX: lambda at, topic: AssetIndexFeed(at.market, as_array=not topic.detail),
    Kind.CONTRACT_INFO: lambda at, _topic: ContractFeed(at.market, at.closed),
    Kind.LIQUIDATION: lambda at, topic: LiquidationFeed(at.market, at.liquidations, topic.symbol),
}
