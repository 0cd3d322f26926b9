"""What tests lean on where the machine is busy: a clock that waits for them, and a port that stays theirs."""

import asyncio
import socket
import time

import pytest

from tests.support.patient_loop import PatientLoop
from tests.support.ports import KeptPort


async def test_no_timeout_is_over_because_the_machine_did_something_else() -> None:
    """The process stands still for longer than the timeout; the answer, which lies there, is read."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    async with asyncio.timeout(0.1):
        far.send(b"here\n")
        time.sleep(0.3)  # noqa: ASYNC251 - it stands still
        assert await reader.readline() == b"here\n"
    far.close()
    writer.close()


async def test_a_timeout_of_what_does_not_come_is_over_as_ever() -> None:
    """In time, and not before it."""
    assert isinstance(asyncio.get_running_loop(), PatientLoop)
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()
    assert time.monotonic() - began_s >= 0.1


async def test_a_kept_port_refuses_until_somebody_of_ours_listens() -> None:
    """And again afterwards; nobody else can have it meanwhile."""
    with KeptPort() as port:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port.number)
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port.number))
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port.number)
            reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
            assert await reader.read() == b""
            writer.close()
            server.close()
            await server.wait_closed()
