from pathlib import Path

import pytest

from bot.core.book import fold
from bot.core.records import IncidentClosed, IncidentOpened
from bot.core.recovery import LOW_DISK
from bot.core.units import ZERO
from bot.daemon.disk import DiskWatch, free_mb
from bot.daemon.operations import Operations
from bot.daemon.supervision import Supervisor
from tests.support.desk import Desk


class _Disk:
    """A disk whose free space a test sets."""

    def __init__(self) -> None:
        self.free = 10_000

    def __call__(self, _: Path) -> int:
        return self.free


@pytest.fixture
def disk() -> _Disk:
    """A disk with plenty of space."""
    return _Disk()


async def watched(desk: Desk, disk: _Disk, *, least_mb: int = 500) -> DiskWatch:
    """A watch over one fund that runs."""
    operations = Operations("paper")
    operations.runners.append(await desk.opened())
    return DiskWatch(Path("/data"), least_mb, operations, disk)


def told(desk: Desk) -> list[str]:
    """What was recorded of the disk."""
    kinds = (IncidentOpened, IncidentClosed)
    return [type(r).__name__ for r in desk.records if isinstance(r, kinds) and r.code == LOW_DISK]


async def test_little_space_is_an_incident_that_names_the_setting(desk: Desk, disk: _Disk) -> None:
    """It says how much is left, where, and which setting asks for more; it is told once."""
    watch = await watched(desk, disk)
    disk.free = 499
    watch.look()
    watch.look()
    (incident,) = [r for r in desk.records if isinstance(r, IncidentOpened)]
    assert incident.stops_increases
    for part in ("499 MB", "/data", "INBAND_LEAST_FREE_MB=500"):
        assert part in incident.detail


async def test_the_incident_closes_only_when_there_is_clearly_more_space(desk: Desk, disk: _Disk) -> None:
    """Around the limit it does not come and go."""
    watch = await watched(desk, disk)
    for free in (499, 501, 549, 551):
        disk.free = free
        watch.look()
    assert told(desk) == ["IncidentOpened", "IncidentClosed"]


async def test_without_a_limit_nobody_looks(desk: Desk, disk: _Disk) -> None:
    """0 leaves it to the operator."""
    disk.free = 0
    watch = await watched(desk, disk, least_mb=0)
    watch.watch(Supervisor())
    assert told(desk) == []


@pytest.mark.parametrize("least_mb", [500, 0])
async def test_a_start_after_space_was_made_ends_the_incident(desk: Desk, disk: _Disk, least_mb: int) -> None:
    """The process before it left the incident; so does one that is told that any space will do."""
    disk.free = 1
    (await watched(desk, disk)).look()
    disk.free = 10_000
    operations, supervisor = Operations("paper"), Supervisor()
    operations.runners.append(desk.runner(fold(desk.records)))
    operations.runners[0].begin(ZERO, adopt=False)
    DiskWatch(Path("/data"), least_mb, operations, disk).watch(supervisor)
    await supervisor.stop()
    assert told(desk) == ["IncidentOpened", "IncidentClosed"]


async def test_a_start_on_a_full_disk_is_told_at_once(desk: Desk, disk: _Disk) -> None:
    """Not only after the first pause."""
    disk.free = 1
    watch = await watched(desk, disk)
    supervisor = Supervisor()
    watch.watch(supervisor)
    await supervisor.stop()
    assert told(desk) == ["IncidentOpened"]


def test_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    """In megabytes, of the disk that the folder is on."""
    assert free_mb(tmp_path) > 0
