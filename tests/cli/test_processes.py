"""The command line as a process of its own: exit codes, signals, what is imported."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.cli.conftest import Invoke, command_line, environment
from tests.support.patience import PATIENCE_S

HEAVY = ("ccxt", "aiohttp", "pydantic", "structlog", "rich", "asyncio", "cryptography", "sqlite3")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """What a command needs is imported when it runs."""
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", "--help"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in listing.splitlines()}
    assert imported.isdisjoint(HEAVY)


def test_a_wrong_setting_is_exit_code_2(process: Invoke, tmp_path: Path) -> None:
    """The very line of the settings, nothing on standard output, nothing on disk."""
    answer = process("run", FUNDS__BTCDOWN__BAND="[0, 3]")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: INBAND_FUNDS__BTCDOWN__BAND: [0, 3]")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_read_is_exit_code_1(process: Invoke) -> None:
    """`status` before the first start."""
    assert process("status").code == 1


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_reader_that_stops_reading_gets_no_traceback(tmp_path: Path, flags: list[str]) -> None:
    """`config | head -1` ends without a word."""
    with subprocess.Popen(
        command_line("config", *flags),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as config:
        assert config.stdout is not None
        assert config.stderr is not None
        config.stdout.close()
        assert config.stderr.read() == b""
        assert config.wait(PATIENCE_S) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_exchange_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """Its line of JSON says where; there it answers; a signal ends it with exit code 0."""
    exchange = await asyncio.create_subprocess_exec(
        *command_line("exchange", "--port", "0", "--json", "--speed", "60"),
        cwd=tmp_path,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert exchange.stdout is not None
    said = json.loads(await exchange.stdout.readline())
    assert said["accounts"]["UP"] == {
        "api_key": "paper-up",
        "secret": "paper-up-secret",
        "balance": "100000.0",
    }
    async with aiohttp.ClientSession() as session, session.get(f"{said['url']}/fapi/v1/ping") as answer:
        assert answer.status == 200
    exchange.send_signal(number)
    assert await exchange.wait() == 0


def test_a_port_in_use_is_exit_code_2(process: Invoke) -> None:
    """The line names the flag."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = process("exchange", "--port", str(taken.getsockname()[1]))
    assert answer.code == 2
    assert answer.err.startswith("error: --port ")
    assert answer.err.count("\n") == 1


def test_a_data_folder_of_another_market_is_refused(process: Invoke, tmp_path: Path) -> None:
    """Resuming at other prices would be no resumption; the remedy is another folder."""
    (tmp_path / "p.csv").write_text("timestamp,close\n1700000000000,100\n1700000060000,101\n")
    with subprocess.Popen(
        command_line("exchange", "--port", "0"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.terminate()
    answer = process("exchange", "--port", "0", "--replay", "p.csv")
    assert answer.code == 2
    assert "--data-dir data/exchange" in answer.err
    assert "another folder" in answer.err


def test_an_unwritable_data_folder_is_refused(process: Invoke, tmp_path: Path) -> None:
    """A folder below a file cannot be made."""
    (tmp_path / "file").write_text("")
    answer = process("exchange", "--port", "0", "--data-dir", "file/x")
    assert answer.code == 2
    assert answer.err.startswith("error: --data-dir file/x")
    assert answer.err.count("\n") == 1
