"""Paper mode: the embedded exchange. This room and `bot.cli_exchange` alone may start `bot.exchange`.

It is imported where there is to be one: a daemon that trades elsewhere starts sooner, and smaller, without.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from bot.core.events import Income
from bot.core.fund import Contract, Fund
from bot.core.units import Contracts, Price, Usd
from bot.daemon.capital import refuse_small_capital
from bot.errors import RefusedError, UserError, did_you_mean
from bot.settings import Settings
from bot.venue.preparation import leverage_for
from bot.venue.profile import Bracket

if TYPE_CHECKING:
    from bot.exchange import Exchange, ExchangeConfig
    from bot.exchange.store import Store

EXCHANGE_FOLDER = "exchange"
"""Below the data directory: the embedded exchange's own store."""

_BESIDES_TRADES = ("TRANSFER", "FUNDING_FEE", "INSURANCE_CLEAR")
_LATEST = 1_000
_END_OF_TIME_MS = 10**15


def exchange_config(settings: Settings) -> "ExchangeConfig":
    """The embedded exchange that the settings describe. Reads the price files; writes nothing.

    Raises:
        UserError: an underlying that is not listed, or that the replay does not hold; capital too small.
        AccountRefused: capital or emergency leverage beyond what the brackets allow.
        PriceError: a price or funding file is not usable.
    """
    from bot.exchange import CATALOG, AccountConfig, ExchangeConfig  # noqa: PLC0415 - see above
    from bot.exchange.prices import open_funding, open_path  # noqa: PLC0415 - see above

    paper = settings.paper
    symbols = dict.fromkeys(fund.underlying for fund in settings.funds)
    for fund in settings.funds:
        _refuse_unknown(fund)
    if paper.replay is not None and len(symbols) > 1:
        raise UserError(
            f"INBAND_PAPER__REPLAY: one file holds the prices of one underlying, but the funds trade "
            f"{', '.join(symbols)}; disable the funds on all but one, or use INBAND_PAPER__SCENARIO"
        )
    seed = str(paper.seed or 0)
    funding = None if paper.funding is None else open_funding(paper.funding)
    balances = {fund.account: fund.capital for fund in settings.funds}
    paths = {
        symbol: open_path(
            replay=paper.replay,
            scenario=None if paper.replay is not None else paper.scenario,
            symbol=symbol,
            seed=seed,
            start_price=CATALOG[symbol].start_price,
        )
        for symbol in symbols
    }
    for fund in settings.funds:
        path = paths[fund.underlying]
        _refuse_unfit_capital(fund, path.price_at(path.start_ms))
    return ExchangeConfig(
        paths=paths,
        funding={} if funding is None else dict.fromkeys(symbols, funding),
        accounts=tuple(
            AccountConfig(name, account.api_key, account.secret, balances[name])
            for name, account in settings.accounts.items()
            if name in balances
        ),
        directory=settings.data_dir / EXCHANGE_FOLDER,
        seed=seed,
        speed=paper.speed,
        wait_for_clients=True,
    )


async def start_embedded(stack: AsyncExitStack, config: "ExchangeConfig") -> "Exchange":
    """Start the exchange, and stop it with the stack."""
    from bot.exchange import start_exchange  # noqa: PLC0415 - see above

    exchange = await start_exchange(config)
    stack.push_async_callback(exchange.close)
    return exchange


async def failure(exchange: "Exchange") -> None:
    """Wait for the exchange's market to stop by an error, and raise `RefusedError`: it would stand still."""
    try:
        await exchange.failed()
    except Exception as error:
        structlog.get_logger().exception("exchange_failed")
        raise RefusedError(f"the paper exchange failed ({type(error).__name__}: {error}); restart") from error


class Held(NamedTuple):
    """What an account holds, as a venue tells it: wallet balance, and signed positions by symbol.

    `income`: what the wallet got besides trades, where it is known.
    """

    wallet: Usd
    positions: dict[str, Contracts]
    income: tuple[Income, ...] = ()


def holdings(settings: Settings) -> dict[str, Held]:
    """What the embedded exchange's own store says that each account holds; no daemon may run on it."""
    from bot.exchange.store import Store  # noqa: PLC0415 - only a verification looks at it

    if not (settings.data_dir / store_names()[0]).exists():
        return {}
    store = Store(settings.data_dir / EXCHANGE_FOLDER)
    try:
        return {
            account.name: Held(
                account.wallet,
                {name: position.quantity for name, _, position in account.held()},
                _income(store, account.name),
            )
            for account in store.load_accounts()
        }
    finally:
        store.close()


def _income(store: "Store", account: str) -> tuple[Income, ...]:
    """The latest payments to and from an account, those of its trades left out, as the daemon names them."""
    span = {"start_ms": 0, "end_ms": _END_OF_TIME_MS, "limit": _LATEST, "offset": 0}
    return tuple(
        Income(f"{kind}:{item.id}", item.time_ms, kind, item.amount)
        for kind in _BESIDES_TRADES
        for item in store.incomes(account, kind=kind, symbol="", oldest_first=False, **span)
    )


def store_names() -> tuple[str, ...]:
    """The exchange's store, as paths below the data directory, for archiving."""
    from bot.exchange.store import FILE_NAME  # noqa: PLC0415 - only a fresh start needs the store's name

    return (str(Path(EXCHANGE_FOLDER) / FILE_NAME),)


def _refuse_unknown(fund: Fund) -> None:
    from bot.exchange import CATALOG  # noqa: PLC0415 - see above

    if fund.underlying not in CATALOG:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__UNDERLYING: the paper exchange lists no {fund.underlying}; "
            f"{did_you_mean(fund.underlying, CATALOG)}"
        )


def _refuse_unfit_capital(fund: Fund, first_price: Price) -> None:
    """What the venue would say of the fund's capital, said before anything is written."""
    from bot.exchange import CATALOG  # noqa: PLC0415 - see above
    from bot.exchange.venue import TAKER_FEE  # noqa: PLC0415 - see above

    listed = CATALOG[fund.underlying]
    steps = tuple(Bracket(step.leverage, step.cap) for step in listed.brackets)
    contract = Contract(
        symbol=listed.name,
        tick=listed.tick,
        lot=listed.step,
        min_quantity=listed.min_quantity,
        max_quantity=listed.max_quantity,
        min_notional=listed.min_notional,
        taker_fee=TAKER_FEE,
        price_limit=listed.price_band,
        reduce_only_any_size=True,
        venue_leverage=leverage_for(fund, steps),
    )
    refuse_small_capital(fund, contract, first_price)
