"""Taking the funds up: account prepared, contract known, state recovered, streams started."""

import asyncio

import structlog

from bot.core.commands import FetchAccount, FetchTouch
from bot.core.engine import start
from bot.core.events import AccountSeen, TouchSeen
from bot.core.fund import Contract, Fund
from bot.core.units import ZERO, Usd
from bot.daemon.capital import refuse_small_capital
from bot.daemon.operations import Operations
from bot.daemon.runner import Runner
from bot.daemon.supervision import Supervisor
from bot.daemon.wiring import World
from bot.errors import RefusedError, UserError
from bot.settings import Account, Settings
from bot.venue.account import AccountGateway
from bot.venue.errors import Unreachable
from bot.venue.profile import Credentials

_RETRY_S = 5.0


async def take_up_funds(
    settings: Settings, world: World, operations: Operations, supervisor: Supervisor, *, adopt: bool
) -> None:
    """Bring every fund to work. Nothing is journaled before every account has proved fit for its fund."""
    runners = []
    for fund in settings.funds:
        runner, wallet = await _prepare(fund, settings.accounts[fund.account], world, operations, supervisor)
        operations.add(runner, world.loaded[fund.name][1])
        runners.append((runner, wallet))
    feed = world.venue.mark_feed(operations.symbols, operations.marked, operations.feed_lost)
    for runner, wallet in runners:
        runner.begin(wallet, adopt=adopt)
    supervisor.keep("mark feed", feed.run)


async def _prepare(
    fund: Fund, account: Account, world: World, operations: Operations, supervisor: Supervisor
) -> tuple[Runner, Usd]:
    venue = world.venue
    client = venue.client(Credentials(account.api_key, account.secret, account.password or ""))
    leverage = await _when_reached(venue.gateway(client, venue.markets.contract(fund.underlying, 1)), fund)
    contract = venue.markets.contract(fund.underlying, leverage)
    gateway = venue.gateway(client, contract)
    book, _ = world.loaded[fund.name]
    wallet = await _wallet_of_new_fund(fund, contract, gateway) if book.created is None else ZERO
    state = start(fund, contract, book)
    runner = Runner(state, gateway, world.journal, world.clock, world.draws, operations.changed)
    stream = venue.order_stream(client, contract.symbol, runner.heard, runner.missed_news)
    supervisor.keep(f"order stream of {fund.name}", stream.run)
    return runner, wallet


async def _when_reached(gateway: AccountGateway, fund: Fund) -> int:
    """Set the account up, however long the venue takes to answer."""
    while True:
        try:
            return await gateway.prepare(fund)
        except Unreachable as error:
            structlog.get_logger().warning(
                "venue_unreachable", fund=fund.name, host=error.host, reason=error.reason, retry_in_s=_RETRY_S
            )
            await asyncio.sleep(_RETRY_S)


async def _wallet_of_new_fund(fund: Fund, contract: Contract, gateway: AccountGateway) -> Usd:
    """The account's wallet balance, once it is clear that the fund can begin on it: flat, and rich enough."""
    account, touch = await gateway.perform(FetchAccount(0)), await gateway.perform(FetchTouch())
    if not isinstance(account, AccountSeen):
        raise RefusedError(
            f"account {fund.account} cannot be read, so {fund.name} was not started: {account}"
        )
    if not isinstance(touch, TouchSeen):
        raise RefusedError(f"{contract.symbol} has no quotes, so {fund.name} was not started: {touch}")
    refuse_small_capital(fund, contract, touch.ask)
    if account.wallet < fund.capital:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__CAPITAL={fund.capital}: account {fund.account} holds "
            f"{account.wallet}; deposit or lower it"
        )
    if account.position != ZERO:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__ACCOUNT={fund.account}: a fund starts flat, but the account holds "
            f"{account.position} {contract.symbol}; close the position or name another account"
        )
    return account.wallet
