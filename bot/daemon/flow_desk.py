"""Where subscriptions and redemptions are asked for, and what became of them.

What it answers to a request does not depend on what the fund is doing: it is the receipt, and a repeat under
the same idempotency key gets the same again.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.core import flow_requests
from bot.core.book import Book
from bot.core.events import FlowAsked, RescaleAsked
from bot.core.flow_records import FlowKind
from bot.core.flows import Flow, Receipt
from bot.core.operator_requests import Wanted
from bot.core.statement import statement_ms, statement_open
from bot.core.texts import decimal_or_null, decimal_text, time_or_null, time_text
from bot.core.units import ZERO
from bot.daemon.runner import Runner
from bot.errors import AmountRefusedError, RefusedError


class FlowDesk:
    """Takes requests on behalf of the funds that run here."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        """`runners` may grow."""
        self._runners = runners

    def take(self, fund: str, kind: FlowKind, amount: Decimal, request_id: str) -> dict[str, Any] | None:
        """Take a flow on record and give its receipt; None if there is no such fund.

        Raises `AmountRefusedError`, `RefusedError`, and `RequestIdReusedError` for a key of another request.
        """
        runner = self._runner(fund)
        if runner is None:
            return None
        event = FlowAsked(*runner.now(), kind, amount, request_id)
        self._judge(runner, event)
        known = len(runner.state.book.receipts)
        runner.handle(event)
        receipts = runner.state.book.receipts
        if request_id in receipts:
            return receipt_json(fund, receipts[request_id])
        if request_id or len(receipts) == known:
            raise _stopped(runner)
        return receipt_json(fund, next(reversed(receipts.values())))

    def rescale(self, fund: str, wanted: Wanted) -> dict[str, Any] | None:
        """Consolidate or split a fund's units; None if there is no such fund. Raises as `take`."""
        runner = self._runner(fund)
        if runner is None:
            return None
        who = (wanted.author, wanted.why, wanted.request_id, wanted.content)
        event = RescaleAsked(*runner.now(), *wanted.ratio, *who)
        self._judge(runner, event)
        runner.handle(event)
        if runner.failure is not None:
            raise _stopped(runner)
        return {"fund": fund, "units": decimal_text(runner.state.book.units)}

    def flows(self, fund: str) -> list[dict[str, Any]] | None:
        """The open flows and the last ones that are over, oldest first; None if there is no such fund."""
        runner = self._runner(fund)
        if runner is None:
            return None
        return flows_json(fund, runner.state.book, runner.now()[0])

    def _runner(self, fund: str) -> Runner | None:
        return next((runner for runner in self._runners if runner.name == fund), None)

    def _judge(self, runner: Runner, event: FlowAsked | RescaleAsked) -> None:
        if runner.failure is not None:
            raise RefusedError(f"{runner.name} is not running; repair what stopped it and restart")
        objection = flow_requests.refusal(runner.state, event)
        if objection is not None:
            kind = AmountRefusedError if objection.of_amount else RefusedError
            raise kind(f"{runner.name}: {objection.reason}")


def _stopped(runner: Runner) -> RefusedError:
    """What is said where a fund stopped at what was asked."""
    return RefusedError(
        f"{runner.name} stopped at it; repair the cause, restart, and ask again under the same key"
    )


def receipt_json(fund: str, receipt: Receipt) -> dict[str, Any]:
    """What a request is answered with; `dealing_at` is the first dealing that can price it."""
    asked = "amount" if receipt.kind is FlowKind.SUBSCRIBE else "units"
    return {
        "reference": receipt.reference,
        "fund": fund,
        "kind": receipt.kind.value,
        asked: decimal_text(receipt.amount),
        "requested_at": time_text(receipt.requested_ms),
        "dealing_at": time_text(receipt.dealing_ms),
    }


def flows_json(fund: str, book: Book, now_ms: int) -> list[dict[str, Any]]:
    """The open flows and the last ones that are over, oldest first."""
    flows = (*book.closed_flows, *book.flows)
    return [
        {**_flow_json(fund, flow), "statement_open": statement_open(book, flow, now_ms)} for flow in flows
    ]


def _flow_json(fund: str, flow: Flow) -> dict[str, Any]:
    """A flow as the operator sees it: what is not known yet is null.

    Of a subscription `amount` is what was brought and `units` what was got for it, of a redemption `units` is
    what was given and `amount` what is payable for it. `trading_fee` and `fill_cost` are what it bore of its
    dealing's trade, positive = paid.
    """
    subscribes = flow.kind is FlowKind.SUBSCRIBE
    got = flow.units if subscribes else flow.payable
    known = decimal_text(got) if flow.over_ms is not None or got != ZERO else None
    asked = decimal_text(flow.amount)
    return {
        "reference": flow.reference,
        "fund": fund,
        "kind": flow.kind.value,
        "state": flow.state.value,
        "amount": asked if subscribes else known,
        "units": known if subscribes else asked,
        "requested_at": time_text(flow.requested_ms),
        "nav": decimal_or_null(flow.nav),
        "fee": None if flow.nav is None else decimal_text(flow.fee),
        "trading_fee": None if flow.settled_ms is None else decimal_text(flow.trading_fee),
        "fill_cost": None if flow.settled_ms is None else decimal_text(flow.fill_cost),
        "returned": decimal_text(flow.returned),
        "dealt_at": time_or_null(flow.dealing_ms),
        "settled_at": time_or_null(flow.settled_ms),
        "finished_at": time_or_null(flow.over_ms),
        "reason": flow.reason,
        "statement_at": time_or_null(statement_ms(flow)),
    }
