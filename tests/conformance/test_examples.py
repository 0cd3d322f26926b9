"""The examples of `exchange --help` work as pasted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from bot import cli_examples
from bot.exchange import AccountConfig, ExchangeConfig, start_exchange
from tests.conformance.conftest import patient_exchange
from tests.conformance.environments import InstallError, python_of
from tests.exchange.builders import UP, flat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIES = 5
PAPER_UP = AccountConfig("UP", "paper-up", "paper-up-secret", UP.balance)


async def pasted(directory: Path, command: list[str], text: str) -> str:
    """Run a text with a program while an exchange runs, and return what it prints.

    Clients as they come are impatient (the SDK: 1 s): what a busy machine has kept waiting is pasted again.
    """
    config = ExchangeConfig(paths={"BTCUSDT": flat()}, accounts=(PAPER_UP,), directory=directory, speed=1.0)
    exchange = await start_exchange(config)
    try:
        for _ in range(TRIES):
            process = await asyncio.create_subprocess_exec(
                *command,
                text.replace(cli_examples.URL, exchange.url),
                env=os.environ | {"PYTHONPATH": ""},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            if process.returncode == 0:
                return out.decode()
            assert b"timed out" in err.lower(), err.decode()
    finally:
        await exchange.close()
    pytest.fail(f"{TRIES} times kept waiting")


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let no request be too old: curl's has the second in which it was begun."""
    with patient_exchange():
        yield


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not both here"
)
async def test_a_signed_order_by_curl(tmp_path: Path) -> None:
    """Three lines of shell place an order."""
    order = json.loads(await pasted(tmp_path, ["sh", "-c"], cli_examples.CURL))
    assert (order["symbol"], order["origQty"]) == ("BTCUSDT", "0.010")


@pytest.mark.parametrize(
    ("client", "text", "words"),
    [
        ("ccxt", cli_examples.CCXT, "'BTC/USDT:USDT'"),
        ("ccxt", cli_examples.CCXT_PRO, "'markPrice': 60000.0"),
        ("sdk", cli_examples.SDK, "client_order_id="),
        ("python_binance", cli_examples.PYTHON_BINANCE, "'origQty': '0.010'"),
    ],
)
async def test_a_client_pointed_here(tmp_path: Path, client: str, text: str, words: str) -> None:
    """A few lines of Python, with the client as it is installed."""
    try:
        python = sys.executable if client == "ccxt" else str(python_of(client))
    except InstallError as error:
        pytest.fail(str(error), pytrace=False)
    assert words in await pasted(tmp_path, [python, "-c"], text)


def test_the_help_shows_them_all() -> None:
    """Line by line, so that they can be pasted."""
    shown = cli_examples.epilog()
    for text in (cli_examples.CURL, cli_examples.CCXT, cli_examples.SDK, cli_examples.PYTHON_BINANCE):
        for line in text.splitlines():
            assert line in shown
