"""`db`: the journal as a database: upgrade, verify, backup, restore, export."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.core.texts import how_many

if TYPE_CHECKING:
    from bot.journal.backup import Copied

db = typer.Typer(help="The journal: upgrade, verify, backup, restore, export.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@db.command(epilog="Example: python3 -m bot db upgrade")
def upgrade(*, as_json: Json = False) -> int:
    """Bring the tables of an older version up to date; a rebalance may be open, a daemon must not run.

    A SQLite file is copied to archive/ in the data directory first.
    """
    from bot.daemon.database import upgrade_journal
    from bot.settings import load_settings

    done = upgrade_journal(load_settings())
    if as_json:
        _print(done._asdict())
    elif done.before == done.after:
        sys.stdout.write(f"up to date (revision {done.after})\n")
    else:
        kept = "" if done.copy is None else f"; as it was it is kept in {done.copy}"
        sys.stdout.write(f"upgraded from revision {done.before} to {done.after}{kept}\n")
    return 0


@db.command(epilog="Example: python3 -m bot db verify --json")
def verify(
    *,
    venue: Annotated[
        bool, typer.Option("--venue/--no-venue", help="Also compare with the accounts at the venue.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Check the journal: store, records, what is kept of them, and the accounts at the venue.

    Exit code 1 where anything is wrong, or could not be told.
    """
    from bot.cli_daemon import ask
    from bot.cli_journal import reader
    from bot.daemon.verification import verify as look
    from bot.settings import load_settings

    settings = load_settings()
    with reader(settings) as journal:
        checks = look(settings, journal, lambda path: ask(settings, path), venue=venue)
    verified = all(check.ok for check in checks)
    if as_json:
        _print({"verified": verified, "checks": [check._asdict() for check in checks]})
        return 0 if verified else 1
    words = {True: "ok", False: "WRONG", None: "unknown"}
    for check in checks:
        sys.stdout.write(f"{words[check.ok]:8} {check.what:12} {check.fund or '':10} {check.seen}\n")
    return 0 if verified else 1


@db.command(epilog="Example: python3 -m bot db backup backups/journal-monday.sqlite")
def backup(
    file: Annotated[Path, typer.Argument(help="A file that does not exist yet.")], *, as_json: Json = False
) -> int:
    """Copy the journal to one file, also while the daemon runs. The key is not in it: keep it apart."""
    from bot.daemon.database import back_up_journal
    from bot.settings import load_settings

    return _told(back_up_journal(load_settings(), file), "copied to", as_json=as_json)


@db.command(epilog="Example: python3 -m bot db restore backups/journal-monday.sqlite")
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `db backup` made.")], *, as_json: Json = False
) -> int:
    """Put a copy back as the journal; what is there is kept aside. No daemon may run.

    The next start takes new order ids and draws, looks at the venue for orders that the copy lacks, and halts
    where there are any.
    """
    from bot.daemon.database import restore_journal
    from bot.errors import UserError
    from bot.settings import load_settings

    if not file.is_file():
        raise UserError(f"{file}: no such file; name a copy that `db backup` made")
    return _told(restore_journal(load_settings(), file), "put back from", as_json=as_json)


@db.command(epilog="Example: python3 -m bot db export BTCUP --out btcup.jsonl")
def export(
    funds: Annotated[list[str] | None, typer.Argument(help="Funds by name; without one, all.")] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="A file that does not exist yet; else stdout.")] = None,
    nav: Annotated[
        bool, typer.Option("--nav", help="The history of NAV too, as the public sees it.")
    ] = False,
) -> int:
    """Write every record as a line of JSON. What is not public yet stays sealed."""
    from bot.errors import RefusedError

    made: list[Path] = []
    try:
        _export(funds or [], out, made, nav=nav)
    except BrokenPipeError:
        raise
    except OSError as error:
        for file in made:
            file.unlink()
        where = "standard output" if out is None else f"--out {out}"
        raise RefusedError(f"{where}: cannot be written ({error.strerror}); make room there") from None
    return 0


def _export(funds: list[str], out: Path | None, made: list[Path], *, nav: bool) -> None:
    """Write it; `made` gets the file once there is one that is ours."""
    from bot.cli_journal import reader
    from bot.errors import RefusedError, UserError, did_you_mean
    from bot.journal import nav_copy
    from bot.journal.export import lines
    from bot.journal.projections import BOOK, load
    from bot.settings import load_settings

    settings = load_settings()
    with ExitStack() as stack:
        history = nav_copy.of_store(settings.data_dir, settings.database_url) if nav else None
        journal = stack.enter_context(reader(settings))
        known = journal.funds()
        for name in funds:
            if name.upper() not in known:
                raise RefusedError(f"{name}: the journal knows no such fund; {did_you_mean(name, known)}")
        try:
            sink = sys.stdout.buffer if out is None else stack.enter_context(out.open("xb"))
        except OSError as error:
            raise UserError(f"--out {out}: cannot be written ({error.strerror}); name a new file") from None
        made += [] if out is None else [out]
        for fund in [name.upper() for name in funds] or known:
            sink.writelines(lines(journal, fund))
            if history is not None:
                hidden_since = load(journal, fund, (BOOK,)).values[0].public.hidden_since_ms
                sink.writelines(nav_copy.lines(nav_copy.public(history, {fund: hidden_since}), fund))
        sink.flush()


def _told(copied: "Copied", done: str, *, as_json: bool) -> int:
    if as_json:
        _print(copied._asdict())
        return 0
    sys.stdout.write(f"{done} {copied.file}\n")
    for fund, count in copied.records.items():
        sys.stdout.write(f"  {fund}: {how_many(count, 'record')}\n")
    if copied.archived is not None:
        sys.stdout.write(f"what was there is kept in {copied.archived}\n")
    return 0


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
