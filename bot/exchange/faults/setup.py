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


def distortable(traded: TradedSymbol) -> TradedSymbol:
    """Return a symbol whose prices, funding and basis faults can distort."""
    return replace(
        traded,
        path=DistortedPath(traded.path),
        funding=DistortedFunding(traded.funding),
        basis=DistortedBasis(traded.basis),
    )


def fit_faults(
    desk: Desk, clock: MarketClock, rest: RestApi, accounts: Iterable[AccountConfig]
) -> tuple[Faults, FaultyDoor]:
    """Return the faults of an exchange, and what takes its HTTP requests from now on."""
    plan, market = Plan(), desk.venue.market

    def now() -> int:
        return market.now

    world = World(desk, plan)
    clock.happenings = world
    desk.streams.tamper = FrameFaults(plan, now)
    owners = {account.api_key: account.name for account in accounts}
    requests = RequestFaults(plan, rest.carry_out, owners, world, now)
    rest.between = requests.answer

    def act() -> None:
        world.happen()
        clock.look_again()

    faults = Faults(plan, now, act)
    return faults, FaultyDoor(faults, requests, desk.settle)
