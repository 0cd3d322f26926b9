"""python-binance over REST."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPT = Script("python_binance", "rest")


@pytest.mark.parametrize("case", SCRIPT.cases())
def test_python_binance_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each endpoint answers the call of python-binance, and means the same."""
    check(SCRIPT, case)
