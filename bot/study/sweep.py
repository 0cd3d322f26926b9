"""`sweep`: every point of a grid, or points at random, over many series or generated paths.

A sweep is cut into tasks. Each finished task is a file in the sweep's folder, so that a sweep that was killed
goes on from there; what it found comes out as Parquet and as a report.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bot.errors import did_you_mean
from bot.study.errors import BadParameterError, StudyError
from bot.study.grid import MODEL, Axis, Base, Point, build, check_parameters, points, possible
from bot.study.montecarlo import MODELS, Tally, model_of, simulate, tally_from
from bot.study.runs import Series, follow
from bot.study.simulate import Blocks, Model
from bot.study.spec import Side
from bot.study.workers import Done, Task, cores, on_cluster, on_this_machine

FIGURES = (
    "nav",
    "growth_per_year",
    "volatility",
    "max_drawdown",
    "mean_leverage",
    "leverage_deviation",
    "correlation",
    "beta",
    "tracking_error",
    "rebalances_per_year",
    "turnover_per_year",
    "fees",
    "slippage",
    "funding",
    "dead",
)
"""Figures of a point on a series."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Monte Carlo.

    `model` is gbm, garch, jumps or blocks (of the series given, each `block_days` on average).
    """

    model: str
    paths: int = 1_000
    bars: int = 8_760
    bar_ms: int = 3_600_000
    block_days: float = 10.0

    def __post_init__(self) -> None:
        if self.model not in (*MODELS, "blocks"):
            raise BadParameterError(
                "model", f"{self.model} is unknown", f"give {', '.join(MODELS)} or blocks"
            )
        for name, least in (("paths", 2), ("bars", 2), ("bar_ms", 1)):
            if getattr(self, name) < least:
                raise BadParameterError(name, f"{getattr(self, name)} is too few", f"give {least} or more")


@dataclass(frozen=True)
class Sweep:
    """What is swept. `held_out` is the later share of a series, or the share of paths, that judges the best.

    `random` above 0 searches so many points at random instead of the whole grid; `target_seeds` are averaged
    over on a series.
    """

    base: Base
    axes: Sequence[Axis]
    series: Sequence[Series] = ()
    generated: Generated | None = None
    held_out: float = 0.5
    random: int = 0
    target_seeds: int = 5
    seed: int = 0
    points: list[Point] = field(init=False)
    left_out: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Judge it as a whole. Raises StudyError and StrategyError."""
        if not self.axes:
            raise BadParameterError("grid", "is empty", "give at least one axis, such as target=1.5:3:7")
        if not 0 <= self.held_out < 1:
            raise BadParameterError("held_out", f"{self.held_out:g} is no share in [0, 1)", "0.5 is half")
        if not self.series and (self.generated is None or self.generated.model == "blocks"):
            raise BadParameterError("data", "is missing", "name a file of prices, or a model of made-up ones")
        check_parameters(self.base)
        model = self.generated.model if self.generated else ""
        names = tuple(MODELS[model].__dataclass_fields__) if model in MODELS else ()
        found = points(self.base, self.axes, names, self.random, self.seed)
        kept, reasons = possible(found, self.base)
        for point in kept if model in MODELS else ():
            model_of(model, _model_parameters(point))
        object.__setattr__(self, "points", kept)
        object.__setattr__(self, "left_out", reasons)

    @property
    def identity(self) -> str:
        """A digest of all that the result depends on."""
        prices = [
            [
                entry.name,
                _digest(entry.prices.times_ms),
                _digest(entry.prices.close),
                _digest(entry.funding_rates),
            ]
            for entry in self.series
        ]
        generated = asdict(self.generated) if self.generated else None
        what = [
            asdict(self.base),
            self.points,
            prices,
            generated,
            self.held_out,
            self.target_seeds,
            self.seed,
        ]
        return sha256(json.dumps(what, default=str, sort_keys=True).encode()).hexdigest()

    def tasks(self) -> list[Task]:
        """The work in pieces of a second or so."""
        if self.generated is None:
            return [
                {"id": f"s{number}-p{first}", "series": number, "points": [first, min(first + size, count)]}
                for number, entry in enumerate(self.series)
                for count in [len(self.points)]
                for size in [max(1, 20_000_000 // (len(entry) * self.target_seeds * 8))]
                for first in range(0, count, size)
            ]
        return list(self._path_tasks(self.generated))

    def _path_tasks(self, generated: Generated) -> Iterator[Task]:
        """Points that share a model's parameters share their paths; the paths are cut into pieces."""
        groups: dict[str, list[int]] = {}
        for number, point in enumerate(self.points):
            groups.setdefault(json.dumps(_model_parameters(point), sort_keys=True), []).append(number)
        sources = range(len(self.series)) if generated.model == "blocks" else [-1]
        for source in sources:
            for group, members in enumerate(groups.values()):
                per_path = generated.bars * (20 + 3 * len(members))
                size = max(1, min(generated.paths, 1_000_000_000 // per_path))
                for first in range(0, generated.paths, size):
                    yield {
                        "id": f"m{source}-g{group}-n{first}",
                        "series": source,
                        "points": members,
                        "paths": [first, min(first + size, generated.paths)],
                    }


def sides_of(names: Sequence[str]) -> tuple[Side, ...]:
    """Sides by their names. Raises BadParameterError."""
    found: list[Side] = []
    for name in names:
        if name not in ("long", "short"):
            raise BadParameterError("side", f"{name} is no side", "give long or short")
        found.append("long" if name == "long" else "short")
    return tuple(dict.fromkeys(found))


def check_objective(name: str, generated: Generated | None) -> None:
    """Refuse a figure that the rows of this sweep will not have."""
    known = FIGURES if generated is None else tuple(Tally(paths=1).figures())
    if name not in known:
        raise BadParameterError("objective", f'"{name}" is no figure', did_you_mean(name, known))


def _digest(values: np.ndarray[Any, Any]) -> str:
    return sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _model_parameters(point: Mapping[str, Any]) -> dict[str, float]:
    return {name.removeprefix(MODEL): value for name, value in point.items() if name.startswith(MODEL)}


def do(sweep: Sweep, task: Task) -> Done:
    """One task: a row for each point and part ("in" the search, or held "out"), as JSON values."""
    return _on_paths(sweep, sweep.generated, task) if sweep.generated else _on_series(sweep, task)


def _on_series(sweep: Sweep, task: Task) -> Done:
    whole = sweep.series[task["series"]]
    split = len(whole) - int(len(whole) * sweep.held_out)
    parts = {"in": whole.part(0, split)} | (
        {"out": whole.part(split, len(whole))} if split < len(whole) else {}
    )
    rows: Done = []
    for number in range(*task["points"]):
        fund, strategy, costs = build(sweep.points[number], sweep.base)
        low, high = fund.targets_for(strategy)
        seeds = sweep.target_seeds if low < high else 1
        for name, part in parts.items():
            runs = [
                follow(part, fund, strategy, costs, sweep.seed + seed).figures(part) for seed in range(seeds)
            ]
            row: dict[str, Any] = {"point": number, "series": task["series"], "part": name}
            for figure in FIGURES:
                known = [value for run in runs if (value := run[figure]) is not None]
                row[figure] = float(np.mean(known)) if known else None
            rows.append(row)
    return rows


def _on_paths(sweep: Sweep, generated: Generated, task: Task) -> Done:
    first_point = sweep.points[task["points"][0]]
    model = _model(sweep, generated, task["series"], first_point)
    funds = [build(sweep.points[number], sweep.base) for number in task["points"]]
    start, stop = task["paths"]
    split = generated.paths - int(generated.paths * sweep.held_out)
    rows: Done = []
    for name, numbers in (("in", range(start, min(stop, split))), ("out", range(max(start, split), stop))):
        if len(numbers):
            tallies = simulate(model, funds, generated.bars, generated.bar_ms, numbers, sweep.seed)
            rows += [
                {"point": number, "series": task["series"], "part": name, "tally": tally.to_json()}
                for number, tally in zip(task["points"], tallies, strict=True)
            ]
    return rows


def _model(sweep: Sweep, generated: Generated, source: int, point: Point) -> Model:
    if generated.model != "blocks":
        return model_of(generated.model, _model_parameters(point))
    entry = sweep.series[source]
    rates = np.zeros(len(entry))
    np.add.at(rates, entry.funding_bars, entry.funding_rates)
    bars = max(1.0, generated.block_days * 86_400_000 / entry.prices.bar_ms)
    return Blocks(np.diff(np.log(entry.prices.close)), rates[1:], bars)


def run_sweep(
    sweep: Sweep,
    folder: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[dict[str, Any]]:
    """Do what is not done yet, and give all rows; `tell` hears how many tasks are done, of how many.

    `workers` processes on this machine (None: as many as there are cores), or with `scheduler` the cluster at
    that address. Raises StudyError for a folder that cannot be used, or holds another sweep.
    """
    store = Store(folder, sweep.identity)
    tasks = sweep.tasks()
    done = store.load({str(task["id"]) for task in tasks})
    waiting = [task for task in tasks if str(task["id"]) not in done]
    tell(len(done), len(tasks))
    if scheduler is not None:
        found = on_cluster(do, sweep, waiting, scheduler)
    else:
        found = on_this_machine(do, sweep, waiting, min(workers or cores(), max(len(waiting), 1)))
    for task, rows in found:
        store.keep(str(task["id"]), rows)
        done[str(task["id"])] = rows
        tell(len(done), len(tasks))
    return _rows(sweep, [row for task in tasks for row in done[str(task["id"])]])


def _rows(sweep: Sweep, parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each point, series and part: its parameters, then its figures."""
    tallies: dict[tuple[int, int, str], Tally] = {}
    rows: list[dict[str, Any]] = []
    for part in parts:
        if "tally" in part:
            tally = tallies.setdefault((part["series"], part["point"], part["part"]), Tally())
            tally.add(tally_from(part["tally"]))
        else:
            rows.append(dict(part))
    for (number, point_number, part_name), tally in sorted(tallies.items()):
        rows.append({"point": point_number, "series": number, "part": part_name, **tally.figures()})
    names = {axis.name for axis in sweep.axes}
    found = []
    for row in rows:
        point = sweep.points[row["point"]]
        parameters = {name: point.get(name) for name in ("strategy", "side", *sorted(names))}
        name = sweep.series[row["series"]].name if row["series"] >= 0 else ""
        label = f"{sweep.generated.model} {name}".strip() if sweep.generated else name
        found.append({**parameters, **row, "series": label})
    return found


class Store:
    """The folder of a sweep: `sweep.json` says which one, `parts/` holds what is done, one file a task."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Open or make it. Raises StudyError."""
        self._parts = folder / "parts"
        known = folder / "sweep.json"
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            if not known.exists():
                _write(known, {"identity": identity})
            elif json.loads(known.read_text("utf-8")).get("identity") != identity:
                problem = f"{folder} holds another sweep"
                raise BadParameterError("out", problem, "name another folder, or remove that one")
        except (OSError, json.JSONDecodeError) as error:
            problem = f"{folder} cannot be used ({error})"
            raise BadParameterError("out", problem, "name another folder") from error

    def load(self, wanted: set[str]) -> dict[str, Done]:
        """What is done of the tasks `wanted`, by their ids."""
        files = [file for file in self._parts.glob("*.json") if file.stem in wanted]
        return {file.stem: json.loads(file.read_text("utf-8")) for file in files}

    def keep(self, task: str, rows: Done) -> None:
        """Keep a finished task: all of it or nothing."""
        _write(self._parts / f"{task}.json", rows)


def _write(file: Path, value: object) -> None:
    half = file.with_suffix(".half")
    half.write_text(json.dumps(value), "utf-8")
    half.replace(file)


def write_parquet(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write the rows as Parquet. Raises StudyError."""
    import polars as pl  # noqa: PLC0415 - a fifth of a second, and a sweep is long without it

    try:
        pl.DataFrame(list(rows), infer_schema_length=None, strict=False).write_parquet(file)
    except OSError as error:
        raise StudyError(f"{file}: cannot be written ({error}); name another folder") from error
