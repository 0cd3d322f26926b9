"""A real HTTP server that takes what apprise's json:// sends, and that can be told to fail."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """Listens on a free port until the context ends. `fail` answers 500; `letters` is what was taken."""

    def __init__(self) -> None:
        """Nothing was taken yet."""
        self.letters: list[dict[str, Any]] = []
        self.pings: list[str] = []
        self.refused = 0
        self.fail = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if receiver.fail:
                    receiver.refused += 1
                else:
                    receiver.letters.append(json.loads(body))
                self.answer(500 if receiver.fail else 200)

            def do_GET(self) -> None:
                receiver.pings.append(self.path)
                self.answer(500 if receiver.fail else 200)

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """As apprise wants it; a letter that it took is not taken for lost because it answers late."""
        return f"json://{self.address}/hook?rto=60&cto=60"

    @property
    def titles(self) -> list[str]:
        """Titles of what was taken, in order."""
        return [letter["title"] for letter in self.letters]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
