"""Where settings come from: environment, `.env`, a folder of secrets, a TOML file; and which of them wins.

Each layer is read to a mapping from path to value, with its origin, and only with names that are known. That
is why pydantic-settings' own sources do not serve here: they forget which layer a value came from, do not see
an unknown variable, and tell INBAND_FUNDS__BTCUP from [funds.btcup].
"""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias

from dotenv import dotenv_values

from bot.settings.errors import SettingsError
from bot.settings.names import ANY, GROUPS, KNOWN, PREFIX, Path, general, key, nearest, variable

TESTS_PREFIX = PREFIX + "TEST_"
"""Variables for the test suite are not settings."""

ENVIRONMENT_ONLY: frozenset[Path] = frozenset({("config",), ("secrets_dir",), ("live_confirm",)})
"""What a file cannot say: where files are, and the second key to live trading."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was set; `place` is the file, and the key in it where it is TOML."""

    layer: Literal["environment", ".env", "secret", "file"]
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.layer

    @property
    def in_errors(self) -> str:
        """What an error adds to the setting's name: nothing where the name says it all."""
        return "" if self.layer == "environment" else str(self)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given, not yet judged: text, or what TOML made of it."""

    value: Any
    origin: Origin


Layer: TypeAlias = dict[Path, Given]


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Read the INBAND_... variables. An empty one counts as not set."""
    return _read_variables(environ.items(), lambda _: Origin("environment"))


def read_dotenv(directory: FilePath) -> Layer:
    """Read `.env` in `directory`, where there is one; `$` has no meaning in it."""
    file = directory / ".env"
    if not os.path.isfile(file):  # noqa: PTH113 - false where Path.is_file would raise
        return {}
    try:
        values = dotenv_values(file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            ".env", f"cannot be read ({_reason(error)})", "correct or remove the file"
        ) from error
    return _read_variables(((name, text or "") for name, text in values.items()), lambda _: Origin(".env"))


def read_secrets(folder: FilePath, shown: str) -> Layer:
    """Read the files in `folder` whose names are those of settings; other files are none of our business."""
    if not os.path.isdir(folder):  # noqa: PTH112 - false where Path.is_dir would raise
        raise SettingsError(
            "INBAND_SECRETS_DIR", f"{shown} is no folder", "name the folder that holds the secrets"
        )
    texts: list[tuple[str, str]] = []
    for file in sorted(folder.iterdir()):
        if not (file.name.upper().startswith(PREFIX) and file.is_file()):
            continue
        try:
            texts.append((file.name, file.read_text("utf-8").strip()))
        except (OSError, UnicodeDecodeError) as error:
            problem = f"{shown}/{file.name} cannot be read ({_reason(error)})"
            raise SettingsError(
                "INBAND_SECRETS_DIR", problem, "make it readable text for this user"
            ) from error
    return _read_variables(texts, lambda name: Origin("secret", f"{shown}/{name}"))


def read_file(file: FilePath, shown: str, mode: str, mode_origin: str) -> Layer:
    """Read a TOML file, which must state that it is for `mode`."""
    try:
        with file.open("rb") as stream:
            tables = tomllib.load(stream, parse_float=Decimal)
    except FileNotFoundError:
        raise SettingsError(
            "INBAND_CONFIG", f"there is no file {shown}", "name an existing TOML file"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(shown, f"not TOML ({error})", "correct that line") from error
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{shown} cannot be read ({_reason(error)})"
        raise SettingsError("INBAND_CONFIG", problem, "name a readable TOML file") from error
    layer: Layer = {}
    _flatten(tables, (), shown, layer)
    stated = layer.pop(("mode",), None)
    if stated is None:
        remedy = f'put mode = "{mode}" on its first line'
        raise SettingsError(shown, "the file does not state its mode", remedy)
    if str(stated.value).lower() != mode:
        problem = f"the file is for mode {stated.value}, and INBAND_MODE is {mode}{mode_origin}"
        raise SettingsError(
            shown, problem, f"set INBAND_MODE={stated.value} or name another file in INBAND_CONFIG"
        )
    return layer


def merge(strongest_first: Sequence[Layer]) -> Layer:
    """Let the strongest layer win, setting by setting; the weakest keeps the order of its funds."""
    merged: Layer = {}
    for layer in reversed(strongest_first):
        merged.update(layer)
    return merged


def nest(layer: Layer) -> dict[str, Any]:
    """Turn paths into nested mappings, as the schema takes them."""
    nested: dict[str, Any] = {}
    for path, given in layer.items():
        level = nested
        for part in path[:-1]:
            level = level.setdefault(part, {})
        if general(path) in GROUPS:
            level.setdefault(path[-1], {})
        else:
            level[path[-1]] = given.value
    return nested


def _read_variables(variables: Iterable[tuple[str, str]], origin_of: Any) -> Layer:
    layer: Layer = {}
    for name, text in variables:
        if not name.upper().startswith(PREFIX) or name.upper().startswith(TESTS_PREFIX):
            continue
        path = tuple(name.upper().removeprefix(PREFIX).lower().split("__"))
        origin = origin_of(name)
        if general(path) not in KNOWN:
            raise _unknown(name.upper(), path, origin.in_errors, variable)
        if path in layer:
            raise SettingsError(
                name.upper(), "set twice, in different case", "keep one of them", origin.in_errors
            )
        if text.strip():
            layer[path] = Given(text.strip(), origin)
    return layer


def _flatten(table: Mapping[str, Any], above: Path, file: str, layer: Layer) -> None:
    for name, value in table.items():
        path = (*above, name.lower())
        shown = ".".join((*key(above).split("."), name)) if above else name
        group = general(path) in GROUPS
        if not group and general(path) not in KNOWN:
            raise _unknown(f"{file}, {shown}", path, "", key)
        if path in ENVIRONMENT_ONLY:
            remedy = f"set {variable(path)} in the environment"
            raise SettingsError(f"{file}, {shown}", "a file cannot set this", remedy)
        if path in layer:
            raise SettingsError(f"{file}, {shown}", "set twice, in different case", "keep one of them")
        if not group:
            layer[path] = Given(value, Origin("file", f"{file}, {key(path)}"))
        elif not isinstance(value, Mapping):
            raise SettingsError(
                f"{file}, {shown}", "a table is wanted here", f"write [{key(path)}] and keys below it"
            )
        else:
            if len(path) > 1:
                layer[path] = Given({}, Origin("file", f"{file}, {key(path)}"))
            _flatten(value, path, file, layer)


def _unknown(shown: str, path: Path, origin: str, spell: Any) -> SettingsError:
    if general(path) in GROUPS:
        below = next(known for known in KNOWN if known[: len(path)] == general(path))
        example = spell(tuple(path[1] if part == ANY and len(path) > 1 else part for part in below))
        return SettingsError(
            shown, "a group of settings, not a setting", f"set {example} and the like", origin
        )
    near = nearest(path)
    remedy = f"did you mean {spell(near)}?" if near else "see docs/settings.md for all settings"
    return SettingsError(shown, "no such setting", remedy, origin)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return "not UTF-8 text"
