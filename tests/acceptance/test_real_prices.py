"""Five weeks of real prices in a narrow band: some thirty rebalances, and the books agree at the end."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.conftest import NARROW_BAND, finished
from tests.support.audit import differences, unexplained_excursions

FUNDS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}


@pytest.mark.needs("shared")
def test_spring_2025_in_a_narrow_band(tmp_path: Path, shared_data: Path) -> None:
    """Every band rebalance starts outside the band and ends at its target; every excursion is explained."""
    replay = shared_data / "BTCUSDT_perp_5m_2025-03-06_2025-04-13.csv.gz"
    run = finished(tmp_path, PAPER__REPLAY=str(replay), **NARROW_BAND)
    band = (Decimal("1.9"), Decimal("2.2"))
    entries = [entry for entry in run.history() if entry["kind"] == "band"]
    assert len(entries) > 20
    for entry in entries:
        assert not band[0] <= Decimal(entry["leverage_before"]) <= band[1], entry
        if entry["state"] == "superseded":
            continue
        assert entry["state"] == "done", entry
        distance = abs(Decimal(entry["leverage_after"]) - Decimal(entry["target"]))
        assert distance <= Decimal(entry["tolerance"]), entry
    assert differences(run, FUNDS) == []
    for fund in FUNDS:
        assert unexplained_excursions(run, fund, replay, band) == []
