"""Ports for servers that must be told theirs before they start."""

import secrets
import socket
from errno import EADDRINUSE
from pathlib import Path

_LOWEST = 10_000


def free_port() -> int:
    """A port that nobody has, and that nobody gets by chance before it is used.

    One that the system chose could be chosen again for anybody's connection; it chooses none of these.
    """
    first_of_system = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _LOWEST + secrets.randbelow(first_of_system - _LOWEST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
        else:
            return port
