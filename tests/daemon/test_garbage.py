import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.daemon.garbage import settle_garbage


class Life:
    """What one life of a daemon makes: it refers to itself, as ccxt's clients do."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The collector is the whole process's."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_second_life_lets_go_of_the_first() -> None:
    """Else each loss of the database would cost the memory of all that was made before it."""
    first = Life()
    gone = weakref.ref(first)
    settle_garbage()
    del first
    settle_garbage()
    assert gone() is None
