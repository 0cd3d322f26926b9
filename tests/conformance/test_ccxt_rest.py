"""ccxt over REST, its sync and its async client."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

SCRIPTS = (Script("ccxt", "rest"), Script("ccxt", "rest", ("async",)))
NOT_YET = {
    "add_margin",
    "create_orders",
    "create_trigger_order",
    "edit_order",
    "fetch_my_liquidations",
    "set_margin_mode",
    "set_position_mode",
    "transfer",
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", marked(SCRIPTS[0], NOT_YET))
def test_ccxt_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each unified method of ccxt works, and its answer says what it should."""
    check(script, case)
