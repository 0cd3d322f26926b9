"""Ports of a test's own: for servers that must be told theirs before they start, or that come and go."""

import secrets
import socket
from errno import EADDRINUSE
from pathlib import Path

_LOWEST, _HIGHEST = 11_000, 60_000
"""Below it browsers refuse to talk to some."""


def free_port() -> int:
    """A port that nobody has, and that nobody gets by chance before it is used.

    One that the system chose could be chosen again for anybody's connection; it chooses none of these, where
    it leaves any out of its own.
    """
    first_of_system = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    end = first_of_system if first_of_system > 2 * _LOWEST else _HIGHEST
    while True:
        port = _LOWEST + secrets.randbelow(end - _LOWEST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
        else:
            return port


class KeptPort(socket.socket):
    """A port that is bound, and where nobody listens: whoever asks there is refused, and nobody gets it.

    Our servers can listen on it all the same, again and again: like them, it says SO_REUSEADDR.
    """

    def __init__(self) -> None:
        """Take any free one."""
        super().__init__()
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.bind(("127.0.0.1", 0))
        self.number = int(self.getsockname()[1])

    @property
    def url(self) -> str:
        """Where a server on it would be."""
        return f"http://127.0.0.1:{self.number}"
