"""Keeping the garbage collector out of the way of decisions."""

import gc

_THRESHOLDS = (10_000, 20, 20)


def settle_garbage() -> None:
    """After start-up: what was made so far (ccxt above all) is never walked again, and walks are rare.

    Almost nothing that a step makes is cyclic, so counting references frees it at once. A process that begins
    again, because it lost its accounts, lets go of what the life before had made.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
