"""The accounts of the stand-alone exchange: given by name, with a balance, or in a file."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import Invoke, command_line, environment
from tests.support.patience import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path


def announced(folder: Path, *options: str) -> Any:
    """Start the exchange, and return what it says of itself."""
    command = command_line("exchange", "--port", "0", "--json", *options)
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE) as exchange:
        assert exchange.stdout is not None
        line = exchange.stdout.readline()
        exchange.terminate()
        assert exchange.wait(PATIENCE_S) == 0
    return json.loads(line)


def test_accounts_by_name_with_a_balance_of_their_own(tmp_path: Path) -> None:
    """What --balance says holds for those that give none."""
    said = announced(tmp_path, "--account", "alice=2500.5", "--account", "BOB", "--balance", "7")
    assert said["accounts"] == {
        "ALICE": {"api_key": "paper-alice", "secret": "paper-alice-secret", "balance": "2500.5"},
        "BOB": {"api_key": "paper-bob", "secret": "paper-bob-secret", "balance": "7.0"},
    }


def test_accounts_from_a_file(tmp_path: Path) -> None:
    """Keys may be one's own; what is left out is as usual."""
    (tmp_path / "accounts.toml").write_text(
        '[[account]]\nname = "A"\nkey = "k"\nsecret = "s"\nbalance = 5\n[[account]]\nname = "B"\n'
    )
    said = announced(tmp_path, "--accounts", "accounts.toml")
    assert said["accounts"] == {
        "A": {"api_key": "k", "secret": "s", "balance": "5"},
        "B": {"api_key": "paper-b", "secret": "paper-b-secret", "balance": "100000"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "--accounts a.toml: No such file or directory; give a TOML file"),
        ("[[account", "--accounts a.toml: not TOML: "),
        ("x = 1", "--accounts a.toml: holds no accounts; write [[account]] tables"),
        ("account = [1]", "account 1 is no table"),
        ('[[account]]\nname = "A"\nbalnce = 1', "account 1 has an unknown 'balnce'; it may have name, key"),
        ("[[account]]\nbalance = 1", "account 1: name is None; give letters, digits and _"),
        ('[[account]]\nname = "A"\nkey = 1', "account 1: key is not a text of plain characters"),
        ('[[account]]\nname = "A"\nbalance = "much"', "account 1: balance: 'much' is no amount; give USDT"),
        ('[[account]]\nname = "A"\nbalance = -1', "account 1: balance: -1 is no amount"),
        ('[[account]]\nname = "A"\nwithdraw = 1', "account 1: withdraw is 1; give true or false"),
        ('[[account]]\nname = "A"\n[[account]]\nname = "a"\nkey = "k"', "the name A is there twice"),
        (
            '[[account]]\nname = "A"\nkey = "k"\n[[account]]\nname = "B"\nkey = "k"',
            "the key k is there twice; give each account its own",
        ),
    ],
)
def test_a_file_that_is_not_usable_is_one_line(
    inband: Invoke, tmp_path: Path, text: str | None, words: str
) -> None:
    """It names the option, the account and the field, and the remedy."""
    if text is not None:
        (tmp_path / "a.toml").write_text(text)
    answer = inband("exchange", "--port", "0", "--accounts", "a.toml")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert words in answer.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--account", "A=much"], "--account A=much: 'much' is no amount; give USDT from 0"),
        (["--account", "A=1e400"], "'1e400' is no amount"),
        (["--account", "A=NaN"], "'NaN' is no amount"),
        (["--account", "=5"], "--account =5: '' is no name; give letters, digits and _"),
        (["--account", "A", "--account", "a=5"], "--account: the name A is there twice"),
        (["--account", "A", "--accounts", "x.toml"], "--account: the accounts are those of --accounts"),
        (["--balance", "inf"], "--balance: Infinity is no amount; give USDT from 0"),
        (["--basis", "nan"], "--basis nan: too far; give -1000 to 1000"),
        (["--basis", "-1001"], "--basis -1001: too far"),
        (
            ["--symbol", "BTCUSDT", "--symbol", "ETHUSDT", "--funding", "x.csv"],
            "--symbol: a funding file holds the rates of one symbol; name one",
        ),
    ],
)
def test_an_option_that_is_not_usable_is_one_line(inband: Invoke, options: list[str], words: str) -> None:
    """It names the option and the remedy."""
    answer = inband("exchange", "--port", "0", *options)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert words in answer.err
