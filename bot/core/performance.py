"""A fund against what it promises, and against its shadow: what a page and `status --json` show of it."""

from collections.abc import Iterable
from decimal import Decimal
from math import log
from typing import Any, NamedTuple

from bot.core.basket import Basket
from bot.core.book import Book
from bot.core.fund import Fund
from bot.core.history import EntryState, RebalanceEntry
from bot.core.measures import out_of_band_ms, shortfall
from bot.core.records import Kind
from bot.core.texts import decimal_or_null, decimal_text, time_or_null, time_text
from bot.core.tracking import Tracking, daily_fit
from bot.core.units import BPS, ZERO, Price, Usd

_SHOWN_DAYS = 30
_GRID = Decimal("0.000000001")
_CENTS = Decimal("0.0001")

_VOLATILITY = 0.7
"""What prices do in a year, as a guess for "how often"; bitcoin's lay between 0.4 and 0.9."""


class Known(NamedTuple):
    """What the figures are made of: the truth, or what of it is public."""

    basket: Basket
    tracking: Tracking | None
    rebalances: int
    fees: Usd
    funding: Usd


def true_side(book: Book) -> Known:
    """For the operator."""
    ledger = book.ledger
    return Known(book.basket(book.last_time_ms), book.tracking, book.rebalances, ledger.fees, ledger.funding)


def public_side(book: Book) -> Known:
    """For everybody: while something is hidden, what was known before it began."""
    public = book.public
    if public.shown is None:
        return true_side(book)._replace(basket=public.basket)
    return Known(public.basket, public.tracking, public.revealed, public.shown.fees, public.funding)


def performance(fund: Fund, book: Book, mark: Price | None, known: Known) -> dict[str, Any]:
    """Returns since the fund opened, leverage, drag, daily tracking, and the shadow. Fractions as strings."""
    tracking = known.tracking
    nav = None if mark is None or book.created is None else known.basket.nav(mark)
    told: dict[str, Any] = {
        "fund": fund.name,
        "since": None,
        "as_of": None,
        "nav_return": None,
        "underlying_return": None,
        "side_return": None,
        "average_leverage": None,
        "volatility_drag": None,
        "rebalances": known.rebalances,
        "fees": decimal_text(known.fees.quantize(_CENTS)),
        "funding": decimal_text(known.funding.quantize(_CENTS)),
        "expected": _expected(fund) if fund.uses_band else None,
        "daily": None,
        "days": [],
        "shadow": _shadow(book, mark),
    }
    if tracking is None:
        return told
    change = None if mark is None else float(mark) / tracking.start_mark - 1
    told |= {
        "since": time_text(tracking.since_ms),
        "as_of": time_text(tracking.last_ms),
        "nav_return": _fraction(None if nav is None else float(nav) / tracking.start_nav - 1),
        "underlying_return": _fraction(change),
        "side_return": _fraction(None if change is None else fund.sign * change),
        "average_leverage": _fraction(tracking.leverage_hours / tracking.hours if tracking.hours else None),
        "volatility_drag": _fraction(tracking.drag),
        "daily": _daily(tracking, fund.sign),
        "days": [
            [day.start_ms, _fraction(day.nav_return), _fraction(day.underlying_return)]
            for day in tracking.days[-_SHOWN_DAYS:]
        ],
    }
    return told


def _expected(fund: Fund) -> str:
    """How often such a fund trades, in words.

    A walk of volatility s leaves a band that is w wide in log price, from its middle, after (w / 2s)^2 years.
    """
    lower, upper = (float(edge) for edge in fund.band)
    if fund.sign > 0:
        ratio, name = lower / (lower - 1) / (upper / (upper - 1)), "an UP"
    else:
        ratio, name = upper / (1 + upper) / (lower / (1 + lower)), "a DOWN"
    times = (2 * _VOLATILITY / log(ratio)) ** 2
    often = "a few" if times < 10 else "tens of" if times < 100 else "hundreds of"
    apart = f"{name} fund's triggers lie a factor of {ratio:.3g} apart"
    return f"{apart}, so {often} rebalances a year are to be expected"


def _daily(tracking: Tracking, sign: int) -> dict[str, Any] | None:
    fit = daily_fit(tracking, sign)
    if fit is None:
        return None
    return {
        "days": fit.days,
        "beta": _fraction(fit.beta),
        "correlation": _fraction(fit.correlation),
        "mean_difference": _fraction(fit.mean_difference),
        "tracking_error": _fraction(fit.tracking_error),
    }


def _shadow(book: Book, mark: Price | None) -> dict[str, Any] | None:
    """The conventional token beside the fund: 3x, rebalanced daily and on moves of 10 %."""
    shadow = book.shadow
    if shadow is None:
        return None
    basket = shadow.basket
    nav = None if mark is None else basket.nav(mark)
    leverage = None if mark is None else basket.leverage(mark)
    return {
        "since": time_text(shadow.started_ms),
        "nav": decimal_or_null(nav, _GRID),
        "real_leverage": decimal_or_null(leverage, _GRID),
        "rebalances": shadow.rebalances,
        "fees": decimal_text(shadow.fees.quantize(_CENTS)),
        "funding": decimal_text(shadow.funding.quantize(_CENTS)),
    }


def costs(entries: Iterable[RebalanceEntry], mark: Price | None) -> dict[str, Any]:
    """What each rebalance that is over cost, and each month. Costs are USDT, positive = paid.

    `shortfall` is against the mark at decision, `arrival_shortfall` against that at the first slice.
    `not_traded` compares with the fund that had kept its position: what the rebalance gained (positive) or
    lost until the next one was decided, or until now, fees included and funding left out. A flow's trade
    leaves every unit's position as it was, so it neither has such a figure nor ends that of another.
    """
    over = [e for e in entries if e.finished_ms is not None and e.state is not EntryState.RUNNING]
    rows, until = [], mark
    for entry in reversed(over):
        rows.append(_cost(entry, None if entry.kind is Kind.FLOW else until))
        until = until if entry.kind is Kind.FLOW else entry.mark_at_decision
    rows.reverse()
    months: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        months.setdefault(str(row["finished_at"])[:7], []).append(row)
    return {
        "rebalances": [{name: _money(value) for name, value in row.items()} for row in rows],
        "months": [_month(month, found) for month, found in months.items()],
    }


_SPLIT = {
    "spread": "spread",
    "impact": "impact",
    "timing": "timing",
    "shortfall": "shortfall",
    "arrival_shortfall": "arrival",
}
_PARTS = ("fees", *_SPLIT, "not_traded")


def _cost(entry: RebalanceEntry, until: Price | None) -> dict[str, Any]:
    parts = None if entry.measures is None else shortfall(entry.measures)
    decided, change, price = entry.mark_at_decision, entry.position_change, entry.average_price
    notional = None if decided is None else abs(change) * decided
    gained = None
    if until is not None and price is not None:
        gained = change * (until - price) - entry.fees
    split: dict[str, Usd | None] = dict.fromkeys(_SPLIT)
    if parts is not None and notional is not None:
        split = {name: getattr(parts, part) * notional / BPS for name, part in _SPLIT.items()}
    out_ms = None
    if entry.kind is Kind.BAND and entry.measures is not None and entry.finished_ms is not None:
        out_ms = out_of_band_ms(entry.measures, entry.finished_ms)
    return {
        "id": f"{entry.fund}-{entry.number}",
        "finished_at": time_or_null(entry.finished_ms),
        "kind": entry.kind.value,
        "notional": notional,
        "fees": entry.fees,
        **split,
        "not_traded": gained,
        "out_of_band_s": None if out_ms is None else out_ms // 1000,
    }


def _month(month: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums; what is unknown of a rebalance is left out of them."""
    sums = {name: sum((row[name] for row in rows if row[name] is not None), ZERO) for name in _PARTS}
    traded = sum((row["notional"] for row in rows if row["notional"] is not None), ZERO)
    return {
        "month": month,
        "rebalances": len(rows),
        "notional": _money(traded),
        **{name: _money(value) for name, value in sums.items()},
        "out_of_band_s": sum(row["out_of_band_s"] or 0 for row in rows),
    }


def _money(value: Any) -> Any:
    return decimal_text(value.quantize(_CENTS)) if isinstance(value, Decimal) else value


def _fraction(value: float | None) -> str | None:
    return None if value is None else decimal_text(Decimal(repr(value)).quantize(_GRID))
