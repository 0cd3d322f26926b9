"""python-binance over REST, its sync and its async client."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

SCRIPTS = (Script("python_binance", "rest"), Script("python_binance", "rest", ("async",)))
NOT_YET = {
    "every_method_has_its_case",
    "futures_account_transfer",
    "futures_adl_quantile_estimate",
    "futures_change_margin_type",
    "futures_change_position_margin",
    "futures_change_position_mode",
    "futures_countdown_cancel_all",
    "futures_create_algo_order",
    "futures_create_test_order",
    "futures_insurance_fund_balance_snapshot",
    "futures_liquidation_orders",
    "futures_modify_order",
    "futures_position_margin_history",
    "futures_v1_put_batch_orders",
    "transfer_history",
    "universal_transfer",
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", marked(SCRIPTS[0], NOT_YET))
def test_python_binance_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each endpoint answers the call of python-binance, and means the same."""
    check(script, case)
