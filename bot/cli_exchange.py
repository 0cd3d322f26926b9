"""`exchange`: the paper exchange by itself, until a signal."""

import asyncio
import json
import math
import re
import signal
import sys
import tomllib
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import uvloop

from bot.daemon.garbage import settle_garbage
from bot.daemon.library_log import libraries_heard, lines_lost
from bot.daemon.log_sinks import LastingSink, StreamSink
from bot.daemon.scribe import Scribe
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
from bot.exchange.calibration.recording import RecordingError
from bot.exchange.calibration.render import render
from bot.exchange.calibration.report import calibrate
from bot.exchange.prices import SCENARIO_START_MS, SCENARIOS, PriceFileError, open_funding, open_path
from bot.settings.values import paper_key

MOST_USDT = 10**12
MOST_BASIS_BPS = 1_000
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """The command's options as given. With `replay` the scenario is not used; `balance` is in USDT.

    `accounts` are NAME or NAME=USDT; with `accounts_file` there are none but the file's.
    """

    port: int
    symbols: tuple[str, ...]
    replay: str | None
    funding: str | None
    scenario: str
    seed: int
    speed: str
    balance: Decimal
    accounts: tuple[str, ...]
    accounts_file: Path | None
    faults: bool
    basis_bps: float
    data_dir: Path
    as_json: bool


def run_fit(file: Path, *, as_json: bool) -> int:
    """Fit the background market to a recording and judge it; 1 when a cost is off. Raises UserError."""
    try:
        calibration = calibrate(file)
    except RecordingError as error:
        raise UserError(f"--fit {error}") from error
    print(json.dumps(calibration.as_json()) if as_json else render(calibration))  # noqa: T201 - the answer
    return 0 if calibration.fits else 1


def run_exchange(options: ExchangeOptions) -> int:
    """Serve until SIGINT or SIGTERM; give the exit code. Raises UserError, which names the option.

    Threads of their own write to standard output and error, so that a reader who hangs holds up no market.
    """
    config = _configured(options)
    answer = LastingSink(StreamSink(sys.stdout), lines_lost)
    with libraries_heard(sys.stderr), closing(Scribe(answer)) as out:
        return uvloop.run(_serve(config, options, out))


def _configured(options: ExchangeOptions) -> ExchangeConfig:
    """Judge the options, and open the price files. Nothing is written here."""
    for symbol in options.symbols:
        if symbol not in CATALOG:
            raise UserError(f"--symbol {symbol}: not traded here; choose from {', '.join(CATALOG)}")
    if options.replay is not None and len(options.symbols) > 1:
        raise UserError("--symbol: a replay file holds the prices of one symbol; name one")
    if options.funding is not None and len(options.symbols) > 1:
        raise UserError("--symbol: a funding file holds the rates of one symbol; name one")
    if options.scenario not in SCENARIOS:
        raise UserError(f"--scenario {options.scenario}: unknown; choose from {', '.join(SCENARIOS)}")
    if not abs(options.basis_bps) <= MOST_BASIS_BPS:
        raise UserError(f"--basis {options.basis_bps:g}: too far; give -{MOST_BASIS_BPS} to {MOST_BASIS_BPS}")
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
        accounts=_accounts(options),
        directory=options.data_dir,
        funding={} if funding is None else dict.fromkeys(options.symbols, funding),
        seed=str(options.seed),
        port=options.port,
        faults=options.faults,
        basis_bps=options.basis_bps,
        speed="max" if options.speed.lower() == "max" else _factor(options.speed),
    )


def _accounts(options: ExchangeOptions) -> tuple[AccountConfig, ...]:
    if options.accounts_file is not None:
        if options.accounts:
            raise UserError("--account: the accounts are those of --accounts; give one of the two options")
        found = _accounts_of(options.accounts_file)
    else:
        usual = _usdt(options.balance, "--balance")
        found = [_account(text, usual) for text in options.accounts or ("UP", "DOWN")]
    option = "--account" if options.accounts_file is None else f"--accounts {options.accounts_file}"
    for what, values in (("name", [a.name for a in found]), ("key", [a.api_key for a in found])):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise UserError(f"{option}: the {what} {twice} is there twice; give each account its own")
    return tuple(found)


def _account(text: str, usual_balance: Decimal) -> AccountConfig:
    name, given, balance = text.partition("=")
    option = f"--account {text}"
    if not _NAME.fullmatch(name):
        raise UserError(f"{option}: {name!r} is no name; give letters, digits and _ such as UP=100000")
    name = name.upper()
    return AccountConfig(name, *paper_key(name), _usdt(balance, option) if given else usual_balance)


def _accounts_of(path: Path) -> list[AccountConfig]:
    """Read a file of accounts: [[account]] with name, and if wanted key, secret, balance and withdraw."""
    option = f"--accounts {path}"
    try:
        body = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{option}: {error.strerror}; give a TOML file with [[account]] tables") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{option}: not TOML: {error}; correct it") from error
    rows = body.get("account")
    if set(body) != {"account"} or not isinstance(rows, list) or not rows:
        raise UserError(f"{option}: holds no accounts; write [[account]] tables with name and balance")
    return [_account_of(row, f"{option}: account {number}") for number, row in enumerate(rows, start=1)]


def _account_of(row: object, where: str) -> AccountConfig:
    if not isinstance(row, dict):
        raise UserError(f"{where} is no table; write [[account]] above it")
    unknown = [name for name in row if name not in {"name", "key", "secret", "balance", "withdraw"}]
    if unknown:
        known = "name, key, secret, balance, withdraw"
        raise UserError(f"{where} has an unknown {unknown[0]!r}; it may have {known}")
    name = row.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{where}: name is {name!r}; give letters, digits and _")
    usual_key, usual_secret = paper_key(name)
    key, secret = row.get("key", usual_key), row.get("secret", usual_secret)
    for what, value in (("key", key), ("secret", secret)):
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
            raise UserError(f"{where}: {what} is not a text of plain characters; correct it")
    withdraw = row.get("withdraw", False)
    if not isinstance(withdraw, bool):
        raise UserError(
            f"{where}: withdraw is {withdraw!r}; give true or false: whether the key may withdraw"
        )
    balance = _usdt(row.get("balance", 100_000), f"{where}: balance")
    return AccountConfig(name.upper(), key, secret, balance, withdraw)


def _usdt(value: object, where: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_USDT or isinstance(value, bool):
        shown = value if isinstance(value, Decimal) else repr(value)
        raise UserError(f"{where}: {shown} is no amount; give USDT from 0 to {MOST_USDT}")
    return amount


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


async def _serve(config: ExchangeConfig, options: ExchangeOptions, out: Scribe) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        exchange = await start_exchange(config)
    except PortInUseError as error:
        raise UserError(f"--port {options.port}: {error}") from error
    except StoreMismatchError as error:
        problem = "it holds a market of another version, or with other prices, symbols or another seed"
        raise UserError(f"--data-dir {options.data_dir}: {problem}; name another folder") from error
    except StartError as error:
        raise UserError(f"--data-dir {options.data_dir}: {error}") from error
    settle_garbage()
    try:
        out.write(f"{_announcement(exchange, config, as_json=options.as_json)}\n")
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
            account.name: {
                "api_key": account.api_key,
                "secret": account.secret,
                "balance": str(account.balance),
            }
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
    if config.faults:
        lines.append(
            f"Faults are scripted at {exchange.url}/faults; GET {exchange.url}/faults/kinds lists them."
        )
    lines.append("Ctrl-C stops it; started again, it goes on where it stopped.")
    return "\n".join(lines)
