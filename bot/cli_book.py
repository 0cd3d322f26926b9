"""The paper exchange's own order book as a slippage model for backtests."""

from dataclasses import dataclass

from bot.errors import UserError, did_you_mean
from bot.exchange import CATALOG, Symbol
from bot.exchange.background import build_ladder, noise
from bot.exchange.volatility import CALMEST, NORMAL_BPS, WILDEST
from bot.study.spec import Slippage, Trade

NORMAL_DAILY_VOLATILITY = NORMAL_BPS * 86_400**0.5 / 1e4
"""The daily volatility at which the exchange's book was recorded: turmoil 1."""


@dataclass(frozen=True, slots=True)
class PaperBook:
    """Each trade takes what the background book of `symbol` offers around the mark at that moment, at once.

    Turmoil is the volatility of the day before against the normal one. What the book's deepest level does not
    hold fills there too. Nothing is left of one trade in the book of the next.
    """

    symbol: Symbol
    seed: int
    needs_volume: bool = False

    def price(self, trade: Trade) -> float:
        """The average price of walking the ladder."""
        sign = 1 if trade.quantity > 0 else -1
        turmoil = min(max(trade.volatility_daily / NORMAL_DAILY_VOLATILITY, CALMEST), WILDEST)
        draws = noise(f"{self.seed}|{self.symbol.name}", trade.time_ms)
        sizes = draws[len(draws) // 2 :] if sign > 0 else draws[: len(draws) // 2]
        ladder = build_ladder(self.symbol, trade.mark, turmoil, sign, sizes)
        left = wanted = abs(trade.quantity) / self.symbol.step_size
        paid, before = 0.0, 0
        for ticks, cumulative in zip(*ladder, strict=True):
            taken = min(left, float(cumulative - before))
            paid, left, before = paid + taken * ticks, left - taken, cumulative
        paid += left * ladder.ticks[-1]
        return paid / wanted * self.symbol.tick_size


def paper_book(symbol: str, seed: int) -> Slippage:
    """The book of a symbol of the paper exchange. Raises UserError."""
    if symbol.upper() not in CATALOG:
        raise UserError(f"--book {symbol}: not traded on the paper exchange; {did_you_mean(symbol, CATALOG)}")
    return PaperBook(CATALOG[symbol.upper()], seed)
