"""The official SDK (typed models) over REST."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPTS = (Script("sdk", "rest"),)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: "-".join((script.client, *script.arguments)))
@pytest.mark.parametrize("case", SCRIPTS[0].cases())
def test_the_sdk_is_served(check: Callable[[Script, str], None], script: Script, case: str) -> None:
    """Each endpoint answers the SDK's own call with what its model declares, no more and no less."""
    check(script, case)


MOVING = Script("sdk", "moving", market="running")


@pytest.mark.parametrize("case", MOVING.cases())
def test_the_sdk_sees_a_market_move(check: Callable[[Script, str], None], case: str) -> None:
    """What only time brings about is written as the models declare, too."""
    check(MOVING, case)
