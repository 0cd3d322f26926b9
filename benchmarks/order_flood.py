"""Orders to an exchange in one process, without sockets: what it keeps of each in memory.

`python benchmarks/order_flood.py ORDERS FOLDER` places them as bytes of HTTP on a connection that goes
nowhere, so they pass all that an order passes but the kernel: orders that fill, orders that rest and are
cancelled, and conditional ones. Prints one JSON line: orders, seconds, and resident MB at equal steps. The
store lies in FOLDER.
"""

import asyncio
import hmac
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

from bot.exchange import AccountConfig, Exchange, ExchangeConfig, start_exchange
from bot.exchange.prices import open_path

STEPS = 100
STEP = 100  # orders between two looks at the mark
SPEED = 600.0  # of the market: a million orders see hours of it
START = 60_000
ACCOUNT = AccountConfig("UP", "key", "secret", Decimal(100_000_000))
_IOC = "/fapi/v1/order", "type=LIMIT&quantity=0.002&timeInForce=IOC&newOrderRespType=RESULT"
_GTC = "/fapi/v1/order", "type=LIMIT&quantity=0.002&timeInForce=GTC"
_STOP = "/fapi/v1/algoOrder", "algoType=CONDITIONAL&type=STOP_MARKET&quantity=0.002&workingType=MARK_PRICE"


class Nowhere(asyncio.Transport):
    """A connection whose other end reads at once."""

    def __init__(self) -> None:
        """Open it."""
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.answer = b""

    def write(self, data: Any) -> None:
        """Keep the last answer only."""
        self.answer = bytes(data)

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def is_closing(self) -> bool:
        """It stays open."""
        return False

    def close(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is held."""


class Client:
    """Sends signed requests, one after another."""

    def __init__(self, exchange: Exchange) -> None:
        """Connect."""
        self._transport = Nowhere()
        self._connection = exchange.protocol()
        self._connection.connection_made(self._transport)
        self.mark = 0.0
        self._key = hmac.new(ACCOUNT.secret.encode(), digestmod=sha256)

    def ask(self, method: str, path: str, query: str) -> bytes:
        """Return the answer, head and body."""
        query = f"symbol=BTCUSDT&{query}&timestamp={time.time_ns() // 1_000_000}"
        key = self._key.copy()
        key.update(query.encode())
        body = f"{query}&signature={key.hexdigest()}"
        self._connection.data_received(
            f"{method} {path} HTTP/1.1\r\nX-MBX-APIKEY: {ACCOUNT.api_key}\r\nContent-Length: {len(body)}"
            f"\r\n\r\n{body}".encode()
        )
        return self._transport.answer


def _place(client: Client, number: int) -> None:
    """Place an order: of ten eight fill, one rests, one waits for its trigger; those two are cancelled."""
    if number % STEP == 0:
        answer = client.ask("GET", "/fapi/v1/premiumIndex", "")
        client.mark = float(json.loads(answer.partition(b"\r\n\r\n")[2])["markPrice"])
    side, away = ("BUY", 1.03) if number % 2 else ("SELL", 0.97)
    kind = number % 10
    if kind < 8:
        path, query = _IOC
        answer = client.ask("POST", path, f"{query}&side={side}&price={client.mark * away:.1f}")
        assert b'"FILLED"' in answer, answer
        return
    path, query = _GTC if kind == 8 else _STOP
    name, price = ("newClientOrderId", "price") if kind == 8 else ("clientAlgoId", "triggerPrice")
    far = client.mark * (2 - away if kind == 8 else away)
    answer = client.ask("POST", path, f"{query}&side={side}&{price}={far:.1f}&{name}=flood")
    assert b'"NEW"' in answer, answer
    name = "origClientOrderId" if kind == 8 else "clientAlgoId"
    answer = client.ask("DELETE", path, f"{name}=flood")
    assert answer.startswith(b"HTTP/1.1 200"), answer


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS")


async def flood(orders: int, folder: Path, place: Callable[[Client, int], None] = _place) -> dict[str, Any]:
    """Place the orders and measure on the way."""
    path = open_path(scenario="calm", symbol="BTCUSDT", seed=1, start_price=Decimal(START))
    config = ExchangeConfig(
        paths={"BTCUSDT": path}, accounts=(ACCOUNT,), directory=folder, speed=SPEED, basis_swing_bps=0
    )
    exchange = await start_exchange(config)
    client, resident, begun = Client(exchange), [], time.perf_counter()
    for number in range(orders):
        place(client, number)
        if number % 20 == 0:
            await asyncio.sleep(0)  # the market's own tasks, and the database
        if (number + 1) % max(1, orders // STEPS) == 0:
            resident.append(round(_resident_mb(), 2))
    seconds = time.perf_counter() - begun
    await exchange.close()
    return {"orders": orders, "seconds": seconds, "resident_mb": resident}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(flood(int(sys.argv[1]), Path(sys.argv[2])))))
