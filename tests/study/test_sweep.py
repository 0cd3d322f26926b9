import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bot.errors import RefusedError, UserError
from bot.study import Prices
from bot.study.grid import Axis, Base
from bot.study.report.sweep_page import sweep_page
from bot.study.runs import Series, series
from bot.study.simulate import Gbm, paths
from bot.study.sweep import Generated, Sweep, check_objective, do, run_sweep, write_parquet
from bot.study.workers import Task, on_cluster, on_this_machine
from tests.study.work import die_always, die_once, double

HOUR_MS = 3_600_000
AXES = (Axis("target", (1.9, 2.1, 2.3)), Axis("half_width", (0.3, 0.6)))
TASKS: list[Task] = [{"id": f"t{number}"} for number in range(6)]


@pytest.fixture(scope="module")
def market() -> Series:
    """Forty days of hours."""
    path = next(paths(Gbm(1.0), 960, HOUR_MS, range(1), seed=2))
    times = 1_600_041_600_000 + np.arange(960, dtype=np.int64) * HOUR_MS
    return series(Prices(times, path.closes.copy(), HOUR_MS), None, "made-up.csv")


@pytest.fixture(scope="module")
def sweep(market: Series) -> Sweep:
    """Six points of two sides."""
    return Sweep(Base(sides=("long", "short")), AXES, [market], target_seeds=2)


def here(sweep: Sweep) -> list[dict[str, Any]]:
    """What the sweep's tasks find in this process."""
    return [row for task in sweep.tasks() for row in do(sweep, task)]


def test_processes_do_every_task_once() -> None:
    """In any order, with what all tasks share."""
    found = list(on_this_machine(double, 21, TASKS, 2))
    assert sorted(task["id"] for task, _ in found) == [task["id"] for task in TASKS]
    assert all(rows == [{"id": task["id"], "value": 42}] for task, rows in found)


def test_a_worker_that_dies_does_not_end_the_sweep(tmp_path: Path) -> None:
    """Its task, and those that were under way beside it, are done by others."""
    found = list(on_this_machine(die_once, str(tmp_path), TASKS, 2))
    assert sorted(task["id"] for task, _ in found) == [task["id"] for task in TASKS]


def test_a_task_that_kills_every_worker_is_named() -> None:
    """After three of them."""
    with pytest.raises(RefusedError, match="task t3"):
        list(on_this_machine(die_always, "", TASKS[3:4], 1))


@pytest.fixture(scope="module")
def finished(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of a finished sweep, and its rows."""
    folder = tmp_path_factory.mktemp("sweep")
    return folder, run_sweep(sweep, folder, workers=1)


Finished = tuple[Path, list[dict[str, Any]]]


def test_rows_are_points_with_their_figures(sweep: Sweep, finished: Finished, tmp_path: Path) -> None:
    """Each point in the search and held out, with its parameters; also as Parquet."""
    _, rows = finished
    assert len(rows) == 2 * 6 * 2
    assert {row["part"] for row in rows} == {"in", "out"}
    assert {(row["target"], row["half_width"]) for row in rows} == {
        (target, width) for target in (1.9, 2.1, 2.3) for width in (0.3, 0.6)
    }
    assert [row["growth_per_year"] for row in rows] == [row["growth_per_year"] for row in here(sweep)]
    write_parquet(rows, tmp_path / "rows.parquet")
    frame = pl.read_parquet(tmp_path / "rows.parquet")
    assert frame.height == len(rows)
    assert frame["rebalances_per_year"].min() == min(row["rebalances_per_year"] for row in rows)


def test_a_sweep_that_was_stopped_goes_on_from_what_is_done(
    sweep: Sweep, finished: Finished, tmp_path: Path
) -> None:
    """Nothing that is done is done again."""
    folder = shutil.copytree(finished[0], tmp_path / "stopped")
    (part,) = (folder / "parts").glob("*.json")
    stored = json.loads(part.read_text())
    stored[0]["growth_per_year"] = 123.0  # what is kept is not worked out anew
    part.write_text(json.dumps(stored))
    told: list[tuple[int, int]] = []
    again = run_sweep(sweep, folder, workers=1, tell=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    assert again[0]["growth_per_year"] == 123.0
    assert again[1:] == finished[1][1:]


def test_a_half_written_part_is_not_taken_for_done(sweep: Sweep, finished: Finished, tmp_path: Path) -> None:
    """A task is kept whole or not at all: what a kill left of it is done again."""
    folder = shutil.copytree(finished[0], tmp_path / "killed")
    (part,) = (folder / "parts").glob("*.json")
    part.rename(part.with_suffix(".half"))
    assert run_sweep(sweep, folder, workers=1) == finished[1]


def test_a_folder_of_another_sweep_is_refused(finished: Finished, market: Series) -> None:
    """Or results of two would be mixed."""
    with pytest.raises(UserError, match="holds another sweep"):
        run_sweep(Sweep(Base(fee_bps=1.0), AXES, [market]), finished[0])


def test_generated_paths_are_swept_without_data() -> None:
    """Points that share a model share its paths; a part of the paths is held out."""
    axes = [Axis("model.volatility", (0.5, 1.0)), Axis("target", (1.9, 2.4))]
    sweep = Sweep(Base(), axes, generated=Generated("gbm", paths=10, bars=500))
    rows = here(sweep)
    assert len(rows) == 4 * 2
    assert {row["tally"]["paths"] for row in rows} == {5}
    calm, wild = (
        sum(
            r["tally"]["rebalances"]
            for r in rows
            if sweep.points[r["point"]]["model.volatility"] == volatility
        )
        for volatility in (0.5, 1.0)
    )
    assert wild > calm


def test_however_paths_are_cut_the_rows_are_the_same(market: Series) -> None:
    """Blocks of a series, in one piece and in pieces of three paths."""
    sweep = Sweep(Base(), AXES, [market], Generated("blocks", paths=9, bars=300), held_out=0.0)
    (task,) = sweep.tasks()
    whole = do(sweep, task)
    pieces = [do(sweep, {**task, "paths": [first, first + 3]}) for first in (0, 3, 6)]
    for place, row in enumerate(whole):
        assert row["tally"]["rebalances"] == pytest.approx(
            sum(p[place]["tally"]["rebalances"] for p in pieces)
        )


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda market: Sweep(Base(), [], [market]), "grid is empty"),
        (lambda market: Sweep(Base(), AXES, [market], held_out=1.0), "held_out"),
        (lambda _: Sweep(Base(), AXES), "data"),
        (lambda _: Generated("gmb"), "model"),
        (lambda _: Generated("gbm", paths=1), "paths"),
        (
            lambda _: Sweep(Base(), [Axis("model.volatility", (-1.0,))], generated=Generated("gbm")),
            "model.volatility",
        ),
        (lambda _: check_objective("grwth_per_year", None), "growth_per_year"),
    ],
)
def test_what_cannot_be_swept_is_refused_by_name(market: Series, make: Any, named: str) -> None:
    """Before anything is done."""
    with pytest.raises(UserError, match=named):
        make(market)


def test_the_report_shows_the_best_and_whether_it_stayed_so(sweep: Sweep) -> None:
    """With rebalance frequency by each axis, and heat maps of each pair."""
    rows = [{**sweep.points[row["point"]], **row, "series": "made-up.csv"} for row in here(sweep)]
    ordered = [
        {name: row[name] for name in ("strategy", "side", "half_width", "target", *row)} for row in rows
    ]
    html = sweep_page(sweep, ordered, "growth_per_year").html()
    for words in ("strategic, long, made-up.csv", "half-width of the band", "heatmap", "of 6"):
        assert words in html


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A dask scheduler with one worker process, on this machine's own sockets."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", protocol="tcp://"
    ) as found:
        yield str(found.scheduler_address)


@pytest.mark.filterwarnings("default")
def test_a_cluster_finds_the_same(cluster: str, sweep: Sweep, finished: Finished, tmp_path: Path) -> None:
    """Row for row."""
    assert run_sweep(sweep, tmp_path / "s", scheduler=cluster) == finished[1]


@pytest.mark.filterwarnings("default")
def test_a_worker_of_a_cluster_that_dies_does_not_end_the_sweep(cluster: str, tmp_path: Path) -> None:
    """Its nanny starts another, and the task is done again."""
    found = list(on_cluster(die_once, str(tmp_path), TASKS, cluster))
    assert (tmp_path / "t3").exists()
    assert sorted(task["id"] for task, _ in found) == [task["id"] for task in TASKS]


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_does_not_answer_is_named() -> None:
    """With how to start one."""
    with pytest.raises(UserError, match="dask scheduler"):
        list(on_cluster(double, 1, TASKS, "tcp://127.0.0.1:9", patience_s=0.5))
