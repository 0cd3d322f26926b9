"""Who does the work of a sweep: processes on this machine, or a dask.distributed cluster.

A task is done once it has been given back. One whose worker dies is given to another; one that has cost
several workers their life is named in the error.
"""

import multiprocessing
import os
import signal
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeAlias

from bot.errors import RefusedError
from bot.study.errors import BadParameterError

Task: TypeAlias = Mapping[str, Any]
"""What is to be done, as JSON values; `id` names it."""
Done: TypeAlias = list[dict[str, Any]]
Work: TypeAlias = Callable[[Any, Task], Done]
"""A function of a module: (what all tasks share, the task) to its rows."""

DEATHS_MAX = 3
_DEAD_WITHIN_S = 5.0

_shared: tuple[Work, Any] | None = None


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _equip(work: Work, shared: Any) -> None:
    global _shared  # noqa: PLW0603 - a worker process has one job, and what all tasks share is sent once
    _shared = work, shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep is told, and ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A sweep that is killed cannot end its workers: each of them watches it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Task) -> Done:
    if _shared is None:
        raise RuntimeError("a worker was not equipped")
    work, shared = _shared
    return work(shared, task)


def on_this_machine(
    work: Work, shared: Any, tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Done]]:
    """Do the tasks in `workers` processes, in any order.

    Raises RefusedError for a task that kills workers.
    """
    waiting, deaths = deque(tasks), Counter[str]()
    while waiting:
        running: dict[Future[Done], Task] = {}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _equip, (work, shared)) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < 2 * workers:
                        task = waiting.popleft()
                        running[pool.submit(_do, task)] = task
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        rows = future.result()
                        yield running.pop(future), rows
            except BrokenProcessPool:
                suspects = list(running.values())[:workers]
                deaths.update(str(task["id"]) for task in suspects)
                _give_up_on(suspects, deaths)
                waiting.extendleft(reversed(running.values()))


def _give_up_on(tasks: Sequence[Task], deaths: Counter[str]) -> None:
    for task in tasks:
        if deaths[str(task["id"])] >= DEATHS_MAX:
            raise RefusedError(
                f"sweep: task {task['id']} was running each time a worker died, {DEATHS_MAX} times; "
                "give it more memory, or leave out its parameters, and start again: what is done is kept"
            )


def _same(shared: Any) -> Any:
    return shared


def on_cluster(
    work: Work, shared: Any, tasks: Sequence[Task], address: str, *, patience_s: float = 30.0
) -> Iterator[tuple[Task, Done]]:
    """Do the tasks on the workers of a dask scheduler, in any order; they need this package installed.

    Raises BadParameterError where no scheduler answers within `patience_s`, and RefusedError for a task that
    kills workers.
    """
    from dask import config  # noqa: PLC0415 - a second, for clusters only
    from distributed import Client, KilledWorker, as_completed  # noqa: PLC0415 - as above

    try:
        client = Client(address, timeout=patience_s, set_as_default=False)
    except (OSError, ValueError) as error:
        remedy = "start one by `dask scheduler`, and workers by `dask worker`"
        raise BadParameterError("scheduler", f"{address} does not answer ({error})", remedy) from error
    # What a dead worker still held is not waited for long: the scheduler has it done again.
    with client, config.set({"distributed.comm.timeouts.connect": _DEAD_WITHIN_S}):
        # A task and not scattered data, which are lost with the workers that hold them.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            common = client.submit(_same, shared, pure=False, retries=DEATHS_MAX)
        by_key = {str(task["id"]): task for task in tasks}
        futures = [
            client.submit(work, common, task, key=f"inband-{key}", pure=False, retries=DEATHS_MAX)
            for key, task in by_key.items()
        ]
        for future in as_completed(futures, loop=client.loop):
            key = str(future.key).removeprefix("inband-")
            try:
                rows = future.result()
            except KilledWorker as error:
                raise RefusedError(
                    f"sweep: task {key} killed its workers; give it more memory, or leave out its "
                    "parameters, "
                    "and start again: what is done is kept"
                ) from error
            future.release()
            yield by_key[key], rows
