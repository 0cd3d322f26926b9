"""Fitting an exchange with faults: every part that can fail is wrapped, and none knows of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.exchange.faults import Faults
from bot.exchange.faults.frames import FrameFaults
from bot.exchange.faults.http import FaultyDoor
from bot.exchange.faults.plan import Plan
from bot.exchange.faults.prices import DistortedBasis, DistortedFunding, DistortedPath
from bot.exchange.faults.requests import RequestFaults
from bot.exchange.faults.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.exchange.auth import AccountConfig
    from bot.exchange.desk import Desk
    from bot.exchange.market import TradedSymbol
    from bot.exchange.pacing import MarketClock
    from bot.exchange.rest import RestApi
    from bot.exchange.ws_api import WsApi


def distortable(traded: TradedSymbol) -> TradedSymbol:
    """Return a symbol whose prices, funding and basis faults can distort."""
    return replace(
        traded,
        path=DistortedPath(traded.path),
        funding=DistortedFunding(traded.funding),
        basis=DistortedBasis(traded.basis),
    )


def fit_faults(
    desk: Desk, clock: MarketClock, rest: RestApi, ws_api: WsApi, accounts: Iterable[AccountConfig]
) -> tuple[Faults, FaultyDoor]:
    """Return the faults of an exchange, and what takes its HTTP requests from now on."""
    plan, market = Plan(), desk.venue.market

    def now() -> int:
        return market.now

    def cut_sockets() -> None:
        desk.streams.cut()
        ws_api.close()

    world = World(desk, plan, cut_sockets)
    clock.happenings = world
    desk.streams.tamper = FrameFaults(plan, now)
    desk.streams.sources.listing = lambda: {
        fault.given["symbol"] for fault in plan.in_force("delisted", now())
    }
    owners = {account.api_key: account.name for account in accounts}
    requests = RequestFaults(plan, rest.carry_out, owners, world, now)
    rest.between = requests.answer

    def act() -> None:
        world.happen()
        clock.look_again()

    faults = Faults(plan, now, act)
    return faults, FaultyDoor(faults, requests, desk.settle)
