"""From the layers to the frozen settings: read, merge, judge."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.settings.effective import effective
from bot.settings.errors import SettingsError
from bot.settings.layers import Layer, merge, nest, read_dotenv, read_environment, read_file, read_secrets
from bot.settings.names import KNOWN, Path, general, nearest, variable
from bot.settings.resolve import resolve
from bot.settings.schema import Mode, Schema
from bot.settings.values import Settings

_PACKAGE = FilePath(__file__).resolve().parents[1]


def load_settings(environ: Mapping[str, str] | None = None, directory: FilePath | None = None) -> Settings:
    """Read and judge all settings. Writes nothing.

    `environ` is by default that of the process; `directory`, where `.env` is and from where relative paths
    count, is the working directory. Raises SettingsError, whose text is one line.
    """
    directory = directory or FilePath.cwd()
    layers = _read(os.environ if environ is None else environ, directory)
    given = merge(layers)
    schema = _validated(layers, given)
    settings, derived = resolve(schema, given, directory)
    return Settings(**settings, effective=effective(schema, given, derived))


def _read(environ: Mapping[str, str], directory: FilePath) -> list[Layer]:
    """Read every layer, the strongest first."""
    variables = merge([read_environment(environ), read_dotenv(directory)])
    mode, mode_origin = _mode(variables)
    layers = [variables]
    if ("secrets_dir",) in variables:
        folder = str(variables["secrets_dir",].value)
        layers.append(read_secrets(directory / folder, folder))
    if ("config",) in variables:
        shown = str(variables["config",].value)
        layers.append(read_file(directory / shown, shown, mode, mode_origin))
    else:
        layers.append(read_file(_shipped(mode), f"config/{mode}.toml", mode, mode_origin))
    return layers


def _mode(variables: Layer) -> tuple[str, str]:
    """Give the mode, and what an error has to add about where it comes from."""
    if ("mode",) not in variables:
        return "paper", " (the default)"
    given = variables["mode",]
    mode = str(given.value).lower()
    if mode not in get_args(Mode):
        problem = f'"{given.value}" is no mode'
        raise SettingsError("INBAND_MODE", problem, "set paper, testnet or live", given.origin.in_errors)
    if mode == "dry-run":
        problem = "mode dry-run comes with a later version"
        raise SettingsError("INBAND_MODE", problem, "use paper or testnet until then", given.origin.in_errors)
    return mode, f" ({given.origin.in_errors})" if given.origin.in_errors else ""


def _shipped(mode: str) -> FilePath:
    """Find `config/<mode>.toml` in the checkout, or within the installed package."""
    checkout = _PACKAGE.parent / "config" / f"{mode}.toml"
    return checkout if checkout.is_file() else _PACKAGE / "config" / f"{mode}.toml"


class _LayerSource(PydanticBaseSettingsSource):
    """One layer, as pydantic-settings takes it: its own readers would not keep where a value was set."""

    def __init__(self, schema: type[BaseSettings], layer: Layer) -> None:
        super().__init__(schema)
        self._values = nest(layer)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - asked by name
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _validated(layers: Sequence[Layer], given: Layer) -> Schema:
    class Layered(Schema):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - our layers replace all of these
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_LayerSource(settings_cls, layer) for layer in layers)

    try:
        return Layered()
    except ValidationError as error:
        raise _first(error, given) from None


def _first(error: ValidationError, given: Layer) -> SettingsError:
    """Put the first fault that pydantic found into our words."""
    fault = error.errors(include_url=False)[0]
    parts = [str(part).lower() for part in fault["loc"]]
    path = next(tuple(parts[:size]) for size in range(len(parts), 0, -1) if _is_name(tuple(parts[:size])))
    if general(path) not in KNOWN:
        kind = path[0].removesuffix("s")
        problem = f'"{path[1].upper()}" is no name for a {kind}'
        return SettingsError(
            variable(path), problem, "use up to 16 letters, digits and single _, a letter first"
        )
    known = KNOWN[general(path)]
    if fault["type"] == "missing" and len(parts) == len(path):
        return _missing(path, given, str((known.examples or [""])[0]))
    origin = given[path].origin.in_errors
    value = (
        "the value"
        if SecretStr in (known.annotation, *get_args(known.annotation))
        else _shown(given[path].value)
    )
    return SettingsError(
        variable(path),
        f"{value} {_problem(fault)}",
        f"set for example {variable(path)}={(known.examples or [''])[0]}",
        origin,
    )


def _is_name(path: Path) -> bool:
    return general(path) in KNOWN or (len(path) == 2 and path[0] in ("funds", "accounts", "routes"))


def _missing(path: Path, given: Layer, example: str) -> SettingsError:
    """Tell a fund that is not described from a fund whose name is mistyped."""
    remedy = f"set for example {variable(path)}={example}"
    if path[0] == "routes":
        return SettingsError(variable(path), f"not set, and route {path[1].upper()} needs it", remedy)
    described = {other[1] for other in given if other[0] == "funds" and other[-1] == "underlying"}
    if path[1] not in described:
        funds = [("funds", name) for name in sorted(described)]
        near = nearest(path[:2], funds)
        meant = f"if you meant fund {near[1].upper()}, correct the name; else " if near else ""
        remedy = meant + remedy
    return SettingsError(variable(path), f"not set, and fund {path[1].upper()} needs it", remedy)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(str(part) for part in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


_PROBLEMS = {
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "decimal_parsing": "is not a number",
    "decimal_type": "is not a number",
    "finite_number": "is not a finite number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is not text",
    "tuple_type": "is not a pair of numbers",
    "dict_type": "is not a JSON object",
    "missing_argument": "is not a pair of numbers",
    "string_pattern_mismatch": "does not have the right form",
    "string_too_long": "is too long",
    "string_too_short": "is too short",
}


def _problem(fault: Any) -> str:
    """Say what is wrong, as the rest of a sentence that begins with the value."""
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return f"cannot be used: {context['error']}"
    if fault["type"] == "missing":
        return "is not a pair of numbers"
    bounds = {"greater_than": ("gt", "above"), "greater_than_equal": ("ge", "at least")}
    bounds |= {"less_than": ("lt", "below"), "less_than_equal": ("le", "at most")}
    if fault["type"] in bounds:
        limit, words = bounds[fault["type"]]
        return f"must be {words} {context[limit]}"
    if fault["type"] == "literal_error":
        return f"is none of {context['expected'].replace(chr(39), '')}"
    if fault["type"] in ("too_long", "too_short"):
        return "is not a pair of numbers"
    return _PROBLEMS.get(fault["type"], f"cannot be used: {fault['msg'].lower()}")
