"""Where secret draws come from.

The operating system, or, in paper mode with a seed, a key derived from it.
"""

import secrets
from hashlib import sha256
from typing import NamedTuple, Protocol

_DIGITS = 18


class FundSecrets(NamedTuple):
    """What a fund is created with: the key of its timing and slice draws, and the mark of this journal."""

    key: str
    incarnation: str


class DrawSource(Protocol):
    """Secrets of funds and of their band rebalances."""

    def fund(self, fund: str, life: int = 0) -> FundSecrets:
        """The secrets of a new fund, or of its `life`-th after the first."""
        ...

    def band(self, fund: str, sequence: int) -> tuple[str, str]:
        """`u` (a decimal string in [0, 1) with 18 digits) and salt (64 hex digits) of one band rebalance."""
        ...


class SystemDraws:
    """From the operating system's CSPRNG; nothing can repeat or foresee them."""

    def fund(self, fund: str, life: int = 0) -> FundSecrets:  # noqa: ARG002 - no two calls give the same
        """The secrets of a new fund."""
        return FundSecrets(secrets.token_hex(32), secrets.token_hex(16))

    def band(self, fund: str, sequence: int) -> tuple[str, str]:  # noqa: ARG002 - as above
        """`u` and salt of one band rebalance."""
        return f"0.{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}", secrets.token_hex(32)


class SeededDraws:
    """From a seed, for rehearsals only: whoever knows the seed knows every target. Runs repeat exactly."""

    def __init__(self, seed: int) -> None:
        """Derive everything from `seed`."""
        self._seed = seed

    def fund(self, fund: str, life: int = 0) -> FundSecrets:
        """The secrets of a new fund, or of one of its later lives."""
        which = (fund, life) if life else (fund,)
        return FundSecrets(self._hex("key", *which), self._hex("incarnation", *which)[:32])

    def band(self, fund: str, sequence: int) -> tuple[str, str]:
        """`u` and salt of one band rebalance."""
        number = int(self._hex("u", fund, sequence), 16) % 10**_DIGITS
        return f"0.{number:0{_DIGITS}d}", self._hex("salt", fund, sequence)

    def _hex(self, *what: str | int) -> str:
        return sha256("|".join(map(str, ("inband", self._seed, *what))).encode()).hexdigest()
