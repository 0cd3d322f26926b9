"""What the streams of marks and of orders have in common: watching one, and opening a lost one again."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn

from bot.venue.requests import stream_trouble

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class Pause:
    """Wall time before a lost stream is opened again: twice as long each time, until something was heard."""

    def __init__(self) -> None:
        self._last_s = 0.0

    def heard(self) -> None:
        """The stream works: the next pause is the shortest."""
        self._last_s = 0.0

    async def wait(self) -> None:
        """Wait the next pause."""
        self._last_s = min(max(self._last_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        await asyncio.sleep(self._last_s)


async def loss_of(watching: Awaitable[None], secrets: tuple[str, ...] = ()) -> str | None:
    """Watch a stream; why it was lost, or None where the watch ended by itself. Raises when cancelled."""
    try:
        await watching
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():  # type: ignore[union-attr]
            raise
        return "the stream was closed"  # ccxt cancels its watchers when it closes a socket
    except Exception as error:  # noqa: BLE001 - whatever it is, the stream is lost, and that is said
        return f"the stream broke: {stream_trouble(error, secrets)}"
    return None


async def run_together(
    what: str, works: dict[str, Coroutine[Any, Any, None]], *ends: asyncio.Future[None]
) -> NoReturn:
    """Run `works`, by their names, until one of them or of `ends` fails or we are cancelled; none goes on."""
    tasks = (*(asyncio.create_task(work, name=name) for name, work in works.items()), *ends)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError(f"{what} ended by itself")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
