"""Worked examples: how clients that were written for Binance are pointed at the paper exchange.

Each works as pasted while `python3 -m bot exchange --port 8899` runs; the tests paste them.
"""

URL = "http://127.0.0.1:8899"

START = "python3 -m bot exchange --port 8899 --scenario crash --speed 60"

CURL = """\
ORDER="symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&timestamp=$(date +%s)000"
SIGNED=$(printf %s "$ORDER" | openssl dgst -sha256 -hmac paper-up-secret | sed 's/.*= *//')
curl -s -X POST -H "X-MBX-APIKEY: paper-up" \\
  "http://127.0.0.1:8899/fapi/v1/order?$ORDER&signature=$SIGNED"
"""

CCXT = """\
import ccxt
url = "http://127.0.0.1:8899"
client = ccxt.binanceusdm({"apiKey": "paper-up", "secret": "paper-up-secret"})
client.options["fetchCurrencies"] = False
for name, address in client.urls["api"].items():
    if "/fapi/" in address:
        client.urls["api"][name] = url + address[address.index("/fapi/"):]
print(client.create_order("BTC/USDT:USDT", "market", "buy", 0.01))
"""

CCXT_PRO = """\
import asyncio, ccxt.pro
url = "http://127.0.0.1:8899"
async def main():
    client = ccxt.pro.binanceusdm({"options": {"fetchCurrencies": False}})
    for name, address in client.urls["api"].items():
        if "/fapi/" in address:
            client.urls["api"][name] = url + address[address.index("/fapi/"):]
    client.urls["api"]["ws"]["linear"] = url.replace("http", "ws") + "/ws"
    print(await client.watch_mark_price("BTC/USDT:USDT"))
    await client.close()
asyncio.run(main())
"""

SDK = """\
from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
configuration = ConfigurationRestAPI(
    api_key="paper-up", api_secret="paper-up-secret", base_path="http://127.0.0.1:8899"
)
client = DerivativesTradingUsdsFutures(config_rest_api=configuration)
print(client.rest_api.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01).data())
"""

PYTHON_BINANCE = """\
from binance import Client
client = Client("paper-up", "paper-up-secret", ping=False)
client.FUTURES_URL = "http://127.0.0.1:8899/fapi"
print(client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01))
"""

_BY_CLIENT = {
    "curl": CURL,
    "ccxt": CCXT,
    "ccxt.pro": CCXT_PRO,
    "the official SDK (binance-sdk-derivatives-trading-usds-futures)": SDK,
    "python-binance": PYTHON_BINANCE,
}


def epilog() -> str:
    """The examples as the help of `exchange` shows them, lines kept as they are."""
    parts = [f"Example: {START}"]
    for client, text in _BY_CLIENT.items():
        lines = "\n".join(f"  {line}" for line in text.splitlines())
        parts.append(f"\b\nWith {client}, at --port 8899:\n{lines}")
    return "\n\n".join(parts)
