"""python-binance over websockets: its futures sockets and its websocket API."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

SCRIPT = Script("python_binance", "streams", market="running")
NOT_YET = {"ws_futures_edit_order", "ws_futures_algo_orders"}


@pytest.mark.parametrize("case", marked(SCRIPT, NOT_YET))
def test_python_binance_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each futures socket and each websocket request works as the client sends it."""
    check(SCRIPT, case)
