"""`compare`: strategic against interval rebalancing on the same data; options in, a report out."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_study import OUTPUT, Data, FundingFile, Json, study_errors

COMPARE_EXAMPLE = "Example: python3 -m bot compare --data prices.csv.gz --funding funding.csv.gz"


def compare(  # noqa: PLR0913 - each argument is an option
    *,
    data: Data,
    funding: FundingFile = None,
    capital: Annotated[float, typer.Option(help="What each fund starts with.")] = 100e6,
    band: Annotated[tuple[float, float], typer.Option(help="The strategic fund's band.")] = (1.5, 3.0),
    target: Annotated[tuple[float, float], typer.Option(help="Range of its secret target.")] = (1.8, 2.6),
    fee_bps: Annotated[float, typer.Option(help="Fee in bps of the traded notional.")] = 5.0,
    slippage_bps: Annotated[float, typer.Option(help="How much worse than the mark trades fill.")] = 0.0,
    lot: Annotated[float, typer.Option(help="Smallest step of a quantity; 0 for any size.")] = 0.001,
    target_seeds: Annotated[int, typer.Option(help="Seeds of the secret targets.")] = 25,
    starts: Annotated[int, typer.Option(help="Rolling start dates, each for half of the data.")] = 40,
    resamples: Annotated[int, typer.Option(help="Bootstrap paths of each kind.")] = 200,
    block_days: Annotated[float, typer.Option(help="Mean length of a bootstrap block, in days.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    report: Annotated[Path, typer.Option(help="The report, one HTML file.")] = OUTPUT / "compare.html",
    as_json: Json = False,
) -> int:
    """Compare strategic with interval rebalancing, recenter and corridor, UP and DOWN, on the same data."""
    with study_errors("compare"):
        from bot.cli_study_views import step_by_step
        from bot.study.compare import Effort
        from bot.study.compare import compare as run
        from bot.study.contenders import Terms
        from bot.study.report.compare_page import compare_page
        from bot.study.report.page import claim
        from bot.study.runs import load_series

        effort = Effort(target_seeds, starts, resamples, block_days, seed)
        terms = Terms(capital, fee_bps, slippage_bps, lot or None, band, target)
        series = load_series(data, funding)
        claim(report)
        with step_by_step("comparing", effort.steps) as tell:
            found = run(series, terms, effort, tell)
        compare_page(found).write(report)
    if as_json:
        json.dump(found.to_json() | {"report": str(report)}, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    from bot.cli_study_views import print_comparison

    print_comparison(found.to_json(), str(report))
    return 0
