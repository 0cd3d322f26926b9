"""The public side of what runs: CONTRACT's public objects, ready to be sent.

Everything here comes from `bot.core.public_view` and from records that were revealed. The web room serves
it to anybody.
"""

from collections.abc import Sequence
from typing import Any

from bot.core.book import Book
from bot.core.events import Mark
from bot.core.history import RebalanceHistory
from bot.core.performance import costs, performance, public_side
from bot.core.public_view import PublicFund, public_fund
from bot.daemon.nav import NavRecorder, Stretch
from bot.daemon.runner import Runner


class PublicSide:
    """What everybody may see of the funds of one process; it reads what it is given, and changes nothing."""

    def __init__(self, mode: str, runners: Sequence[Runner], histories: dict[str, RebalanceHistory]) -> None:
        """The two collections are the daemon's own: they grow while it starts."""
        self._mode = mode
        self._runners = runners
        self._histories = histories
        self.recorder: NavRecorder | None = None

    def names(self) -> list[str]:
        """The funds that run, by name."""
        return [runner.name for runner in self._runners]

    def book(self, name: str) -> Book:
        """A fund's book: for who looks at what is public in it."""
        return next(runner.state.book for runner in self._runners if runner.name == name)

    def funds(self) -> list[PublicFund]:
        """Every fund's public figures at its latest mark."""
        return [self._fund(runner) for runner in self._runners]

    def fund(self, name: str) -> PublicFund | None:
        """One fund; None if there is none of this name."""
        return next((self._fund(runner) for runner in self._runners if runner.name == name), None)

    def rebalances(self, name: str, after: int, limit: int) -> list[bytes] | None:
        """A fund's public records after the first `after`, oldest first, as JSON; None without a fund."""
        history = self._histories.get(name)
        if history is None:
            return None
        return history.public_records(after, limit)

    def performance(self, name: str) -> dict[str, Any] | None:
        """A fund against what it promises, as far as that is public; None if there is no such fund."""
        runner = next((runner for runner in self._runners if runner.name == name), None)
        if runner is None:
            return None
        state = runner.state
        mark = state.mark.price if state.mark is not None else None
        return performance(state.fund, state.book, mark, public_side(state.book))

    def costs(self, name: str) -> dict[str, Any] | None:
        """What each revealed rebalance cost; None if there is no such fund."""
        runner = next((runner for runner in self._runners if runner.name == name), None)
        if runner is None:
            return None
        mark = runner.state.mark.price if runner.state.mark is not None else None
        entries = self._histories[name].entries()
        return costs((entry for entry in entries if entry.public is not None), mark)

    async def bars(
        self, name: str, interval: str, start_ms: int, end_ms: int, limit: int
    ) -> tuple[bytes, bytes] | None:
        """A fund's bars as two JSON lists, of NAV and of what goes with it; None if there is no such fund."""
        if name not in self._histories:
            return None
        if self.recorder is None:
            return b"[]", b"[]"
        return await self.recorder.rows(name, Stretch(interval, start_ms, end_ms, limit))

    def taken(self, runner: Runner, mark: Mark) -> None:
        """A fund has taken a mark in."""
        if self.recorder is not None:
            self.recorder.take(runner, mark)

    def _fund(self, runner: Runner) -> PublicFund:
        state = runner.state
        return public_fund(state.fund, state.book, state.mark, self._mode)
