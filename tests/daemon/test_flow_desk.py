"""Where flows are asked for: receipts, refusals, and what became of them."""

import asyncio
from decimal import Decimal

import pytest

from bot.core.flow_records import FlowKind
from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.core.texts import time_text
from bot.daemon.flow_desk import FlowDesk
from bot.daemon.runner import Runner
from bot.errors import AmountRefusedError, RefusedError
from tests.support.desk import Desk
from tests.support.flows import a_dealing_fund

D = Decimal
SUBSCRIBE, REDEEM = FlowKind.SUBSCRIBE, FlowKind.REDEEM


async def opened() -> tuple[Desk, Runner, FlowDesk]:
    """A fund at work on a venue where people make the transfers."""
    desk = Desk(fund=a_dealing_fund())
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    return desk, runner, FlowDesk([runner])


async def test_a_receipt_says_what_was_asked_and_when_it_is_dealt_at_the_earliest() -> None:
    """In the API's manner: decimals and times as text."""
    _, runner, flows = await opened()
    receipt = flows.take("BTCUP", SUBSCRIBE, D("500.50"), "order-1")
    assert receipt is not None
    assert receipt["amount"] == "500.5"
    assert list(receipt) == ["reference", "fund", "kind", "amount", "requested_at", "dealing_at"]
    assert receipt["dealing_at"] == time_text(runner.state.fund.terms.dealing_after(runner.now()[0]))
    await runner.wait_quiet()


async def test_the_same_key_gets_the_same_receipt_whatever_happened_since() -> None:
    """Also after the flow went on; another request under it is refused."""
    desk, runner, flows = await opened()
    first = flows.take("BTCUP", REDEEM, D(100), "order-1")
    desk.mark(runner, runner.state.fund.terms.dealing_after(desk.clock.market_ms()))
    await runner.wait_quiet()
    assert flows.take("BTCUP", REDEEM, D(100), "order-1") == first
    with pytest.raises(RequestIdReusedError):
        flows.take("BTCUP", SUBSCRIBE, D(100), "order-1")
    listed = flows.flows("BTCUP")
    assert listed is not None
    assert [flow["state"] for flow in listed] in (["priced"], ["payable"])


async def test_without_a_key_every_request_is_its_own() -> None:
    """The receipt is that of the request."""
    _, runner, flows = await opened()
    one, two = (flows.take("BTCUP", SUBSCRIBE, D(amount), "") for amount in (50, 60))
    assert one is not None
    assert two is not None
    assert (one["amount"], two["amount"]) == ("50", "60")
    assert one["reference"] != two["reference"]
    await runner.wait_quiet()


async def test_refusals_tell_apart_what_another_amount_would_change() -> None:
    """Dust is about the amount; a fund that stopped is not."""
    _, runner, flows = await opened()
    with pytest.raises(AmountRefusedError, match="BTCUP: the smallest subscription is 10 USDT"):
        flows.take("BTCUP", SUBSCRIBE, D(5), "")
    assert flows.take("NOPE", SUBSCRIBE, D(50), "") is None
    assert flows.rescale("NOPE", Wanted("rescale", "ann", "why", ratio=(1, 10))) is None
    assert flows.flows("NOPE") is None
    runner.failure = "disk full"
    with pytest.raises(RefusedError, match="not running") as refused:
        flows.take("BTCUP", SUBSCRIBE, D(50), "")
    assert not isinstance(refused.value, AmountRefusedError)


async def test_a_fund_that_stops_at_a_request_refuses_it_and_has_nothing_on_record() -> None:
    """The journal cannot take it: no receipt, with a key or without, and no traceback."""
    for key in ("order-1", ""):
        desk, runner, flows = await opened()
        desk.hurdle = _full
        with pytest.raises(RefusedError, match="BTCUP stopped at it"):
            flows.take("BTCUP", SUBSCRIBE, D(50), key)
        assert runner.failure is not None
        assert runner.state.book.receipts == {}
    desk, runner, flows = await opened()
    desk.hurdle = _full
    with pytest.raises(RefusedError, match="BTCUP stopped at it"):
        flows.rescale("BTCUP", Wanted("rescale", "ann", "why", ratio=(1, 10)))


async def test_a_consolidation_answers_with_the_units_that_are_left() -> None:
    """Once, also where it is asked again under its key."""
    _, _, flows = await opened()
    wanted = Wanted("rescale", "ann", "rounder", "k", "digest", ratio=(1, 1000))
    for _ in range(2):
        assert flows.rescale("BTCUP", wanted) == {"fund": "BTCUP", "units": "100"}


async def test_a_flow_tells_what_it_brought_and_what_it_got() -> None:
    """What is not known yet is null."""
    desk, runner, flows = await opened()
    flows.take("BTCUP", REDEEM, D(100), "order-1")
    (waiting,) = flows.flows("BTCUP") or []
    assert (waiting["units"], waiting["amount"], waiting["nav"], waiting["fee"]) == ("100", None, None, None)
    desk.mark(runner, runner.state.fund.terms.dealing_after(desk.clock.market_ms()))
    for _ in range(20):
        await runner.wait_quiet()
        await asyncio.sleep(0)
        desk.mark(runner, desk.clock.market_ms() + 5_000)
    (settled,) = flows.flows("BTCUP") or []
    assert settled["state"] == "payable"
    assert D(settled["amount"]) > 99


def _full(_what: str, _about: object) -> None:
    raise OSError("disk full")
