"""Builders of venues without sockets: markets along small price paths, accounts, and requests for orders."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.exchange.algo import AlgoRequest, AlgoType
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import OrderRequest, OrderType, Side, TimeInForce
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.prices.funding import ConstantFunding
from bot.exchange.store import Store
from bot.exchange.venue import DEFAULT_INSURANCE_FUND, Venue
from tests.exchange.builders import START_MS, StepPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.exchange.account import Account

BTC = CATALOG["BTCUSDT"]


def traded(
    paths: Mapping[str, Sequence[int | str | Decimal]], *, step_ms: int = 1_000, rate: str = "0"
) -> list[TradedSymbol]:
    """Return the symbols of a market, each along its prices."""
    return [
        TradedSymbol(CATALOG[name], StepPath(prices, step_ms=step_ms), ConstantFunding(Decimal(rate)))
        for name, prices in paths.items()
    ]


def open_market(
    paths: Mapping[str, Sequence[int | str | Decimal]],
    *,
    step_ms: int = 1_000,
    rate: str = "0",
    fund: Decimal = DEFAULT_INSURANCE_FUND,
) -> Venue:
    """Return a venue without accounts."""
    market = Market(traded(paths, step_ms=step_ms, rate=rate), seed="1", start_ms=START_MS)
    return Venue(market, fund=fund)


def open_one(
    prices: Sequence[int | str | Decimal], *, deposit: int = 100_000, **options: Any
) -> tuple[Venue, Account]:
    """Return a venue that trades BTCUSDT along `prices`, and one account on it."""
    venue = open_market({"BTCUSDT": prices}, **options)
    return venue, venue.open_account("A", Decimal(deposit))


def order(
    side: Side, quantity: str | Decimal, price: str | Decimal | None = None, **fields: Any
) -> OrderRequest:
    """Return a request for BTCUSDT: a market order without a price, else IOC unless told otherwise."""
    request = OrderRequest(
        symbol="BTCUSDT",
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=Decimal(0) if price is None else Decimal(price),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        client_id=f"{side}{quantity}at{price}",
    )
    return request._replace(**fields)


def conditional(kind: AlgoType, side: Side, trigger: str, quantity: str = "0", **fields: Any) -> AlgoRequest:
    """Return a request for a conditional order in BTCUSDT."""
    request = AlgoRequest(
        "BTCUSDT", side, kind, f"{kind}{side}{trigger}", Decimal(quantity), trigger_price=Decimal(trigger)
    )
    return request._replace(**fields)


def go(venue: Venue, instants: int = 1) -> None:
    """Let the market move on by some knots of its paths."""
    for _ in range(instants):
        knot = venue.market.next_knot()
        assert knot is not None
        venue.advance(knot)


class Reopened:
    """A store in a folder of its own, from which a venue can be opened again."""

    def __init__(self, symbols: list[TradedSymbol]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._symbols = symbols
        self._store = Store(Path(self._folder.name))

    @property
    def store(self) -> Store:
        """The open store."""
        return self._store

    def reopen(self, venue: Venue) -> Venue:
        """Save a venue, forget it, and return what the store makes of it."""
        self._store.save(venue)
        self._store.close()
        self._store = Store(Path(self._folder.name))
        start_ms = self._store.market_time_ms()
        assert start_ms is not None
        market = Market(self._symbols, seed="1", start_ms=start_ms)
        self._store.load_market(market)
        fund = self._store.load_fund()
        assert fund is not None
        return Venue(market, self._store.load_accounts(), fund=fund)

    def close(self) -> None:
        """Close and remove the store."""
        self._store.close()
        self._folder.cleanup()
