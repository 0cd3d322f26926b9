"""ccxt over REST, its sync and its async client."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPTS = (Script("ccxt", "rest"), Script("ccxt", "rest", ("async",)))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", SCRIPTS[0].cases())
def test_ccxt_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each unified method of ccxt works, and its answer says what it should."""
    check(script, case)
