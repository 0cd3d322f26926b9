"""python-binance over REST, its sync and its async client."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPTS = (Script("python_binance", "rest"), Script("python_binance", "rest", ("async",)))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", SCRIPTS[0].cases())
def test_python_binance_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each endpoint answers the call of python-binance, and means the same."""
    check(script, case)
