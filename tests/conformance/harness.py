"""What a conformance script needs: it runs its cases in a client's own environment, and prints what came out.

Standard library only. A script marks its cases with `@case`, in the order in which they run, and ends with
`run(make)`. Each case gets what `make(url)` returned, and fails by raising; cases may be coroutines.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

Case = Callable[[Any], Any]
PATIENCE_S = 120
"""How long a case may take: it is over as soon as what it waits for has come, however busy the machine is."""

_cases: list[Case] = []


def case(function: Case) -> Case:
    """Mark a case of the script."""
    _cases.append(function)
    return function


def expect(condition: object, words: object) -> None:
    """Fail the case with these words unless the condition holds."""
    if not condition:
        raise AssertionError(words)


def run(make: Callable[[str], Any]) -> None:
    """Run all cases against the exchange whose address is the script's argument; one JSON line for each."""
    asyncio.run(_run(make, sys.argv[1]))


async def _run(make: Callable[[str], Any], url: str) -> None:
    client = await _settled(make(url))
    for function in _cases:
        error = None
        try:
            await asyncio.wait_for(_settled(function(client)), PATIENCE_S)
        except Exception as failure:  # noqa: BLE001 - whatever a client raises is the case's result
            last = traceback.extract_tb(failure.__traceback__)[-1]
            error = f"{type(failure).__name__}: {failure} ({last.filename}:{last.lineno})"
        sys.stdout.write(json.dumps({"case": function.__name__, "error": error}) + "\n")
        sys.stdout.flush()
    if hasattr(client, "close"):
        await _settled(client.close())


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
