import asyncio
from collections.abc import Callable

import pytest

from bot.core import records as rec
from bot.core.commands import FetchAccount, QueryOrder
from bot.core.events import OrderReport, ReconcileDue, TouchSeen, VolumeSeen
from bot.core.limits import SubmitOrder
from bot.daemon.runner import Runner
from tests.support.desk import Desk

from .conftest import Logged


def failing(what: str, kind: type) -> Callable[[str, object], None]:
    """A hurdle at which the first append of a record, or the first command, of one class fails."""
    failed = False

    def hurdle(happening: str, about: object) -> None:
        nonlocal failed
        found = about if isinstance(about, tuple) and happening == "append" else (about,)
        if not failed and happening == what and any(isinstance(item, kind) for item in found):
            failed = True
            raise OSError("the disk is full")

    return hurdle


async def test_an_order_leaves_only_after_its_intent_is_durable(desk: Desk) -> None:
    """For each order sent, the journal holds its intent already, and one order only was sent for it."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)

    durable: set[str] = set()
    sent: list[str] = []
    for what, about in desk.happened:
        if what == "append":
            assert isinstance(about, tuple)
            durable |= {record.cid for record in about if isinstance(record, rec.OrderIntended)}
        elif isinstance(about, SubmitOrder):
            assert about.cid in durable
            sent.append(about.cid)
    assert len(sent) == len(set(sent)) > 1


def flat(batches: list[object]) -> list[object]:
    """The records of all batches, in order."""
    return [record for batch in batches if isinstance(batch, tuple) for record in batch]


async def test_the_listener_hears_of_what_was_appended(desk: Desk) -> None:
    """Every record that the journal was given, in the same order, also where an order went out first."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    runner.cancel()  # tells what is still to be told
    assert flat(desk.of("changed")) == flat(desk.of("append"))


async def test_with_a_journal_that_fails_nothing_is_sent(desk: Desk, logged: Logged) -> None:
    """The intent cannot be made durable: no order goes out, the fund stops, and it is told."""
    desk.hurdle = failing("append", rec.OrderIntended)
    runner = await desk.opened()

    assert [about for about in desk.of("perform") if isinstance(about, SubmitOrder)] == []
    assert runner.failure == "OSError: the disk is full"
    (line,) = [line for line in logged() if line["event"] == "fund_stopped"]
    assert (line["level"], line["fund"], line["reason"]) == ("error", "BTCUP", runner.failure)
    assert "restart" in line["remedy"]


async def test_a_stopped_fund_stays_stopped(desk: Desk) -> None:
    """Whatever comes after the failure, nothing more is appended or sent."""
    desk.hurdle = failing("append", rec.OrderIntended)
    runner = await desk.opened()
    desk.hurdle = lambda _what, _about: None
    before = len(desk.happened)

    desk.mark(runner, 60_000, "30000")
    runner.handle(ReconcileDue(*runner.now()))
    await runner.wait_quiet()

    assert desk.happened[before:] == []


async def test_a_gateway_that_raises_leaves_an_order_unknown(desk: Desk, logged: Logged) -> None:
    """Nobody knows whether it arrived: it is looked up by its id, and never sent again."""
    desk.hurdle = failing("perform", SubmitOrder)
    runner = await desk.opened()
    order, *others = [about for about in desk.of("perform") if isinstance(about, SubmitOrder)]

    assert order.cid not in {other.cid for other in others}
    assert runner.failure is None
    assert [r.cid for r in desk.records if isinstance(r, rec.OrderLost)] == [order.cid]
    assert QueryOrder(order.cid, delay_s=0.2) in desk.of("perform")
    (line,) = [line for line in logged() if line["event"] == "command_failed"]
    assert (line["command"], line["fund"], line["rebalance"]) == ("SubmitOrder", "BTCUP", "BTCUP-1")


async def test_an_order_that_cannot_be_made_ready_stops_the_fund(desk: Desk) -> None:
    """It was not sent, and nobody knows why it could not be signed: a person looks, a restart resolves it."""
    desk.hurdle = failing("ready", SubmitOrder)
    runner = await desk.opened()

    assert runner.failure == "OSError: the disk is full"
    assert not any(isinstance(about, SubmitOrder) for about in desk.of("perform"))


async def test_a_read_that_raises_is_repeated(desk: Desk) -> None:
    """It is evidence of nothing: the account is asked for again, and the fund goes on."""
    desk.hurdle = failing("perform", FetchAccount)
    runner = desk.runner()
    runner.begin(desk.fund.capital, adopt=False)
    await runner.wait_quiet()

    assert [type(about) for about in desk.of("perform")] == [FetchAccount, FetchAccount]
    assert runner.failure is None
    assert runner.state.live.reconciled


async def test_quiet_means_that_every_answer_is_in(desk: Desk) -> None:
    """While a command is under way the runner is not quiet; `wait_quiet` returns when it is."""
    runner = await desk.opened()
    assert runner.quiet
    desk.gate = asyncio.Event()
    runner.handle(ReconcileDue(*runner.now()))
    assert not runner.quiet
    waiting = asyncio.create_task(runner.wait_quiet())
    await asyncio.sleep(0)
    assert not waiting.done()
    desk.gate.set()
    await waiting
    assert runner.quiet


async def test_becoming_quiet_is_told(desk: Desk) -> None:
    """The listener hears when a command is done even if its answer changed nothing."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    before = len(desk.of("changed"))
    runner.handle(ReconcileDue(*runner.now()))
    await runner.wait_quiet()
    await asyncio.sleep(0)
    assert desk.of("changed")[before:] == [()]


async def test_cancelled_commands_are_given_up_in_silence(desk: Desk) -> None:
    """At the end of a process what is under way is left to the next start: it is no failure."""
    runner = await desk.opened()
    desk.gate = asyncio.Event()
    runner.handle(ReconcileDue(*runner.now()))
    await asyncio.sleep(0)
    runner.cancel()
    await runner.wait_quiet()
    assert runner.failure is None


async def test_the_stream_tells_of_orders_only_when_they_are_over(desk: Desk) -> None:
    """News that an order lives changes nothing: the answer to its sending says so too."""
    desk.gate = asyncio.Event()
    runner = desk.runner()
    runner.begin(desk.fund.capital, adopt=False)
    desk.gate.set()
    await runner.wait_quiet()
    desk.gate = asyncio.Event()
    desk.mark(runner, 1_000)
    runner.handle(VolumeSeen(*runner.now(), None))
    runner.handle(TouchSeen(*runner.now(), desk.price, desk.price))
    (intent,) = [r for r in desk.records if isinstance(r, rec.OrderIntended)]

    news = OrderReport(*runner.now(), intent.cid, "1", abs(intent.quantity), closed=False)
    runner.heard(news)
    assert [r for r in desk.records if isinstance(r, rec.OrderAdvanced)] == []
    runner.heard(news._replace(closed=True))
    assert [r.cid for r in desk.records if isinstance(r, rec.OrderAdvanced)] == [intent.cid]
    desk.gate.set()
    await runner.wait_quiet()


async def test_a_gap_in_the_stream_is_followed_by_a_comparison(desk: Desk, logged: Logged) -> None:
    """News may have been missed: the account is asked for, and the log says why."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    before = len(desk.of("perform"))
    runner.missed_news("the stream broke")
    await runner.wait_quiet()
    assert [type(about) for about in desk.of("perform")[before:]] == [FetchAccount]
    assert [line["reason"] for line in logged() if line["event"] == "order_stream_interrupted"] == [
        "the stream broke"
    ]


async def test_a_fund_with_a_journal_is_resumed_and_not_begun(desk: Desk) -> None:
    """`begin` on a book that is not empty asks the venue, and creates no second fund."""
    first = await desk.opened()
    await desk.until_flat_out(first)
    again = Runner(first.state, desk, desk, desk.clock, first._draws, lambda *_: None)
    again.begin(desk.fund.capital, adopt=False)
    await again.wait_quiet()
    assert len([r for r in desk.records if isinstance(r, rec.FundCreated)]) == 1


@pytest.mark.parametrize("price", ["44000", "92000"])
async def test_a_whole_rebalance_needs_nobody(desk: Desk, price: str) -> None:
    """From a mark outside the band to the end of the rebalance the runner works by itself."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    desk.mark(runner, desk.clock.market_ms() + 60_000, price)
    await desk.until_flat_out(runner)
    finished = [r for r in desk.records if isinstance(r, rec.RebalanceFinished)]
    assert [r.ending for r in finished] == [rec.Ending.DONE] * 2


async def test_an_account_that_may_be_another_process_s_gets_no_order(desk: Desk, logged: Logged) -> None:
    """Its intent is durable, and whoever has the account looks it up; here it is not sent any more."""
    desk.ours = False
    runner = await desk.opened()
    assert any(isinstance(r, rec.OrderIntended) for r in desk.records)
    assert not any(isinstance(about, SubmitOrder) for about in desk.of("perform"))
    assert runner.failure is not None
    assert "not sent" in runner.failure
    (line,) = [line for line in logged() if line["event"] == "fund_stopped"]
    assert line["fund"] == "BTCUP"
    assert "begins again by itself" in line["remedy"]
