"""Telling systemd how it goes: ready, alive, reloading, stopping; by datagrams to the socket that it names.

Ready means that the daemon serves and drives its funds as soon as it can: a venue that cannot be reached, or
accounts that another host drives, are no reason to be restarted. `/readyz` tells the difference.
"""

import os
import socket
from collections.abc import Mapping
from time import clock_gettime_ns

import structlog

_MONOTONIC = 1  # CLOCK_MONOTONIC, by which systemd puts reloads in order


class ServiceManager:
    """systemd, or nobody: without a socket in the environment nothing is said."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        self._address = environment.get("NOTIFY_SOCKET") or None
        self._log = structlog.get_logger()
        pid = environment.get("WATCHDOG_PID")
        usec = environment.get("WATCHDOG_USEC", "")
        for_us = pid in {None, "", str(os.getpid())}
        self._worked_s = 0.0
        self._unheard = False
        self.watchdog_s: float | None = int(usec) / 1e6 if usec.isdigit() and int(usec) and for_us else None

    def ready(self, status: str) -> None:
        """The daemon serves."""
        self._say(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={status}")

    def alive(self) -> None:
        """The event loop turns; said at twice the pace that systemd wants."""
        self._say("WATCHDOG=1")

    def working(self) -> None:
        """Long work goes on that keeps the event loop from turning; may be called often, is said in time."""
        if self.watchdog_s is None:
            return
        now_s = clock_gettime_ns(_MONOTONIC) / 1e9
        if now_s >= self._worked_s + self.watchdog_s / 4:
            self._worked_s = now_s
            self.alive()

    def reloading(self) -> None:
        """Settings are being read again; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={clock_gettime_ns(_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Funds are being parked."""
        self._say("STOPPING=1\nSTATUS=parking the funds")

    def _say(self, text: str) -> None:
        if self._address is None:
            return
        # An address that begins with @ is in the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.settimeout(0)
                way.sendto(text.encode(), address)
        except OSError as error:
            # Its queue may be full, or it starts anew: who fell silent for that would be killed as hanging.
            if not self._unheard:
                self._log.warning("service_manager_unreachable", reason=str(error))
            self._unheard = True
        else:
            self._unheard = False
