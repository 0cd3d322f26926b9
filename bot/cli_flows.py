"""`subscribe`, `redeem`, `flows`, `consolidate`, `split`: units and the cash they are made of."""

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

Fund = Annotated[str, typer.Argument(help="The fund, by its name.")]
Ratio = Annotated[int, typer.Argument(help="How many.", min=2)]
Reason = Annotated[str, typer.Option(help="Why; it goes on record with your user name.")]
Key = Annotated[
    str | None, typer.Option("--key", help="Idempotency key: given again, the same request books nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

SUBSCRIBE_EXAMPLE = "Example: python3 -m bot subscribe BTCUP 1000 --key order-4711"
REDEEM_EXAMPLE = "Example: python3 -m bot redeem BTCUP 250.5 --key order-4712"
FLOWS_EXAMPLE = "Example: python3 -m bot flows BTCUP --json"
CONSOLIDATE_EXAMPLE = 'Example: python3 -m bot consolidate BTCDOWN 1000 --reason "NAV below 0.001"'
SPLIT_EXAMPLE = 'Example: python3 -m bot split BTCUP 10 --reason "NAV above 100"'


def subscribe(
    fund: Fund,
    amount: Annotated[str, typer.Argument(help="USDT to bring into the fund.")],
    *,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Ask for new units for an amount of USDT; they are priced at the next dealing after the money came."""
    return _flow(fund, "subscribe", {"amount": _number("AMOUNT", amount)}, key, as_json=as_json)


def redeem(
    fund: Fund,
    units: Annotated[str, typer.Argument(help="Units to give back.")],
    *,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Give units back for their worth in USDT; they are priced at the next dealing."""
    return _flow(fund, "redeem", {"units": _number("UNITS", units)}, key, as_json=as_json)


def flows(fund: Fund, *, as_json: Json = False) -> int:
    """Show the open flows of a fund, and the last 100 that are over. Works without a daemon, too."""
    from bot.cli_journal import read_flows
    from bot.settings import load_settings

    found = read_flows(load_settings(), fund.upper())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return 0
    from bot.cli_views import print_flows

    print_flows(found)
    return 0


def consolidate(fund: Fund, ratio: Ratio, *, reason: Reason = "by hand", as_json: Json = False) -> int:
    """Make one unit of RATIO units, everybody's alike, so that NAV is RATIO times what it was."""
    return _rescale(fund, "consolidate", ratio, reason, as_json=as_json)


def split(fund: Fund, ratio: Ratio, *, reason: Reason = "by hand", as_json: Json = False) -> int:
    """Make RATIO units of each unit, everybody's alike."""
    return _rescale(fund, "split", ratio, reason, as_json=as_json)


def _flow(fund: str, word: str, body: dict[str, str], key: str | None, *, as_json: bool) -> int:
    from bot.cli_daemon import tell
    from bot.settings import load_settings

    receipt: dict[str, Any] = tell(load_settings(), f"/api/v1/funds/{fund.upper()}/{word}", body, key=key)
    if as_json:
        typer.echo(json.dumps(receipt, indent=2))
    else:
        typer.echo(f"{receipt['reference']}: {word} taken; first dealing {receipt['dealing_at']}")
    return 0


def _rescale(fund: str, word: str, ratio: int, reason: str, *, as_json: bool) -> int:
    import getpass

    from bot.cli_daemon import tell
    from bot.settings import load_settings

    body = {"ratio": str(ratio), "reason": reason, "author": getpass.getuser()}
    told: dict[str, Any] = tell(load_settings(), f"/api/v1/funds/{fund.upper()}/{word}", body)
    typer.echo(json.dumps(told, indent=2) if as_json else f"{told['fund']}: {told['units']} units")
    return 0


def _number(name: str, text: str) -> str:
    """The number as it was written; what it means is the daemon's to judge."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{name} {text}: not a number; give one such as 1000") from None
    if not number.is_finite() or number <= 0:
        raise typer.BadParameter(f"{name} {text}: give a number above 0, such as 1000")
    return f"{number:f}"
