"""How many examples a property is tried on: all of them in a soak, a share of them in the usual run."""

from hypothesis import settings

USUAL, SOAK = 40, 100
"""Examples of a property that does not say how many."""


def examples(number: int) -> int:
    """`number` in a soak, and in the usual run the share of it that other properties get too."""
    each = settings.default.max_examples if settings.default is not None else SOAK
    return max(1, number * each // SOAK)
