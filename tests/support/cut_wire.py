"""A wire to a PostgreSQL server that can be cut at the very statement that commits a record."""

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

Cut = Literal["before", "after"]
"""The server never gets the statement; or it carries it out, and its answer never arrives."""

Severed = Literal["reset", "silent"]
"""Both ends hear that the connection is gone; or nothing is heard any more."""


class CutWire:
    """Listens on a port of its own and passes everything on, until it is told to cut."""

    def __init__(self, port: int) -> None:
        """`port`: the server's, on this machine."""
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._cut: Cut | None = None
        self._word = b""
        self._ends: list[socket.socket] = []
        self._severed: Severed | None = None
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, word: bytes, how: Cut) -> None:
        """Cut once, at the next statement that carries `word`."""
        self._word, self._cut = word, how

    def sever(self, how: "Severed") -> None:
        """For good, for whoever is connected and for whoever comes."""
        self._severed = how
        for end in self._ends if how == "reset" else ():
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._severed == "reset":
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server))
            self._ends += [client, server]
            for source, sink, asks in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=(source, sink, asks), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:  # noqa: FBT001 - a thread's argument
        try:
            while data := source.recv(1 << 16):
                if asks and self._cut is not None and self._word in data:
                    how, self._cut = self._cut, None
                    self.cuts += 1
                    if how == "after":
                        source.shutdown(socket.SHUT_RDWR)  # the answer finds nobody
                        sink.sendall(data)
                        sink.recv(1 << 16)
                    return
                if self._severed is None:
                    sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
