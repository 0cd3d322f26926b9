"""The official SDK (typed models) over REST."""

from collections.abc import Callable

import pytest
from _pytest.mark import ParameterSet

from tests.conformance.scripts import Script

SCRIPT = Script("sdk", "rest")
NOT_YET = {
    "adl_risk",
    "asset_index",
    "auto_cancel_all_open_orders",
    "cancel_algo_order",
    "cancel_all_algo_open_orders",
    "cancel_multiple_orders",
    "change_margin_type",
    "change_position_mode",
    "compressed_aggregate_trades_list",
    "continuous_contract_kline_candlestick_data",
    "current_all_algo_open_orders",
    "every_method_has_its_case",
    "futures_trading_quantitative_rules_indicators",
    "get_bnb_burn_status",
    "get_order_modify_history",
    "get_position_margin_change_history",
    "index_price_kline_candlestick_data",
    "kline_candlestick_data",
    "mark_price_kline_candlestick_data",
    "modify_isolated_position_margin",
    "modify_multiple_orders",
    "modify_order",
    "new_algo_order",
    "old_trades_lookup",
    "open_interest",
    "place_multiple_orders",
    "position_adl_quantile_estimation",
    "premium_index_kline_data",
    "query_algo_order",
    "query_all_algo_orders",
    "query_index_price_constituents",
    "query_insurance_fund_balance_snapshot",
    "query_user_rate_limit",
    "recent_trades_list",
    "test_order",
    "toggle_bnb_burn_on_futures_trade",
    "users_force_orders",
}


def cases() -> list[ParameterSet]:
    """Return all cases; what is not served yet is expected to fail."""
    return [
        pytest.param(name, marks=[pytest.mark.xfail] if name in NOT_YET else []) for name in SCRIPT.cases()
    ]


@pytest.mark.parametrize("case", cases())
def test_the_sdk_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each endpoint answers the SDK's own call with what its model declares, no more and no less."""
    check(SCRIPT, case)
