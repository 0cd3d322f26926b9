"""A server that answers every request with the same order, in a process of its own: the least a venue costs.

`python benchmarks/canned_venue.py CORE` prints its URL as a JSON line and serves until it is stopped. It is
aiohttp's own server with a handler that reads the body and replies; it looks at nothing.
"""

import asyncio
import json
import os
import sys

import uvloop
from aiohttp import web

ANSWER = (
    b'{"orderId":1001,"symbol":"BTCUSDT","status":"FILLED","clientOrderId":"x-canned","price":"60600.00",'
    b'"avgPrice":"60000.00000000","origQty":"0.001","executedQty":"0.001","cumQuote":"60.00000",'
    b'"timeInForce":"IOC","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY",'
    b'"positionSide":"BOTH","stopPrice":"0","workingType":"CONTRACT_PRICE","priceProtect":false,'
    b'"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,'
    b'"updateTime":1704067200000,"cumQty":"0.001"}'
)


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def _serve() -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(_serve())
