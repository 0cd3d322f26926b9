"""What a fund's records fold to, kept beside them, so that a start need not read a year of records.

A projection is any annotated class with `apply_all(records)`. It is kept, sealed, with the position it was
folded up to and a fingerprint of the code that folds; with other code it is dropped, and made anew of the
records. `db verify` compares what is kept with the records.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import bot.core
from bot.core.book import Book
from bot.core.history import RebalanceHistory
from bot.core.records import Record
from bot.journal import shapes
from bot.journal.journal import JournalReader, Keeper, StoredProjection

WORTH_KEEPING = 2_000
"""So many records folded at a start make it worth while to keep what they folded to."""

_BATCH = 500
"""So many records are read, and then folded: the less code is repeated, the faster it is."""


class Folded(Protocol):
    """Something that records fold to."""

    def apply_all(self, records: Iterable[Record]) -> None:
        """Take records in, in their order."""


class Projection(NamedTuple):
    """A way to fold a fund's records: its name in the store, and what it is before the first record."""

    name: str
    empty: Callable[[str], Folded]


BOOK = Projection("book", lambda _fund: Book())
HISTORY = Projection("history", RebalanceHistory)

ALL = (BOOK, HISTORY)
"""Those that a daemon keeps."""


class Loaded(NamedTuple):
    """What was folded, in the order asked for: up to which position, and how many records of it anew."""

    values: tuple[Any, ...]
    position: int
    tail: int


def load(
    journal: JournalReader,
    fund: str,
    projections: Sequence[Projection] = ALL,
    alive: Callable[[], None] = lambda: None,
) -> Loaded:
    """Fold a fund's records, from where what is kept ends; `alive` is called every few milliseconds.

    Raises what `JournalReader.read` raises.
    """
    kept = [journal.projection(fund, projection.name) for projection in projections]
    after, values = _taken_up(journal, kept, projections, fund)
    position = journal.position(fund)
    tail, records = 0, journal.read(fund, after, position)
    while batch := list(islice(records, _BATCH)):
        tail += len(batch)
        for value in values:
            value.apply_all(batch)
        alive()
    return Loaded(tuple(values), position, tail)


def keep(journal: Keeper, fund: str, loaded: Loaded, projections: Sequence[Projection] = ALL) -> None:
    """Keep what was loaded, if it took many records; all of it, or none."""
    if loaded.tail < WORTH_KEEPING:
        return
    version, position = _version(journal, fund, loaded.position), loaded.position
    pairs = zip(projections, loaded.values, strict=True)
    journal.keep(fund, {p.name: StoredProjection(version, position, shapes.dump(v)) for p, v in pairs})


def refresh(journal: Keeper, fund: str, alive: Callable[[], None] = lambda: None) -> Loaded:
    """Load a fund as a start does, and keep what took long to fold; for one that runs, beside it."""
    loaded = load(journal, fund, alive=alive)
    keep(journal, fund, loaded)
    return loaded


def differences(journal: JournalReader, fund: str, projections: Sequence[Projection] = ALL) -> list[str]:
    """Which kept projections differ from what the records fold to; those of other code are not compared."""
    found = []
    for projection in projections:
        kept = journal.projection(fund, projection.name)
        if kept is None or kept.version != _version(journal, fund, kept.position):
            continue
        value, fresh = projection.empty(fund), projection.empty(fund)
        fresh.apply_all(journal.read(fund))
        value = shapes.load(type(value), kept.content)
        value.apply_all(journal.read(fund, kept.position))
        if shapes.dump(value) != shapes.dump(fresh):
            found.append(f"{fund}: the kept {projection.name} differs from what the records say")
    return found


def _taken_up(
    journal: JournalReader,
    kept: Sequence[StoredProjection | None],
    projections: Sequence[Projection],
    fund: str,
) -> tuple[int, list[Folded]]:
    """Where to read on, and with what: from nothing, unless all were kept at one place by this very code."""
    sound = [k for k in kept if k is not None and k.version == _version(journal, fund, k.position)]
    if len(sound) < len(projections) or len({k.position for k in sound}) != 1:
        return 0, [projection.empty(fund) for projection in projections]
    kinds = [type(projection.empty(fund)) for projection in projections]
    values = [shapes.load(kind, k.content) for kind, k in zip(kinds, sound, strict=True)]
    return sound[0].position, values


def _version(journal: JournalReader, fund: str, position: int) -> str:
    """What it was folded by, and the last record that it holds: in other records it counts for nothing."""
    return f"{fingerprint()} {journal.crc_at(fund, position)}"


@cache
def fingerprint() -> str:
    """Of all code that can have a part in folding: the source of the core and of what packs the result."""
    digest = sha256()
    folder = Path(bot.core.__file__).parent
    for path in [*sorted(folder.rglob("*.py")), Path(shapes.__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]
