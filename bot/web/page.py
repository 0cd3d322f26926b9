"""The dashboard's files: compressed once, kept by browsers for good, and asked of no other host.

Every part is served below a path that names the version of all of them, so a browser never mixes two and
never asks for one twice; only the short page at `/` is asked for again. Plotly comes out of its installed
wheel, and is neither read nor compressed before somebody opens the page.
"""

import asyncio
import gzip
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from bot.web.access import public

_PAGE = "index.html"
_PLOTLY = "plotly.min.js"
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_LEVEL = 9


class Asset(NamedTuple):
    """One file as it goes out: as it is, and compressed."""

    content_type: str
    plain: bytes
    packed: bytes


def add_routes(app: web.Application) -> None:
    """Serve the page at `/`, and its parts."""
    parts = _parts()
    base = f"/page/{_version(parts)}"
    page = _asset(_PAGE, parts.pop(_PAGE).replace(b"{assets}", base.encode()))
    assets = {name: _asset(name, content) for name, content in parts.items()}
    tag = f'"{hashlib.sha256(page.plain).hexdigest()[:20]}"'

    @public
    async def index(request: web.Request) -> web.Response:
        asyncio.get_running_loop().run_in_executor(None, _plotly)  # asked for next
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
        return _answer(request, page, {"ETag": tag, "Cache-Control": "no-cache"})

    @public
    async def part(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == _PLOTLY:
            asset = await asyncio.to_thread(_plotly)
        elif name in assets:
            asset = assets[name]
        else:
            raise web.HTTPNotFound(reason="no such part of the page")
        return _answer(request, asset, {"Cache-Control": _FOR_GOOD})

    app.router.add_get("/", index)
    app.router.add_get(f"{base}/{{name}}", part)


def _answer(request: web.Request, asset: Asset, headers: dict[str, str]) -> web.Response:
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    if packs:
        headers["Content-Encoding"] = "gzip"
    headers["Vary"] = "Accept-Encoding"
    return web.Response(
        body=asset.packed if packs else asset.plain,
        headers=headers,
        content_type=asset.content_type,
        charset="utf-8",
    )


def _parts() -> dict[str, bytes]:
    folder = files("bot.web").joinpath("page")
    return {file.name: file.read_bytes() for file in folder.iterdir() if _suffix(file.name) in _TYPES}


def _version(parts: dict[str, bytes]) -> str:
    """A name for these very parts, and this very plotly."""
    digest = hashlib.sha256(version("plotly").encode())
    for name in sorted(parts):
        digest.update(name.encode() + b"\0" + parts[name] + b"\0")
    return digest.hexdigest()[:12]


@cache
def _plotly() -> Asset:
    return _asset(_PLOTLY, files("plotly").joinpath("package_data", _PLOTLY).read_bytes())


def _asset(name: str, content: bytes) -> Asset:
    return Asset(_TYPES[_suffix(name)], content, gzip.compress(content, _LEVEL, mtime=0))


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
