"""The conformance scripts, seen from outside: which client runs them, on which market, and their cases.

A script runs in its client's environment, as a process of its own: `python <script> <url of the exchange>`.
To add a case, write a function below `@case` in the script; it becomes a test of its own by its name, which
names the endpoint or stream it is about. To add a script, make a `Script` of it and parametrise a test with
`script.cases()` (see test_sdk_rest.py).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Outcomes:
    """What a script said: an error or None for each case, and its standard error."""

    errors: dict[str, str | None]
    log: str


@dataclass(frozen=True)
class Script:
    """One script: `client` as in environments.LOCKS (or ccxt), `name` its file below the client's folder.

    `arguments` follow the url on its command line.

    A held market stands still two hours after its start, at `speed="max"`. A running one moves in real time,
    has a third symbol, SOLUSDT, whose price leaps every eight seconds and liquidates whoever bets on it, and
    lets faults be scripted.
    """

    client: str
    name: str
    arguments: tuple[str, ...] = ()
    market: Literal["held", "running"] = "held"

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDER / self.client / f"{self.name}.py"

    def cases(self) -> list[str]:
        """Return the names of its cases, read without running it."""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            node.name
            for node in ast.parse(self.path.read_text()).body
            if isinstance(node, functions)
            and any(isinstance(mark, ast.Name) and mark.id == "case" for mark in node.decorator_list)
        ]
