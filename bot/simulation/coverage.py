"""What a run has been through: each transition of an order's life, counted as its records are written."""

from collections import Counter

from bot.core import records as rec
from bot.core.orders import TRANSITIONS, News, OrderState

_NEWS: dict[type, News] = {
    rec.OrderRejected: News.REFUSED,
    rec.OrderLost: News.LOST,
    rec.OrderCancelAsked: News.CANCEL_ASKED,
    rec.OrderDead: News.NEVER_ARRIVED,
}


class Transitions:
    """Follows every order through the table of `bot.core.orders`."""

    def __init__(self) -> None:
        """None yet."""
        self.counts: Counter[str] = Counter()
        self._states: dict[str, OrderState] = {}

    def take(self, record: rec.Record) -> None:
        """Count the transition that a record makes."""
        if isinstance(record, rec.OrderIntended):
            self._states[record.cid] = OrderState.INTENT
            return
        if isinstance(record, rec.OrderAdvanced):
            news: News | None = News.COMPLETED if record.closed else News.ACCEPTED
        else:
            news = _NEWS.get(type(record))
        cid = getattr(record, "cid", "")
        before = self._states.get(cid)
        if news is None or before is None or (before, news) not in TRANSITIONS:
            return
        self.counts[f"{before}: {news}"] += 1
        self._states[cid] = TRANSITIONS[before, news]
