"""Runs a client's script against an exchange on a real socket, once, and hands out what each case said."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from bot.exchange import ExchangeConfig, auth, start_exchange
from bot.exchange.prices.funding import ConstantFunding
from tests.conformance.environments import REPOSITORY, InstallError, python_of
from tests.conformance.scripts import Outcomes, Script
from tests.exchange.builders import DOWN, START_MS, UP, Bench, StepPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 7_200
HELD_AT_MS = START_MS + 1_000 * SECONDS
"""Where a held market stands: two hours after its start, so that there are candles to ask for."""


def wave(price: int) -> StepPath:
    """Return a path that goes up and down by 0.2 % every eight minutes, for a day."""
    steps = [*range(-120, 120), *range(120, -120, -1)]
    return StepPath([price + price * steps[second % 480] // 60_000 for second in range(86_400)])


def saw(high: int, low: int) -> StepPath:
    """Return a path that leaps between two prices every eight seconds, for a day."""
    return StepPath([low if second // 8 % 2 else high for second in range(86_400)])


@contextmanager
def patient_exchange() -> Iterator[None]:
    """Take requests as old as the venue may be asked to, though a client does not ask: for a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "DEFAULT_RECV_WINDOW_MS", auth.MAX_RECV_WINDOW_MS)
        yield


async def _outcomes(script: Script, directory: Path) -> Outcomes:
    paths = {"BTCUSDT": wave(60_000), "ETHUSDT": wave(3_000)}
    if script.market == "running":
        paths["SOLUSDT"] = saw(160, 100)
    config = ExchangeConfig(
        paths=paths,
        accounts=(UP, DOWN),
        directory=directory,
        speed="max" if script.market == "held" else 1.0,
        faults=script.market == "running",
        funding={"ETHUSDT": ConstantFunding(interval_ms=14_400_000)},
    )
    exchange = await start_exchange(config)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(Bench(exchange, aiohttp.ClientSession()))
        if script.market == "held":
            await bench.pacer(not_before=HELD_AT_MS)  # attached, and never idle: the market waits for it
        process = await asyncio.create_subprocess_exec(
            str(python_of(script.client)),
            str(script.path),
            exchange.url,
            *script.arguments,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    rows = [json.loads(line) for line in out.splitlines() if line.startswith(b'{"case"')]
    return Outcomes({row["case"]: row["error"] for row in rows}, err.decode(errors="replace"))


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Script, str], None]:
    """Fail unless a case of a script has passed; the script runs when its first case is asked for."""
    known: dict[Script, Outcomes | str] = {}

    def checker(script: Script, case: str) -> None:
        if script not in known:
            try:
                directory = tmp_path_factory.mktemp("conformance") / "exchange"
                with patient_exchange():
                    known[script] = asyncio.run(_outcomes(script, directory))
            except InstallError as error:
                known[script] = str(error)
        outcomes = known[script]
        if isinstance(outcomes, str):
            pytest.fail(outcomes, pytrace=False)
        if case not in outcomes.errors:
            pytest.fail(f"{script.path.name} ended before {case}: {outcomes.log[-2_000:]}", pytrace=False)
        if outcomes.errors[case] is not None:
            pytest.fail(f"{case}: {outcomes.errors[case]}", pytrace=False)

    return checker
