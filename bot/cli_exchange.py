"""`exchange`: the paper exchange by itself, until a signal."""

import asyncio
import json
import math
import signal
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import uvloop

from bot.errors import UserError
from bot.exchange import (
    CATALOG,
    AccountConfig,
    Exchange,
    ExchangeConfig,
    PortInUseError,
    StartError,
    StoreMismatchError,
    start_exchange,
)
from bot.exchange.prices import SCENARIO_START_MS, SCENARIOS, PriceFileError, open_funding, open_path
from bot.settings.values import paper_key


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """The command's options as given. With `replay` the scenario is not used; `balance` is in USDT."""

    port: int
    symbols: tuple[str, ...]
    replay: str | None
    funding: str | None
    scenario: str
    seed: int
    speed: str
    balance: Decimal
    accounts: tuple[str, ...]
    data_dir: Path
    as_json: bool


def run_exchange(options: ExchangeOptions) -> int:
    """Serve until SIGINT or SIGTERM; give the exit code. Raises UserError, which names the option."""
    return uvloop.run(_serve(_configured(options), options))


def _configured(options: ExchangeOptions) -> ExchangeConfig:
    """Judge the options, and open the price files. Nothing is written here."""
    for symbol in options.symbols:
        if symbol not in CATALOG:
            raise UserError(f"--symbol {symbol}: not traded here; choose from {', '.join(CATALOG)}")
    if options.replay is not None and len(options.symbols) > 1:
        raise UserError("--symbol: a replay file holds the prices of one symbol; name one")
    if options.scenario not in SCENARIOS:
        raise UserError(f"--scenario {options.scenario}: unknown; choose from {', '.join(SCENARIOS)}")
    try:
        funding = None if options.funding is None else open_funding(options.funding)
    except PriceFileError as error:
        raise UserError(f"--funding {error}") from error
    try:
        paths = {
            symbol: open_path(replay=options.replay)
            if options.replay is not None
            else open_path(
                scenario=options.scenario,
                symbol=symbol,
                seed=options.seed,
                start_ms=SCENARIO_START_MS,
                start_price=CATALOG[symbol].start_price,
            )
            for symbol in options.symbols
        }
    except PriceFileError as error:
        raise UserError(f"--replay {error}") from error
    return ExchangeConfig(
        paths=paths,
        accounts=tuple(AccountConfig(name, *paper_key(name), options.balance) for name in options.accounts),
        directory=options.data_dir,
        funding={} if funding is None else dict.fromkeys(options.symbols, funding),
        seed=str(options.seed),
        port=options.port,
        speed="max" if options.speed.lower() == "max" else _factor(options.speed),
    )


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor <= 1_000_000:
        raise UserError(
            f"--speed {text}: neither max nor a factor above 0 and up to 1000000; give such as 60"
        )
    return factor


async def _serve(config: ExchangeConfig, options: ExchangeOptions) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        exchange = await start_exchange(config)
    except PortInUseError as error:
        raise UserError(f"--port {options.port}: {error}") from error
    except StoreMismatchError as error:
        problem = "it holds a market with other prices, symbols or another seed"
        raise UserError(f"--data-dir {options.data_dir}: {problem}; name another folder") from error
    except StartError as error:
        raise UserError(f"--data-dir {options.data_dir}: {error}") from error
    try:
        print(_announcement(exchange, config, as_json=options.as_json), flush=True)  # noqa: T201 - the answer
        failed = asyncio.ensure_future(exchange.failed())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((failed, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if failed.done():
            await failed
        failed.cancel()
    finally:
        await exchange.close()
    return 0


def _announcement(exchange: Exchange, config: ExchangeConfig, *, as_json: bool) -> str:
    if as_json:
        accounts = {
            account.name: {"api_key": account.api_key, "secret": account.secret}
            for account in config.accounts
        }
        return json.dumps({"url": exchange.url, "symbols": list(config.paths), "accounts": accounts})
    lines = [f"Paper exchange at {exchange.url} ({', '.join(config.paths)}), play money."]
    lines += [
        f"  account {account.name}: api key {account.api_key}, secret {account.secret}"
        for account in config.accounts
    ]
    lines.append(f"Attach a daemon: INBAND_PAPER__URL={exchange.url} python3 -m bot")
    if config.speed == "max":
        lines.append("At speed max the market stands still until a daemon attaches.")
    lines.append("Ctrl-C stops it; started again, it goes on where it stopped.")
    return "\n".join(lines)
