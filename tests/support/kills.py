"""What a kill must not change in a record: what was decided, and the secrets that were committed to."""

from collections.abc import Sequence
from typing import Any

_DECIDED = ("id", "fund", "kind", "reason", "sequence", "commitment", "u", "salt", "target", "state")


def decided(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each rebalance without what depends on the instants at which a process was away."""
    return [{name: entry[name] for name in _DECIDED} for entry in history]
