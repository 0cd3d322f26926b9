"""Names of settings: as a path ("funds", "btcup", "band"), as a variable, and as a key in a file."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.errors import did_you_mean
from bot.settings.schema import Schema

PREFIX = "INBAND_"
Path: TypeAlias = tuple[str, ...]
"""Lower-case parts of a name."""
ANY = "<name>"
"""In the path of a known setting: where the name of a fund or an account stands."""


def _walk(model: type[BaseModel], above: Path) -> Iterator[tuple[Path, FieldInfo]]:
    for name, setting in model.model_fields.items():
        kind = setting.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk(kind, (*above, name))
        elif get_origin(kind) is dict and issubclass(get_args(kind)[1], BaseModel):
            yield from _walk(get_args(kind)[1], (*above, name, ANY))
        else:
            yield (*above, name), setting


KNOWN: dict[Path, FieldInfo] = dict(_walk(Schema, ()))
"""Every setting by its path, in the order of the schema."""
GROUPS: frozenset[Path] = frozenset(path[:depth] for path in KNOWN for depth in range(1, len(path)))
"""Every path below which settings lie."""


def general(path: Path) -> Path:
    """Put `ANY` where a fund or an account is named."""
    return (path[0], ANY, *path[2:]) if len(path) > 1 and (path[0], ANY) in GROUPS else path


def variable(path: Path) -> str:
    """Give the environment variable: INBAND_FUNDS__BTCUP__BAND."""
    return PREFIX + "__".join(part if part == ANY else part.upper() for part in path)


def key(path: Path) -> str:
    """Give the dotted key in a TOML file: funds.BTCUP.band."""
    return ".".join(part.upper() if general(path)[place] == ANY else part for place, part in enumerate(path))


def nearest(path: Path, among: Iterable[Path] = KNOWN) -> Path | None:
    """Find the known setting whose name is nearest to `path`; the name in `path` stands in place of ANY."""
    named = {"__".join(known).upper(): known for known in (_fill(known, path) for known in among)}
    hint = did_you_mean("__".join(path), named)
    return next((known for name, known in named.items() if hint == f"did you mean {name}?"), None)


def _fill(known: Path, path: Path) -> Path:
    if ANY not in known:
        return known
    name = path[1] if len(path) > 1 else ANY
    return tuple(name if part == ANY else part for part in known)
