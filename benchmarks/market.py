"""Made-up prices for replays: one mark a bar."""

from hashlib import blake2s
from pathlib import Path

START_MS = 1_735_689_600_000
BAR_MS = 60_000
_LARGEST_STEP = 0.0008


def write_replay(path: Path, bars: int) -> Path:
    """Write a CSV of minutes whose closes differ by less than 0.1 %, so that each gives exactly one mark."""
    price, lines = 60_000.0, ["timestamp,close"]
    for number in range(bars):
        lines.append(f"{START_MS + number * BAR_MS},{price:.1f}")
        share = int.from_bytes(blake2s(b"%d" % number, digest_size=4).digest(), "big") / 2**31 - 1
        price *= 1 + share * _LARGEST_STEP
    path.write_text("\n".join(lines) + "\n")
    return path


def end_ms(bars: int) -> int:
    """When the last mark of such a replay comes: its bars are stamped with their opening, and close then."""
    return START_MS + bars * BAR_MS
