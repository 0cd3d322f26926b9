"""A quant reruns it: a loop of their own over the same files, by docs/study.md alone, against `backtest`."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.cli import invoke

pytestmark = pytest.mark.needs("shared")
MINUTE_MS, DAY_MS = 60_000, 86_400_000
SPOT = ("BTCUSDT_spot_1h_2020-01-01_2021-06-30.csv.gz", "BTCUSDT_funding_8h_2020-01-01_2023-12-31.csv.gz")
PERP = ("BTCUSDT_perp_1h_2024-05-01_2025-08-04.csv.gz", "BTCUSDT_funding_8h_2024-05-01_2025-08-04.csv.gz")
ETHER = ("ETHUSDT_perp_1m_2025-05-04_2025-06-15.csv.gz", "ETHUSDT_funding_8h_2025-03-06_2025-06-15.csv.gz")

Trigger = Callable[[int, float, float, int, float], bool]
"""(time, price, leverage, time and price of the last rebalance) to whether to rebalance."""


def column(file: Path, *names: str) -> list[tuple[float, ...]]:
    """Columns of a CSV.gz."""
    with gzip.open(file, "rt") as lines:
        return [tuple(float(row[name]) for name in names) for row in csv.DictReader(lines)]


def rerun(
    bars: list[tuple[float, ...]],
    funding: list[tuple[float, ...]],
    fund: tuple[int, float, float, float],
    trigger: Trigger,
) -> dict[str, Any]:
    """Bar by bar, with capital 1,000,000; `fund` is (side, start leverage, target, fee as a fraction)."""
    sign, start, target, f = fund
    bar_ms = Counter(int(b[0] - a[0]) for a, b in pairwise(bars)).most_common(1)[0][0]
    due = [(ms // MINUTE_MS * MINUTE_MS, rate) for ms, rate in funding if ms >= bars[0][0]]
    last_ms, last = int(bars[0][0]) + bar_ms, bars[0][1]
    position = sign * start * 1e6 / last
    cash = 1e6 - position * last
    paid = received = turnover = 0.0
    trades = []
    for stamp, p in bars:
        now_ms = int(stamp) + bar_ms
        while due and due[0][0] <= now_ms:
            received -= position * p * due[0][1]
            cash -= position * p * due.pop(0)[1]
        v, e = cash + position * p, abs(position) * p
        if v <= 0:
            break
        if trigger(now_ms, p, e / v, last_ms, last):
            after = target * (v + f * e) / (1 + target * f)
            if target * v < e:
                after = target * (v - f * e) / (1 - target * f)
            quantity = sign * (after - e) / p
            paid, turnover = paid + abs(quantity) * p * f, turnover + abs(quantity) * p / v
            cash, position = cash - quantity * p - abs(quantity) * p * f, position + quantity
            trades.append((now_ms, p))
            last_ms, last = now_ms, p
    value = cash + position * p
    return {"final_value": value, "turnover": turnover, "fees": paid, "funding": received, "trades": trades}


def outside(lower: float, upper: float) -> Trigger:
    """Strictly outside a band."""
    return lambda _now_ms, _price, leverage, _last_ms, _last: not lower <= leverage <= upper


def daily_and_moves(move: float) -> Trigger:
    """Once after each 00:00 UTC, after a move, and at 4x."""
    return lambda now_ms, price, leverage, last_ms, last: (
        now_ms // DAY_MS > last_ms // DAY_MS or abs(price / last - 1) >= move or leverage >= 4
    )


@pytest.mark.parametrize("files", [SPOT, PERP, ETHER], ids=["spot", "perpetual", "ether"])
@pytest.mark.parametrize(
    ("fund", "trigger", "options"),
    [
        ((1, 2, 2.25, 4e-4), outside(1.5, 3), ["--band", "1.5", "3", "--start-leverage", "2"]),
        ((-1, 2.2, 2.4, 5e-4), outside(2, 2.8), ["--band", "2", "2.8", "--start-leverage", "2.2"]),
        ((1, 3, 3, 5e-4), daily_and_moves(0.1), ["--strategy", "interval"]),
        ((-1, 3, 3, 1e-3), daily_and_moves(0.03), ["--strategy", "interval", "--set", "move=0.03"]),
    ],
    ids=["band UP", "band DOWN", "interval UP", "interval DOWN"],
)
def test_the_same_answer_from_their_own_loop(
    files: tuple[str, str],
    fund: tuple[int, float, float, float],
    trigger: Trigger,
    options: list[str],
    shared_data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Value, turnover, fees and funding to 1e-9, and the same trades at the same times and prices."""
    prices, funding = (shared_data / file for file in files)
    sign, _, target, fee = fund
    command = ["backtest", "--data", str(prices), "--funding", str(funding), "--json", "--capital", "1000000"]
    command += ["--side", "long" if sign > 0 else "short", "--fee-bps", f"{fee * 1e4:g}"]
    assert invoke([*command, "--target", str(target), str(target), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    own = rerun(column(prices, "timestamp", "close"), column(funding, "timestamp", "rate"), fund, trigger)
    assert [(row["time"], row["price"]) for row in found["rebalances"]] == own.pop("trades")
    for name, value in own.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-6), name
