import asyncio
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core.events import Mark, Wake
from bot.core.history import RebalanceHistory
from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.core.records import Control, ControlChanged, IncidentOpened
from bot.core.texts import decimal_text
from bot.daemon.alerts.office import PostOffice
from bot.daemon.kill_switch import HALT_FILE, arm_kill_switch
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from bot.daemon.supervision import Supervisor
from bot.daemon.timers import WallTimers
from bot.errors import RefusedError
from bot.journal.errors import JournalUnavailable
from bot.journal.outbox import OUTBOX_FILE, Outbox, Trouble
from bot.settings import Alerting, load_settings
from tests.support.desk import Desk


def at_work(runner: Runner) -> Operations:
    """Operations with one fund."""
    operations = Operations("paper")
    operations.add(runner, RebalanceHistory(runner.name))
    return operations


def test_without_a_fund_it_is_starting() -> None:
    """Ready means that something runs."""
    assert Operations("paper").unready() == ["starting: the venue is not reached yet"]


async def test_it_is_ready_with_a_current_mark_and_a_reconciled_ledger(desk: Desk) -> None:
    """The two reasons not to be go away one by one."""
    runner = desk.runner()
    operations = at_work(runner)
    assert operations.unready() == ["BTCUSDT: no current mark", "BTCUP: not reconciled yet"]
    operations.marked("BTCUSDT", Mark(*runner.now(), desk.price))
    assert operations.unready() == ["BTCUP: not reconciled yet"]
    runner.begin(desk.fund.capital, adopt=False)
    await runner.wait_quiet()
    assert operations.unready() == []
    live = runner.state.live
    runner.state = runner.state._replace(live=live._replace(reconciled=False))
    assert operations.unready() == []  # everybody may ask: it would tell of the order that ended just now


async def test_a_lost_stream_makes_funds_careful(desk: Desk) -> None:
    """Every fund on the symbol is told, and the symbol counts as lost until its next mark."""
    runner = await desk.opened()
    operations = at_work(runner)
    operations.marked("BTCUSDT", Mark(*runner.now(), desk.price))
    operations.feed_lost("BTCUSDT", "silent for 10 s")
    assert operations.lost_symbols() == ["BTCUSDT"]
    assert not runner.state.live.feed_trusted
    operations.marked("BTCUSDT", Mark(*runner.now(), desk.price))
    assert operations.lost_symbols() == []
    assert runner.state.live.feed_trusted


async def test_a_fund_that_stopped_makes_it_unready_and_is_an_incident(desk: Desk) -> None:
    """Readiness names the fund, the incidents the reason and the remedy."""

    def broken(_what: str, _about: object) -> None:
        raise OSError("the disk is full")

    runner = await desk.opened()
    operations = at_work(runner)
    operations.marked("BTCUSDT", Mark(*runner.now(), desk.price))
    desk.hurdle = broken
    await desk_fails(desk, runner)
    assert operations.unready() == ["BTCUP: stopped"]
    (incident,) = operations.incidents()
    assert (incident["fund"], incident["code"]) == ("BTCUP", "fund stopped")
    assert incident["detail"] == "OSError: the disk is full"
    assert incident["remedy"]


async def desk_fails(desk: Desk, runner: Runner) -> None:
    """Go on until the journal refuses something."""
    for _ in range(50):
        desk.mark(runner, runner.state.wake_ms or runner.now()[0] + 60_000)
        await runner.wait_quiet()
        if runner.failure is not None:
            return
    raise AssertionError("it never failed")


async def test_incidents_name_their_fund(desk: Desk) -> None:
    """An open incident of a fund is among those of the process."""
    runner = await desk.opened()
    opened = IncidentOpened(1, "late fill", "what happened", "what to do", stops_increases=True)
    runner.state.book.apply(opened)
    (incident,) = at_work(runner).incidents()
    assert (incident["fund"], incident["code"], incident["remedy"]) == ("BTCUP", "late fill", "what to do")


async def test_what_stops_a_fund_or_an_alert_shows_in_every_status(desk: Desk, tmp_path: Path) -> None:
    """Of the daemon with every fund, since it concerns each; until the route takes something again."""
    runner = await desk.opened()
    operations = at_work(runner)
    outbox = Outbox(tmp_path / OUTBOX_FILE)
    outbox.open_trouble(Trouble("alerts not delivered: PHONE", 0, "no answer", "correct the address"))
    operations.office = PostOffice(
        outbox, Alerting(routes=()), lambda *_: None, wall_ms=lambda: 0, redactor=operations.redactor
    )
    await operations.office.open(["BTCUP"])
    (status,) = operations.status()
    (trouble,) = status["daemon_incidents"]
    assert trouble["since"] == "1970-01-01T00:00:00.000Z"
    assert operations.incidents() == [{"fund": None, **trouble}]
    assert status["incidents"] == []
    runner._fail(OSError("the disk is full"))
    (status,) = operations.status()
    assert [each["code"] for each in status["incidents"]] == ["fund stopped"]
    assert [each["fund"] for each in operations.incidents()] == ["BTCUP", None]
    await operations.office.finish()
    operations.office.close()


async def opened_by_operations(desk: Desk) -> tuple[Operations, Runner]:
    """A fund whose first rebalance is over, and operations that heard of every step of it."""
    operations = Operations("paper")
    desk.listen = operations.changed
    runner = desk.runner()
    operations.add(runner, RebalanceHistory(runner.name))
    runner.begin(desk.fund.capital, adopt=False)
    desk.mark(runner, 1_000)
    await runner.wait_quiet()
    await desk.until_flat_out(runner)
    return operations, runner


async def test_history_follows_the_records(desk: Desk) -> None:
    """What a fund's steps record shows in its history at once."""
    operations, runner = await opened_by_operations(desk)
    (entry,) = operations.histories["BTCUP"].entries()
    assert (entry.kind.value, entry.state.value) == ("open", "done")
    assert entry.position_after == runner.state.book.position


async def test_the_operator_sees_hidden_rebalances_but_not_their_draws(desk: Desk) -> None:
    """All of one that is over but not revealed, except what its reveal is going to tell."""
    operations, runner = await opened_by_operations(desk)
    told = operations.rebalances("BTCUP", 10)
    assert told is not None
    assert [(r["id"], r["state"], r["target"], r["u"]) for r in told] == [("BTCUP-1", "done", None, None)]
    assert told[0]["position_after"] == decimal_text(runner.state.book.position)
    assert operations.rebalances("ETHUP", 10) is None
    desk.mark(runner, desk.clock.market_ms() + 3_600_000)
    await runner.wait_quiet()
    revealed = operations.rebalances("BTCUP", 10)
    assert revealed is not None
    assert revealed[0]["target"] is not None


def test_without_a_paper_exchange_there_is_no_market_of_ours() -> None:
    """Its speed and span are unknown, not invented."""
    assert Operations("live").market() == {"speed": None, "start": None, "end": None}


async def test_the_operators_word_reaches_its_fund_and_shows(desk: Desk) -> None:
    """Paused, with author and reason; a fund that does not exist hears nothing."""
    runner = await desk.opened()
    operations = at_work(runner)
    said = operations.ask("BTCUP", Wanted("pause", "ann", "maintenance"))
    assert said is not None
    assert said.status["control"] == {
        "state": "paused",
        "since": "1970-01-01T00:00:01.000Z",
        "author": "ann",
        "why": "maintenance",
    }
    assert operations.ask("ETHUP", Wanted("pause", "ann", "maintenance")) is None


async def test_a_request_is_known_by_its_key(desk: Desk) -> None:
    """Said again it changes nothing, and says so; another request cannot have the same key."""
    runner = await desk.opened()
    operations = at_work(runner)
    first, again = (operations.ask("BTCUP", Wanted("pause", "ann", "why", "k", "digest")) for _ in range(2))
    assert first is not None
    assert again is not None
    assert (first.repeated, again.repeated) == (False, True)
    with pytest.raises(RequestIdReusedError):
        operations.ask("BTCUP", Wanted("resume", "ann", "why", "k", "another"))


async def test_what_cannot_be_done_now_is_refused_with_its_reason(desk: Desk) -> None:
    """A fund that is still opening cannot be sent elsewhere."""
    operations = at_work(await desk.opened())
    with pytest.raises(RefusedError, match="BTCUP: a rebalance is under way"):
        operations.ask("BTCUP", Wanted("rebalance", "ann", "why", leverage=Decimal(2)))


def test_a_standby_says_who_is_to_be_asked() -> None:
    """It is no lack of the fund: another process runs it, or this one still starts."""
    operations = Operations("paper")
    with pytest.raises(RefusedError, match="starting: the venue is not reached yet"):
        operations.ask("BTCUP", Wanted("halt", "ann", "now"))
    operations.stand_by("standby: host:7 (UP) sends for the accounts")
    with pytest.raises(RefusedError, match="standby: host:7") as refused:
        operations.ask("BTCUP", Wanted("halt", "ann", "now"))
    assert "ask who runs BTCUP" in str(refused.value)


async def test_a_fund_that_stopped_cannot_be_told(desk: Desk) -> None:
    """Nobody would hear: the caller must know."""
    operations = at_work(desk.runner())
    with pytest.raises(RefusedError, match="BTCUP is not running"):
        operations.ask("BTCUP", Wanted("resume", "ann", "go on"))


async def test_what_is_not_on_record_was_not_taken(desk: Desk) -> None:
    """The journal cannot take it, and a restart would not know of it: the caller hears that."""
    runner = await desk.opened()
    operations = at_work(runner)

    def refuse(what: str, _: object) -> None:
        if what == "append":
            raise JournalUnavailable("the disk is full")

    desk.hurdle = refuse
    with pytest.raises(RefusedError, match="BTCUP stopped at it; repair the cause, restart, and ask again"):
        operations.ask("BTCUP", Wanted("pause", "ann", "why", "k", "digest"))


async def test_who_gave_up_wakes_no_fund_any_more(desk: Desk) -> None:
    """The accounts are lost: a slice that is due is none of ours, whatever changes until all is forgotten."""
    runner = await desk.opened()
    operations = at_work(runner)
    operations.attach(WallTimers(), None)
    desk.mark(runner, (runner.state.wake_ms or 0) - 20)
    await runner.wait_quiet()
    operations.changed(runner, ())
    operations.give_up()
    operations.changed(runner, ())
    desk.clock.market += 20
    known = len(desk.records)
    await asyncio.sleep(0.1)
    assert len(desk.records) == known
    runner.handle(Wake(*runner.now()))
    await runner.wait_quiet()
    assert len(desk.records) > known  # it was due indeed


async def test_the_kill_switch_halts_every_fund_once(desk: Desk, tmp_path: Path) -> None:
    """A file in the data directory, also one that was there before the start."""
    runner = await desk.opened()
    operations, supervisor = at_work(runner), Supervisor()
    (tmp_path / HALT_FILE).touch()
    arm_kill_switch(tmp_path, operations, supervisor)
    operations.halt_all("kill switch", "again")
    await supervisor.stop()
    said = [record for record in desk.records if isinstance(record, ControlChanged)]
    assert [(record.control, record.author) for record in said] == [(Control.HALTED, "kill switch")]
    assert operations.status()[0]["state"] == "halted"


async def test_nothing_is_resumed_while_the_file_is_there(desk: Desk, tmp_path: Path) -> None:
    """It would be halted again within a second; the refusal names the file."""
    runner = await desk.opened()
    operations, supervisor = at_work(runner), Supervisor()
    (tmp_path / HALT_FILE).touch()
    arm_kill_switch(tmp_path, operations, supervisor)
    with pytest.raises(RefusedError, match=f"BTCUP: remove {tmp_path}/halt first"):
        operations.ask("BTCUP", Wanted("resume", "ann", "go on"))
    (tmp_path / HALT_FILE).unlink()
    operations.ask("BTCUP", Wanted("resume", "ann", "go on"))
    await supervisor.stop()
    assert runner.state.book.control is Control.RUNNING


class _AtWork:
    """What is there once every fund has begun."""

    def __init__(self) -> None:
        self.settings = load_settings({}, Path())

    def reload(self, author: str, why: str) -> dict[str, Any]:
        raise RefusedError(f"{author} {why}")


@pytest.mark.parametrize("resumed", [True, False])
async def test_a_signal_of_long_ago_halts_nothing_that_was_resumed(desk: Desk, *, resumed: bool) -> None:
    """Funds that begin again in this process, because the database was lost, are as their journals have them.

    But a fund whose journal could not take the halt is halted when it begins again.
    """
    operations = at_work(await desk.opened())
    operations.reloader = _AtWork()
    operations.halt_all("kill switch", "signal SIGUSR1")
    if resumed:
        operations.ask("BTCUP", Wanted("resume", "ann", "go on"))
    operations.forget()
    runner = await Desk().opened()
    operations.begun(runner)
    assert runner.state.book.control is (Control.RUNNING if resumed else Control.HALTED)


async def test_a_kill_switch_that_was_pulled_before_the_funds_begin_halts_them(
    desk: Desk, tmp_path: Path
) -> None:
    """Before its first order, and before it is known whether anything may be sent at all."""
    operations, supervisor = Operations("paper"), Supervisor()
    (tmp_path / HALT_FILE).touch()
    arm_kill_switch(tmp_path, operations, supervisor)
    runner = desk.runner()
    operations.add(runner, RebalanceHistory(runner.name))
    runner.begin(desk.fund.capital, adopt=False)
    operations.begun(runner)
    desk.mark(runner, 1_000)
    await runner.wait_quiet()
    await supervisor.stop()
    assert runner.state.book.control is Control.HALTED
    assert desk.venue.sent == []


async def test_a_fund_that_begins_is_not_halted_by_itself(desk: Desk) -> None:
    """Nobody pulled the switch."""
    operations, runner = Operations("paper"), await desk.opened()
    operations.begun(runner)
    assert runner.state.book.control is Control.RUNNING


async def test_a_signal_is_a_kill_switch(desk: Desk, tmp_path: Path) -> None:
    """SIGUSR1 halts what runs; without file or signal nothing is halted."""
    runner = await desk.opened()
    operations, supervisor = at_work(runner), Supervisor()
    arm_kill_switch(tmp_path, operations, supervisor)
    assert runner.state.book.control is Control.RUNNING
    os.kill(os.getpid(), signal.SIGUSR1)
    async with asyncio.timeout(60):
        while runner.state.book.control is not Control.HALTED:  # noqa: ASYNC110 - the signal is what is tested
            await asyncio.sleep(0.01)
    await supervisor.stop()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
