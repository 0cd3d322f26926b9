"""Reads that are asked for again after a while: of several that would ask the same, the soonest asks.

Whoever waits for an answer repeats its question when it fails, and several may wait for the same one. While
the venue bans us they would all come back every few seconds, and all at once when the ban is over.
"""

import asyncio
import math
from typing import TYPE_CHECKING, TypeAlias

from bot.core.commands import (
    CancelOrder,
    CancelStop,
    FetchAccount,
    FetchContract,
    FetchDayMark,
    FetchIncome,
    FetchOrders,
    FetchTouch,
    FetchTrades,
    FetchVolume,
    QueryOrder,
    QueryStop,
)

if TYPE_CHECKING:
    from bot.core.commands import Command
    from bot.venue.limiter import Limiter

_Question: TypeAlias = tuple[type, object]

_OF_ONE_THING = (QueryOrder, CancelOrder, QueryStop, CancelStop, FetchTrades, FetchDayMark)
"""Their first field says of what."""

_OF_ALL = (FetchIncome, FetchAccount, FetchTouch, FetchVolume, FetchOrders, FetchContract)


class Repeats:
    """The repeats of one account that wait for their time."""

    def __init__(self, limiter: "Limiter") -> None:
        """Nothing waits."""
        self._limiter = limiter
        self._due_s: dict[_Question, float] = {}

    async def wait(self, command: "Command", delay_s: float) -> bool:
        """Wait until `command` is to be carried out; False: another one asks the same, and sooner.

        A read is not repeated before the venue lets us send again.
        """
        question = _question(command)
        if question is None:
            await asyncio.sleep(delay_s)
            return True
        due_s = asyncio.get_running_loop().time() + delay_s
        if self._due_s.get(question, math.inf) <= due_s:
            return False
        self._due_s[question] = due_s
        try:
            await asyncio.sleep(delay_s)
            await self._limiter.until_free()
            return self._due_s.get(question) == due_s
        finally:
            if self._due_s.get(question) == due_s:
                del self._due_s[question]


def _question(command: "Command") -> _Question | None:
    """What a read asks; None where a command does more than to ask, and each counts."""
    if isinstance(command, _OF_ONE_THING):
        return type(command), command[0]
    return (type(command), None) if isinstance(command, _OF_ALL) else None
