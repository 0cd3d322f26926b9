"""The public side of what runs: the API's public objects, ready to be sent.

Everything here comes from `bot.core.public_view` and from records that were revealed. The web room serves
it to anybody.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from bot.core.book import Book
from bot.core.events import Mark
from bot.core.history import RebalanceHistory
from bot.core.performance import costs, performance, public_side
from bot.core.public_view import PublicFund, public_fund
from bot.core.texts import decimal_text
from bot.daemon.nav import NavRecorder, Stretch, number_text
from bot.daemon.runner import Runner
from bot.journal.nav_store import Part


class PublicSide:
    """What everybody may see of the funds of one process; it reads what it is given, and changes nothing."""

    def __init__(self, mode: str, runners: Sequence[Runner], histories: dict[str, RebalanceHistory]) -> None:
        """The two collections are the daemon's own: they grow while it starts."""
        self._mode = mode
        self._runners = runners
        self._histories = histories
        self.recorder: NavRecorder | None = None
        self.paced = False
        self._marks: dict[str, Mark] = {}

    def forget(self) -> None:
        """Nothing runs here any more."""
        self._marks.clear()

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

    def revealed(self, name: str) -> int:
        """How many public records a fund that runs has."""
        return sum(entry.public is not None for entry in self._histories[name].entries())

    def performance(self, name: str) -> dict[str, Any] | None:
        """A fund against what it promises, as far as that is public; None if there is no such fund."""
        runner = next((runner for runner in self._runners if runner.name == name), None)
        if runner is None:
            return None
        state = runner.state
        return performance(state.fund, state.book, self._price(runner), public_side(state.book))

    def costs(self, name: str) -> dict[str, Any] | None:
        """What each revealed rebalance cost; None if there is no such fund."""
        runner = next((runner for runner in self._runners if runner.name == name), None)
        if runner is None:
            return None
        entries = self._histories[name].entries()
        return costs((entry for entry in entries if entry.public is not None), self._price(runner))

    async def bars(
        self, name: str, part: tuple[str, Literal["nav", "rest"]], start_ms: int, end_ms: int, limit: int
    ) -> bytes | None:
        """A fund's bars as a JSON list, of NAV or of what goes with it; None if there is no such fund."""
        if name not in self._histories:
            return None
        if self.recorder is None:
            return b"[]"
        return await self.recorder.rows(name, Stretch(Part(*part), start_ms, end_ms, limit))

    def bar(self, name: str, interval: str) -> dict[str, Any] | None:
        """The bar of NAV under way, as the public may see it; prices as strings."""
        bar = self.recorder.under_way(name, interval) if self.recorder is not None else None
        if bar is None:
            return None
        prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
        told = {key: number_text(value).strip('"') for key, value in prices.items()}
        return {"start_ms": bar.start_ms, "updates": bar.updates, **told}

    def terms(self, name: str) -> dict[str, str]:
        """What flows cost and how much a day may bring, in the words of Binance's `tokenInfo`."""
        fund = next(runner.state.fund for runner in self._runners if runner.name == name)
        terms = fund.terms
        return {
            "dailyManagementFee": decimal_text(fund.management_fee_daily),
            "purchaseFeePct": decimal_text(terms.subscribe_fee),
            "dailyPurchaseLimit": _limit(terms.daily_subscribe),
            "redeemFeePct": decimal_text(terms.redeem_fee),
            "dailyRedeemLimit": _limit(terms.daily_redeem),
        }

    def taken(self, runner: Runner, mark: Mark, *, ours: bool = False) -> None:
        """A fund has taken a mark in; one that is `ours` came because a fund wanted to be woken.

        The public does not see such a mark: how many there are, and when, would tell of each slice.
        """
        if not ours:
            self._marks[runner.name] = mark
        if self.recorder is not None:
            (self.recorder.look if ours else self.recorder.take)(runner, mark)

    def _fund(self, runner: Runner) -> PublicFund:
        state = runner.state
        return public_fund(state.fund, state.book, self._mark(runner), self._mode)

    def _mark(self, runner: Runner) -> Mark | None:
        """The latest mark that the market came with by itself."""
        return self._marks.get(runner.name) if self.paced else runner.state.mark

    def _price(self, runner: Runner) -> Decimal | None:
        mark = self._mark(runner)
        return None if mark is None else mark.price


def _limit(amount: Decimal | None) -> str:
    """A daily limit; where there is none, a number that nobody reaches."""
    return "1000000000000" if amount is None else decimal_text(amount)
