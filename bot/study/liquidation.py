"""When a venue liquidates: margin balance at or below maintenance margin, by notional brackets."""

from bot.study.spec import Bracket


def maintenance_margin(brackets: tuple[Bracket, ...], notional: float) -> float:
    """Maintenance margin of a position in the quote currency (source: see Bracket)."""
    bracket = _bracket(brackets, notional)
    return notional * bracket.rate - bracket.amount


def leverage_limit(brackets: tuple[Bracket, ...], notional: float) -> float:
    """A leverage below which no position of at most `notional` can be liquidated.

    Liquidation is at value <= notional x rate - amount, so never below a leverage of 1 / rate.
    """
    return 1 / _bracket(brackets, notional).rate


def _bracket(brackets: tuple[Bracket, ...], notional: float) -> Bracket:
    return next((bracket for bracket in brackets if notional <= bracket.cap), brackets[-1])
