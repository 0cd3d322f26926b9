"""ccxt.pro over websockets."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPT = Script("ccxt", "pro", market="running")


@pytest.mark.parametrize("case", SCRIPT.cases())
def test_ccxt_pro_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each method of ccxt.pro works, and what it gives says what it should."""
    check(SCRIPT, case)
