"""`pause`, `resume`, `halt`: the operator's word to the daemon that runs; author and reason go on record."""

import json
from typing import Annotated, Any

import typer

Funds = Annotated[list[str] | None, typer.Argument(help="Funds by name; without one, all enabled funds.")]
Reason = Annotated[str, typer.Option(help="Why; it goes on record with your user name.")]
Json = Annotated[bool, typer.Option("--json", help="Print the funds as JSON, for programs.")]

PAUSE_EXAMPLE = 'Example: python3 -m bot pause BTCUP --reason "exchange maintenance"'
RESUME_EXAMPLE = 'Example: python3 -m bot resume BTCUP --reason "maintenance is over"'
HALT_EXAMPLE = 'Example: python3 -m bot halt --reason "orders that nobody explains"'


def pause(funds: Funds = None, *, reason: Reason = "by hand", as_json: Json = False) -> int:
    """Stop increases; delevering goes on. Lasts, restarts included, until `resume`."""
    return _tell("pause", funds, reason, as_json=as_json)


def resume(funds: Funds = None, *, reason: Reason = "by hand", as_json: Json = False) -> int:
    """End a pause or a halt, and rearm what a breach stopped."""
    return _tell("resume", funds, reason, as_json=as_json)


def halt(funds: Funds = None, *, reason: Reason = "by hand", as_json: Json = False) -> int:
    """Stop everything, delevering too; resting orders are taken back. Lasts until `resume`."""
    return _tell("halt", funds, reason, as_json=as_json)


def _tell(word: str, funds: list[str] | None, reason: str, *, as_json: bool) -> int:
    import getpass

    from bot.cli_daemon import tell
    from bot.settings import load_settings

    settings = load_settings()
    names = funds or [fund.name for fund in settings.funds]
    body = {"author": getpass.getuser(), "reason": reason}
    told: list[Any] = [tell(settings, f"/api/v1/funds/{name.upper()}/{word}", body) for name in names]
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return 0
    for fund in told:
        typer.echo(f"{fund['fund']}: {fund['control']['state']}")
    return 0
