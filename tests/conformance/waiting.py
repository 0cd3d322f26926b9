"""Cases of endpoints that are not served yet: expected to fail, and off the list once they pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection

    from _pytest.mark import ParameterSet

    from tests.conformance.scripts import Script


def marked(script: Script, not_yet: Collection[str]) -> list[ParameterSet]:
    """Return the cases of a script, those in `not_yet` marked."""
    return [
        pytest.param(name, marks=[pytest.mark.xfail(strict=False)] if name in not_yet else [])
        for name in script.cases()
    ]
