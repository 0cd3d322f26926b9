"""What a run has been through: each transition of an order, a stop and a flow, counted as it is written."""

from collections import Counter
from typing import get_args

from bot.core import flow_records as flows
from bot.core import records as rec
from bot.core import stop_records as stops
from bot.core.orders import TRANSITIONS, News, OrderState

_NEWS: dict[type, News] = {
    rec.OrderRejected: News.REFUSED,
    rec.OrderLost: News.LOST,
    rec.OrderCancelAsked: News.CANCEL_ASKED,
    rec.OrderDead: News.NEVER_ARRIVED,
    stops.StopPlaced: News.ACCEPTED,
    stops.StopRejected: News.REFUSED,
    stops.StopLost: News.LOST,
    stops.StopCancelAsked: News.CANCEL_ASKED,
}
_OF_STOPS = frozenset(get_args(stops.StopRecord))
_FLOW_STATES: dict[type, str] = {
    flows.FlowRequested: "requested",
    flows.FlowFunded: "funded",
    flows.FlowPriced: "priced",
    flows.FlowSettled: "settled",
    flows.FlowPaid: "paid",
    flows.FlowCancelled: "cancelled",
}


class Transitions:
    """Follows every order through the table of `bot.core.orders`."""

    def __init__(self) -> None:
        """None yet."""
        self.counts: Counter[str] = Counter()
        self._states: dict[str, OrderState] = {}
        self._flows: dict[str, str] = {}

    def take(self, record: rec.Record) -> None:
        """Count the transition that a record makes."""
        if isinstance(record, rec.OrderIntended | stops.StopIntended):
            self._states[record.cid] = OrderState.INTENT
            return
        flow = _FLOW_STATES.get(type(record))
        if flow is not None:
            self._flow(getattr(record, "reference", ""), flow)
            return
        if isinstance(record, rec.OrderAdvanced):
            news: News | None = News.COMPLETED if record.closed else News.ACCEPTED
        else:
            news = _NEWS.get(type(record)) or _ended(record)
        cid = getattr(record, "cid", "")
        before = self._states.get(cid)
        if news is None or before is None or (before, news) not in TRANSITIONS:
            return
        about = "stop, " if type(record) in _OF_STOPS else ""
        self.counts[f"{about}{before}: {news}"] += 1
        self._states[cid] = TRANSITIONS[before, news]

    def _flow(self, reference: str, state: str) -> None:
        before = self._flows.get(reference, "nothing")
        self.counts[f"flow, {before}: {state}"] += 1
        self._flows[reference] = state


def _ended(record: rec.Record) -> News | None:
    """How a protective stop ended, in the words of an order's life."""
    if not isinstance(record, stops.StopEnded):
        return None
    return News.NEVER_ARRIVED if record.ending is stops.StopEnding.NEVER_ARRIVED else News.COMPLETED
