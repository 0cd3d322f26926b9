"""The event loop closes only what is its own, whenever a connection is given up."""

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import pytest

from bot.daemon.event_loop import drive
from tests.support.ports import KeptPort

FILES = 8


@pytest.fixture
def _only_what_is_new() -> Iterator[None]:
    """What other tests have left is no garbage of this one: collecting takes no seconds."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def strangers_closed(port: int, turns: int) -> int:
    """Give a request up after so many turns of the loop; how many files of others that closed."""
    async with aiohttp.ClientSession() as session:
        asking = asyncio.ensure_future(session.get(f"http://127.0.0.1:{port}/"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    del asking
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(FILES)]
    gc.collect()
    await asyncio.sleep(0.01)
    left = 0
    for file in files:
        with suppress(OSError):
            os.close(file)
            left += 1
    return FILES - left


async def every_turn(port: int) -> int:
    """At each turn in which a connection is made, several times."""
    return sum([await strangers_closed(port, turns) for turns in range(1, 9) for _ in range(4)])


@pytest.mark.usefixtures("_only_what_is_new")
def test_a_connection_that_is_given_up_closes_no_file_of_others() -> None:
    """Whenever that is: as it is made, taken over, or used."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        assert drive(every_turn(server.getsockname()[1])) == 0


async def answered(port: int) -> int:
    """The status of an answer."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        return answer.status


def test_a_connection_is_made_as_ever() -> None:
    """A request is sent and answered; one to a closed port is refused."""

    async def ask(port: int) -> int:
        server = await asyncio.start_server(_answer, "127.0.0.1", port)
        status = await answered(port)
        server.close()
        with suppress(aiohttp.ClientConnectorError):
            await answered(port)
            return 0
        return status

    with KeptPort() as port:
        assert drive(ask(port.number)) == 200


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
