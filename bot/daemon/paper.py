"""Paper mode: the embedded exchange. This room and `bot.cli_exchange` alone may start `bot.exchange`."""

from contextlib import AsyncExitStack
from pathlib import Path

from bot.core.fund import Fund
from bot.errors import UserError, did_you_mean
from bot.exchange import CATALOG, AccountConfig, Exchange, ExchangeConfig, start_exchange
from bot.exchange.prices import open_funding, open_path
from bot.settings import Settings

EXCHANGE_FOLDER = "exchange"
"""Below the data directory: the embedded exchange's own store."""


def exchange_config(settings: Settings) -> ExchangeConfig:
    """The embedded exchange that the settings describe. Reads the price files; writes nothing.

    Raises:
        UserError: an underlying that is not listed, or that the replay does not hold.
        PriceError: a price or funding file is not usable.
    """
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
    funding = open_funding(paper.funding)
    balances = {fund.account: fund.capital for fund in settings.funds}
    return ExchangeConfig(
        paths={
            symbol: open_path(
                replay=paper.replay,
                scenario=None if paper.replay is not None else paper.scenario,
                symbol=symbol,
                seed=seed,
                start_price=CATALOG[symbol].start_price,
            )
            for symbol in symbols
        },
        funding=dict.fromkeys(symbols, funding),
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


async def start_embedded(stack: AsyncExitStack, config: ExchangeConfig) -> Exchange:
    """Start the exchange, and stop it with the stack."""
    exchange = await start_exchange(config)
    stack.push_async_callback(exchange.close)
    return exchange


def store_names() -> tuple[str, ...]:
    """The exchange's store, as paths below the data directory, for archiving."""
    from bot.exchange.store import FILE_NAME  # noqa: PLC0415 - only a fresh start needs the store's name

    return (str(Path(EXCHANGE_FOLDER) / FILE_NAME),)


def _refuse_unknown(fund: Fund) -> None:
    if fund.underlying not in CATALOG:
        raise UserError(
            f"INBAND_FUNDS__{fund.name}__UNDERLYING: the paper exchange lists no {fund.underlying}; "
            f"{did_you_mean(fund.underlying, CATALOG)}"
        )
