"""Making ccxt clients, and what every one of them needs whatever the exchange.

ccxt itself is left as it is; three of its seams are used: a session of ours, the creation of its sockets, and
its rounding, which is kept from changing ours.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from decimal import Decimal, localcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
import certifi

if TYPE_CHECKING:
    from bot.venue.profile import CcxtClient, Credentials, Door

RECEIVE_WINDOW_MS = 5_000
"""How long after its signature the venue may still accept a request."""
REQUEST_TIMEOUT_MS = 10_000
PING_EVERY_MS = 5_000
"""Two missed answers close a socket; ccxt's own default would take minutes to see a half-open one."""

HandleFrame: TypeAlias = Callable[[Any, Any], None]


def new_session(*, encrypted: bool) -> aiohttp.ClientSession:
    """The HTTP session that all clients of a venue share. It follows no redirect and keeps no cookie.

    `encrypted` loads certificate authorities, the system's and certifi's: a slim container has none itself.
    """
    trust: ssl.SSLContext | bool = True
    if encrypted:
        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_refuse_redirects,),
    )


async def _refuse_redirects(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """A redirected order would be sent twice, and its key to a stranger."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise aiohttp.ClientError("redirected")
    return response


def import_ccxt() -> None:
    """Import ccxt, so that a client can be made at once: it costs 80 MB, and half a second or several."""
    import ccxt.pro  # noqa: F401, PLC0415 - only who trades pays


def make_client(
    ccxt_id: str, door: "Door", credentials: "Credentials | None", urls: dict[str, Any] | None
) -> "CcxtClient":
    """A ccxt.pro client that retries nothing by itself, waits for no throttle, and answers in Decimal."""
    import ccxt.pro  # noqa: PLC0415 - it costs 80 MB and half a second, so only who trades pays

    # At DEBUG ccxt logs keys and signatures.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    config: dict[str, Any] = {
        "session": door.session,
        "enableRateLimit": False,
        "timeout": REQUEST_TIMEOUT_MS,
        "options": {
            "fetchCurrencies": False,
            "recvWindow": RECEIVE_WINDOW_MS,
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            # Else fetched behind our back, with failures that nobody awaits: asyncio logs them, URL and all.
            "watchPositions": {"fetchPositionsSnapshot": False},
            "watchBalance": {"fetchBalanceSnapshot": False},
        },
        "streaming": {"keepAlive": PING_EVERY_MS},
    }
    if urls is not None:
        config["urls"] = {"api": urls}
    if credentials is not None:
        config |= {
            "apiKey": credentials.api_key,
            "secret": credentials.secret,
            "password": credentials.password,
        }
    client = getattr(ccxt.pro, ccxt_id)(config)
    client.number = Decimal
    client.decimal_to_precision = _in_own_arithmetic(client.decimal_to_precision)
    # The session brings its TLS context along; ccxt would load the certificates once more for each client.
    client.ssl_context = True
    # Closing a client leaves the session open, so there is nothing to linger for.
    client.timeout_on_exit = 0
    if client.options.get("maxRetriesOnFailure", 0) != 0:
        raise RuntimeError(
            f"this ccxt retries failed requests of {ccxt_id}, orders included; do not trade with it"
        )
    return client


def _in_own_arithmetic(rounding: Callable[..., str]) -> Callable[..., str]:
    """Keep ccxt's rounding from changing the thread's decimal context, as it does, for everything after it.

    A ledger that is folded after a restart must come to the last digit of the one that traded.
    """

    @wraps(rounding)
    def rounded(*arguments: Any, **options: Any) -> str:
        with localcontext():
            return rounding(*arguments, **options)

    return rounded


def guard_sockets(client: "CcxtClient", handle_frame: HandleFrame) -> None:
    """Have `handle_frame(socket, frame)` called for each frame; one that cannot be read loses the socket.

    An exception in a frame handler ends ccxt's receive loop for good, while its watchers wait on. Here it
    becomes an error of the socket, which ccxt then closes and forgets, and of which it tells its watchers.
    """
    make_socket = client.client

    def guarded_socket(url: str) -> Any:
        known = client.clients or {}
        if url in known:
            return known[url]
        socket = make_socket(url)
        handle = socket.handle_message
        socket.handle_message = lambda message: or_lose_socket(socket, handle, message)
        return socket

    client.client = guarded_socket
    client.handle_message = handle_frame


def or_lose_socket(socket: Any, handle: Callable[..., None], *arguments: Any) -> None:
    """Call `handle`; whatever it raises becomes an error of the socket, of which watchers hear."""
    from ccxt.base.errors import NetworkError  # noqa: PLC0415 - ccxt is imported by now

    try:
        handle(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a frame may provoke
        socket.on_error(NetworkError(f"a frame that cannot be read ({type(error).__name__})"))


async def sockets_lost(client: "CcxtClient") -> None:
    """Wait until one of the client's open sockets breaks, and raise what ccxt says of it."""
    losses = [socket.future(_LOSS) for socket in client.clients.values() if socket.connection is not None]
    if not losses:
        raise ConnectionError("the socket is gone")
    for loss in losses:
        loss.add_done_callback(lambda lost: lost.cancelled() or lost.exception())
    await asyncio.wait(losses, return_when=asyncio.FIRST_COMPLETED)
    for loss in losses:
        if loss.done():
            loss.result()


_LOSS = "inband:loss"
"""A message that never comes: ccxt rejects all that is waited for on a socket when the socket breaks."""


def drop_sockets(client: "CcxtClient", reason: str) -> None:
    """Give up every open socket of the client: its watchers fail now, and the next watch dials anew."""
    from ccxt.base.errors import NetworkError  # noqa: PLC0415 - ccxt is imported by now

    for socket in list((client.clients or {}).values()):
        if socket.connection is not None:
            socket.on_error(NetworkError(reason))
