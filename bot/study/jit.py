"""Compile a loop with numba, and keep the machine code where there is a folder to keep it in."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """The function as machine code; other threads may run beside it."""
    try:
        made: _Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither this folder nor the user's own can be written to
        made = njit(nogil=True)(function)
    return made


def inlined(function: _Function) -> _Function:
    """A part of compiled loops, laid out anew in each caller, for what runs millions of times a second."""
    made: _Function = njit(inline="always", nogil=True)(function)
    return made
