"""ccxt.pro over websockets."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

SCRIPT = Script("ccxt", "pro", market="running")
NOT_YET = {"edit_order_ws", "create_trigger_order_ws"}


@pytest.mark.parametrize("case", marked(SCRIPT, NOT_YET))
def test_ccxt_pro_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each method of ccxt.pro works, and what it gives says what it should."""
    check(SCRIPT, case)
