"""python-binance over websockets: its futures sockets and its websocket API."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPT = Script("python_binance", "streams", market="running")


@pytest.mark.parametrize("case", SCRIPT.cases())
def test_python_binance_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each futures socket and each websocket request works as the client sends it."""
    check(SCRIPT, case)
