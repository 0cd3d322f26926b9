"""The shadow: a conventional leveraged token beside the fund, from the same start, at like costs and funding.

It never touches a venue. Its strategy (3x, back to it daily and after moves of 10 %) is asked as a fund's own
is; it trades at the mark, at once, and pays the venue's taker fee, the fund's funding rate and its management
fee. It pays nothing for spread and impact, which favours it. It knows marks alone, so it is public.
"""

from decimal import Decimal
from math import inf

from bot.core.basket import FINEST, Basket
from bot.core.ledger import Ledger, target_position
from bot.core.promise import Shadow
from bot.core.public_records import ShadowTraded
from bot.core.strategy import FundView, Hold, Strategy, own_target
from bot.core.turn import HIGHEST, ShadowHold, Turn
from bot.core.units import ZERO, Price


def follow(turn: Turn) -> None:
    """Let the shadow see the mark. Nothing that it does depends on what the fund does, for it is public.

    Marks that leave the shadow where it is are found by two comparisons, as the fund's own are.
    """
    fund, mark, shadow = turn.fund, turn.mark, turn.book.shadow
    if fund.shadow is None or mark is None or not turn.live.feed_trusted:
        return
    if turn.live.funding_pending_ms is not None:
        return
    if shadow is None:
        _begin(turn, fund.shadow, mark.price)
        return
    hold = turn.live.shadow_hold
    if hold is None or hold.of is not shadow or not hold.covers(mark.price, turn.now_ms):
        _ask(turn, fund.shadow, shadow, mark.price)


def _begin(turn: Turn, strategy: Strategy, mark: Price) -> None:
    """The shadow starts with the fund's capital at the first mark, as the fund does."""
    target, created = own_target(strategy), turn.book.created
    if target is not None and created is not None:
        basket = Basket(turn.now_ms, created.capital, ZERO, created.capital)
        _trade(turn, basket, mark, Decimal(repr(target)), "opening")


def _ask(turn: Turn, strategy: Strategy, shadow: Shadow, mark: Price) -> None:
    """Its strategy decides; what it holds, and until when, is remembered."""
    basket = shadow.basket
    leverage = basket.leverage(mark)
    if leverage is None:
        if basket.position != ZERO:
            _trade(turn, basket, mark, ZERO, "dead")
        turn.live = turn.live._replace(shadow_hold=ShadowHold(turn.book.shadow, ZERO, HIGHEST, None))
        return
    view = FundView(
        turn.now_ms / 1000,
        "long" if turn.fund.sign > 0 else "short",
        float(mark),
        float(leverage),
        turn.fund.float_band,
        turn.fund.float_target_range,
        shadow.basket.as_of_ms / 1000,
        float(shadow.last_mark),
    )
    decision = strategy.decide(view)
    if not isinstance(decision, Hold):
        _trade(turn, basket, mark, Decimal(repr(float(decision.low))), decision.reason)
        return
    high = HIGHEST if decision.high == inf else Decimal(decision.high)
    until_ms = None if decision.until_s == inf else int(decision.until_s * 1000)
    turn.live = turn.live._replace(shadow_hold=ShadowHold(shadow, Decimal(decision.low), high, until_ms))


def _trade(turn: Turn, basket: Basket, mark: Price, target: Decimal, reason: str) -> None:
    fee_rate = turn.contract.taker_fee
    goal = target_position(Ledger(basket.cash, basket.position), mark, target, turn.fund.sign, fee_rate)
    quantity = goal.quantize(FINEST) - basket.position
    fee = (abs(quantity) * mark * fee_rate).quantize(FINEST)
    turn.record(ShadowTraded(turn.now_ms, mark, quantity, fee, reason))
