"""`POST /api/v1/funds/{fund}/...`: what an operator wants of a fund, with its author and reason.

`pause`, `resume` and `halt` may be said twice anyhow. With an `Idempotency-Key` every request may be
repeated, also after a restart of the daemon: what is on record under the key changes nothing more.
"""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from bot.core.operator_requests import RequestIdReusedError, Wanted
from bot.errors import RefusedError, UserError
from bot.web.body import decimal_field, json_object, text_field
from bot.web.errors import BadFieldError
from bot.web.record import name_of

KEY_HEADER = "Idempotency-Key"
REPEATED_HEADER = "Idempotency-Replayed"

_LONGEST_KEY = 200
_FIELDS = {
    "pause": frozenset[str](),
    "resume": frozenset[str](),
    "halt": frozenset[str](),
    "rebalance": frozenset({"leverage"}),
    "flatten": frozenset[str](),
}
"""The words, and what each may say beside author and reason."""


class Asked(Protocol):
    """What came of a request."""

    @property
    def status(self) -> dict[str, Any]:
        """The fund's status after it."""
        ...

    @property
    def repeated(self) -> bool:
        """Whether it was on record already."""
        ...


class Controls(Protocol):
    """Who can be asked."""

    def ask(self, fund: str, wanted: Wanted) -> Asked | None:
        """What came of it; None where there is no such fund.

        `RefusedError` where it cannot be done now, `RequestIdReusedError` for a key of another request.
        """
        ...


class Reloads(Protocol):
    """The daemon's settings."""

    def configuration(self) -> list[dict[str, str | None]]:
        """Every setting as it applies, secrets masked."""
        ...

    def reload(self, author: str, why: str) -> dict[str, Any]:
        """Read them again: what changed, and which funds take it over later.

        `RefusedError` where it cannot be done, `UserError` where they are wrong.
        """
        ...


class Word(NamedTuple):
    """Author and reason of a request, its idempotency key, and the digest of what it asks."""

    author: str
    why: str
    request_id: str
    content: str


def add_routes(app: web.Application, controls: Controls) -> None:
    """One path for each word, and one for acknowledging an incident."""

    async def asked(request: web.Request) -> web.Response:
        word = request.match_info["word"]
        body = await json_object(request, {"author", "reason"} | _FIELDS[word])
        leverage = decimal_field(body, "leverage")
        if leverage is not None and leverage <= 0:
            raise BadFieldError("leverage", "a number above 0 is needed")
        return _carry_out(request, controls, word, body, leverage=leverage)

    async def acknowledged(request: web.Request) -> web.Response:
        body = await json_object(request, {"author", "reason", "code"})
        return _carry_out(request, controls, "acknowledge", body, code=text_field(body, "code"))

    app.router.add_post(f"/api/v1/funds/{{fund}}/{{word:{'|'.join(_FIELDS)}}}", asked)
    app.router.add_post("/api/v1/funds/{fund}/incidents/acknowledge", acknowledged)


def add_daemon_routes(app: web.Application, daemon: Reloads) -> None:
    """What concerns the daemon as a whole: the settings that apply, and reading them again."""

    async def configuration(_: web.Request) -> web.Response:
        return web.json_response(daemon.configuration())

    async def reload(request: web.Request) -> web.Response:
        word = word_of(request, await json_object(request, {"author", "reason"}))
        try:
            return web.json_response(daemon.reload(word.author, word.why))
        except RefusedError as error:
            raise web.HTTPConflict(reason=str(error)) from None
        except UserError as error:
            raise BadFieldError(None, str(error)) from None

    app.router.add_get("/api/v1/operator/configuration", configuration)
    app.router.add_post("/api/v1/operator/reload", reload)


def word_of(request: web.Request, body: dict[str, Any]) -> Word:
    """Who asks, why, and the key by which a repeat is recognised."""
    key = request.headers.get(KEY_HEADER, "").strip()
    if len(key) > _LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise BadFieldError(KEY_HEADER, f"1 to {_LONGEST_KEY} printable ASCII characters are needed")
    content = json.dumps([request.path, body], sort_keys=True, default=float)
    return Word(
        text_field(body, "author", "operator"),
        text_field(body, "reason", "none given"),
        key,
        sha256(content.encode()).hexdigest() if key else "",
    )


def _carry_out(
    request: web.Request,
    controls: Controls,
    word: str,
    body: dict[str, Any],
    *,
    leverage: Decimal | None = None,
    code: str = "",
) -> web.Response:
    fund = name_of(request)
    try:
        asked = controls.ask(fund, Wanted(word, *word_of(request, body), leverage, code))
    except RefusedError as error:
        raise web.HTTPConflict(reason=str(error)) from None
    except RequestIdReusedError:
        raise BadFieldError(KEY_HEADER, "this key belongs to another request") from None
    if asked is None:
        raise web.HTTPNotFound(reason="no such fund runs here")
    headers = {REPEATED_HEADER: "true"} if asked.repeated else {}
    return web.json_response(asked.status, headers=headers)
