"""Feeding the live table on a terminal from what runs."""

from decimal import Decimal

from bot.core.history import EntryState, RebalanceEntry
from bot.core.ledger import real_leverage
from bot.daemon.console import Console, ConsoleView, FundRow, RebalanceRow, screen
from bot.daemon.logs import Notices
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from bot.daemon.scribe import Scribe
from bot.daemon.status import fund_state, triggers
from bot.venue.clock import monotonic_s

REFRESH_S = 0.5
_SHOWN_REBALANCES = 6


class LiveTable:
    """Shows `operations` on the terminal; `refresh` is called a few times a second."""

    def __init__(self, header: str, out: Scribe, operations: Operations, notices: Notices) -> None:
        """Show how things stand now, on the terminal that `out` writes to.

        From here on, what is printed on standard output goes the same way, and appears above the table.
        """
        self._out = out
        self._console = Console(header, screen(out))
        self._operations = operations
        self._notices = notices
        self._began: tuple[float, int] | None = None
        self._console.update(self._view())

    def refresh(self) -> None:
        """Show how things stand now, unless the terminal has not taken yet what was shown before."""
        if self._out.idle:
            self._console.update(self._view())

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._console.update(self._view())
        self._console.close()

    def _view(self) -> ConsoleView:
        operations = self._operations
        pacer = operations.pacer
        marks = [runner.state.mark for runner in operations.runners if runner.state.mark is not None]
        market_ms = max((mark.time_ms for mark in marks), default=None)
        progress, left_s = self._progress(market_ms)
        incidents = [f"{i['fund']}: {i['code']}: {i['remedy']}" for i in operations.incidents()]
        return ConsoleView(
            mode=operations.mode,
            market_ms=market_ms,
            funds=[_row(runner) for runner in operations.runners],
            rebalances=self._rebalances(),
            notices=incidents or self._notices.latest(),
            speed=None if pacer is None else pacer.speed,
            progress=progress,
            left_s=left_s,
        )

    def _progress(self, market_ms: int | None) -> tuple[float | None, float | None]:
        """The part of the replay that is over, and the wall time that the rest needs at the pace so far."""
        pacer = self._operations.pacer
        if pacer is None or pacer.end_ms is None or market_ms is None:
            return None, None
        done = (market_ms - pacer.start_ms) / max(1, pacer.end_ms - pacer.start_ms)
        now_s = monotonic_s()
        if self._began is None:
            self._began = (now_s, market_ms)
        began_s, began_ms = self._began
        if market_ms <= began_ms:
            return done, None
        return done, (now_s - began_s) * (pacer.end_ms - market_ms) / (market_ms - began_ms)

    def _rebalances(self) -> list[RebalanceRow]:
        over = {EntryState.DONE, EntryState.SUPERSEDED}
        entries = [
            entry
            for history in self._operations.histories.values()
            for entry in history.entries()[-_SHOWN_REBALANCES - 1 :]
            if entry.state in over
        ]
        entries.sort(key=lambda entry: entry.started_ms, reverse=True)
        return [_rebalance_row(entry) for entry in entries[:_SHOWN_REBALANCES]]


def _row(runner: Runner) -> FundRow:
    state = runner.state
    book, mark = state.book, state.mark.price if state.mark is not None else None
    value = None if mark is None or book.created is None else book.ledger.value(mark)
    return FundRow(
        fund=runner.name,
        side="long" if state.fund.side.sign > 0 else "short",
        state="stopped" if runner.failure is not None else fund_state(book),
        mark=mark,
        nav=None if value is None or not book.units else Decimal(value / book.units),
        real_leverage=None if mark is None or book.created is None else real_leverage(book.ledger, mark),
        band=state.fund.band,
        triggers=triggers(state.fund, book, state.region),
        slices=None if book.rebalance is None else book.rebalance.slices,
    )


def _rebalance_row(entry: RebalanceEntry) -> RebalanceRow:
    return RebalanceRow(
        time_ms=entry.started_ms,
        fund=entry.fund,
        kind=entry.kind.value,
        leverage_before=entry.leverage_before,
        leverage_after=entry.leverage_after,
        slices=entry.slices,
        cost_bps=entry.shortfall_bps,
    )
