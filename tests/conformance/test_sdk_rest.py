"""The official SDK (typed models) over REST."""

from collections.abc import Callable

import pytest

from tests.conformance.scripts import Script

SCRIPT = Script("sdk", "rest")


@pytest.mark.parametrize("case", SCRIPT.cases())
def test_the_sdk_is_served(check: Callable[[Script, str], None], case: str) -> None:
    """Each endpoint answers the SDK's own call with what its model declares, no more and no less."""
    check(SCRIPT, case)
