"""`backtest` on the command line: one object for each fund, and one line for whatever is wrong."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli import invoke
from tests.study.builders import MIDNIGHT_MS, MINUTE_MS, random_walk

ROOT = Path(__file__).resolve().parents[2]
OWN_STRATEGY = """
from dataclasses import dataclass
from typing import ClassVar
from bot.core.strategy import Hold, Rebalance

@dataclass(frozen=True)
class Lazy:
    uses_band: ClassVar[bool] = False
    limit: float = 3.2

    def decide(self, view):
        if view.real_leverage > self.limit:
            return Rebalance(2.0, 2.0, "prompt", "lazy")
        return view.hold_between(0.0, self.limit)
"""


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """A file of a wild day."""
    file = tmp_path / "prices.csv"
    rows = [f"{MIDNIGHT_MS + i * MINUTE_MS},{price}" for i, price in enumerate(random_walk(1, 1_500, 0.01))]
    file.write_text("\n".join(["timestamp,close", *rows]))
    return str(file)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    assert invoke(["backtest", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends."""
    assert invoke(["backtest", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_object_is_the_contracts(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of its names, numbers as numbers, times as whole milliseconds."""
    found = answer(capsys, "--data", prices, "--side", "short", "--fee-bps", "4", "--seed", "7")
    names = (
        "final_nav final_value rebalance_count turnover fees funding dead dead_at warnings rebalances metrics"
    )
    assert set(names.split()) <= set(found)
    assert found["rebalance_count"] == len(found["rebalances"]) > 3
    assert found["final_nav"] == pytest.approx(found["final_value"] / 100_000)
    row = found["rebalances"][0]
    own = "time price kind leverage_before leverage_after position_before position_after fee"
    assert set(own.split()) <= set(row)
    assert isinstance(row["time"], int)
    assert row["position_before"] < 0
    assert sum(row["fee"] for row in found["rebalances"]) == pytest.approx(found["fees"])
    assert found["metrics"]["max_drawdown"] < 0


def test_options_reach_the_fund(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Band, target, start, capital, lot and emergency."""
    leverages = ("--band", "1.9", "2.1", "--target", "2", "2", "--start-leverage", "2.05", "--emergency", "3")
    options = (*leverages, "--capital", "5000", "--lot", "0.5")
    found = answer(capsys, "--data", prices, *options)
    first = found["rebalances"][0]
    assert first["position_before"] == pytest.approx(5000 * 2.05 / random_walk(1, 1, 0.01)[0])
    traded = (first["position_after"] - first["position_before"]) / 0.5
    assert traded == pytest.approx(round(traded))
    assert not 1.9 <= first["leverage_before"] <= 2.1


def test_one_set_takes_several_parameters(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As well as one --set for each; what is no key=value is named."""
    both = ["--set", "at=12:00", "--set", "move=0"], ["--set", "at=12:00", "move=0"]
    once, again = (answer(capsys, "--data", prices, "--strategy", "interval", *each) for each in both)
    assert once == again
    assert '"oops" is no key=value' in refusal(capsys, "--data", prices, "--set", "at=12:00", "oops")


def test_several_funds_are_an_object_by_name(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each as it would be alone; the prices are read once."""
    up, down = "UP side=long", "DOWN side=short strategy=interval target=2,2 set.at= set.move=0.05"
    found = answer(capsys, "--data", prices, "--fund", up, "--fund", down, "--seed", "3")
    assert list(found) == ["UP", "DOWN"]
    alone = answer(capsys, "--data", prices, "--fund", up, "--seed", "3")
    assert alone["UP"] == found["UP"]
    assert {row["reason"] for row in found["DOWN"]["rebalances"]} <= {"move", "max leverage"}


def test_prices_come_from_standard_input(
    prices: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from the file."""
    whole = answer(capsys, "--data", prices)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(prices).read_bytes())))
    assert answer(capsys, "--data", "-") == whole


def test_a_strategy_of_ones_own(
    prices: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its import path, with its parameters."""
    (tmp_path / "lazy_strategy.py").write_text(OWN_STRATEGY)
    monkeypatch.syspath_prepend(tmp_path)
    found = answer(capsys, "--data", prices, "--strategy", "lazy_strategy:Lazy", "--set", "limit=2.5")
    assert {row["reason"] for row in found["rebalances"]} == {"lazy"}
    assert all(2.5 < row["leverage_before"] < 2.7 for row in found["rebalances"])


def test_trades_fill_in_the_paper_exchanges_book(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Worse than the mark, and worse for a larger fund; the same seed gives the same book."""
    small, large, again = (
        answer(capsys, "--data", prices, "--book", "btcusdt", "--capital", capital)
        for capital in ("1e5", "1e9", "1e9")
    )

    def shortfall(row: dict[str, float]) -> float:
        sign = 1 if row["position_after"] > row["position_before"] else -1
        return sign * (row["fill_price"] / row["price"] - 1)

    assert 0 < shortfall(small["rebalances"][0]) < shortfall(large["rebalances"][0]) < 0.5
    assert large == again


def test_a_fund_that_dies_is_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and when it died."""
    file = tmp_path / "crash.csv"
    file.write_text(f"timestamp,close\n{MIDNIGHT_MS},100\n{MIDNIGHT_MS + MINUTE_MS},40\n")
    found = answer(capsys, "--data", str(file))
    assert (found["dead"], found["dead_at"]) == (True, MIDNIGHT_MS + 2 * MINUTE_MS)
    assert found["final_nav"] == pytest.approx(-0.2)


def test_people_get_a_table(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Totals and metrics side by side."""
    assert invoke(["backtest", "--data", prices]) == 0
    out = capsys.readouterr().out
    assert "final NAV" in out
    assert "max drawdown" in out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--set confirm=1", 'strategic has no parameter "confirm"; did you mean confirmation_s?'),
        ("--set confirmation_s", '--set "confirmation_s" is no key=value'),
        ("--set confirmation_s=-5", "strategic: confirmation_s must not be negative, got -5"),
        ("--strategy interval --band nan 3", "--band [nan, 3] is no range; give two numbers"),
        ("--strategy interval --target nan nan", "--target [nan, nan] is no range; give two numbers"),
        ("--set confirmation_s=soon", "strategic: confirmation_s must be a number"),
        ("--strategy strategik", 'no strategy "strategik"; did you mean strategic?'),
        ("--strategy interval --set target=5", "interval: target must lie between 0 and max_leverage 4"),
        (
            "--strategy corridor --set target=4",
            "--emergency 3.5 is not above the strategy's target 4; set it",
        ),
        ("--strategy interval --emergency 2", "--emergency 2 is not above the strategy's target 3"),
        ("--side up", "--side up is no side; give long or short"),
        ("--band 3 1.5", "--band [3, 1.5] is empty or reversed"),
        ("--band 0.5 3", "--band [0.5, 3] does not lie above 1"),
        ("--target 2.6 1.8", "--target [2.6, 1.8] is reversed"),
        ("--target 1 2", "--target [1, 2] is not inside the band"),
        ("--start-leverage 4", "--start-leverage 4 is outside the band"),
        ("--emergency 2", "--emergency 2 is not above the band"),
        ("--capital 0", "--capital 0 is not a positive number"),
        ("--lot -1", "--lot -1 is not a positive number"),
        ("--fee-bps 5000", "--fee-bps 5000 is not between"),
        ("--management-fee 2", "--management-fee 2 is no fraction"),
        ("--slippage-bps -1", "--slippage-bps -1 is not a cost"),
        ("--path zigzag", "--path zigzag is no path; choose from close, ohlc, olhc"),
        ("--path ohlc", "--path ohlc needs open, high and low"),
        ("--impact 1", "--impact needs volumes"),
        ("--book DOGE", "--book DOGE: not traded on the paper exchange"),
        ("--book BTCUSDT --impact 1", "--book is a slippage model of its own"),
        ("--fund side=long", '--fund "side=long" has no name'),
        ("--fund UP --fund UP", "--fund UP is given twice"),
        ("--funding none.csv", "none.csv: no such file"),
    ],
)
def test_wrong_usage_ends_in_one_line(
    prices: str, options: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; it names the option or the parameter, and the remedy."""
    line = refusal(capsys, "--data", prices, *options.split())
    assert line.startswith(f"error: {named}")


def test_a_fund_with_an_unknown_key_is_refused(prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the key."""
    assert '"colour"' in refusal(capsys, "--data", prices, "--fund", "UP colour=red")
    assert 'band "1.5"' in refusal(capsys, "--data", prices, "--fund", "UP band=1.5")


def test_a_bad_file_is_refused_by_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    file = tmp_path / "prices.csv"
    file.write_text(f"timestamp,close\n{MIDNIGHT_MS},100\n{MIDNIGHT_MS},101\n")
    assert "prices.csv line 3: timestamp" in refusal(capsys, "--data", str(file))


@pytest.mark.parametrize(
    ("library", "arguments"),
    [
        ("numpy", ["backtest", "--data", "prices.csv"]),
        ("numba", ["compare", "--data", "prices.csv"]),
        ("plotly", ["compare", "--data", "prices.csv"]),
    ],
)
def test_an_environment_without_the_studys_libraries_says_so(
    prices: str, library: str, arguments: list[str]
) -> None:
    """In one line with the remedies, the image's among them; the work is not begun."""
    absent = f"import sys; sys.modules[{library!r}] = None; sys.argv = ['bot', *{arguments}]"
    run = "import runpy; runpy.run_module('bot', run_name='__main__', alter_sys=True)"
    result = subprocess.run(
        [sys.executable, "-c", f"{absent}; {run}"],
        cwd=Path(prices).parent,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert library in line
    assert "install inband[study]" in line
