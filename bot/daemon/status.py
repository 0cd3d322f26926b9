"""One fund as the operator sees it: true figures, in the shape of the API's fund object."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from bot.core.book import Book
from bot.core.events import Mark
from bot.core.fund import Fund
from bot.core.ledger import real_leverage
from bot.core.life import condition
from bot.core.margin import price_at
from bot.core.performance import performance, true_side
from bot.core.records import Control, FundState, IncidentOpened, Kind, OperatorAsked
from bot.core.strategy import uses_band
from bot.core.texts import UNBOUNDED, decimal_or_null, time_or_null, time_text
from bot.core.turn import Region
from bot.core.units import ZERO, Price
from bot.journal.outbox import Trouble

FundStatus: TypeAlias = dict[str, Any]


def fund_status(
    fund: Fund,
    book: Book,
    mark: Price | None,
    mode: str,
    *,
    seen: Mark | None = None,
    region: Region | None = None,
) -> FundStatus:
    """The fund at `mark` (None: no mark is known). `seen` and `region` are there when a daemon runs it.

    Decimals are strings, undefined is null, times are ISO-8601 UTC. Figures are the true ones: for operators.
    """
    ledger = book.ledger
    value = None if mark is None or book.created is None else ledger.value(mark)
    leverage = None if mark is None or book.created is None else real_leverage(ledger, mark)
    nav = None if value is None or not book.units else value / book.units
    lower, higher = triggers(fund, book, region)
    updated_ms = seen.time_ms if seen is not None else book.last_time_ms or None
    return {
        "fund": fund.name,
        "underlying": fund.underlying,
        "side": fund.side.value,
        "mode": mode,
        "state": fund_state(book),
        "mark": decimal_or_null(mark),
        "nav": decimal_or_null(nav, _NAV_GRID),
        "units": decimal_or_null(book.units),
        "fund_value": decimal_or_null(value, _AMOUNT_GRID),
        "position": decimal_or_null(ledger.position),
        "notional": decimal_or_null(None if mark is None else abs(ledger.position) * mark, _AMOUNT_GRID),
        "real_leverage": decimal_or_null(leverage, _LEVERAGE_GRID),
        "band": [decimal_or_null(fund.band[0]), decimal_or_null(fund.band[1])],
        "trigger_prices": [decimal_or_null(lower, _PRICE_GRID), decimal_or_null(higher, _PRICE_GRID)],
        "target_range": [decimal_or_null(fund.target_range[0]), decimal_or_null(fund.target_range[1])],
        "commitments": [c._asdict() for c in book.public.commitments],
        "chain_head": book.public.head or None,
        "funding_rate": decimal_or_null(seen.funding_rate if seen is not None else None),
        "basket_as_of": time_or_null(book.public.basket.as_of_ms if book.created is not None else None),
        "updated_at": time_or_null(updated_ms),
        "wallet_balance": decimal_or_null(book.wallet, _AMOUNT_GRID),
        "unallocated": decimal_or_null(book.unallocated, _AMOUNT_GRID),
        "escrow": decimal_or_null(book.escrow, _AMOUNT_GRID),
        "redemptions_payable": decimal_or_null(book.payable, _AMOUNT_GRID),
        "fees_payable": decimal_or_null(book.fees_payable, _AMOUNT_GRID),
        "management_fees": decimal_or_null(book.fees_charged, _AMOUNT_GRID),
        "life": _life(fund, book, seen),
        "fees": decimal_or_null(ledger.fees, _AMOUNT_GRID),
        "funding": decimal_or_null(ledger.funding, _AMOUNT_GRID),
        "rebalances": book.rebalances,
        "performance": performance(fund, book, mark, true_side(book)),
        "control": _control(book),
        "requests": [_request(asked) for asked in book.asked[-_SHOWN_REQUESTS:]],
        "settings_digest": book.settings_digest or None,
        "incidents": [_incident(book, incident) for incident in book.incidents.values()],
    }


def _incident(book: Book, incident: IncidentOpened) -> dict[str, Any]:
    seen = book.acknowledged.get(incident.code)
    return {
        "code": incident.code,
        "since": time_or_null(incident.time_ms),
        "detail": incident.detail,
        "remedy": incident.remedy,
        "stops_increases": incident.stops_increases,
        "acknowledged": None
        if seen is None
        else {"at": time_text(seen.time_ms), "author": seen.author, "why": seen.why},
    }


STOPPED = "fund stopped"
"""The code of what is shown of a fund that is not driven any more."""


def trouble_json(trouble: Trouble) -> dict[str, Any]:
    """An incident of the daemon itself, in the shape of a fund's: it ends by itself, or by its remedy."""
    return {
        "code": trouble.code,
        "since": time_text(trouble.since_ms),
        "detail": trouble.detail,
        "remedy": trouble.remedy,
        "stops_increases": False,
        "acknowledged": None,
    }


def stopped_json(reason: str, since_ms: int) -> dict[str, Any]:
    """That a fund is not driven any more, in the shape of its incidents; no record can say it."""
    return {
        "code": STOPPED,
        "since": time_text(since_ms),
        "detail": reason,
        "remedy": "repair the cause and restart",
        "stops_increases": True,
        "acknowledged": None,
    }


def with_troubles(status: FundStatus, troubles: Sequence[Trouble]) -> FundStatus:
    """A fund's status with what is open of the daemon itself, which concerns every fund."""
    return {**status, "daemon_incidents": [trouble_json(trouble) for trouble in troubles]}


def _request(asked: OperatorAsked) -> dict[str, str]:
    """What an operator asked; a leverage that they stated is a target, and stays sealed."""
    return {"at": time_text(asked.time_ms), "what": asked.what, "author": asked.author, "why": asked.why}


def _life(fund: Fund, book: Book, seen: Mark | None) -> dict[str, Any]:
    """The state of its life: since when, why, what is open, what can be done, and the next dealing."""
    told = condition(book.state, book.control)
    changed = book.changed
    created_ms = None if book.created is None else book.created.time_ms
    now_ms = seen.time_ms if seen is not None else book.last_time_ms
    return {
        "state": book.state.value,
        "since": time_or_null(created_ms if changed is None else changed.time_ms),
        "why": told.why,
        "subscriptions_open": told.subscriptions_open,
        "redemptions_open": told.redemptions_open,
        "remedy": told.remedy,
        "final_nav": decimal_or_null(None if book.final is None else book.final.nav, _NAV_GRID),
        "next_dealing_at": time_text(fund.terms.dealing_after(now_ms)),
    }


def _control(book: Book) -> dict[str, str | None]:
    """What the operator allows, since when, who said so, and why."""
    said = book.controlled
    if said is None:
        return {"state": book.control.value, "since": None, "author": None, "why": None}
    return {
        "state": said.control.value,
        "since": time_text(said.time_ms),
        "author": said.author,
        "why": said.why,
    }


def last_known_mark(book: Book) -> Price | None:
    """The latest mark that the journal holds: what `status` uses while no daemon runs."""
    sample, rebalance_mark = book.sample, book.last_rebalance_mark
    if sample is None or (rebalance_mark is not None and book.last_rebalance_ms > sample.time_ms):
        return rebalance_mark
    return sample.mark


def triggers(fund: Fund, book: Book, region: Region | None) -> tuple[Price | None, Price | None]:
    """The prices between which nothing happens, lower first; None where no price would trigger."""
    if book.state is not FundState.ACTIVE or not book.opened:
        return None, None
    if uses_band(fund.strategy):
        edges = [price_at(book.ledger, edge) for edge in fund.band]
        if fund.side.sign > 0:
            edges.reverse()
        return edges[0], edges[1]
    if region is None:
        return None, None
    low, high = region.own or (region.low, region.high)
    return (low if low > ZERO else None), (high if high < UNBOUNDED else None)


def fund_state(book: Book) -> str:
    """One word for what the fund is doing, or for the unusual state that it is in."""
    if book.created is None:
        return "new"
    return "halted" if book.control is Control.HALTED else _state(book)


def _state(book: Book) -> str:
    open_ = book.rebalance
    if open_ is not None:
        return "parked" if open_.parked else "opening" if open_.kind is Kind.OPEN else "rebalancing"
    if book.state is not FundState.ACTIVE:
        return book.state.value
    if book.control is Control.PAUSED:
        return "paused"
    if book.breaches:
        return "increases_stopped"
    return "confirming" if book.confirmation is not None else "active"


_SHOWN_REQUESTS = 10
_AMOUNT_GRID = Decimal("0.00000001")
_NAV_GRID = Decimal("0.0000000001")
_LEVERAGE_GRID = Decimal("0.000000001")
_PRICE_GRID = Decimal("0.00000001")
