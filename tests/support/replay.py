"""Small price files that the tests write themselves."""

from collections.abc import Sequence
from pathlib import Path

BAR_MS = 300_000
START_MS = 1_741_219_200_000  # 2025-03-06 00:00 UTC


def write_replay(file: Path, *corners: float, hours: float = 24.0) -> Path:
    """Write five-minute closes that go straight from corner to corner, in `hours` of market time."""
    bars = round(hours * 3_600_000 / BAR_MS)
    legs = len(corners) - 1
    closes = [_price(corners, legs * bar / (bars - 1)) for bar in range(bars)]
    return write_bars(file, [(START_MS + bar * BAR_MS, f"{close:.1f}") for bar, close in enumerate(closes)])


def write_bars(file: Path, rows: Sequence[tuple[int, str]]) -> Path:
    """Write a file of timestamps and closes as they are given."""
    lines = ["timestamp,close", *(f"{time_ms},{close}" for time_ms, close in rows)]
    file.write_text("\n".join(lines) + "\n")
    return file


def _price(corners: Sequence[float], way: float) -> float:
    leg = min(int(way), len(corners) - 2)
    return corners[leg] + (corners[leg + 1] - corners[leg]) * (way - leg)
