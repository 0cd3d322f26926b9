"""Asking the daemon that runs on this data directory, over HTTP with the operator's token."""

import json
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from bot.daemon.token import given_or_kept
from bot.settings import Settings

_TIMEOUT_S = 2.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - an address to ask at, not to listen on


def ask(settings: Settings, path: str) -> Any | None:
    """The daemon's JSON answer to GET `path`; None where no daemon of this data directory answers."""
    token = given_or_kept(settings.data_dir, settings.web.token)
    if token is None or settings.web.port == 0:
        return None
    host = _EVERYWHERE.get(settings.web.host, settings.web.host)
    request = Request(
        f"http://{host}:{settings.web.port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_S) as answer:
            return json.load(answer)
    except (URLError, TimeoutError, ConnectionError, ValueError):
        return None  # nobody, or somebody else: the journal knows
