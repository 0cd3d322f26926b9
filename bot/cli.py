"""The command line: `inband ...`, or `python3 -m bot ...`. Each command imports its room when it runs."""

import json
import os
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot import (
    cli_alerts,
    cli_compare,
    cli_control,
    cli_data,
    cli_db,
    cli_examples,
    cli_exchanges,
    cli_flows,
    cli_simulate,
    cli_study,
    cli_sweep,
)
from bot.cli_errors import explain
from bot.errors import UserError

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code: 0, 1 (failed, refused) or 2 (usage)."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command and give its exit code; what goes wrong is one line on standard error."""
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.append(os.getcwd())  # noqa: PTH109 - a user's own strategy is imported from where they stand
    try:
        code: object = app(arguments, prog_name="inband", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; nothing may be flushed into the broken pipe at exit.
        # Where the pipe breaks within the command, typer and rich end it likewise, with the same exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a line and an exit code
        line, exit_code = explain(error)
        sys.stderr.write(f"error: {line}\n")
        return exit_code
    return code if isinstance(code, int) else 0


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        print(f"inband {_version()}")
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("inband")
    except PackageNotFoundError:  # a clone, whose .venv holds what we need and not ourselves
        import tomllib

        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


@app.callback(invoke_without_command=True, epilog="Example: INBAND_PAPER__SPEED=max python3 -m bot")
def command(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback has done the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> int:
    """Run leveraged-token funds; without a command, in paper mode.

    Settings come from the environment (INBAND_...), .env and config/<mode>.toml.
    """
    return run(fresh=False, adopt=False) if context.invoked_subcommand is None else 0


@app.command(epilog="Example: INBAND_PAPER__SCENARIO=crash python3 -m bot run --fresh")
def run(
    *,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Archive the journal and the paper exchange first, then start anew."),
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Accept what others did on the accounts, and end what it stopped.")
    ] = False,
) -> int:
    """Run the funds until SIGINT or SIGTERM; a rebalance under way is parked."""
    settings = _settings()
    from bot.daemon import main as daemon
    from bot.web.server import serve

    serving = partial(serve, allowed_hosts=settings.web.allowed_hosts)
    return daemon.run(settings, fresh=fresh, adopt=adopt, serve=serving)


@app.command(epilog="Example: python3 -m bot status --json")
def status(*, as_json: Json = False) -> int:
    """Show each fund: mark, NAV, real leverage against its band, state. Works without a daemon, too."""
    settings = _settings()
    from bot.cli_journal import read_funds

    funds = read_funds(settings)
    if as_json:
        print(json.dumps(funds, indent=2))
        return 0
    from bot.cli_views import print_funds

    print_funds(funds)
    return 0


@app.command(epilog="Example: INBAND_MODE=testnet python3 -m bot check --json")
def check(*, as_json: Json = False) -> int:
    """Look at everything before a start: settings, venue, keys, accounts, journal, disk. Changes nothing."""
    settings = _settings()
    from bot.cli_daemon import ask, starts, waits_for
    from bot.cli_views import print_findings
    from bot.daemon.check import Running
    from bot.daemon.check import check as look

    venue, funds = ask(settings, "/api/v1/operator/venue"), ask(settings, "/api/v1/operator/funds")
    running = Running(venue["paper_url"], funds or ()) if isinstance(venue, dict) else None
    idle = not funds if running is not None else starts(settings)
    findings = look(settings, running, waits=waits_for(settings) if idle else None)
    failed = any(finding.verdict == "failed" for finding in findings)
    if as_json:
        told = {"passed": not failed, "findings": [finding._asdict() for finding in findings]}
        print(json.dumps(told, indent=2))
    else:
        print_findings(findings)
    return 1 if failed else 0


@app.command(epilog="Example: python3 -m bot history --verify")
def history(
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the public record; exit code 1 if anything is wrong.")
    ] = False,
    file: Annotated[
        str | None,
        typer.Option(help="With --verify: a downloaded record instead of the journal; - is standard input."),
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="With --verify: a chain head that you kept; it must be part of the chain."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show every rebalance, oldest first, from the journal; or verify the public record."""
    if verify:
        from bot.cli_journal import verify_record

        return verify_record(file, head or [], as_json=as_json)
    if file is not None or head:
        raise UserError("--file and --head go with --verify")
    settings = _settings()
    from bot.cli_journal import read_history

    rebalances = read_history(settings)
    if as_json:
        print(json.dumps(rebalances, indent=2))
        return 0
    from bot.cli_views import print_rebalances

    print_rebalances(rebalances)
    return 0


@app.command(epilog='Example: INBAND_FUNDS__BTCUP__BAND="[1.6, 2.8]" python3 -m bot config')
def config(*, as_json: Json = False) -> int:
    """Show every setting: its value, and where it was set. Secrets are masked."""
    settings = _settings()
    if as_json:
        values = {entry.name: {"value": entry.value, "origin": entry.origin} for entry in settings.effective}
        print(json.dumps(values, indent=2))
    else:
        from bot.cli_views import print_settings

        print_settings(settings.effective)
    for warning in settings.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return 0


@app.command(epilog=cli_examples.epilog())
def exchange(  # noqa: PLR0913 - each argument is an option
    *,
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = 8090,
    replay: Annotated[
        str | None, typer.Option(help="File of prices: CSV, CSV.gz, Parquet, - for stdin.")
    ] = None,
    funding: Annotated[str | None, typer.Option(help="File of funding rates.")] = None,
    scenario: Annotated[str, typer.Option(help="calm, crash, squeeze, whipsaw or founding.")] = "whipsaw",
    seed: Annotated[int, typer.Option(help="Seed of the scenario and of the order book.", min=0)] = 0,
    speed: Annotated[str, typer.Option(help="Market time per wall time: a factor, or max.")] = "1",
    balance: Annotated[float, typer.Option(help="USDT that each account starts with.", min=0)] = 100_000,
    symbol: Annotated[
        list[str] | None, typer.Option(help="A symbol, by default BTCUSDT; give it again for more.")
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="An account, NAME or NAME=USDT, by default UP and DOWN; give it again for more."),
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option(help="TOML file of accounts: [[account]] with name, key, secret, balance.")
    ] = None,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Let faults be scripted at /faults (see docs/exchange-faults.md)."),
    ] = False,
    data_dir: Annotated[Path, typer.Option(help="Folder for the exchange's own store.")] = Path(
        "data/exchange"
    ),
    basis: Annotated[float, typer.Option(help="How far marks lie above the index on average, in bps.")] = 0,
    fit: Annotated[
        Path | None,
        typer.Option(help="Serve nothing: fit the background market to a recorded book and tape, judge it."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run a paper exchange by itself: the Binance USD-M futures protocol on local sockets.

    With --json it says where it listens, and the accounts with their keys, as one line of JSON.
    """
    from bot.cli_exchange import ExchangeOptions, run_exchange, run_fit

    if fit is not None:
        return run_fit(fit, as_json=as_json)
    options = ExchangeOptions(
        port=port,
        symbols=tuple(dict.fromkeys(name.upper() for name in symbol or ("BTCUSDT",))),
        replay=replay,
        funding=funding,
        scenario=scenario,
        seed=seed,
        speed=speed,
        balance=Decimal(str(balance)),
        accounts=tuple(account or ()),
        accounts_file=accounts,
        faults=faults,
        basis_bps=basis,
        data_dir=data_dir,
        as_json=as_json,
    )
    return run_exchange(options)


app.command(epilog=cli_control.PAUSE_EXAMPLE)(cli_control.pause)
app.command(epilog=cli_control.RESUME_EXAMPLE)(cli_control.resume)
app.command(epilog=cli_control.HALT_EXAMPLE)(cli_control.halt)
app.command(epilog=cli_control.REBALANCE_EXAMPLE)(cli_control.rebalance)
app.command(epilog=cli_control.FLATTEN_EXAMPLE)(cli_control.flatten)
app.command(epilog=cli_control.RELOAD_EXAMPLE)(cli_control.reload)
app.command(epilog=cli_control.ACKNOWLEDGE_EXAMPLE)(cli_control.acknowledge)
app.command(epilog=cli_flows.SUBSCRIBE_EXAMPLE)(cli_flows.subscribe)
app.command(epilog=cli_flows.REDEEM_EXAMPLE)(cli_flows.redeem)
app.command(epilog=cli_flows.FLOWS_EXAMPLE)(cli_flows.flows)
app.command(epilog=cli_flows.CONSOLIDATE_EXAMPLE)(cli_flows.consolidate)
app.command(epilog=cli_flows.SPLIT_EXAMPLE)(cli_flows.split)
app.command(epilog=cli_study.BACKTEST_EXAMPLE)(cli_study.backtest)
app.command(epilog=cli_simulate.SIMULATE_EXAMPLE)(cli_simulate.simulate)
app.add_typer(cli_data.data, name="data")
app.add_typer(cli_db.db, name="db")
app.add_typer(cli_alerts.alert, name="alert")
app.command(epilog=cli_exchanges.EXCHANGES_EXAMPLE)(cli_exchanges.exchanges)
app.command(epilog=cli_compare.COMPARE_EXAMPLE)(cli_compare.compare)
app.command(epilog=cli_sweep.SWEEP_EXAMPLE)(cli_sweep.sweep)


@app.command(
    "test",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: python3 -m bot test tests/settings -q",
)
def run_tests(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to pytest.")] = None,
) -> None:
    """Run the test suite of a clone; sets up what it needs first."""
    from bot import testing_command

    testing_command.run(arguments or [])


def _settings() -> "Settings":
    from bot.settings import load_settings

    return load_settings()
