"""`exchange --fit`: the background market judged on a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Invoke

RECORDING = (
    Path(__file__).resolve().parents[3] / "shared/data/BTCUSDT_perp_depth_trades_raw_2024-08-08.jsonl.gz"
)


@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded book is not part of the repository")
def test_the_fit_is_told_as_json(inband: Invoke) -> None:
    """Exit code 0 says that no judged cost misses 15 % by more than the record itself is known to."""
    result = inband("exchange", "--fit", str(RECORDING), "--json")
    assert result.code == 0
    said = json.loads(result.out)
    assert said["fits"] is True
    assert [row["usd"] for row in said["costs"]] == [1e5, 3e5, 1e6, 3e6, 1e7, 2e7]


def test_a_file_that_is_no_recording_is_one_line(inband: Invoke, tmp_path: Path) -> None:
    """It names the option and what is wrong; exit code 2."""
    file = tmp_path / "bars.csv.gz"
    file.write_text("timestamp,close\n")
    result = inband("exchange", "--fit", str(file))
    assert result.code == 2
    assert result.err.startswith(f"error: --fit {file}: cannot be read: ")
    assert result.err.count("\n") == 1
