"""A process that loses its journal begins again: how soon."""

from math import inf

_BRIEF_S = 30.0
_LONGEST_PAUSE_S = 8.0


class Lives:
    """How long to wait between one life and the next: a full disk of the database may end each at once."""

    def __init__(self) -> None:
        self._lost_s = -inf
        self._brief = 0

    def pause_s(self, now_s: float) -> float:
        """Nothing after a life that lasted; else longer each time, for each life asks much of the venue."""
        self._brief = self._brief + 1 if now_s - self._lost_s < _BRIEF_S else 0
        pause_s = min(_LONGEST_PAUSE_S, 2.0 ** (self._brief - 1)) if self._brief else 0.0
        self._lost_s = now_s + pause_s
        return pause_s
