"""The official SDK (typed models) over websockets: streams and the websocket API."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

STREAMS = Script("sdk", "streams", market="running")
WS_API = Script("sdk", "ws_api", market="running")
NOT_YET = {
    "user_data_of_an_amended_order",
    "user_data_of_an_algo_order",
    "user_data_of_a_margin_change",
    "modify_order",
    "new_algo_order",
    "cancel_algo_order",
    "every_method_has_its_case",
}


@pytest.mark.parametrize("case", marked(STREAMS, NOT_YET))
def test_the_sdks_streams_are_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each stream tells the SDK what its model declares, no more and no less."""
    check(STREAMS, case)


@pytest.mark.parametrize("case", marked(WS_API, NOT_YET))
def test_the_sdks_websocket_api_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each method answers what the SDK's model declares, no more and no less."""
    check(WS_API, case)
