"""A fund as everybody may see it: the API's fund object, from the last public basket and the live mark.

Nothing here reads the ledger, the rebalance under way or its draws, so nothing here can tell them.
"""

from decimal import Decimal
from typing import Any, TypeAlias

from bot.core.basket import Basket
from bot.core.book import Book
from bot.core.events import Mark
from bot.core.fund import Fund
from bot.core.publication import overdue
from bot.core.records import Control, FundState, IncidentOpened
from bot.core.texts import decimal_or_null, time_or_null, time_text
from bot.core.units import ZERO, Leverage, Price

PublicFund: TypeAlias = dict[str, Any]

TOLD_AT_ONCE = frozenset({"stale mark", "clock skew", "disk almost full"})
"""Incidents that say nothing of a fund's trades; of all others the public hears when nothing is hidden.

They come to every fund of a process at once: one that kept silent would tell that it hides something.
"""

_WHY = {
    "emergency": "leverage reached the emergency level: it is reduced at once",
    "halted": "by the operator: nothing is traded",
    "paused": "by the operator: leverage is not raised",
    "flattened": "by the operator: the fund is wound down",
    "too_small": "its trades would be below the venue's minimum: it is wound down",
    "dead": "its value is not positive",
}


def public_fund(fund: Fund, book: Book, mark: Mark | None, mode: str) -> PublicFund:
    """The public figures at `mark`. Decimals are strings, undefined is null, times are ISO-8601 UTC."""
    basket = book.public.basket
    price = None if mark is None or book.created is None else mark.price
    value = None if price is None else basket.value(price)
    lower, higher = trigger_prices(fund, book)
    updated_ms = None if mark is None else mark.time_ms  # no record's time: it may be that of an order
    return {
        "fund": fund.name,
        "underlying": fund.underlying,
        "side": fund.side.value,
        "mode": mode,
        "state": public_state(book),
        "mark": decimal_or_null(None if mark is None else mark.price),
        "nav": decimal_or_null(None if price is None else basket.nav(price), _nav_grid(basket.units)),
        "units": decimal_or_null(basket.units),
        "fund_value": decimal_or_null(value, _AMOUNT_GRID),
        "position": decimal_or_null(basket.position),
        "notional": decimal_or_null(None if price is None else abs(basket.position) * price, _AMOUNT_GRID),
        "real_leverage": decimal_or_null(None if price is None else basket.leverage(price), _LEVERAGE_GRID),
        "band": [decimal_or_null(edge) for edge in fund.band],
        "trigger_prices": [decimal_or_null(lower, _AMOUNT_GRID), decimal_or_null(higher, _AMOUNT_GRID)],
        "target_range": [decimal_or_null(edge) for edge in fund.target_range],
        "commitments": [c._asdict() for c in book.public.commitments],
        "chain_head": book.public.head or None,
        "funding_rate": decimal_or_null(None if mark is None else mark.funding_rate),
        "basket_as_of": time_or_null(basket.as_of_ms) if book.created is not None else None,
        "updated_at": time_or_null(updated_ms),
        "condition": condition(book, updated_ms),
    }


def public_state(book: Book) -> str:
    """One word for the fund's state. It does not change while something is hidden, an emergency excepted.

    The operator's pause and halt show at once: they come from a person, and tell nothing of a position.
    """
    if book.created is None:
        return "new"
    if book.public.emergency_ms is not None:
        return "emergency"
    if book.control is Control.HALTED:
        return "halted"
    state = shown_state(book)
    if state is not FundState.ACTIVE:
        return state.value
    if book.control is Control.PAUSED:
        return "paused"
    return "increases_stopped" if any(i.stops_increases for i in incidents(book)) else "active"


def shown_state(book: Book) -> FundState:
    """The state that everybody knows: that of before, while something is hidden, an emergency excepted."""
    shown = book.public.shown
    return book.state if shown is None or book.public.emergency_ms is not None else shown.state


def incidents(book: Book) -> tuple[IncidentOpened, ...]:
    """The incidents that the public may know of; never their details, which tell of positions."""
    shown = book.public.shown
    if shown is None:
        return tuple(book.incidents.values())
    at_once = [i for i in book.incidents.values() if i.code in TOLD_AT_ONCE]
    before = [i for i in shown.incidents if i.code not in TOLD_AT_ONCE]
    return tuple(sorted(before + at_once, key=lambda incident: incident.time_ms))


def condition(book: Book, now_ms: int | None) -> dict[str, Any]:
    """What is unusual: since when, why, whether units can be redeemed, incidents, reveals that are late."""
    state, found = public_state(book), incidents(book)
    since_ms, why = None, _WHY.get(state)
    if state == "emergency":
        since_ms = book.public.emergency_ms
    elif state in {"halted", "paused"} and book.controlled is not None:
        since_ms = book.controlled.time_ms
    elif state == "increases_stopped":
        stopping = [i for i in found if i.stops_increases]
        since_ms, why = min(i.time_ms for i in stopping), ", ".join(i.code for i in stopping)
    elif why is not None and book.changed is not None:
        since_ms = book.changed.time_ms
    return {
        "since": time_or_null(since_ms),
        "why": why,
        "redemptions_open": state not in {"new", "halted", "dead"},
        "overdue_reveals": 0 if now_ms is None else overdue(book, now_ms),
        "incidents": [
            {"code": i.code, "since": time_text(i.time_ms), "stops_increases": i.stops_increases}
            for i in found
        ],
    }


def trigger_prices(fund: Fund, book: Book) -> tuple[Price | None, Price | None]:
    """The marks at which the public basket leaves the band, lower first; None where there is none.

    A strategy without a band has no public triggers: they would follow from its last, perhaps hidden, trade.
    """
    basket = book.public.basket
    if not fund.uses_band or public_state(book) in {"new", "dead", "too_small", "flattened"}:
        return None, None
    prices = [edge_price(basket, edge) for edge in fund.band]
    if fund.sign > 0:
        prices.reverse()
    return prices[0], prices[1]


def edge_price(basket: Basket, leverage: Leverage) -> Price | None:
    """The mark at which real leverage is `leverage`: abs(q) p = L (cash + q p); None if there is none."""
    slope = abs(basket.position) - leverage * basket.position
    if ZERO in (basket.position, slope):
        return None
    price = leverage * basket.cash / slope
    return price if price > ZERO else None


def _nav_grid(units: Decimal) -> Decimal:
    """So fine that NAV x units is fund value to the cent, however many units there are, and no finer.

    With few units more digits would show 1e-8 USDT of the basket, to which funding is worked out: that the
    venue rounds what another position earns otherwise.
    """
    return Decimal(1).scaleb(-max(0, 5 + units.adjusted()))


_AMOUNT_GRID = Decimal("0.0001")
_LEVERAGE_GRID = Decimal("0.000000001")
