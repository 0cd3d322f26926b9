"""Changes of contracts: their status, and their leverage brackets. Filters are told by exchangeInfo alone.

Source: Binance, "Contract Info Stream": the brackets are there only when they have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bot.exchange.streams.feeds import UM
from bot.exchange.wire_market import contract_brackets, symbol_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from bot.exchange.brackets import Bracket
    from bot.exchange.market import Market

State = tuple[str, "tuple[Bracket, ...]"]
CLOSED = "SETTLING"


class ContractFeed:
    """`!contractInfo`. `closed` gives the symbols that are closed at present."""

    def __init__(self, market: Market, closed: Callable[[], AbstractSet[str]]) -> None:
        self._market = market
        self._closed = closed
        self._told = self._states()

    def present(self) -> list[bytes]:
        """Return nothing: changes alone are told."""
        return []

    def news(self) -> list[bytes]:
        """Return what has changed since this was last asked."""
        before, self._told = self._told, self._states()
        return [
            self._frame(name, state, is_rescaled=state[1] != before[name][1])
            for name, state in self._told.items()
            if state != before[name]
        ]

    def _states(self) -> dict[str, State]:
        closed = self._closed()
        return {
            name: (CLOSED if name in closed else "TRADING", symbol.brackets)
            for name, symbol in self._market.symbols.items()
        }

    def _frame(self, name: str, state: State, *, is_rescaled: bool) -> bytes:
        status, brackets = state
        info = symbol_info(self._market.symbols[name])
        body = {
            "e": "contractInfo",
            "E": self._market.now,
            "s": name,
            "ct": info["contractType"],
            "dt": info["deliveryDate"],
            "ot": info["onboardDate"],
            "cs": status,
            "st": UM,
        }
        return orjson.dumps(body | ({"bks": contract_brackets(brackets)} if is_rescaled else {}))
