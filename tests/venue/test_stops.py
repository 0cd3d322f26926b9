"""Protective stops through unmodified ccxt: on the paper exchange, and on a venue that obeys the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.core import commands as cmd
from bot.core import events as ev
from bot.core.ledger import Ledger
from bot.core.limits import PlaceStop, approve_stop
from bot.core.margin import Maintenance
from bot.core.stop_events import StopMissing, StopRefused, StopReport, StopsSeen, StopStatus, StopUnknown
from bot.exchange import AccountConfig, ExchangeConfig, start_exchange
from bot.testing import a_contract
from bot.venue.account import AccountGateway
from bot.venue.binanceusdm_stops import news
from bot.venue.clock import ExchangeClock
from bot.venue.errors import AnswerMalformed, Unreachable
from bot.venue.profile import CcxtClient, Credentials, Environment
from bot.venue.profiles import profile_named
from bot.venue.venue import Venue
from tests.exchange.builders import StepPath, flat
from tests.support.patience import until
from tests.support.venue_orders import an_order
from tests.support.venue_stub import VenueStub, json_answer
from tests.venue.conftest import LONGEST_WINDOW_MS, Account

KEYS = Credentials("up-key", "up-secret")


class Paper(NamedTuple):
    """One account on a paper exchange."""

    venue: Venue
    client: CcxtClient
    gateway: AccountGateway


@asynccontextmanager
async def paper(folder: Path, path: StepPath) -> AsyncIterator[Paper]:
    """An account with 100,000 USDT that bought half a bitcoin."""
    account = AccountConfig("UP", KEYS.api_key, KEYS.secret, Decimal(100_000))
    config = ExchangeConfig(paths={"BTCUSDT": path}, accounts=(account,), directory=folder)
    exchange = await start_exchange(config)
    clock = ExchangeClock(exchange.now_ms)
    async with Venue(profile_named("binanceusdm"), Environment.PAPER, clock, paper_url=exchange.url) as venue:
        await venue.markets.load(lambda *_: None)
        client = venue.client(KEYS)
        client.options["recvWindow"] = LONGEST_WINDOW_MS
        gateway = venue.gateway(client, venue.markets.contract("BTCUSDT", 6))
        await gateway.perform(an_order("0.500", "50100.0"))
        yield Paper(venue, client, gateway)
    await exchange.close()


def a_stop(trigger: str = "45000", quantity: str = "-0.3", cid: str = "ibstop1") -> PlaceStop:
    """A stop of an account that holds half a bitcoin."""
    held = Decimal("0.5") if quantity.startswith("-") else Decimal("-0.5")
    stop = approve_stop(cid, Decimal(quantity), Decimal(trigger), a_contract(), Ledger(Decimal(0), held))
    assert isinstance(stop, PlaceStop)
    return stop


async def test_it_rests_is_found_and_is_taken_back(tmp_path: Path) -> None:
    """Under its client id, which the venue knows also when it is gone."""
    async with paper(tmp_path, flat(price=50_000)) as account:
        placed = await account.gateway.perform(a_stop())
        found = await account.gateway.perform(cmd.QueryStop("ibstop1"))
        rest = await account.gateway.perform(cmd.FetchStops())
        gone = await account.gateway.perform(cmd.CancelStop("ibstop1"))
        none = await account.gateway.perform(cmd.FetchStops())
        again = await account.gateway.perform(cmd.CancelStop("ibstop1"))
        unknown = await account.gateway.perform(cmd.QueryStop("ibnever"))
    for report, status in ((placed, "resting"), (found, "resting"), (gone, "gone"), (again, "gone")):
        assert isinstance(report, StopReport)
        assert (report.cid, report.status, report.order_id) == ("ibstop1", status, None)
    assert isinstance(unknown, StopMissing)
    assert isinstance(rest, StopsSeen)
    assert isinstance(none, StopsSeen)
    assert (rest.cids, none.cids) == (("ibstop1",), ())


async def test_one_that_would_trigger_at_once_is_refused(tmp_path: Path) -> None:
    """-2021 is a definite no."""
    async with paper(tmp_path, flat(price=50_000)) as account:
        answer = await account.gateway.perform(a_stop(trigger="55000"))
    assert isinstance(answer, StopRefused)
    assert answer.code == "-2021"


async def test_when_the_mark_reaches_it_the_stream_names_the_order_that_it_became(tmp_path: Path) -> None:
    """Whose trades are those of the stop, and reduce the position by its quantity."""
    path = StepPath([50_000] * 4 + [44_000] * 3_600)
    heard: list[ev.Event] = []
    async with paper(tmp_path, path) as account:
        stream = account.venue.order_stream(account.client, "BTCUSDT", heard.append, lambda _: None)
        task = asyncio.ensure_future(stream.run())
        await account.gateway.perform(a_stop())
        await until(lambda: any(isinstance(e, StopReport) and e.order_id for e in heard))
        (became,) = {e.order_id for e in heard if isinstance(e, StopReport) and e.order_id}
        trades = await account.gateway.perform(cmd.FetchTrades(became, heard[-1].time_ms - 60_000))
        found = await account.gateway.perform(cmd.QueryStop("ibstop1"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert isinstance(trades, ev.TradesSeen)
    assert sum(trade.quantity for trade in trades.trades) == Decimal("-0.3")
    assert isinstance(found, StopReport)
    assert (found.status, found.order_id) == (StopStatus.TRIGGERED, became)


async def test_maintenance_brackets_are_the_exchanges(tmp_path: Path) -> None:
    """Lowest first, continuous where one follows the other."""
    async with paper(tmp_path, flat(price=50_000)) as account:
        steps = await account.gateway.maintenance()
    assert steps == tuple(sorted(steps))
    for lower, upper in pairwise(steps):
        edge = lower.notional_cap
        assert edge * lower.rate - lower.deduction == edge * upper.rate - upper.deduction


async def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(
    stub: VenueStub, account: Account
) -> None:
    """It may rest there: only a look can tell."""
    stub.answers["POST /fapi/v1/algoOrder"] = json_answer({"code": -1007, "msg": "Timeout"}, status=408)
    answer = await account.gateway.perform(a_stop())
    assert isinstance(answer, StopUnknown)


async def test_brackets_that_cannot_be_read_are_tried_again_by_the_caller(
    stub: VenueStub, account: Account
) -> None:
    """As everything before the first order is."""
    stub.answers["GET /fapi/v1/leverageBracket"] = json_answer({"code": -1001, "msg": "Busy"}, status=503)
    with pytest.raises(Unreachable):
        await account.gateway.maintenance()


async def test_a_venue_without_maintenance_margins_has_no_brackets(stub: VenueStub, account: Account) -> None:
    """Then no stop can be placed, and the fund says so."""
    step: dict[str, float] = {"initialLeverage": 20, "notionalCap": 1000}
    stub.answers["GET /fapi/v1/leverageBracket"] = json_answer([{"symbol": "BTCUSDT", "brackets": [step]}])
    assert await account.gateway.maintenance() == ()
    step = {**step, "maintMarginRatio": 0.0065, "cum": 5}
    stub.answers["GET /fapi/v1/leverageBracket"] = json_answer([{"symbol": "BTCUSDT", "brackets": [step]}])
    expected = Maintenance(Decimal(1000), Decimal("0.0065"), Decimal(5))
    assert await account.gateway.maintenance() == (expected,)


def an_update(**changes: Any) -> dict[str, Any]:
    """An ALGO_UPDATE."""
    order = {"caid": "ibstop1", "aid": 7, "s": "BTCUSDT", "X": "NEW", "ai": ""}
    return {"e": "ALGO_UPDATE", "o": {**order, **changes}}


def test_updates_are_read_strictly() -> None:
    """Other symbols and other frames are none of ours; what is not documented is not guessed."""
    assert news({"e": "ORDER_TRADE_UPDATE"}, "BTCUSDT") is None
    assert news(an_update(s="ETHUSDT"), "BTCUSDT") is None
    assert news([], "BTCUSDT") is None
    triggering = news(an_update(X="TRIGGERED", ai=""), "BTCUSDT")
    assert triggering is not None
    assert triggering.status is StopStatus.TRIGGERS
    for frame in ({"e": "ALGO_UPDATE"}, an_update(X="SOMETHING"), an_update(caid=None)):
        with pytest.raises(AnswerMalformed):
            news(frame, "BTCUSDT")
