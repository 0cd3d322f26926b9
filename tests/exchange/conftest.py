"""The fixture that starts exchanges."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from bot.exchange import ExchangeConfig, start_exchange
from tests.exchange.builders import DOWN, UP, Bench, Start, flat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start an exchange: by default BTCUSDT at 60,000 for an hour, as fast as clients allow."""

    @asynccontextmanager
    async def starter(**changes: Any) -> AsyncIterator[Bench]:
        settings: dict[str, Any] = {
            "paths": {"BTCUSDT": flat()},
            "accounts": (UP, DOWN),
            "directory": tmp_path / "exchange",
            "speed": "max",
            "seed": "2",  # an ordinary touch at the first instant
        }
        exchange = await start_exchange(ExchangeConfig(**(settings | changes)))
        async with Bench(exchange, aiohttp.ClientSession()) as bench:
            yield bench

    return starter
