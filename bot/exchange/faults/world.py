"""What faults do to accounts and to the market, at a market time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.exchange.entities import MarginType, PositionSide
from bot.exchange.errors import RequestError
from bot.exchange.faults.prices import DistortedBasis, DistortedFunding, DistortedPath, Window
from bot.exchange.matching import Strain
from bot.exchange.params import Params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.exchange.account import Account
    from bot.exchange.desk import Desk
    from bot.exchange.faults.plan import Plan, Scheduled


class World:
    """Carries out the faults of a plan that are due, at one desk. `cut_sockets` drops all connections."""

    def __init__(self, desk: Desk, plan: Plan, cut_sockets: Callable[[], None]) -> None:
        self._desk = desk
        self._cut_sockets = cut_sockets
        self._plan = plan
        self._venue = desk.venue
        self._market = desk.venue.market
        self._deeds: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "manual_trade": self._manual_trade,
            "manual_cancel": self._manual_cancel,
            "transfer": self._transfer,
            "leverage_changed": self._leverage_changed,
            "margin_type_changed": self._margin_type_changed,
            "position_mode_changed": self._position_mode_changed,
            "listen_key_expired": self._listen_key_expired,
            "liquidated": self._liquidated,
            "deleveraged": self._deleveraged,
            "maintenance": lambda _given: self._cut_sockets(),
            "brackets_changed": self._brackets_changed,
            "price_gap": self._price_gap,
            "price_frozen": self._price_frozen,
            "last_spike": self._last_spike,
            "index_apart": self._index_apart,
            "funding_shock": self._funding_shock,
            "book_thin": self._book_thin,
        }

    def next_due(self) -> int | None:
        """Return the market time of the next fault."""
        return self._plan.next_due()

    def happen(self) -> None:
        """Do all that is due by now."""
        for item in self._plan.due(self._market.now):
            self.carry_out(item)

    def carry_out(self, item: Scheduled) -> None:
        """Do what a fault does; what the venue refuses is noted as its problem."""
        try:
            self._deeds[item.fault.kind](item.fault.given)
            item.problem = ""
        except RequestError as error:
            item.problem = str(error)

    def fill_before_cancel(
        self, item: Scheduled, account: str, symbol: str, wanted: Mapping[str, str]
    ) -> None:
        """Fill the order that a request is about to cancel, at its price."""
        ids = {wanted.get("orderId"), wanted.get("origClientOrderId")} - {None}
        owner = self._venue.accounts.get(account)
        found = [
            order.id
            for order in (owner.open_orders.values() if owner else ())
            if order.symbol == symbol and {str(order.id), order.client_id} & ids
        ]
        item.problem = "" if found else "-2011: Unknown order sent."
        for order_id in found:
            self._venue.fill_waiting(self._venue.accounts[account], order_id)

    # --- accounts -------------------------------------------------------------------------------------

    def _account(self, given: Mapping[str, Any]) -> Account:
        account = self._venue.accounts.get(given["account"])
        if account is None:
            raise RequestError(-2015, f"there is no account {given['account']}")
        return account

    def _manual_trade(self, given: Mapping[str, Any]) -> None:
        order = f"symbol={given['symbol']}&side={given['side']}&type=MARKET&quantity={given['quantity']:f}"
        self._ask("POST", "/fapi/v1/order", order, given)

    def _manual_cancel(self, given: Mapping[str, Any]) -> None:
        self._ask("DELETE", "/fapi/v1/allOpenOrders", f"symbol={given['symbol']}", given)

    def _ask(self, method: str, path: str, query: str, given: Mapping[str, Any]) -> None:
        """Send a request as the account's owner would by another program."""
        from bot.exchange.endpoints import PRIVATE_ROUTES  # noqa: PLC0415 - the endpoints look at the desk

        PRIVATE_ROUTES[method, path].answer(self._desk, Params(query, ""), self._account(given))

    def _transfer(self, given: Mapping[str, Any]) -> None:
        self._venue.transfer(self._account(given), given["amount"])

    def _leverage_changed(self, given: Mapping[str, Any]) -> None:
        self._venue.set_leverage(self._account(given), given["symbol"], given["leverage"])

    def _margin_type_changed(self, given: Mapping[str, Any]) -> None:
        self._venue.set_margin_type(self._account(given), given["symbol"], MarginType(given["type"]))

    def _position_mode_changed(self, given: Mapping[str, Any]) -> None:
        self._venue.set_position_mode(self._account(given), hedge=given["hedge"])

    def _listen_key_expired(self, given: Mapping[str, Any]) -> None:
        self._desk.listen_keys.run_out(self._account(given).name)

    def _liquidated(self, given: Mapping[str, Any]) -> None:
        self._venue.liquidate(self._account(given))

    def _deleveraged(self, given: Mapping[str, Any]) -> None:
        account, name = self._account(given), given["symbol"]
        self._venue.deleverage(account, name, PositionSide.BOTH, given["quantity"])

    # --- the market -----------------------------------------------------------------------------------

    def _window(self, given: Mapping[str, Any]) -> Window:
        """From the next millisecond on: what has been told of this instant stays true."""
        start_ms = self._market.now + 1
        return Window(start_ms, start_ms + given["for_ms"]) if "for_ms" in given else Window(start_ms)

    def _brackets_changed(self, given: Mapping[str, Any]) -> None:
        self._market.rescale_brackets(self._symbol(given), Decimal(str(given["share"])))

    def _price_gap(self, given: Mapping[str, Any]) -> None:
        self._path(given).gap(self._window(given), given["bps"])

    def _price_frozen(self, given: Mapping[str, Any]) -> None:
        start_ms = self._market.now
        self._path(given).freeze(Window(start_ms, start_ms + given["for_ms"] + 1))

    def _index_apart(self, given: Mapping[str, Any]) -> None:
        basis = self._market.traded[self._symbol(given)].basis
        assert isinstance(basis, DistortedBasis)  # noqa: S101 - so it was set up
        window = self._window(given)
        basis.part(window, given["bps"])
        self._path(given).note(window)

    def _funding_shock(self, given: Mapping[str, Any]) -> None:
        name = self._symbol(given)
        funding = self._market.traded[name].funding
        assert isinstance(funding, DistortedFunding)  # noqa: S101 - so it was set up
        funding.shock(self._window(given), Decimal(str(given["rate"])))
        self._market.next_funding[name] = funding.next_after(self._market.now)

    def _last_spike(self, given: Mapping[str, Any]) -> None:
        self._strain(given, away_bps=given["bps"])

    def _book_thin(self, given: Mapping[str, Any]) -> None:
        self._strain(given, share=given["share"])

    def _strain(self, given: Mapping[str, Any], *, away_bps: float = 0.0, share: float = 1.0) -> None:
        window = self._window(given)
        self._path(given).note(window)
        self._market.strain(given["symbol"], Strain(*window, away_bps, share))

    def _path(self, given: Mapping[str, Any]) -> DistortedPath:
        path = self._market.traded[self._symbol(given)].path
        assert isinstance(path, DistortedPath)  # noqa: S101 - so it was set up
        self._market.forget_knots()
        return path

    def _symbol(self, given: Mapping[str, Any]) -> str:
        return self._market.symbol(given["symbol"]).name
