"""What holders are told of a fund's state."""

import pytest

from bot.core.life import condition
from bot.core.records import Control, FundState


@pytest.mark.parametrize("state", FundState)
def test_every_state_says_why_and_what_is_open(state: FundState) -> None:
    """Redemptions are open in each; subscriptions in the active one, which needs no remedy."""
    told = condition(state, Control.RUNNING)
    active = state is FundState.ACTIVE
    assert told.why
    assert told.redemptions_open
    assert told.subscriptions_open is active
    assert (told.remedy is None) is active


def test_a_halt_closes_everything_and_names_its_end() -> None:
    """Whatever the state."""
    told = condition(FundState.ACTIVE, Control.HALTED)
    assert not told.redemptions_open
    assert told.remedy is not None
    assert "resume" in told.remedy
