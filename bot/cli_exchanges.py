"""`exchanges`: where funds can trade."""

import json
from typing import Annotated

import typer

EXCHANGES_EXAMPLE = "Example: python3 -m bot exchanges --json"


def exchanges(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False
) -> int:
    """Show the exchanges that funds can trade on, and in which modes.

    `data download` reads prices of any exchange that ccxt knows; funds trade on these alone.
    """
    from bot.venue.profile import Environment
    from bot.venue.profiles import PROFILES

    modes = [environment.value for environment in Environment]
    found = [{"exchange": name, "modes": modes} for name in sorted(PROFILES)]
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name in sorted(PROFILES):
            typer.echo(f"{name}: {', '.join(modes)}")
    return 0
