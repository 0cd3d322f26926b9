"""The way to the venue and back: delays, losses, odd answers, a venue that is away or sends one away."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from bot.simulation.chance import Chance
from bot.simulation.clock import world_ms
from bot.simulation.faults import Fault, Faults
from bot.simulation.refusal import Refusal
from bot.simulation.trace import Trace
from bot.venue.errors import AnswerMalformed, RequestFailed

CLIENT_TIMEOUT_S = 10.0
BAN_S = 60.0
_TOLD = frozenset({"order", "cancel", "stop", "cancel stop", "transfer"})
"""Requests that change something: the trace tells of each."""
_T = TypeVar("_T")


class Network:
    """Carries requests. What has left the process goes on, whether or not the process lives to hear of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, faults: Faults, chance: Chance, trace: Trace) -> None:
        """All requests of one world go through one network."""
        self.faults = faults
        self.away_until_s = 0.0
        self.banned_until_s = 0.0
        self.under_way: dict[str, int] = {}
        self._loop = loop
        self._chance = chance
        self._trace = trace

    async def ask(
        self,
        what: str,
        act: Callable[[int], _T],
        *,
        cid: str | None = None,
        sent: Callable[[], None] | None = None,
    ) -> _T:
        """Have the venue do `act` when the request arrives, and give its answer.

        `sent` is called once the request has left; `cid` names the order that it may make. Raises
        `RequestFailed` as the venue room does.
        """
        strikes = self.faults.strikes
        if self._loop.time() < self.away_until_s or strikes(Fault.UNREACHABLE, what):
            await asyncio.sleep(self._chance.between(0.01, 1.0))
            raise RequestFailed("ExchangeNotAvailable", "ClientConnectorError", transient=True)
        answer: asyncio.Future[_T] = self._loop.create_future()
        out_s = self._chance.between(0.005, 0.06)
        if strikes(Fault.REQUEST_LATE, what):
            out_s = self._chance.between(0.5, 4.8)
        elif strikes(Fault.REQUEST_TOO_LATE, what):
            out_s = self._chance.between(5.5, 9.5)
        if strikes(Fault.REQUEST_LOST, what):
            self._trace.note("lost on the way:", what, cid or "")
        else:
            if cid is not None:
                self.under_way[cid] = self.under_way.get(cid, 0) + 1
            self._loop.call_later(out_s, self._arrive, what, act, cid, answer)
        if sent is not None:
            sent()
        try:
            async with asyncio.timeout(CLIENT_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise RequestFailed("RequestTimeout", "no usable answer", transient=True) from None

    def _arrive(
        self, what: str, act: Callable[[int], _T], cid: str | None, answer: "asyncio.Future[_T]"
    ) -> None:
        strikes = self.faults.strikes
        if cid is not None:
            self.under_way[cid] -= 1
        outcome: Any
        if self._loop.time() < self.banned_until_s or strikes(Fault.BANNED, what):
            self.banned_until_s = self._loop.time() + BAN_S
            outcome = RequestFailed("418", "too many requests", transient=True)
        elif strikes(Fault.RATE_LIMITED, what):
            outcome = RequestFailed("429", "too many requests", transient=True)
        elif strikes(Fault.UNAVAILABLE, what):
            outcome = RequestFailed("ExchangeNotAvailable", "no usable answer", transient=True)
        else:
            try:
                outcome = act(world_ms(self._loop))
            except Refusal as refusal:
                outcome = RequestFailed(refusal.code, refusal.reason, transient=False)
            if strikes(Fault.AMBIGUOUS, what):
                outcome = RequestFailed("ExchangeNotAvailable", "Unknown error", transient=True)
            elif strikes(Fault.GARBLED, what):
                outcome = AnswerMalformed("not JSON")
        if what in _TOLD:
            self._trace.note("venue:", what, cid or "", _told(outcome))
        if strikes(Fault.REPLY_LOST, what):
            return
        back_s = self._chance.between(0.005, 0.06)
        if strikes(Fault.REPLY_LATE, what):
            back_s = self._chance.between(1.0, 12.0)
        self._loop.call_later(back_s, _answer, answer, outcome)


def _answer(answer: "asyncio.Future[Any]", outcome: Any) -> None:
    if answer.done():
        return
    if isinstance(outcome, RequestFailed):
        answer.set_exception(outcome)
        answer.exception()  # whoever asked may have died within this instant: nobody is to complain of that
    else:
        answer.set_result(outcome)


def _told(outcome: Any) -> str:
    return str(outcome) if isinstance(outcome, RequestFailed) else "done"
