"""The official SDK (typed models) over REST."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script
from tests.conformance.waiting import marked

SCRIPTS = (Script("sdk", "rest"),)
NOT_YET = {
    "auto_cancel_all_open_orders",
    "cancel_algo_order",
    "cancel_all_algo_open_orders",
    "change_margin_type",
    "change_position_mode",
    "current_all_algo_open_orders",
    "every_method_has_its_case",
    "get_order_modify_history",
    "get_position_margin_change_history",
    "modify_isolated_position_margin",
    "modify_multiple_orders",
    "modify_order",
    "new_algo_order",
    "position_adl_quantile_estimation",
    "query_algo_order",
    "query_all_algo_orders",
    "query_insurance_fund_balance_snapshot",
    "test_order",
    "users_force_orders",
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", marked(SCRIPTS[0], NOT_YET))
def test_the_sdk_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each endpoint answers the SDK's own call with what its model declares, no more and no less."""
    check(script, case)
