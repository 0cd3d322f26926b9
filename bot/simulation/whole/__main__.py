"""`python -m bot.simulation.whole --seed N`: the daemon in virtual time; settings as for `run`.

Prints, as its last line, JSON with the exit code, virtual seconds, a hash of all bytes, resets, and how the
process computes with decimals.
`--die-after` ends the process without a word, as `kill -9` does, so many virtual seconds after its start.
"""

import argparse
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import getcontext
from typing import Any

from bot.simulation.whole.loop import WholeLoop
from bot.simulation.whole.world import take_over

KILLED = 137


def main(arguments: list[str]) -> int:
    """Run the daemon to its end; the exit code is the daemon's."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bot.simulation.whole")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--began-ms", type=int, default=0, help="how far UTC is past the start of the world")
    parser.add_argument("--resets", type=float, default=0.0, help="connections broken in a virtual second")
    parser.add_argument("--die-after", type=float, default=0.0)
    options = parser.parse_args(arguments)
    loop = take_over(options.seed, options.began_ms)
    code, resets = _run(loop, options.resets, options.die_after)
    said = {
        "code": code,
        "virtual_s": round(loop.time(), 6),
        "chunks": loop.chunks,
        "digest": loop.digest,
        "resets": resets,
        "arithmetic": _arithmetic(),
    }
    sys.stdout.write(json.dumps(said) + "\n")
    return code


def _arithmetic() -> list[int | str]:
    """How this process computes with decimals in the end: ledgers are only equal where this is."""
    context = getcontext()
    return [
        context.prec,
        context.rounding,
        *sorted(trap.__name__ for trap, on in context.traps.items() if on),
    ]


def _run(loop: WholeLoop, resets_per_s: float, die_after_s: float) -> tuple[int, int]:
    """The daemon's `run` in this loop."""
    import aiohttp  # noqa: PLC0415 - only now, with time and randomness taken over

    from bot.daemon.main import run  # noqa: PLC0415 - as above
    from bot.settings import load_settings  # noqa: PLC0415 - as above

    async def connect(_: Any, factory: Any, *, addr_infos: Any, req: Any, **__: Any) -> Any:
        try:
            return await loop.connect(factory, addr_infos[0][4][:2])
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error

    aiohttp.TCPConnector._wrap_create_connection = connect  # type: ignore[method-assign,assignment] # noqa: SLF001 - the seam
    resets = 0

    def reset() -> None:
        nonlocal resets
        resets += 1
        loop.reset_one()
        loop.call_later(loop.chance.expovariate(resets_per_s), reset)

    if resets_per_s > 0:
        loop.call_later(loop.chance.expovariate(resets_per_s), reset)
    if die_after_s > 0:
        loop.call_later(die_after_s, os._exit, KILLED)
    code = run(load_settings(), fresh=False, adopt=False, serve=_serve_nobody, drive=loop.run_until_complete)
    return code, resets


@asynccontextmanager
async def _serve_nobody(_operations: object, _listener: object) -> AsyncIterator[None]:
    """No pages: nobody looks."""
    yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
