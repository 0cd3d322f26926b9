"""Keeping the history of NAV: every mark updates each fund's bars, and every few seconds they are stored.

The public sees the true history up to the rebalance that it does not know of yet, and from there on what its
own basket was worth; at the reveal the rest is filled in.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import NamedTuple, Protocol

import orjson
import structlog

from bot.core.bars import INTERVALS_MS, Bar, Closed, Point, Tracks
from bot.core.basket import Basket
from bot.core.book import Book
from bot.core.events import Mark
from bot.daemon.runner import Runner
from bot.journal.errors import JournalUnavailable
from bot.journal.nav_store import Part, Row

STORE_EVERY_S = 5.0


class Stretch(NamedTuple):
    """Bars that start in [start_ms, end_ms), the newest `limit` of them."""

    part: Part
    start_ms: int
    end_ms: int
    limit: int


class NavHistory(Protocol):
    """Where bars are kept; `bot.journal.nav_store.NavStore` says how."""

    def write(self, rows: Sequence[Row], lengths_ms: dict[str, int], hidden_since: dict[str, int]) -> None:
        """Write bars."""
        ...

    def latest(self, fund: str, interval: str) -> Row | None:
        """The last bar of a fund."""
        ...

    def read(
        self, fund: str, part: Part, length_ms: int, start_ms: int, end_ms: int, hidden_since_ms: int | None
    ) -> bytes:
        """One part of bars, as a JSON list."""
        ...


class _Line:
    """One fund's bars, and what its NAV is a function of: floats that are worked out once per book."""

    def __init__(self, tracks: Tracks) -> None:
        self.tracks = tracks
        self.closed: list[Closed] = []
        self.hidden_since_ms: int | None = None
        self.seen_ms = 0
        self._book: Book | None = None
        self._true = self._shown = (0.0, 0.0)
        self._shadow: tuple[float, float] | None = None
        self._hidden = False

    def look(self, book: Book) -> None:
        """Take a book in."""
        if book is not self._book:
            self._take(book)

    def update(self, book: Book, mark: Mark) -> None:
        """Take a mark in."""
        self.look(book)
        price = float(mark.price)
        shadow = None if self._shadow is None else self._shadow[0] + self._shadow[1] * price
        true = _point(self._true, price, shadow)
        shown = _point(self._shown, price, shadow) if self._hidden else true
        self.seen_ms = mark.time_ms
        self.closed += self.tracks.update(mark.time_ms, true, shown)

    def _take(self, book: Book) -> None:
        self._book = book
        self._true = _per_unit(book.basket(0))
        self._shown = _per_unit(book.public.basket)
        self._shadow = None if book.shadow is None else _per_unit(book.shadow.basket)
        hidden = book.public.hidden
        if self._hidden and not hidden:
            self.tracks.trued_up()
        self._hidden = hidden
        self.hidden_since_ms = book.public.hidden_since_ms


class NavRecorder:
    """The NAV history of all funds of one process. Storing and reading go on in a thread of their own."""

    def __init__(self, store: NavHistory) -> None:
        """Nothing is recorded until the first mark."""
        self._store = store
        self._lines: dict[str, _Line] = {}
        self._begun: dict[str, Tracks] = {}
        self._unwritten: dict[tuple[str, str, int], Row] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nav")

    def take(self, runner: Runner, mark: Mark) -> None:
        """A fund has taken a mark in; one that is older than the last is none of ours."""
        book = runner.state.book
        if book.created is None or not book.units:
            return
        line = self._lines.get(runner.name)
        if line is None:
            begun = self._begun.pop(runner.name, None)
            line = self._lines[runner.name] = _Line(begun or self._resumed(runner.name))
        if mark.time_ms > line.seen_ms:
            line.update(book, mark)

    def look(self, runner: Runner, mark: Mark) -> None:  # noqa: ARG002 - it is not for the public
        """A fund may have been revealed at a mark that is no update."""
        line = self._lines.get(runner.name)
        if line is not None:
            line.look(runner.state.book)

    async def resume(self, funds: Sequence[str]) -> None:
        """Read the bars that were under way before the first mark comes; raises as the store does."""

        def read() -> None:
            self._begun = {fund: self._resumed(fund) for fund in funds}

        await asyncio.get_running_loop().run_in_executor(self._thread, read)

    async def run(self) -> None:
        """Store what there is every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(STORE_EVERY_S)
            await self.store()

    async def store(self) -> None:
        """Store what there is now."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, *self._taken())

    def close(self) -> None:
        """Store what there is, and let the thread go.

        Where the store is lost, the successor keeps it; where it takes no more, the last moments are missing.
        """
        try:
            self._thread.submit(self._write, *self._taken()).result()
        except JournalUnavailable as error:
            structlog.get_logger().warning("nav_not_stored", reason=str(error))
        self._thread.shutdown()

    def abandon(self, close: Callable[[], None]) -> None:
        """Wait for nothing: the store does not answer, or is another's. The thread closes it when it can."""
        self._thread.submit(close)
        self._thread.shutdown(wait=False)

    async def rows(self, fund: str, wanted: Stretch) -> bytes:
        """The newest bars of a stretch, at most its limit, as a JSON list."""
        line = self._lines.get(fund)
        if line is None:
            return b"[]"
        await self.store()
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._read, fund, wanted, line.seen_ms, line.hidden_since_ms
        )

    def _read(self, fund: str, wanted: Stretch, seen_ms: int, hidden_since_ms: int | None) -> bytes:
        length_ms = INTERVALS_MS[wanted.part.interval]
        newest_ms = min(wanted.end_ms - 1, seen_ms) // length_ms * length_ms
        start_ms = max(wanted.start_ms, newest_ms - (wanted.limit - 1) * length_ms)
        return self._store.read(fund, wanted.part, length_ms, start_ms, wanted.end_ms, hidden_since_ms)

    def under_way(self, fund: str, interval: str) -> Bar | None:
        """The bar of an interval so far, as the public may see it."""
        line = self._lines.get(fund)
        bars = line.tracks.under_way() if line is not None else []
        return next((shown or bar for name, bar, shown in bars if name == interval), None)

    def _taken(self) -> tuple[list[Row], dict[str, int]]:
        rows = []
        for fund, line in self._lines.items():
            closed, line.closed = line.closed, []
            rows += [row_of(fund, item) for item in (*closed, *line.tracks.under_way())]
        hidden = {
            fund: line.hidden_since_ms
            for fund, line in self._lines.items()
            if line.hidden_since_ms is not None
        }
        return rows, hidden

    def _write(self, rows: list[Row], hidden: dict[str, int]) -> None:
        """What the store did not take waits for the next time."""
        self._unwritten |= {(row.fund, row.interval, row.start_ms): row for row in rows}
        if self._unwritten:
            self._store.write([*self._unwritten.values()], INTERVALS_MS, hidden)
            self._unwritten.clear()

    def _resumed(self, fund: str) -> Tracks:
        """The bars that were under way when the last process ended."""
        bars = {}
        for interval in INTERVALS_MS:
            row = self._store.latest(fund, interval)
            if row is not None:
                true = _bar(row.nav, row.rest)
                shown = true if row.shown_nav is None else _bar(row.shown_nav, row.shown_rest or row.rest)
                bars[interval] = (true, shown)
        return Tracks(bars)


def _per_unit(basket: Basket) -> tuple[float, float]:
    return float(basket.cash / basket.units), float(basket.position / basket.units)


def _point(per_unit: tuple[float, float], price: float, shadow: float | None) -> Point:
    cash, position = per_unit
    nav = cash + position * price
    return Point(nav, price, abs(position) * price / nav if nav > 0 else None, shadow)


def row_of(fund: str, closed: Closed) -> Row:
    """A bar as it is stored."""
    interval, bar, shown = closed
    if shown is None:
        return Row(fund, interval, bar.start_ms, *_texts(bar))
    return Row(fund, interval, bar.start_ms, *_texts(bar), *_texts(shown))


def _texts(bar: Bar) -> tuple[str, str]:
    start_ms, opened, high, low, close, count, mark, leverage, shadow = bar
    first, most, least, last = map(number_text, (opened, high, low, close))
    told = ",".join("null" if value is None else number_text(value) for value in (mark, leverage, shadow))
    return f"[{start_ms},{first},{most},{least},{last},{count}]", f"[{start_ms},{told}]"


def number_text(value: float) -> str:
    """A decimal string of ten significant digits, without an exponent."""
    text = f"{value:.10g}"
    if "e" in text:
        text = f"{Decimal(text):f}"
    return f'"{text}"'


def _bar(nav: str, rest: str) -> Bar:
    start_ms, opened, high, low, close, count = orjson.loads(nav)
    _, mark, leverage, shadow = orjson.loads(rest)
    return Bar(
        start_ms,
        float(opened),
        float(high),
        float(low),
        float(close),
        count,
        float(mark),
        None if leverage is None else float(leverage),
        None if shadow is None else float(shadow),
    )
