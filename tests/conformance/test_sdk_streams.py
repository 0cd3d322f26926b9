"""The official SDK (typed models) over websockets: streams and the websocket API."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

STREAMS = Script("sdk", "streams", market="running")
WS_API = Script("sdk", "ws_api", market="running")


@pytest.mark.parametrize("case", STREAMS.cases())
def test_the_sdks_streams_are_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each stream tells the SDK what its model declares, no more and no less."""
    check(STREAMS, case)


@pytest.mark.parametrize("case", WS_API.cases())
def test_the_sdks_websocket_api_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each method answers what the SDK's model declares, no more and no less."""
    check(WS_API, case)
