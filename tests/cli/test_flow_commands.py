"""`subscribe`, `redeem`, `flows`, `consolidate` and `split` against a real daemon."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.flow_records import FlowPaid, FlowRequested, FlowSettled, UnitsRescaled
from tests.cli.conftest import Invoke
from tests.support.inband import Inband
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("subscribe", "BTCUP", "abc"), "AMOUNT abc: not a number"),
        (("subscribe", "BTCUP", "0"), "AMOUNT 0: give a number above 0"),
        (("redeem", "BTCUP", "inf"), "UNITS inf: give a number above 0"),
        (("redeem", "BTCUP", "-5"), "No such option"),
        (("consolidate", "BTCUP", "1"), "greater than or equal to 2"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    inband: Invoke, arguments: tuple[str, ...], words: str
) -> None:
    """Nobody is asked."""
    answer = inband(*arguments)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert words in answer.err


def test_without_a_daemon_nothing_is_taken(inband: Invoke) -> None:
    """Exit code 1, and the remedy."""
    answer = inband("subscribe", "BTCUP", "100", WEB__PORT=str(free_port()))
    assert answer.code == 1
    assert "no daemon answers" in answer.err


def test_units_come_and_go(tmp_path: Path) -> None:
    """Taken with a receipt, once for a key, refused in words, settled, listed with and without a daemon."""
    run = Inband(
        tmp_path,
        WEB__PORT=str(free_port()),
        PAPER__SPEED="300",
        PAPER__SCENARIO="calm",
        PAPER__SEED="7",
        FUNDS__BTCUP__DEALING_EVERY_S="300",
    )
    with run.start() as process:
        process.until(lambda: len(process.lines("rebalance_finished")) >= 2, what="both funds opened")
        receipts = [run.run("subscribe", "btcup", "5000", "--key", "k1", "--json") for _ in range(2)]
        assert [done.returncode for done in receipts] == [0, 0], receipts[0].stderr
        assert receipts[0].stdout == receipts[1].stdout
        redeemed = run.run("redeem", "BTCUP", "2500.5")
        assert "redeem taken; first dealing 20" in redeemed.stdout
        refused = run.run("redeem", "BTCUP", "10000000")
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "there are no more" in refused.stderr
        assert run.run("subscribe", "NOPE", "50").returncode == 1
        process.until(lambda: len(process.lines("flow_paid")) >= 1, what="the redemption was paid")
        process.until(lambda: len(process.lines("flow_settled")) >= 2, what="both flows were settled")
        listed = json.loads(run.run("flows", "BTCUP", "--json").stdout)
        consolidated = run.run("consolidate", "BTCUP", "1000", "--reason", "rounder")
        units = 100_000 + Decimal(listed[0]["units"]) - Decimal("2500.5")
        told = Decimal(consolidated.stdout.removeprefix("BTCUP: ").removesuffix(" units\n"))
        assert abs(told - units / 1000) < Decimal("1e-7")
        split = json.loads(run.run("split", "BTCUP", "1000", "--json").stdout)
        assert Decimal(split["units"]) == told * 1000
    records = run.records("BTCUP")
    kinds = (FlowRequested, FlowSettled, FlowPaid, UnitsRescaled)
    assert [sum(isinstance(r, kind) for r in records) for kind in kinds] == [2, 2, 1, 2]
    assert {flow["state"] for flow in listed} == {"settled", "paid"}
    kept = json.loads(run.run("flows", "BTCUP", "--json").stdout)
    # Whether a statement is open yet is a question of the market's time, which went on.
    assert [{**flow, "statement_open": True} for flow in kept] == [
        {**flow, "statement_open": True} for flow in listed
    ]
    shown = run.run("flows", "btcup").stdout
    assert all(flow["reference"] in shown for flow in listed)
    assert run.run("flows", "NOPE").returncode == 1
    assert run.run("flows", "BTCDOWN").stdout == "No flow yet.\n"
