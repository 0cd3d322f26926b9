"""`/api/v1/session`: the page's login. The token comes in a body, never in a URL, and is not kept."""

from aiohttp import web

from bot.web.access import COOKIE, SESSION_S, Access, public
from bot.web.body import json_object, text_field

PATH = "/api/v1/session"
_LONGEST_TOKEN = 1_000


def add_routes(app: web.Application, access: Access) -> None:
    """Log in, ask, log out."""

    @public
    async def show(request: web.Request) -> web.Response:
        session = access.session(request)
        csrf = None if session is None else session.csrf
        return web.json_response({"operator": access.is_operator(request), "csrf": csrf})

    @public
    async def login(request: web.Request) -> web.Response:
        body = await json_object(request, {"token"})
        cookie, session = access.login(request, text_field(body, "token", longest=_LONGEST_TOKEN))
        response = web.json_response({"operator": True, "csrf": session.csrf})
        encrypted = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        response.set_cookie(
            COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="Strict", secure=encrypted, path="/"
        )
        return response

    async def logout(request: web.Request) -> web.Response:
        access.logout(request)
        response = web.json_response({"operator": False, "csrf": None})
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    app.router.add_get(PATH, show)
    app.router.add_post(PATH, login)
    app.router.add_delete(PATH, logout)
