"""`alert`: try the routes, and see what waits to be delivered."""

import json
from typing import Annotated

import typer

from bot.core.texts import how_many

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

alert = typer.Typer(help="Try the routes of alerts, and see what waits.")

TEST_EXAMPLE = "Example: python3 -m bot alert test PHONE"
LIST_EXAMPLE = "Example: python3 -m bot alert list --json"


@alert.command("test", epilog=TEST_EXAMPLE)
def try_routes(
    route: Annotated[str | None, typer.Argument(help="A route by its name; without one, all.")] = None,
    *,
    as_json: Json = False,
) -> int:
    """Send a message by each route now, daemon or not; exit code 1 if one does not take it."""
    from bot.daemon.alerts.sender import send
    from bot.errors import UserError, did_you_mean
    from bot.settings import load_settings

    settings = load_settings()
    routes = {each.name: each for each in settings.alerts.routes}
    if not routes:
        raise UserError("INBAND_ROUTES: no route is described; set INBAND_ROUTES__<NAME>__URL")
    if route is not None and route.upper() not in routes:
        raise UserError(f"INBAND_ROUTES__{route.upper()}: no such route; {did_you_mean(route, routes)}")
    chosen = list(routes.values()) if route is None else [routes[route.upper()]]
    title, body = f"Inband {settings.mode}: test", "This is what `alert test` sends. Nothing is wrong."
    problems = {each.name: send(each.url, title, body, "info") for each in chosen}
    if as_json:
        typer.echo(
            json.dumps([{"route": n, "delivered": p is None, "problem": p} for n, p in problems.items()])
        )
    else:
        for name, problem in problems.items():
            remedy = f"; correct INBAND_ROUTES__{name}__URL"
            typer.echo(f"{name}: {'delivered' if problem is None else problem + remedy}")
    return 0 if not any(problems.values()) else 1


@alert.command("list", epilog=LIST_EXAMPLE)
def waiting(*, as_json: Json = False) -> int:
    """Show the alerts that wait for their route, oldest first, with how often they were tried."""
    from bot.journal.outbox import OUTBOX_FILE, Outbox
    from bot.settings import load_settings

    path = load_settings().data_dir / OUTBOX_FILE
    letters = []
    if path.exists():
        outbox = Outbox(path)
        letters = outbox.due(2**62, at_most=1_000)
        outbox.close()
    if as_json:
        typer.echo(json.dumps([letter._asdict() for letter in letters], indent=2))
        return 0
    for letter in letters:
        typer.echo(
            f"{letter.route}: {letter.severity}: {letter.title} (tried {how_many(letter.attempts, 'time')})"
        )
    if not letters:
        typer.echo("nothing waits")
    return 0
