"""Errors that end a command: each is one line that names what is wrong and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches


class _OneLineError(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


class UserError(_OneLineError):
    """Wrong usage, setting or input file: the command ends with exit code 2."""


class RefusedError(_OneLineError):
    """The command was understood, and refused or failed: it ends with exit code 1."""


class AmountRefusedError(RefusedError):
    """The amount that was asked for cannot be dealt; another one might be."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name the nearest known word ("did you mean X?"), or every one where none is near.

    Comparison ignores case. An empty `known` gives an empty string.
    """
    words = {name.upper(): name for name in known}
    if not words:
        return ""
    near = get_close_matches(word.upper(), words, n=1, cutoff=0.6)
    return f"did you mean {words[near[0]]}?" if near else f"known: {', '.join(words.values())}"
