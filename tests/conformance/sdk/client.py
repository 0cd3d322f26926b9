"""The official SDK's REST client, with answers held against its models."""

from __future__ import annotations

import itertools
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_derivatives_trading_usds_futures.rest_api import models

from tests.conformance.harness import expect
from tests.conformance.sdk.strict import differences

if TYPE_CHECKING:
    from collections.abc import Collection

WITHOUT_MODEL = {
    "test_connectivity",
    "close_user_data_stream",
    # Rows of twelve columns, which the SDK hands out as they are.
    "kline_candlestick_data",
    "continuous_contract_kline_candlestick_data",
    "index_price_kline_candlestick_data",
    "mark_price_kline_candlestick_data",
    "premium_index_kline_data",
}


class Sdk:
    """The SDK's REST client, whose calls fail where an answer is not what its model declares."""

    def __init__(self, url: str) -> None:
        logging.getLogger().addHandler(_Refusal())
        configuration = ConfigurationRestAPI(
            api_key="up-key", api_secret="up-secret", base_path=url, retries=0, timeout=60_000
        )
        self.api = DerivativesTradingUsdsFutures(config_rest_api=configuration).rest_api
        self.headers: Any = {}
        self.called: set[str] = set()
        self.raw: Any = None
        self._ids = itertools.count(1)
        self.api._session.hooks["response"].append(self._keep)

    def _keep(self, response: Any, **_: Any) -> None:
        self.raw = json.loads(response.text)
        self.headers = response.headers

    def call(self, method: str, absent: Collection[str] = (), **parameters: Any) -> Any:
        """Call a method of the SDK, check the answer against the model, and return it parsed."""
        self.called.add(method)
        answer = getattr(self.api, method)(**parameters).data()
        name = "".join(part.capitalize() for part in method.split("_")) + "Response"
        if method not in WITHOUT_MODEL:
            model = getattr(models, name)
            found = differences(self.raw, model, method, frozenset(absent))
            expect(not found, "; ".join(found))
        return answer

    def weight_of(self, method: str, **parameters: Any) -> int:
        """Return what a call adds to the weight that the server counts within one minute."""
        while True:
            begun_s = time.time()
            self.api.check_server_time()
            before = int(self.headers["X-MBX-USED-WEIGHT-1M"])
            getattr(self.api, method)(**parameters)
            if time.time() // 60 == begun_s // 60:
                return int(self.headers["X-MBX-USED-WEIGHT-1M"]) - before

    def client_id(self) -> str:
        """Return a client id that has not been used."""
        return f"case-{next(self._ids)}"


class _Refusal(logging.Handler):
    """Turns the SDK's warning about an answer that does not fit its model into a failure."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise AssertionError(record.getMessage())
