"""Reading a recording of Binance's raw websocket: the book kept from one snapshot and all diffs, and trades.

Each line is `<receive time ns> <json>`: a combined-stream frame (`<symbol>@depth@0ms`, `<symbol>@trade`), or
the REST snapshot. The book is kept by Binance's rules ("How to manage a local order book correctly"): diffs
that end before the snapshot are left out, the first one used must span it, and each must continue the last.
"""

from __future__ import annotations

import gzip
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from bot.exchange.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE_MS = 250
KEPT_BPS = 60.0
WALL_LOTS = 250.0  # base coin: a level of this size is one trader's doing, not the background's
MILLION = 1_000_000


class RecordingError(Exception):
    """The file is not such a recording, or something is missing in it. One line."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The book at one moment: ms since the snapshot, levels (price, size) best first, walls left out."""

    time_ms: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    walls: int

    @property
    def mid(self) -> float:
        """Half way between the best prices."""
        return (self.bids[0][0] + self.asks[0][0]) / 2

    def side(self, sign: int) -> list[tuple[float, float]]:
        """Return the asks (1) or the bids (-1)."""
        return self.asks if sign > 0 else self.bids


@dataclass(frozen=True, slots=True)
class Trade:
    """One recorded market order (the fills of one ms and side): ms, +1 or -1, size in USDT."""

    time_ms: int
    sign: int
    usd: float


@dataclass(slots=True)
class Recording:
    """Book samples every `SAMPLE_MS` and market orders since the snapshot; how many lines were of no use."""

    symbol: str
    start_ms: int
    samples: list[Sample] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    stale_diffs: int = 0
    early_trades: int = 0

    @property
    def end_ms(self) -> int:
        """The last moment, in ms since the snapshot."""
        return self.samples[-1].time_ms


def read_recording(file: Path) -> Recording:
    """Read a whole recording; raises RecordingError for a gap or a line that is not understood."""
    diffs, trades, snapshots = [], [], []
    for number, row in _rows(file):
        data = row.get("data", row)
        kind = data.get("e")
        if kind == "depthUpdate":
            diffs.append(data)
        elif kind == "trade":
            trades.append(data)
        elif "lastUpdateId" in data:
            snapshots.append(data)
        else:
            raise RecordingError(f"{file}: line {number}: neither depth, trade nor snapshot")
    if len(snapshots) != 1 or not diffs:
        raise RecordingError(
            f"{file}: has {len(snapshots)} snapshots and {len(diffs)} diffs; one and some needed"
        )
    if diffs[0]["s"] not in CATALOG:
        raise RecordingError(f"{file}: {diffs[0]['s']} is not traded here")
    recording = Recording(diffs[0]["s"], snapshots[0]["T"])
    _replay(file, recording, snapshots[0], diffs)
    _collect(recording, trades)
    return recording


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with gzip.open(file) as lines:
            for number, line in enumerate(lines, 1):
                yield number, orjson.loads(line.split(b" ", 1)[1])
    except (OSError, EOFError) as error:
        raise RecordingError(f"{file}: cannot be read: {error}") from error
    except (IndexError, orjson.JSONDecodeError) as error:
        raise RecordingError(f"{file}: has a line that is not `<time> <json>`: {error}") from error


class _Side:
    """One side of a kept book; keys are sorted best first."""

    def __init__(self, sign: int, rows: list[list[str]]) -> None:
        self._sign = sign
        self._sizes: dict[float, float] = {}
        self._keys: list[float] = []
        self.change(rows)

    def change(self, rows: list[list[str]]) -> None:
        for price_text, size_text in rows:
            price, size = float(price_text), float(size_text)
            key = self._sign * price
            if size and price not in self._sizes:
                insort(self._keys, key)
            elif not size and price in self._sizes:
                del self._keys[bisect_left(self._keys, key)]
            if size:
                self._sizes[price] = size
            else:
                self._sizes.pop(price, None)

    def levels(self) -> tuple[list[tuple[float, float]], int]:
        """Return the levels near the touch without the walls, and how many walls there were."""
        if not self._keys:
            return [], 0
        last = self._keys[0] + abs(self._keys[0]) * KEPT_BPS * 1e-4
        near = [abs(key) for key in self._keys[: bisect_left(self._keys, last)]]
        levels = [(price, self._sizes[price]) for price in near]
        kept = [level for level in levels if level[1] < WALL_LOTS]
        return kept, len(levels) - len(kept)


def _replay(file: Path, recording: Recording, snapshot: dict[str, Any], diffs: list[dict[str, Any]]) -> None:
    bids, asks = _Side(-1, snapshot["bids"]), _Side(1, snapshot["asks"])
    known, previous = snapshot["lastUpdateId"], None
    due_ms = recording.start_ms
    for diff in sorted(diffs, key=lambda item: int(item["u"])):
        if diff["u"] < known:
            recording.stale_diffs += 1
            continue
        spans = diff["U"] <= known <= diff["u"] if previous is None else diff["pu"] == previous
        if not spans:
            raise RecordingError(f"{file}: diff {diff['u']} does not continue the book; something is missing")
        previous = diff["u"]
        while diff["T"] > due_ms:
            (bid_levels, bid_walls), (ask_levels, ask_walls) = bids.levels(), asks.levels()
            passed_ms = due_ms - recording.start_ms
            recording.samples.append(Sample(passed_ms, bid_levels, ask_levels, bid_walls + ask_walls))
            due_ms += SAMPLE_MS
        bids.change(diff["b"])
        asks.change(diff["a"])


def _collect(recording: Recording, trades: list[dict[str, Any]]) -> None:
    """Put the fills of one market order together: those of one millisecond and side in a row."""
    for row in trades:
        time_ms, sign = row["T"] - recording.start_ms, -1 if row["m"] else 1
        if not 0 <= time_ms <= recording.end_ms:
            recording.early_trades += 1
            continue
        usd, orders = float(row["p"]) * float(row["q"]), recording.trades
        if orders and (orders[-1].time_ms, orders[-1].sign) == (time_ms, sign):
            orders[-1] = Trade(time_ms, sign, orders[-1].usd + usd)
        else:
            orders.append(Trade(time_ms, sign, usd))
