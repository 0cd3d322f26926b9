"""Asking the daemon that runs on this data directory, over HTTP with the operator's token."""

import json
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from bot.daemon.token import FILE_NAME, given_or_kept
from bot.errors import RefusedError
from bot.journal.lock import holder
from bot.settings import Settings

TIMEOUT_S = 10.0
"""A daemon on a busy machine may need seconds; who is told that it hangs would kill it."""

_OF_A_FUND = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - an address to ask at, not to listen on


class FundRefusedError(RefusedError):
    """The daemon does not do it for this fund; it may do it for others."""


def ask(settings: Settings, path: str) -> Any | None:
    """The daemon's JSON answer to GET `path`; None where no daemon of this data directory answers."""
    request = _request(settings, path)
    if request is None:
        return None
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except (URLError, TimeoutError, ConnectionError, ValueError):
        return None  # nobody, or somebody else: the journal knows


def waits_for(settings: Settings) -> str | None:
    """Why the daemon that answers drives no fund, as its /readyz says; None where none answers so."""
    request = _request(settings, "/readyz")
    if request is None:
        return None
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S):
            return None  # by now it is at work
    except HTTPError as error:
        return "; ".join(json.load(error)["reasons"])
    except (URLError, TimeoutError, ConnectionError):
        return None


def starts(settings: Settings) -> bool:
    """Whether a daemon answers that takes no word yet: it starts, or stands by."""
    request = _request(settings, "/api/v1/operator/venue")
    if request is None:
        return False
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S):
            return False
    except HTTPError as error:
        return error.code == HTTPStatus.UNAUTHORIZED and "Retry-After" in error.headers
    except (URLError, TimeoutError, ConnectionError):
        return False


def tell(settings: Settings, path: str, body: dict[str, str], *, key: str | None = None) -> Any:
    """POST `body` to `path` of the running daemon and give its JSON answer; `key`: an idempotency key.

    Raises `RefusedError` where no daemon answers, or where it refuses; `FundRefusedError` where it may yet do
    the same for other funds than that of `path`.
    """
    request = _request(settings, path, json.dumps(body).encode())
    if request is None:
        raise RefusedError(_silence(settings))
    if key is not None:
        request.add_header("Idempotency-Key", key)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except HTTPError as error:
        kind = FundRefusedError if error.code in _OF_A_FUND else RefusedError
        raise kind(f"the daemon refuses: {_reason(error)}{_remedy(error, settings)}") from None
    except (URLError, TimeoutError, ConnectionError, ValueError):
        raise RefusedError(_silence(settings)) from None


def _silence(settings: Settings) -> str:
    """Why nobody answered, and what helps; whoever must halt the funds now needs no answer for it."""
    from bot.daemon.kill_switch import HALT_FILE  # noqa: PLC0415 - it comes with the whole daemon

    process = holder(settings.data_dir)
    if process is None:
        return f"no daemon answers for {settings.data_dir}; start it with `run`, or check INBAND_WEB__PORT"
    halt = settings.data_dir / HALT_FILE
    if given_or_kept(settings.data_dir, settings.web.token) is None:
        return (
            f"process {process or '?'} still starts on {settings.data_dir}, or stands by, and takes no word "
            f"yet; `touch {halt}` halts every fund that it begins"
        )
    return (
        f"process {process or '?'} runs on {settings.data_dir} and does not answer: it hangs, or "
        f"INBAND_WEB__PORT is another one's; it may still do what was asked. "
        f"`touch {halt}` halts it without an answer; killing it loses nothing"
    )


def _request(settings: Settings, path: str, body: bytes | None = None) -> Request | None:
    """A request with the operator's token; None where there can be no daemon to ask."""
    token = given_or_kept(settings.data_dir, settings.web.token)
    if token is None or settings.web.port == 0:
        return None
    host = _EVERYWHERE.get(settings.web.host, settings.web.host)
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    return Request(f"http://{host}:{settings.web.port}{path}", data=body, headers=headers)


def _reason(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"


def _remedy(error: HTTPError, settings: Settings) -> str:
    if error.code != HTTPStatus.UNAUTHORIZED or "Retry-After" in error.headers:  # it has no token yet itself
        return ""
    kept = settings.data_dir / FILE_NAME
    return f"; set INBAND_WEB__TOKEN to the daemon's, or leave it unset for that in {kept}"
