"""`sweep`: many parameters, strategies, series or generated paths; options in, Parquet and a report out."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_study import OUTPUT, Json, study_errors

SWEEP_EXAMPLE = """Example: python3 -m bot sweep --data prices.csv.gz --grid target=1.8:2.6:5 --held-out 0.5

Made-up prices: --model gbm --paths 1000 --grid model.volatility=0.4:1.2:5 --grid target=1.8:2.6:5
"""

Grid = Annotated[
    list[str],
    typer.Option(help="An axis: name=1,2,3, name=low:high:count, or name=low:high; repeatable."),
]
DataFiles = Annotated[list[str] | None, typer.Option(help="Prices; repeatable.")]
FundingFiles = Annotated[
    list[str] | None, typer.Option(help="Funding of the series at the same place; repeatable.")
]
Model = Annotated[
    str | None, typer.Option(help="Made-up paths: gbm, garch, jumps, or blocks of the given data.")
]
Paths = Annotated[int, typer.Option(help="Made-up paths.")]
Bars = Annotated[int, typer.Option(help="Bars of a made-up path.")]
BarMinutes = Annotated[float, typer.Option(help="Length of its bars.")]
Strategy = Annotated[list[str] | None, typer.Option(help="A strategy; repeatable.")]
Side = Annotated[list[str] | None, typer.Option(help="long or short; repeatable.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter that is not swept, as key=value; repeatable."),
]
Band = Annotated[tuple[float, float], typer.Option(help="Band, where it is not swept.")]
Target = Annotated[tuple[float, float], typer.Option(help="Target range, where not swept.")]
FeeBps = Annotated[float, typer.Option(help="Fee in bps, where it is not swept.")]
SlippageBps = Annotated[float, typer.Option(help="Slippage in bps, where it is not swept.")]
AtRandom = Annotated[int, typer.Option(help="Search so many points at random; 0: the whole grid.", min=0)]
HeldOut = Annotated[float, typer.Option(help="Share that judges and is not searched.")]
TargetSeeds = Annotated[int, typer.Option(help="Seeds of secret targets per point.", min=1)]
Objective = Annotated[str, typer.Option(help="The figure of which more is better.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0)]
Workers = Annotated[int | None, typer.Option(help="Processes; all cores by default.", min=1)]
Scheduler = Annotated[
    str | None, typer.Option(help="A dask scheduler, as tcp://host:port, instead of processes.")
]
Out = Annotated[Path, typer.Option(help="The sweep's folder; the same again goes on.")]


def sweep(  # noqa: PLR0913 - each argument is an option
    *,
    grid: Grid,
    data: DataFiles = None,
    funding: FundingFiles = None,
    model: Model = None,
    paths: Paths = 1_000,
    bars: Bars = 8_760,
    bar_minutes: BarMinutes = 60.0,
    strategy: Strategy = None,
    side: Side = None,
    settings: Settings = None,
    band: Band = (1.5, 3.0),
    target: Target = (1.8, 2.6),
    fee_bps: FeeBps = 5.0,
    slippage_bps: SlippageBps = 0.0,
    random: AtRandom = 0,
    held_out: HeldOut = 0.5,
    target_seeds: TargetSeeds = 5,
    objective: Objective = "growth_per_year",
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Out = OUTPUT / "sweep",
    as_json: Json = False,
) -> int:
    """Try parameters over past or made-up prices; a sweep that was stopped goes on where it was."""
    with study_errors("sweep"):
        from bot.cli_study_views import counted
        from bot.study.grid import Base, axis_of
        from bot.study.report.sweep_page import publish
        from bot.study.requests import parameters_of
        from bot.study.runs import load_all
        from bot.study.sweep import Generated, Sweep, check_objective, run_sweep, sides_of

        base = Base(
            strategies=tuple(strategy or ["strategic"]),
            sides=sides_of(side or ["long"]),
            parameters=parameters_of(settings or []),
            band=band,
            target_range=target,
            fee_bps=fee_bps,
            slippage_bps=slippage_bps,
        )
        generated = Generated(model, paths, bars, round(bar_minutes * 60_000)) if model else None
        check_objective(objective, generated)
        axes, series = [axis_of(text) for text in grid], load_all(data or [], funding or [])
        what = Sweep(base, axes, series, generated, held_out, random, target_seeds, seed)
        with counted("sweeping") as tell:
            rows = run_sweep(what, out, workers=workers, scheduler=scheduler, tell=tell)
        told = publish(what, rows, objective, out)
    if as_json:
        json.dump(told, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("".join(f"{name.replace('_', ' ')}: {value}\n" for name, value in told.items()))
    return 0
