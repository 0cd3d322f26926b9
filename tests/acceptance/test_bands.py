"""Two funds held in their bands, from the command line to the exchange's books."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core.draws import commitment
from bot.core.records import DrawQueued, Filled, IncidentOpened, OrderIntended
from tests.support.audit import differences, unexplained_excursions
from tests.support.inband import Inband

WIDE = (Decimal("1.5"), Decimal(3))
NARROW = (Decimal("1.9"), Decimal("2.2"))
FUNDS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}


@pytest.fixture(params=["wide", "narrow"])
def run(request: pytest.FixtureRequest) -> Inband:
    """A finished run, with each of the two bands."""
    found: Inband = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def band(run: Inband) -> tuple[Decimal, Decimal]:
    """The band of that run."""
    return NARROW if "FUNDS__BTCUP__BAND" in run.settings else WIDE


def of_kind(history: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The rebalances of one kind."""
    return [entry for entry in history if entry["kind"] == kind]


def test_band_rebalances_lead_from_outside_the_band_to_the_target(
    run: Inband, band: tuple[Decimal, Decimal]
) -> None:
    """Each starts outside its band and is done within its tolerance of a target inside the target range."""
    entries = of_kind(run.history(), "band")
    assert {entry["fund"] for entry in entries} == set(FUNDS)
    for entry in entries:
        before, after = Decimal(entry["leverage_before"]), Decimal(entry["leverage_after"])
        assert not band[0] <= before <= band[1], entry
        assert entry["state"] == "done", entry
        assert abs(after - Decimal(entry["target"])) <= Decimal(entry["tolerance"]), entry
        assert band[0] < Decimal(entry["target"]) < band[1], entry


def test_both_edges_are_left_by_both_funds(wide: Inband) -> None:
    """The prices of these tests make each fund delever and leverage up, or the tests would show little."""
    seen = {(entry["fund"], entry["urgency"]) for entry in of_kind(wide.history(), "band")}
    assert seen == {(fund, urgency) for fund in FUNDS for urgency in ("patient", "prompt")}


def test_rebalances_are_cut_into_slices(wide: Inband) -> None:
    """No rebalance of a fund of this size is a single order."""
    assert all(entry["slices"] > 1 for entry in wide.history())


@pytest.mark.parametrize("fund", FUNDS)
def test_outside_the_band_only_while_a_confirmation_is_pending(
    request: pytest.FixtureRequest, run: Inband, band: tuple[Decimal, Decimal], fund: str
) -> None:
    """Between rebalances every mark of the replay finds the fund in its band, or a confirmation pending."""
    replay = request.getfixturevalue("calm_prices" if band == NARROW else "prices")
    assert isinstance(replay, Path)
    assert unexplained_excursions(run, fund, replay, band) == []


def test_ledger_and_exchange_agree_to_the_cent(run: Inband) -> None:
    """At the end the exchange's own books hold the wallet and the position that the journal tells."""
    assert differences(run, FUNDS) == []


@pytest.mark.parametrize("fund", FUNDS)
def test_fills_sum_to_the_change_of_position(run: Inband, fund: str) -> None:
    """For each rebalance the position after is the position before plus its fills, and none reverses."""
    entries = [entry for entry in run.history() if entry["fund"] == fund]
    position = Decimal(0)
    for entry in entries:
        before, after = Decimal(entry["position_before"]), Decimal(entry["position_after"])
        assert before == position
        assert after == before + Decimal(entry["position_change"])
        assert before * after >= 0
        position = after
    fills = [record for record in run.records(fund) if isinstance(record, Filled)]
    assert sum(fill.quantity for fill in fills) == position


@pytest.mark.parametrize("fund", FUNDS)
def test_no_client_order_id_is_used_twice(run: Inband, fund: str) -> None:
    """Every order of the journal has an id of its own."""
    ids = [record.cid for record in run.records(fund) if isinstance(record, OrderIntended)]
    assert len(ids) == len(set(ids)) > 0


@pytest.mark.parametrize("fund", FUNDS)
def test_targets_were_committed_to_beforehand(run: Inband, fund: str) -> None:
    """Each band rebalance uses the draw whose commitment was on record before it began."""
    queued = {r.sequence: r for r in run.records(fund) if isinstance(r, DrawQueued)}
    for entry in of_kind(run.history(), "band"):
        if entry["fund"] != fund:
            continue
        draw = queued[entry["sequence"]]
        assert entry["commitment"] == draw.commitment
        assert commitment(fund, entry["sequence"], entry["u"], entry["salt"]) == draw.commitment


def test_no_incident_happens_on_a_quiet_day(run: Inband) -> None:
    """An undisturbed run opens no incident at all."""
    opened = [r for fund in FUNDS for r in run.records(fund) if isinstance(r, IncidentOpened)]
    assert opened == []
