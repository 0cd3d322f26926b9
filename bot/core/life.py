"""The states that a fund does not leave by itself: why it is in one, what is open, and what can be done.

All of it is public: none of it tells a position.
"""

from typing import NamedTuple

from bot.core.records import Control, FundState


class Condition(NamedTuple):
    """What holders and operators are told of a state."""

    why: str
    remedy: str | None = None
    subscriptions_open: bool = False
    redemptions_open: bool = True


_BY_STATE = {
    FundState.ACTIVE: Condition("the fund follows its strategy", subscriptions_open=True),
    FundState.FLATTENED: Condition(
        "its operator had everything sold",
        "holders redeem at the NAV of each dealing; `resume` takes the strategy up again",
    ),
    FundState.TOO_SMALL: Condition(
        "the trades that its strategy would make are below the venue's minimum",
        "holders redeem at the NAV of each dealing; begin a new fund with more capital",
    ),
    FundState.DEAD: Condition(
        "its value was gone",
        "what is left, if anything, goes to those who redeem; begin a new fund in a new data directory",
    ),
}

_HALTED = Condition(
    "its operator stopped everything",
    "`resume`, once what was wrong has been put right",
    redemptions_open=False,
)


def condition(state: FundState, control: Control) -> Condition:
    """What is told of a fund in this state, under this control."""
    return _HALTED if control is Control.HALTED else _BY_STATE[state]
