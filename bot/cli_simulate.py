"""`simulate`: the daemon in a world where one seed decides everything; a seed that fails can be replayed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.core.texts import how_many
from bot.errors import UserError

if TYPE_CHECKING:
    from bot.simulation.run import Outcome
    from bot.simulation.swarm import Tally

SIMULATE_EXAMPLE = """Example: python3 -m bot simulate --seed 7 --trace

A swarm that goes on where it was stopped: --seeds 0..4999 --jobs 2 --log swarm.jsonl
"""


def simulate(
    *,
    seed: Annotated[int, typer.Option(help="The seed of one world.", min=0)] = 0,
    seconds: Annotated[float, typer.Option(help="Simulated seconds with faults.", min=1)] = 7_200.0,
    trace: Annotated[bool, typer.Option("--trace", help="Print what happens, line by line.")] = False,
    seeds: Annotated[
        str | None, typer.Option(help="Many worlds, A..B with both ends, instead of one.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes for many worlds.", min=1)] = 1,
    log: Annotated[
        Path | None, typer.Option(help="File of finished worlds: these are not run again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> int:
    """Run the daemon's own code against a simulated venue, network, disk and clock, with faults and kills.

    A judge that does not share the daemon's books looks on. Exit code 1: it saw a promise broken.
    """
    if seeds is not None:
        return _swarm(seeds, seconds, jobs, log, as_json=as_json)
    from bot.simulation.run import simulate as run_one

    outcome = run_one(seed, seconds, tell=typer.echo if trace else None)
    _print_outcome(outcome, as_json=as_json, traced=trace)
    return 0 if outcome.violation is None else 1


def _swarm(seeds: str, seconds: float, jobs: int, log: Path | None, *, as_json: bool) -> int:
    from bot.cli_study_views import counted
    from bot.simulation.swarm import Tally, swarm

    first, last = _range(seeds)
    tally = Tally()
    with counted("worlds") as show:
        for tally in swarm(range(first, last + 1), seconds, jobs, log):
            show(tally.runs, last - first + 1)
    _print_tally(tally, seconds, as_json=as_json)
    return 0 if not tally.violations else 1


def _range(seeds: str) -> tuple[int, int]:
    first, _, last = seeds.partition("..")
    if not (first.isdigit() and last.isdigit()) or int(first) > int(last):
        raise UserError(f"--seeds {seeds}: give two whole numbers, for example 0..299")
    return int(first), int(last)


def _print_outcome(outcome: "Outcome", *, as_json: bool, traced: bool) -> None:
    from bot.simulation.swarm import as_line

    if as_json:
        typer.echo(json.dumps(as_line(outcome)))
        return
    typer.echo(
        f"seed {outcome.seed}: {_how_much(outcome.simulated_s, outcome.lives, outcome.orders)}, "
        f"trace {outcome.digest}"
    )
    typer.echo("faults: " + (_counts({f.value: n for f, n in outcome.struck.items()}) or "none"))
    if outcome.violation is None:
        typer.echo("no violation")
        return
    if not traced:
        for line in outcome.last_lines:
            typer.echo(line)
    typer.echo(f"VIOLATION {outcome.violation.code}: {outcome.violation.text}")
    typer.echo(f"replay: {replay(outcome.seed, outcome.seconds)}")


def _how_much(seconds: float, lives: int, orders: int) -> str:
    processes = how_many(lives, "process", "processes")
    return f"{seconds:,.0f} simulated seconds, {processes}, {how_many(orders, 'order')}"


def _print_tally(tally: "Tally", seconds: float, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**vars(tally), "replay": [replay(s, seconds) for s, *_ in tally.violations]}))
        return
    typer.echo(f"{how_many(tally.runs, 'world')}, {_how_much(tally.simulated_s, tally.lives, tally.orders)}")
    typer.echo("faults: " + _counts(tally.faults))
    typer.echo("orders: " + _counts(tally.transitions))
    for seed, code, text in tally.violations:
        typer.echo(f"VIOLATION {code}: {text}\n  replay: {replay(seed, seconds)}")
    typer.echo(f"violations: {len(tally.violations)}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def replay(seed: int, seconds: float) -> str:
    """The command that runs a world again, line by line."""
    return f"python3 -m bot simulate --seed {seed} --seconds {seconds:g} --trace"
