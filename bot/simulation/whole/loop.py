"""The virtual loop with a network in memory: servers, connections, delays, resets, a hash of all bytes.

Bytes of one direction of a connection arrive in order, as TCP promises; how long they take is drawn.
"""

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import Any

from bot.simulation.loop import VirtualLoop

_FIRST_PORT = 20_000
_DELAY_S = (0.000_1, 0.004)


class Pipe(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop: "WholeLoop", address: tuple[str, int]) -> None:
        """Not connected yet."""
        super().__init__({"peername": address, "sockname": address})
        self._loop = loop
        self._protocol: Any = None
        self._closing = False
        self._paused = False
        self._waiting: list[bytes] = []
        self._free_s = 0.0
        self.other: Pipe | None = None

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send bytes; they arrive after a drawn delay, and never before those that were sent earlier."""
        if self._closing or not data:
            return
        chunk = bytes(data)
        self._loop.saw(chunk)
        other = self.other
        if other is not None:
            self._later(other.arrive, chunk)

    def writelines(self, list_of_data: Any) -> None:
        """Send them joined, as the standard transports do."""
        self.write(b"".join(list_of_data))

    def arrive(self, chunk: bytes) -> None:
        """Bytes come in."""
        if self._paused:
            self._waiting.append(chunk)
        elif not self._closing:
            self._protocol.data_received(chunk)

    def close(self) -> None:
        """Close, once what was written has arrived at the other end."""
        if self._closing:
            return
        self._closing = True
        self._loop.call_soon(self._protocol.connection_lost, None)
        if self.other is not None:
            self._later(self.other.hang_up, None)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def hang_up(self, error: Exception | None) -> None:
        """The other end is gone."""
        if not self._closing:
            self._closing = True
            self._protocol.connection_lost(error)

    def reset(self) -> None:
        """The connection breaks for both ends; what is under way is lost."""
        for end in (self, self.other):
            if end is not None:
                end.hang_up(ConnectionResetError("reset by the simulation"))

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection over, as an upgrade to a websocket does."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who has the connection."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def pause_reading(self) -> None:
        """Keep what comes."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand on what was kept."""
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for chunk in waiting:
            self.arrive(chunk)

    def is_reading(self) -> bool:
        """Whether bytes are handed on."""
        return not self._paused and not self._closing

    def can_write_eof(self) -> bool:
        """Half-closed connections are not simulated."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing piles up: the network takes everything at once."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Of no use here."""

    def _later(self, act: Callable[..., object], argument: object) -> None:
        self._free_s = max(self._free_s, self._loop.time() + self._loop.delay_s())
        self._loop.call_at(self._free_s, act, argument)


class _Listener:
    """What a server's socket says of itself."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def getsockname(self) -> tuple[str, int]:
        """Its address."""
        return self._address


class _Server:
    """What `create_server` gives."""

    def __init__(self, loop: "WholeLoop", address: tuple[str, int]) -> None:
        self._loop = loop
        self._address = address
        self.sockets = (_Listener(address),)

    def close(self) -> None:
        """Take no more connections."""
        self._loop.servers.pop(self._address[1], None)

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""


class WholeLoop(VirtualLoop):
    """A virtual loop with servers and connections in memory."""

    def __init__(self, chance: Random) -> None:
        """`chance` draws delays and resets."""
        super().__init__()
        self.servers: dict[int, Callable[[], asyncio.BaseProtocol]] = {}
        self.connections: list[Pipe] = []
        self.chance = chance
        self.chunks = 0
        self._hash = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """A hash over all bytes that were sent, with their times."""
        return self._hash.hexdigest()

    def saw(self, chunk: bytes) -> None:
        """Bytes were sent."""
        self.chunks += 1
        self._hash.update(f"{self.time():.6f}|".encode() + chunk)

    def delay_s(self) -> float:
        """How long the next bytes take."""
        return self.chance.uniform(*_DELAY_S)

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Listen in memory."""
        sock = options.get("sock")
        if sock is not None:
            host, port = sock.getsockname()[:2]
        number = port or _FIRST_PORT + len(self.servers)
        self.servers[number] = protocol_factory
        return _Server(self, (host or "127.0.0.1", number))

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], address: tuple[str, int]
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect in memory; `OSError` where nobody listens."""
        await asyncio.sleep(self.delay_s())
        accept = self.servers.get(address[1])
        if accept is None:
            raise ConnectionRefusedError(111, "nobody listens in the simulation")
        near, far = Pipe(self, address), Pipe(self, ("127.0.0.1", 40_000 + len(self.connections)))
        near.other, far.other = far, near
        for end, protocol in ((far, accept()), (near, factory())):
            end.set_protocol(protocol)
            protocol.connection_made(end)
        self.connections = [pipe for pipe in self.connections if not pipe.is_closing()] + [near]
        return near, near.get_protocol()

    def reset_one(self) -> None:
        """Break a connection, drawn from those that are there."""
        alive = [pipe for pipe in self.connections if not pipe.is_closing()]
        if alive:
            self.chance.choice(alive).reset()

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override] # whatever the signal is
        """Nobody sends signals into a simulation."""

    def remove_signal_handler(self, _: int) -> bool:
        """As above."""
        return False

    async def getaddrinfo(self, _: Any, port: Any, **__: Any) -> Any:  # type: ignore[override] # any host
        """Every name is this machine."""
        return [(2, 1, 6, "", ("127.0.0.1", port))]
