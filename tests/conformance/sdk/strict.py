"""Holds an answer against the SDK's own model: no field missing, none unknown, none of another type.

The SDK itself is lenient: absent fields become None, unknown ones are put aside, and what cannot be parsed is
handed out raw with a warning.
"""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel

ORDER = {"avgPrice", "cumQuote"}
SENT_BUT_NOT_DECLARED = {
    # In the venue's recorded answers, and read by other clients; the SDK's models leave them out.
    "exchange_information": {"futuresType"},
    "exchange_information.symbols": {"permissionSets", "maxMoveOrderLimit"},
    "exchange_information.symbols.filters": {"positionControlSide"},
    "account_information_v2.positions": {"breakEvenPrice", "isolatedWallet", "isolatedMargin", "notional"},
    "position_information_v2": {"isolated", "adlQuantile"},
    "get_funding_rate_info": {"updateTime"},
    "symbol_order_book_ticker": {"lastUpdateId"},
    "new_order": ORDER,
    "cancel_order": ORDER,
    "modify_order": ORDER,
    "place_multiple_orders": ORDER,
    "modify_multiple_orders": ORDER,
    "cancel_multiple_orders": ORDER,
    "ACCOUNT_UPDATE.a.P": {"ma"},
    # Over the websocket API, where the venue documents what it documents for REST.
    "new_order.result": ORDER,
    "cancel_order.result": ORDER,
    "modify_order.result": ORDER | {"pair"},
    "query_order": {"rateLimits"},
    "position_information.result": {"isolated", "adlQuantile"},
    "account_information.result": {"feeBurn"},
    "account_information.result.positions": {"isolatedWallet", "isolatedMargin", "notional"},
    "order_book.result": {"bids", "asks"},  # declared beside the result, where nobody sends them
}
"""Fields that the venue sends although the SDK does not know them, by the place where they are."""


def differences(value: Any, declared: Any, where: str, absent: frozenset[str] = frozenset()) -> list[str]:
    """Return how a JSON value differs from a declared type; `absent` fields may be missing or null."""
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return _of_model(value, declared, where, absent)
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin is typing.Annotated:
        return differences(value, arguments[0], where, absent)
    if origin in {typing.Union, types.UnionType}:
        tried = [differences(value, item, where, absent) for item in arguments if item is not type(None)]
        return min(tried, key=len)
    if origin is list and isinstance(value, list):
        return [words for item in value for words in differences(item, arguments[0], where, absent)]
    expected = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}.get(declared, (origin,))
    fits = declared is Any or type(value) in expected
    return [] if fits else [f"{where} is {value!r}, not of type {declared}"]


def _of_model(value: Any, model: type[BaseModel], where: str, absent: frozenset[str]) -> list[str]:
    if "actual_instance" in model.model_fields:
        return differences(value, model.model_fields["actual_instance"].annotation, where, absent)
    if isinstance(value, list):  # the SDK declares a list by its item
        return [words for item in value for words in _of_model(item, model, where, absent)]
    if not isinstance(value, dict):
        return [f"{where} is {value!r}, not an object"]
    fields = {
        field.alias or name: field.annotation
        for name, field in model.model_fields.items()
        if name != "additional_properties"
    }
    found = [f"{where}.{name} is missing" for name in fields.keys() - value.keys() - absent]
    unknown = value.keys() - fields.keys() - SENT_BUT_NOT_DECLARED.get(where, set())
    found += [f"{where}.{name} is unknown to the SDK" for name in unknown]
    for name in fields.keys() & value.keys():
        if value[name] is None and name in absent:
            continue
        found += differences(value[name], fields[name], f"{where}.{name}", absent)
    return sorted(set(found))
