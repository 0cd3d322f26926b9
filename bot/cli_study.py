"""The study's commands: options in, results out. Each imports the study when it runs, and no more of it."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import UserError

if TYPE_CHECKING:
    from bot.study.spec import Slippage

Data = Annotated[
    str, typer.Option(help="Prices: CSV, CSV.gz or Parquet with timestamp (UTC ms) and close; - for stdin.")
]
FundingFile = Annotated[
    str | None, typer.Option(help="Funding rates: CSV, CSV.gz or Parquet with timestamp,rate.")
]
OUTPUT = Path(os.environ.get("INBAND_DATA_DIR", "data"))
"""Where reports go that are told no other place."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of the strategy, key=value; more may follow, or --set again."),
]
More = Annotated[list[str] | None, typer.Argument(hidden=True, metavar="KEY=VALUE")]

BACKTEST_EXAMPLE = """Example: python3 -m bot backtest --data prices.csv.gz --band 1.5 3 --fee-bps 5 --json

Several funds: --fund "UP side=long" --fund "DOWN side=short strategy=interval set.at=00:00"
"""


def backtest(  # noqa: PLR0913 - each argument is an option
    more: More = None,
    *,
    data: Data,
    funding: FundingFile = None,
    side: Annotated[str, typer.Option(help="long (UP) or short (DOWN).")] = "long",
    strategy: Annotated[str, typer.Option(help="A shipped strategy, or package.module:Class.")] = "strategic",
    band: Annotated[tuple[float, float], typer.Option(help="Lower and upper real leverage.")] = (1.5, 3.0),
    target: Annotated[
        tuple[float, float], typer.Option(help="Range of the secret target; twice the same for exactly that.")
    ] = (1.8, 2.6),
    start_leverage: Annotated[float | None, typer.Option(help="Real leverage at the first price.")] = None,
    capital: Annotated[float, typer.Option(help="Fund value at the first price.")] = 100_000.0,
    emergency: Annotated[float | None, typer.Option(help="Leverage from which it delevers at once.")] = None,
    lot: Annotated[float | None, typer.Option(help="Smallest step of a quantity; any size without.")] = None,
    min_notional: Annotated[float, typer.Option(help="Smallest increase that is traded.")] = 0.0,
    management_fee: Annotated[
        float, typer.Option(help="Fraction of value a day, taken at each 00:00 UTC.")
    ] = 0.0,
    fee_bps: Annotated[float, typer.Option(help="Fee in bps of the traded notional.")] = 5.0,
    slippage_bps: Annotated[float, typer.Option(help="How much worse than the mark trades fill.")] = 0.0,
    impact: Annotated[
        float, typer.Option(help="Coefficient of square-root impact (about 1); needs volumes. 0: none.")
    ] = 0.0,
    book: Annotated[
        str | None, typer.Option(help="Fill against the paper exchange's order book of a symbol, as BTCUSDT.")
    ] = None,
    path: Annotated[str, typer.Option(help="close, or a walk inside bars: ohlc or olhc.")] = "close",
    liquidation: Annotated[
        bool | None,
        typer.Option("--liquidation/--no-liquidation", help="By brackets; on where the path walks."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of secret targets and delays.", min=0)] = 0,
    settings: Settings = None,
    fund: Annotated[
        list[str] | None, typer.Option(help='One of several funds: "NAME key=value ..."; repeatable.')
    ] = None,
    as_json: Json = False,
) -> int:
    """Run a strategy over past prices, with the code that trades. One decision per bar, at its close."""
    with study_errors("backtest"):
        from bot.study.requests import FundRequest, Request, funds_of, parameters_of

        shared = FundRequest(
            side=side,
            strategy=strategy,
            band=band,
            target=target,
            start_leverage=start_leverage,
            capital=capital,
            emergency=emergency,
            lot=lot,
            min_notional=min_notional,
            management_fee=management_fee,
            liquidation=liquidation,
            parameters=parameters_of([*(settings or []), *(more or [])]),
        )
        funds = funds_of(shared, fund or [])
        fills = None if book is None else _paper_book(book, seed)
        results = Request(data, funding, funds, fee_bps, slippage_bps, impact, path, seed, fills).run()
    if as_json:
        objects = {name: result.to_json() for name, result in results.items()}
        json.dump(objects if fund else next(iter(objects.values())), sys.stdout)
        sys.stdout.write("\n")
        return 0
    from bot.cli_views import print_backtests

    print_backtests({name: result.to_json() for name, result in results.items()})
    return 0


def _paper_book(symbol: str, seed: int) -> "Slippage":
    from bot.cli_book import paper_book

    return paper_book(symbol, seed)


@contextmanager
def study_errors(command: str) -> Iterator[None]:
    """Name options as the command line does, and the remedy where the study's libraries are absent."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        remedy = (
            "install inband[study], start from a clone by python3 -m bot, "
            "or build the image with --build-arg LOCK=study"
        )
        raise UserError(f"{command}: needs {error.name}, which is not installed; {remedy}") from error
    except UserError as error:
        name = getattr(error, "name", None)
        if not isinstance(name, str):
            raise
        option = _OPTIONS.get(name, name).replace("_", "-")
        raise UserError(f"--{option} {error.__dict__['problem']}; {error.__dict__['remedy']}") from error


_LIBRARIES = {"dask", "distributed", "numba", "numpy", "plotly", "polars"}
_OPTIONS = {"target_range": "target", "management_fee_daily": "management_fee", "slippage": "impact"}
"""Parameters of the Python interface that have another name on the command line."""
