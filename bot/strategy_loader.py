"""Find a strategy by its name or its import path, and build it with checked parameters."""

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, get_type_hints

import strategies
from bot.core.strategy import Strategy
from bot.errors import UserError, did_you_mean


class StrategyError(UserError):
    """A strategy cannot be used. The text is one line with the remedy."""


class UnknownStrategyError(StrategyError):
    """There is no such strategy, or what is there is none."""


class ParameterError(StrategyError):
    """A strategy was given a parameter that it does not have, or a value that it cannot take."""


def strategy_names() -> tuple[str, ...]:
    """Names of the strategies that ship with Inband."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(strategies.__path__)))


def load_strategy(name_or_path: str, parameters: Mapping[str, object]) -> Strategy:
    """Build the strategy `strategic`, or `package.module:ClassName`, with `parameters`.

    Numbers may come as text ("1800"). Raises UnknownStrategyError and ParameterError.
    """
    kind = strategy_class(name_or_path)
    values = _checked(kind, name_or_path, parameters)
    try:
        strategy: Strategy = kind(**values)
    except ValueError as error:
        raise ParameterError(f"{name_or_path}: {error}") from error
    return strategy


def parameter_names(name_or_path: str) -> tuple[str, ...]:
    """The names of a strategy's parameters. Raises UnknownStrategyError."""
    return tuple(field.name for field in dataclasses.fields(strategy_class(name_or_path)) if field.init)


def strategy_class(name_or_path: str) -> type[Any]:
    """The class of a strategy, held to the contract. Raises UnknownStrategyError."""
    return _by_path(name_or_path) if ":" in name_or_path else _by_name(name_or_path)


def _by_name(name: str) -> type[Any]:
    names = strategy_names()
    if name.lower() not in names:
        hint = did_you_mean(name, names)
        raise UnknownStrategyError(f'no strategy "{name}"; {hint}; your own goes by package.module:ClassName')
    module = importlib.import_module(f"strategies.{name.lower()}")
    own = [
        kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__
    ]
    found = [kind for kind in own if hasattr(kind, "decide")]
    if len(found) != 1:
        problem = f"strategies/{name.lower()}.py has {len(found)} classes with a decide method"
        raise UnknownStrategyError(f"{problem}; keep exactly one")
    return _judged(found[0], name)


def _by_path(path: str) -> type[Any]:
    module_name, _, class_name = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)):
        raise UnknownStrategyError(f'"{path}" is no import path; write package.module:ClassName')
    try:
        # Whoever sets a precision at the top of his module sets it for himself, not for the ledger.
        with localcontext():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        remedy = "start from the folder that holds it, or put that folder on PYTHONPATH"
        raise UnknownStrategyError(f'no module "{error.name}" for strategy {path}; {remedy}') from error
    except Exception as error:  # a user's module may fail in any way, and it is the user who can correct it
        fault = f"{type(error).__name__}: {error}"
        raise UnknownStrategyError(
            f"strategy {path} cannot be imported: {fault}; correct the module"
        ) from error
    kind = getattr(module, class_name, None)
    if not inspect.isclass(kind):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and hasattr(value, "decide")
        ]
        hint = did_you_mean(class_name, classes) or "write one with a decide method"
        raise UnknownStrategyError(f'no class "{class_name}" in {module_name}; {hint}')
    return _judged(kind, path)


def _judged(kind: type[Any], name: str) -> type[Any]:
    """Hold a class to the contract: frozen parameters, one method `decide(self, view)`."""
    decide = getattr(kind, "decide", None)
    if not callable(decide) or len(inspect.signature(decide).parameters) != 2:
        raise UnknownStrategyError(
            f"strategy {name} has no method decide(self, view); see docs/strategies.md"
        )
    if not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise UnknownStrategyError(
            f"strategy {name} is not frozen; write @dataclass(frozen=True) above its class"
        )
    return kind


def _checked(kind: type[Any], name: str, parameters: Mapping[str, object]) -> dict[str, object]:
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for given, value in parameters.items():
        parameter = given.lower()
        if parameter not in fields:
            remedy = did_you_mean(given, fields) or "it takes none"
            raise ParameterError(f'{name} has no parameter "{given}"; {remedy}')
        values[parameter] = _converted(f"{name}: {parameter}", value, hints[parameter])
    for field in fields.values():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise ParameterError(f"{name} needs its parameter {field.name}; set it")
    return values


def _converted(what: str, value: object, kind: object) -> object:
    """Give `value` the parameter's type: float, int, bool or str; any other type is left to the strategy."""
    if kind is bool:
        if str(value).lower() not in ("true", "false"):
            raise ParameterError(f"{what} must be true or false, got {value!r}")
        return str(value).lower() == "true"
    if kind is str:
        if not isinstance(value, str):
            raise ParameterError(f"{what} must be text, got {value!r}")
        return value
    if kind not in (int, float):
        return value
    wanted = "a whole number" if kind is int else "a number"
    try:
        number = Decimal(str(value))  # not of a bool: "True" is no number
    except InvalidOperation:
        raise ParameterError(f"{what} must be {wanted}, got {value!r}") from None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ParameterError(f"{what} must be {wanted}, got {value}")
    return int(number) if kind is int else float(number)
