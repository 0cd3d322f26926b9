"""While a stream is lost, marks come by REST; the stream itself stays lost until it speaks again."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import pytest

from bot.core.book import Book
from bot.core.commands import Command
from bot.core.engine import start
from bot.core.events import AccountSeen, Event, Mark, ReadFailed
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.daemon.draws import SeededDraws
from bot.daemon.fallback import MarkFallback
from bot.daemon.operations import Operations
from bot.daemon.runner import Carry, Runner
from bot.testing import a_contract, a_fund
from bot.venue.clock import ExchangeClock
from bot.venue.errors import RequestFailed
from tests.daemon.conftest import Logged


class Memory:
    """A journal that remembers in memory."""

    def append(self, fund: str, records: Sequence[Record], wall_ms: int) -> None:
        """Forget it: nothing here reads it back."""

    def close(self) -> None:
        """Nothing to let go of."""


class Flat:
    """An account that holds exactly the fund's capital, and no position."""

    def ready(self, command: Command) -> Carry:
        """Everything takes time here."""
        return partial(self.perform, command)

    async def perform(self, command: Command) -> Event:
        """Answer every read of the account; nothing else is asked for in these tests."""
        if type(command).__name__ == "FetchAccount":
            return AccountSeen(1, 1, Decimal(100_000), Decimal(0), ())
        return ReadFailed(1, 1, type(command).__name__, "not here")


@pytest.fixture
async def operations() -> Operations:
    """One fund on BTCUSDT, reconciled, whose stream was lost before its first mark."""
    found = Operations("paper")
    state = start(a_fund(), a_contract(), Book())
    runner = Runner(state, Flat(), Memory(), ExchangeClock(1), SeededDraws(1), found.changed)  # type: ignore[arg-type]
    found.add(runner, RebalanceHistory("BTCUP"))
    runner.begin(Decimal(100_000), adopt=False)
    await runner.wait_quiet()
    return found


async def poll(operations: Operations, answers: list[Mark | RequestFailed]) -> None:
    """Let the fallback run until it has had all `answers` and asks for more."""
    asked_again = asyncio.Event()

    async def fetch(symbol: str) -> Mark:
        assert symbol == "BTCUSDT"
        if not answers:
            asked_again.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, RequestFailed):
            raise answer
        return answer

    task = asyncio.create_task(MarkFallback(operations, fetch, poll_s=0.001).run())
    async with asyncio.timeout(60):
        await asked_again.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_mark_by_rest_reaches_the_fund(operations: Operations) -> None:
    """The fund has a current mark and is ready; its stream still counts as lost, so polling goes on."""
    await poll(operations, [Mark(2, 2, Decimal(60_000))])

    assert operations.runners[0].state.mark == Mark(2, 2, Decimal(60_000))
    assert operations.unready() == []
    assert operations.lost_symbols() == ["BTCUSDT"]


async def test_a_failed_read_is_tried_again(operations: Operations) -> None:
    """A read that fails is no end of the watch."""
    failure = RequestFailed("-1001", "internal error", transient=True)
    await poll(operations, [failure, Mark(3, 3, Decimal(61_000))])

    assert operations.runners[0].state.mark == Mark(3, 3, Decimal(61_000))


async def test_an_outage_is_told_once_for_each_reason(operations: Operations, logged: Logged) -> None:
    """And anew after a mark that came: a day of it is no reason for fifty thousand lines."""
    down = RequestFailed("-1001", "internal error", transient=True)
    banned = RequestFailed("-1003", "banned", transient=True)
    await poll(operations, [down, down, banned, banned, Mark(3, 3, Decimal(61_000)), banned])
    told = [line["reason"] for line in logged() if line["event"] == "mark_unreadable"]
    assert told == [str(down), str(banned), str(banned)]


async def test_the_stream_ends_the_polling(operations: Operations) -> None:
    """Once the stream has spoken, a mark that was still on its way by REST is dropped."""
    operations.marked("BTCUSDT", Mark(5, 5, Decimal(62_000)))
    operations.marked_by_rest("BTCUSDT", Mark(6, 6, Decimal(50_000)))

    assert operations.lost_symbols() == []
    assert operations.runners[0].state.mark == Mark(5, 5, Decimal(62_000))
