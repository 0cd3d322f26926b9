"""What every request must be, and every answer must say, whoever asks.

A page elsewhere may make a browser send requests here. It cannot forge the `Host` (a name that was made to
point here is refused), nor hide its `Origin`. What it would send with a cookie needs SameSite and a CSRF
token besides (`bot.web.access`).
"""

import asyncio
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

BODY_WITHIN_S = 10.0
LARGEST_BODY = 64 * 1024

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Scripts come from us alone, and none is inline. Charts set styles on elements, which harms nobody."""


def guard(allowed_hosts: Collection[str]) -> Middleware:
    """Refuse requests for foreign hosts, from foreign pages, and bodies that do not come."""
    names = {"localhost", *(name.lower() for name in allowed_hosts)}

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = _host_name(f"//{request.headers.get('Host', '')}")
        if host is None or (host not in names and not _is_address(host)):
            raise web.HTTPForbidden(reason="unknown host; name it in INBAND_WEB__ALLOWED_HOSTS")
        if request.headers.get("Sec-Fetch-Site") == "cross-site" or _foreign_origin(request):
            raise web.HTTPForbidden(reason="requests from other sites are refused")
        if request.body_exists:
            await _body_in_time(request)
        return await handler(request)

    return guarded


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """On every answer, streams included: nothing is embedded, sniffed, or kept unless it says so itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


async def _body_in_time(request: web.Request) -> None:
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"the body did not come within {BODY_WITHIN_S:g} s") from None


def _foreign_origin(request: web.Request) -> bool:
    """Whether a page of another origin made the browser send this. Programs send no `Origin`."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    """Whether a host is an address: a name that was made to point here never looks like one."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
