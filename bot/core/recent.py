"""Ids by which repeats are recognised: the latest thousand, at least."""

from typing import NamedTuple

_REMEMBERED = 1_000
_PART = 50


class RecentIds(NamedTuple):
    """Ids in the order they came, the oldest forgotten.

    In two parts, because adding to a tuple copies it, and to one of a thousand takes longer than all else
    that an income changes: it is the short one that grows, and now and then it joins the long one.
    """

    older: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()

    def plus(self, id_: str) -> "RecentIds":
        """With one more."""
        older, newer = self
        if len(newer) < _PART:
            return RecentIds(older, (*newer, id_))
        return RecentIds((*older, *newer)[-_REMEMBERED:], (id_,))

    def has(self, id_: str) -> bool:
        """Whether an id is one of them."""
        return id_ in self.newer or id_ in self.older
