"""A server that sends every message from one socket on to all others, in a process of its own.

`python benchmarks/canned_streams.py CORE` prints its URL as a JSON line and serves until it is stopped. It is
what aiohttp offers for a broadcast: a loop over `send_str`.
"""

import asyncio
import json
import os
import sys

import uvloop
from aiohttp import web

FRAME = (
    '{"e":"markPriceUpdate","E":%d,"s":"BTCUSDT","p":"60000.00000000","ap":"60000.00000000",'
    '"P":"60000.00000000","i":"60000.00000000","r":"0.00010000","T":1704096000000,"st":1}'
)


async def _serve(core: int) -> None:
    os.sched_setaffinity(0, {core})
    readers: list[web.WebSocketResponse] = []

    async def read(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        readers.append(socket)
        async for _ in socket:
            pass
        return socket

    async def kick(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            text = FRAME % json.loads(message.data).get("until", 0)
            for reader in readers:
                await reader.send_str(text)
        return socket

    app = web.Application()
    app.router.add_get("/pacing", kick)
    app.router.add_get("/{path:.*}", read)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
