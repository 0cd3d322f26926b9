"""The matching core in process: orders that cross one level, through each layer that an order passes."""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import main, report, seconds_per_call
from bot.exchange.catalog import CATALOG
from bot.exchange.entities import OrderRequest, OrderType, Side, TimeInForce
from bot.exchange.ledger import Changes
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.prices import open_path
from bot.exchange.prices.basis import Basis
from bot.exchange.prices.funding_model import ModelFunding
from bot.exchange.venue import Venue

NAME = "BTCUSDT"
LEAST_PER_S = 100_000
ORDERS_PER_INSTANT = 1_000
SIDES = (Side.BUY, Side.SELL)


def measure(*, tiny: bool = False) -> None:
    """Orders a second: in ticks and lots, with Decimals as the venue calls it, through the whole venue."""
    calls, samples = (2_000, 3) if tiny else (100_000, 9)
    market = _market()
    _report("orders in ticks and lots, one level each", _in_lots(market), calls, samples, LEAST_PER_S)
    market = _market()
    figure = "orders as the venue calls it, one level each"
    _report(figure, _in_decimals(market), calls, samples, LEAST_PER_S)
    _report("orders through the whole venue, one level each", _through_venue(), calls // 20, samples, None)


def _market() -> Market:
    symbol, basis = CATALOG[NAME], Basis()
    path = open_path(scenario="calm", symbol=NAME, seed=1, start_price=symbol.start_price)
    return Market([TradedSymbol(symbol, path, ModelFunding(basis))], seed="1", start_ms=path.start_ms)


def _report(figure: str, loop: Callable[[int], None], calls: int, samples: int, least: float | None) -> None:
    rates = [1 / seconds for seconds in seconds_per_call(loop, calls, samples)]
    report("matching", figure, rates, "orders/s", limit=least, at_least=True, best=round(max(rates)))


def _advance(market: Market) -> None:
    """Move on by a second: the books of the next orders are built anew."""
    market.move_to(market.now + 1_000)


def _in_lots(market: Market) -> Callable[[int], None]:
    matching = market.matching(NAME)

    def loop(calls: int) -> None:
        for i in range(calls):
            if i % ORDERS_PER_INSTANT == 0:
                _advance(market)
            _one(matching.take("A", 1 if i % 2 else -1, None, 1))

    return loop


def _in_decimals(market: Market) -> Callable[[int], None]:
    quantity = CATALOG[NAME].step

    def loop(calls: int) -> None:
        for i in range(calls):
            if i % ORDERS_PER_INSTANT == 0:
                _advance(market)
            _one(market.take(NAME, "A", SIDES[i % 2], None, quantity))

    return loop


def _through_venue() -> Callable[[int], None]:
    venue = Venue(_market())
    account = venue.open_account("A", Decimal(1_000_000))
    requests = [
        OrderRequest(
            symbol=NAME,
            side=side,
            type=OrderType.MARKET,
            quantity=Decimal("0.002"),
            price=Decimal(0),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
            client_id="one",
        )
        for side in SIDES
    ]

    def loop(calls: int) -> None:
        for i in range(calls):
            if i % ORDERS_PER_INSTANT == 0:
                venue.advance(venue.market.now + 1_000)
            order = venue.place(account, requests[i % 2])
            assert order.filled == order.quantity
            venue.changes = Changes()  # as the store and the streams do after each request
            venue.events.clear()

    return loop


def _one(fills: Sequence[object]) -> None:
    assert len(fills) == 1


if __name__ == "__main__":
    main(measure)
