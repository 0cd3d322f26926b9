"""Who may ask what: the operator's token as a bearer, or a session cookie that was had for it.

Everything is the operator's unless its handler is marked `public`, so that a path nobody thought about is
closed. A cookie is never enough to change anything: the page also sends the session's CSRF token.
"""

import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE = "inband_session"
CSRF_HEADER = "X-CSRF-Token"
SESSION_S = 12 * 3600
"""A session ends this long after its login."""

_STARTING = (
    "the daemon has not finished starting, or stands by (its /readyz says for what); try again in a moment"
)
_MOST_SESSIONS = 100
_WINDOW_S = 60.0
_FAILURES_PER_ADDRESS = 20
_FAILURES_IN_ALL = 200
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLIC = "_inband_public"

_Handler = TypeVar("_Handler", bound=Handler)


def public(handler: _Handler) -> _Handler:
    """Open a handler to everybody; it must show nothing but public figures."""
    setattr(handler, _PUBLIC, True)
    return handler


def is_public(route: web.AbstractRoute) -> bool:
    """Whether a route needs no token."""
    return getattr(route.handler, _PUBLIC, False)


class Session(NamedTuple):
    """A browser that had the token: what its page must send back, and when it ends (monotonic seconds)."""

    csrf: str
    ends_s: float


class Guesses:
    """Wrong tokens of the last minute, by address. Too many, and nothing more is even looked at."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """None yet; `now_s` is monotonic."""
        self._now_s = now_s
        self._all: deque[tuple[float, str]] = deque()

    def note(self, address: str) -> None:
        """Somebody at `address` was wrong."""
        self._all.append((self._now_s(), address))

    def wait_s(self, address: str) -> int:
        """How long `address` has to wait until it may try again; 0 if it may now."""
        now_s = self._now_s()
        while self._all and now_s - self._all[0][0] > _WINDOW_S:
            self._all.popleft()
        own = [at_s for at_s, who in self._all if who == address]
        if len(own) < _FAILURES_PER_ADDRESS and len(self._all) < _FAILURES_IN_ALL:
            return 0
        oldest_s = own[0] if len(own) >= _FAILURES_PER_ADDRESS else self._all[0][0]
        return max(1, int(oldest_s + _WINDOW_S - now_s) + 1)


class Access:
    """Decides whether a request is the operator's."""

    def __init__(
        self, token: Callable[[], str | None], *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`token` gives the operator's token; None until there is one, and then nobody passes."""
        self._token = token
        self._now_s = now_s
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._guesses = Guesses(now_s)

    def login(self, request: web.Request, given: str) -> tuple[str, Session]:
        """Give a cookie for the token; `HTTPUnauthorized`, or `HTTPTooManyRequests` after many tries.

        `HTTPServiceUnavailable` while there is no token yet: the right one must not be called wrong.
        """
        self._refuse_guessing(request)
        if self._token() is None:
            raise web.HTTPServiceUnavailable(reason=_STARTING, headers={"Retry-After": "1"})
        if not self._right(given):
            self._guesses.note(_address(request))
            raise web.HTTPUnauthorized(reason="this is not the operator's token")
        cookie = secrets.token_urlsafe(32)
        session = Session(secrets.token_urlsafe(32), self._now_s() + SESSION_S)
        self._sessions[cookie] = session
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie, session

    def logout(self, request: web.Request) -> None:
        """End the session of the request's cookie, if there is one."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def session(self, request: web.Request) -> Session | None:
        """The running session of the request's cookie."""
        cookie = request.cookies.get(COOKIE, "")
        session = self._sessions.get(cookie)
        if session is not None and session.ends_s <= self._now_s():
            del self._sessions[cookie]
            return None
        return session

    def is_operator(self, request: web.Request) -> bool:
        """Whether the request carries the token or a session, without judging what it wants."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and self._right(given)) or self.session(request) is not None

    def require(self, request: web.Request) -> None:
        """Let only the operator pass; raise `HTTPUnauthorized`, `HTTPForbidden`, `HTTPTooManyRequests`."""
        session = self.session(request)
        if session is not None and "Authorization" not in request.headers:
            given = request.headers.get(CSRF_HEADER, "")
            if request.method not in _SAFE and not _equal(given, session.csrf):
                raise web.HTTPForbidden(reason=f"a session needs its {CSRF_HEADER} header to change anything")
            return
        self._refuse_guessing(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._right(given):
            if self._token() is None:  # none is wrong: a program that asks on is not to be locked out
                headers = {"WWW-Authenticate": "Bearer", "Retry-After": "1"}
                raise web.HTTPUnauthorized(reason=_STARTING, headers=headers)
            reason = "this takes the operator's token, as a bearer"
            if "Authorization" in request.headers:
                self._guesses.note(_address(request))
                reason = "this is not the operator's token"
            raise web.HTTPUnauthorized(reason=reason, headers={"WWW-Authenticate": "Bearer"})

    def _right(self, given: str) -> bool:
        token = self._token()
        return token is not None and _equal(given.strip(), token)

    def _refuse_guessing(self, request: web.Request) -> None:
        wait_s = self._guesses.wait_s(_address(request))
        if wait_s:
            raise web.HTTPTooManyRequests(
                reason=f"too many wrong tokens; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )

    @property
    def middleware(self) -> Middleware:
        """Close everything that is not public."""

        @web.middleware
        async def only_the_operator(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.match_info.http_exception is None and not is_public(request.match_info.route):
                self.require(request)
            return await handler(request)

        return only_the_operator


def _equal(given: str, right: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), right.encode())


def _address(request: web.Request) -> str:
    return request.remote or ""
