"""The operator's word to the daemon that runs: each command goes on record with author and reason."""

import json
import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from bot.errors import RefusedError

Funds = Annotated[list[str] | None, typer.Argument(help="Funds by name; without one, all enabled funds.")]
Fund = Annotated[str, typer.Argument(help="The fund, by its name.")]
Reason = Annotated[str, typer.Option(help="Why; it goes on record with your user name.")]
Key = Annotated[
    str | None, typer.Option("--key", help="Idempotency key: given again, the same request changes nothing.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation on a terminal.")]
Json = Annotated[bool, typer.Option("--json", help="Print the funds as JSON, for programs.")]

PAUSE_EXAMPLE = 'Example: python3 -m bot pause BTCUP --reason "exchange maintenance"'
RESUME_EXAMPLE = 'Example: python3 -m bot resume BTCUP --reason "maintenance is over"'
HALT_EXAMPLE = 'Example: python3 -m bot halt --reason "orders that nobody explains"'
REBALANCE_EXAMPLE = 'Example: python3 -m bot rebalance BTCUP --to 2.2 --reason "before the weekend"'
FLATTEN_EXAMPLE = 'Example: python3 -m bot flatten BTCUP --reason "delisting announced" --yes'
ACKNOWLEDGE_EXAMPLE = 'Example: python3 -m bot acknowledge BTCUP "external trade" --reason "I look into it"'
RELOAD_EXAMPLE = 'Example: python3 -m bot reload --reason "narrower band"'


def pause(funds: Funds = None, *, reason: Reason = "by hand", key: Key = None, as_json: Json = False) -> int:
    """Stop increases; delevering goes on. Lasts, restarts included, until `resume`."""
    return _tell_all("pause", funds, {"reason": reason}, key, as_json=as_json)


def resume(funds: Funds = None, *, reason: Reason = "by hand", key: Key = None, as_json: Json = False) -> int:
    """End a pause, a halt or a flattening, and rearm what a breach stopped."""
    return _tell_all("resume", funds, {"reason": reason}, key, as_json=as_json)


def halt(funds: Funds = None, *, reason: Reason = "by hand", key: Key = None, as_json: Json = False) -> int:
    """Stop everything, delevering too; resting orders are taken back. Lasts until `resume`."""
    return _tell_all("halt", funds, {"reason": reason}, key, as_json=as_json)


def rebalance(
    fund: Fund,
    *,
    to: Annotated[
        str | None, typer.Option(help="Leverage to go to, inside the band; by default a secret draw.")
    ] = None,
    reason: Reason = "by hand",
    key: Key = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Rebalance a fund now: down promptly, up patiently. On a terminal it asks first."""
    body = {"reason": reason}
    if to is not None:
        body["leverage"] = _leverage(to)
    if not _sure(f"Rebalance {fund.upper()} now?", yes=yes):
        return 1
    return _tell_all("rebalance", [fund], body, key, as_json=as_json)


def flatten(
    fund: Fund, *, reason: Reason = "by hand", key: Key = None, yes: Yes = False, as_json: Json = False
) -> int:
    """Sell everything a fund holds; it stays flat until `resume`. On a terminal it asks first."""
    if not _sure(f"Close the whole position of {fund.upper()}?", yes=yes):
        return 1
    return _tell_all("flatten", [fund], {"reason": reason}, key, as_json=as_json)


def acknowledge(
    fund: Fund,
    code: Annotated[str, typer.Argument(help="The incident's code, as `status` shows it.")],
    *,
    reason: Reason = "seen",
    as_json: Json = False,
) -> int:
    """Say that you have seen an open incident and look after it."""
    path = f"/api/v1/funds/{fund.upper()}/incidents/acknowledge"
    told = _tell(path, {"reason": reason, "code": code}, None)
    if as_json:
        typer.echo(json.dumps([told], indent=2))
    else:
        typer.echo(f"{told['fund']}: {code}: acknowledged")
    return 0


def reload(*, reason: Reason = "by hand", as_json: Json = False) -> int:
    """Read the settings again, and run by them: all that changed or, if anything is wrong, nothing."""
    told = _tell("/api/v1/operator/reload", {"reason": reason}, None)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return 0
    for name in told["changed"]:
        typer.echo(f"changed: {name}")
    for fund in told["waiting"]:
        typer.echo(f"{fund}: takes it over when its rebalance is over")
    if not told["changed"]:
        typer.echo("nothing has changed")
    return 0


def _tell_all(
    word: str, funds: list[str] | None, body: dict[str, str], key: str | None, *, as_json: bool
) -> int:
    from bot.cli_daemon import FundRefusedError
    from bot.settings import load_settings

    names = funds or [fund.name for fund in load_settings().funds]
    told, refusals = [], []
    for name in names:  # one that has stopped refuses; the others are to be halted all the same
        try:
            told.append(_tell(f"/api/v1/funds/{name.upper()}/{word}", body, key))
        except FundRefusedError as error:
            named = name.upper() in str(error)
            refusals.append(str(error) if named else f"{name.upper()}: {error}")
    if as_json and told:
        typer.echo(json.dumps(told, indent=2))
    for fund in () if as_json else told:
        said = fund["control"]["state"] if word in {"pause", "resume", "halt"} else fund["state"]
        typer.echo(f"{fund['fund']}: {said}")
    if refusals:
        raise RefusedError("; ".join(refusals))
    return 0


def _tell(path: str, body: dict[str, str], key: str | None) -> dict[str, Any]:
    import getpass

    from bot.cli_daemon import tell
    from bot.settings import load_settings

    told: dict[str, Any] = tell(load_settings(), path, {"author": getpass.getuser(), **body}, key=key)
    return told


def _leverage(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"--to {text}: not a number; give a leverage such as 2.2") from None
    if not number.is_finite() or number <= 0:
        raise typer.BadParameter(f"--to {text}: give a leverage above 0, such as 2.2")
    return str(number)


def _sure(question: str, *, yes: bool) -> bool:
    """Ask, where somebody can answer; a program that calls us has decided already."""
    return yes or not sys.stdin.isatty() or typer.confirm(question)
