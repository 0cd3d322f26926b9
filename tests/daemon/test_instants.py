"""Two sockets race: news of a fill, and the mark of its instant. The record is the same, whoever is first."""

from bot.core import records as rec
from bot.core.events import Event, OrderReport, TradesSeen
from bot.core.history import RebalanceHistory
from bot.core.ledger import real_leverage
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from tests.support.desk import Desk

_MOST_INSTANTS = 100


def _filled_at_rest(desk: Desk) -> list[Event]:
    """What the venue does at this instant, and tells of on the order stream: the order that rests fills."""
    (cid,) = desk.venue.resting
    order = desk.venue.sent[-1]
    venue_id, _ = desk.venue.orders[cid]
    desk.venue.resting.clear()
    desk.venue.orders[cid] = (venue_id, abs(order.quantity))
    desk.venue.trade(order.quantity, desk.clock.market, order.limit_price, venue_id)
    now = (desk.clock.market_ms(), desk.clock.wall_ms())
    report = OrderReport(*now, cid, venue_id, abs(order.quantity), closed=True)
    return [report, TradesSeen(*now, (desk.venue.trades[-1],), complete=False)]


async def _instant(desk: Desk, runner: Runner, operations: Operations, *, news_first: bool) -> None:
    """The market moves to where the fund wants to be woken, a little higher; what rests there fills."""
    time_ms = runner.state.wake_ms or desk.clock.market + 60_000
    desk.clock.market, desk.price = time_ms, desk.price + 10
    news = _filled_at_rest(desk) if desk.venue.resting else []
    for event in news if news_first else []:
        runner.heard(event)
    operations.marked("BTCUSDT", desk.mark_event(runner))
    for event in [] if news_first else news:
        runner.heard(event)
    await runner.wait_quiet()


async def _opening(*, news_first: bool) -> Desk:
    """A fund opens; each of its orders rests to the last moment, and fills at the mark of that moment."""
    desk = Desk()
    desk.clock.instants = True
    desk.venue.script.extend(["rest"] * _MOST_INSTANTS)
    runner, operations = desk.runner(), Operations("paper")
    operations.add(runner, RebalanceHistory(runner.name))
    runner.begin(desk.fund.capital, adopt=False)
    await runner.wait_quiet()
    for _ in range(_MOST_INSTANTS):
        await _instant(desk, runner, operations, news_first=news_first)
        if runner.state.book.opened and runner.state.book.rebalance is None:
            return desk
    raise AssertionError("the rebalance never ended")


async def test_news_that_overtakes_its_mark_changes_no_record() -> None:
    """Every record comes out the same, whichever of the two sockets speaks first."""
    news_first, mark_first = await _opening(news_first=True), await _opening(news_first=False)
    assert news_first.records == mark_first.records
    assert len([r for r in news_first.records if isinstance(r, rec.Filled)]) > 1


async def test_the_leverage_recorded_is_that_at_the_mark_of_its_time() -> None:
    """Not at the mark before: with it, two runs of one seed would tell two leverages."""
    desk = await _opening(news_first=True)
    (finished,) = [r for r in desk.records if isinstance(r, rec.RebalanceFinished)]
    assert finished.mark == desk.price
    assert finished.leverage == real_leverage(desk.venue.ledger, desk.price)


async def test_news_of_the_time_before_the_first_mark_waits_for_it() -> None:
    """A stream may be there before the feed of marks."""
    desk = Desk()
    desk.clock.instants = True
    runner = desk.runner()
    runner.begin(desk.fund.capital, adopt=False)
    await runner.wait_quiet()
    runner.heard(TradesSeen(*runner.now(), ()))
    before = runner.state
    runner.caught_up()
    assert runner.state is before


async def test_where_time_passes_between_marks_news_waits_for_none() -> None:
    """At a real venue the next mark is up to a second away, and the latest one is that of the present."""
    desk = Desk()
    runner = await desk.opened()
    desk.clock.market += 700
    before = runner.state
    runner.heard(TradesSeen(*runner.now(), ()))
    assert runner.state is not before
