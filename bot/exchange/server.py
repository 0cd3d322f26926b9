"""Starting and stopping the paper exchange."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from bot.exchange.account import IDS_PER_ROUND
from bot.exchange.book_versions import BookVersions
from bot.exchange.catalog import CATALOG
from bot.exchange.desk import LISTEN_KEYS, Desk
from bot.exchange.errors import StartError
from bot.exchange.faults.setup import distortable, fit_faults
from bot.exchange.limits import UNLIMITED, RateLimits
from bot.exchange.listen_keys import ListenKeys
from bot.exchange.listener import listen, routed
from bot.exchange.market import Market, TradedSymbol
from bot.exchange.pacing import MarketClock, Speed
from bot.exchange.prices import FundingSource, PricePath
from bot.exchange.prices.basis import Basis
from bot.exchange.prices.funding_model import ModelFunding
from bot.exchange.rest import RestApi
from bot.exchange.store import Store
from bot.exchange.streams import SocketRules, Streams
from bot.exchange.venue import DEFAULT_INSURANCE_FUND, Venue
from bot.exchange.ws_api import WsApi

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from aiohttp import web

    from bot.exchange.auth import AccountConfig
    from bot.exchange.faults import Faults


_log = logging.getLogger(__name__)
HOUR_MS = 3_600_000


class IdentifiedPath(PricePath, Protocol):
    """A price path that can be told from every other, so that a store resumes only on its own prices."""

    @property
    def identity(self) -> str:
        """What is the same for paths with the same knots only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfig:
    """What an exchange is made of.

    `paths` and `funding` are by symbol (BTCUSDT); a symbol without funding pays what Binance's formula makes
    of its basis, usually 0.0001 every 8 hours (in some symbols half of it every 4). The basis, by which the
    mark lies above the index, is `basis_bps` and a slow seeded part with a standard deviation of
    `basis_swing_bps`.
    `directory` holds the store. `port` 0 takes any free one. `speed` is a factor of real time, or "max".
    `wait_for_clients` holds the market at its first instant until somebody attaches. `limits` None means
    Binance's own up to speed 1, and none above, where wall time says nothing. `insurance_fund` is in USDT.
    `faults` lets faults be scripted.
    """

    paths: Mapping[str, IdentifiedPath]
    accounts: tuple[AccountConfig, ...]
    directory: Path
    funding: Mapping[str, FundingSource] = field(default_factory=dict)
    seed: str = "0"
    host: str = "127.0.0.1"
    port: int = 0
    speed: Speed = 1.0
    wait_for_clients: bool = False
    limits: RateLimits | None = None
    faults: bool = False
    basis_bps: float = 0.0
    basis_swing_bps: float = 2.0
    insurance_fund: Decimal = DEFAULT_INSURANCE_FUND


class Exchange:
    """A running exchange."""

    def __init__(
        self,
        config: ExchangeConfig,
        desk: Desk,
        clock: MarketClock,
        runner: web.ServerRunner,
        ws_api: WsApi,
        faults: Faults | None,
    ) -> None:
        self._config = config
        self._faults = faults
        self._desk = desk
        self._ws_api = ws_api
        self._runner = runner
        self._tasks = [asyncio.create_task(clock.run()), asyncio.create_task(clock.keep_alive())]
        for task in self._tasks:
            task.add_done_callback(self._report)
        self.port: int = runner.addresses[0][1]

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:8899."""
        return f"http://{self._config.host}:{self.port}"

    def protocol(self) -> asyncio.Protocol:
        """Return the server's side of a new connection, for a client in this process that needs no socket."""
        assert self._runner.server is not None  # noqa: S101 - it listens
        return self._runner.server()

    @property
    def now_ms(self) -> int:
        """Market time, UTC ms."""
        return self._desk.venue.market.now

    @property
    def faults(self) -> Faults:
        """What can be scripted to go wrong; raises StartError unless the exchange was started with faults."""
        if self._faults is None:
            raise StartError(
                "faults are off; start the exchange with ExchangeConfig(faults=True) or --faults"
            )
        return self._faults

    async def failed(self) -> None:
        """Wait until the market stops by an error, and raise it. Cancel to stop waiting."""
        await asyncio.gather(*map(asyncio.shield, self._tasks))

    def _report(self, task: asyncio.Task[None]) -> None:
        """Say that the market has stopped, and cut the streams so that clients notice."""
        if not task.cancelled() and task.exception() is not None:
            _log.critical("the paper exchange's market has stopped", exc_info=task.exception())
            self._desk.streams.close()

    async def close(self) -> None:
        """Stop the market, close all connections, and save market time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # a failure has been reported
        self._desk.streams.close()
        self._ws_api.close()
        await self._runner.cleanup()
        self._desk.save_market_time()
        self._desk.store.close()


async def start_exchange(config: ExchangeConfig) -> Exchange:
    """Start an exchange, or resume the one in `config.directory`. Raises StartError, one line each."""
    traded = _traded(config)
    _check_accounts(config.accounts)
    store = Store(config.directory)
    try:
        venue = _open_venue(config, store, traded)
        limits = config.limits or _usual_limits(config.speed)
        desk = _open_desk(venue, store, limits)
        start_ms = max(item.path.start_ms for item in traded)
        clock = MarketClock(desk, config.speed, start_ms=start_ms, wait_for_clients=config.wait_for_clients)
        rest = RestApi(desk, config.accounts, limits)
        ws_api = WsApi(rest, desk.streams.rules)
        faults, door = (
            fit_faults(desk, clock, rest, ws_api, config.accounts) if config.faults else (None, None)
        )
        handle = routed(
            desk=desk,
            clock=clock,
            rest=door.handle if door else rest.handle,
            ws_api=ws_api.serve,
            admit=door.admit if door else None,
        )
        runner = await listen(config.host, config.port, handle, None if door else rest.carry_out)
    except BaseException:
        store.close()
        raise
    return Exchange(config, desk, clock, runner, ws_api, faults)


def _traded(config: ExchangeConfig) -> list[TradedSymbol]:
    if not config.paths:
        raise StartError("the exchange has no price path; give at least one symbol a replay or scenario")
    unknown = [name for name in config.paths if name not in CATALOG]
    if unknown:
        raise StartError(f"symbol {unknown[0]} is not traded here; choose from {', '.join(CATALOG)}")
    if config.speed != "max" and not config.speed > 0:
        raise StartError(f"speed {config.speed} is not possible; give a factor above 0, or max")
    traded = []
    for name, path in config.paths.items():
        basis = Basis(config.basis_bps, config.basis_swing_bps, f"{config.seed}|{name}")
        symbol = CATALOG[name]
        funding = config.funding.get(name) or ModelFunding(
            basis, symbol.funding_hours * HOUR_MS, symbol.funding_cap
        )
        item = TradedSymbol(symbol, path, funding, basis)
        traded.append(distortable(item) if config.faults else item)
    return traded


def _check_accounts(accounts: tuple[AccountConfig, ...]) -> None:
    for what, values in (
        ("name", [account.name for account in accounts]),
        ("API key", [account.api_key for account in accounts]),
    ):
        if len(set(values)) < len(values):
            raise StartError(f"two accounts of the exchange have the same {what}; give each its own")
    if len(accounts) > IDS_PER_ROUND:
        raise StartError(f"{len(accounts)} accounts are too many; give {IDS_PER_ROUND} at most")
    for account in accounts:
        if not account.balance.is_finite() or account.balance < 0:
            raise StartError(f"account {account.name}: balance {account.balance} is not an amount; give USDT")


def _open_venue(config: ExchangeConfig, store: Store, traded: list[TradedSymbol]) -> Venue:
    paths = "|".join(f"{name}={path.identity}" for name, path in sorted(config.paths.items()))
    basis = f"{config.basis_bps}|{config.basis_swing_bps}"
    identity = sha256(f"{config.seed}|{basis}|{paths}".encode()).hexdigest()
    store.claim(identity)
    market = Market(
        traded,
        seed=config.seed,
        start_ms=store.market_time_ms() or max(item.path.start_ms for item in traded),
    )
    store.load_market(market)
    fund = store.load_fund()
    venue = Venue(market, store.load_accounts(), fund=config.insurance_fund if fund is None else fund)
    for account in config.accounts:
        if account.name not in venue.accounts:
            if len(venue.accounts) >= IDS_PER_ROUND:
                raise StartError(
                    f"the store holds {IDS_PER_ROUND} accounts, and no more; give a new directory"
                )
            venue.open_account(account.name, account.balance)
        venue.accounts[account.name].may_withdraw = account.may_withdraw
    store.save(venue)
    return venue


def _open_desk(venue: Venue, store: Store, limits: RateLimits) -> Desk:
    keys = ListenKeys(store.fact(LISTEN_KEYS))
    versions = BookVersions(venue.market)
    rules = SocketRules(messages_per_s=limits.messages_1s)
    streams = Streams(venue.market, keys, versions, rules)
    return Desk(venue, store, streams, keys, versions)


def _usual_limits(speed: Speed) -> RateLimits:
    return RateLimits() if speed != "max" and speed <= 1 else UNLIMITED
