"""Set up `.venv` in the checkout, and go on inside it.

Standard library only: this runs before anything else is there. Nothing is installed outside `.venv`.
Where `.venv` is up to date, all it costs is the hash of the lock and one exec.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parent.parent
VENV = REPOSITORY / ".venv"
RUNTIME_LOCK = REPOSITORY / "config" / "runtime.lock"
STUDY_LOCK = REPOSITORY / "config" / "study.lock"
"""The same versions, and the libraries of the study, which a daemon has no use for."""
FULL_LOCK = REPOSITORY / "config" / "requirements.lock"
"""The same versions again, and the test tools."""
_LOCKS = {"daemon": RUNTIME_LOCK, "study": STUDY_LOCK, "tests": FULL_LOCK}
"""By what the environment is for; each lock holds the ones before it."""

STUDY_COMMANDS = ("backtest", "compare", "sweep", "data")

_PYTHON = VENV / "bin" / "python"
_MARKER = VENV / ".lock-sha"
_LOG = VENV / "setup.log"

# Modules whose presence says that somebody else (an image, a developer) has set up this Python.
_RUNTIME_MODULES = (
    "ccxt",
    "aiohttp",
    "alembic",
    "apprise",
    "cryptography",
    "orjson",
    "plotly",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "structlog",
    "tenacity",
    "typer",
    "uvloop",
)
_MODULES = {
    "daemon": _RUNTIME_MODULES,
    "study": (*_RUNTIME_MODULES, "distributed", "numba", "numpy", "polars"),
    "tests": (*_RUNTIME_MODULES, "pytest"),
}


def purpose_of(arguments: list[str]) -> str:
    """What a command needs: the `daemon`'s libraries, the `study`'s, or the `tests`'.

    To print its help, none but the daemon's.
    """
    command = arguments[0] if arguments else ""
    if command != "test" and {"-h", "--help"} & set(arguments):
        return "daemon"
    return "tests" if command == "test" else "study" if command in STUDY_COMMANDS else "daemon"


def ensure(purpose: str) -> None:
    """Return where this Python has all that is needed for `purpose`; else set `.venv` up and continue in it.

    Ends the process with exit code 1 and one line when the environment cannot be made.
    """
    if os.environ.get("BOT_NO_BOOTSTRAP") == "1" or not RUNTIME_LOCK.is_file():
        return  # an image, or an installed package
    # Not by sys.prefix, which `python -S` leaves as it was: we would exec for ever.
    inside = Path(sys.executable).parent.resolve() == _PYTHON.parent.resolve()
    locks = tuple(_LOCKS.values())[tuple(_LOCKS).index(purpose) :]
    if inside and _is_current(locks):
        return
    if not inside and _has(_MODULES[purpose]):
        return
    if not _is_current(locks):
        try:
            _set_up(locks)
        except OSError as error:
            _fail(
                f"cannot write {VENV}: {error.strerror or error}", "make the checkout writable for this user"
            )
        except KeyboardInterrupt:
            _fail("interrupted", "run the same command again")
    # The interpreter's own options (-X, -W) stay in force.
    os.execv(_PYTHON, [str(_PYTHON), *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


def _has(modules: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _python_identity() -> str:
    return hashlib.sha256(f"{sys.version} {VENV}".encode()).hexdigest()


def _lock_identity(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""


def _marked() -> list[str]:
    try:
        return _MARKER.read_text().split()
    except FileNotFoundError:
        return []


def _is_current(locks: tuple[Path, ...]) -> bool:
    """Whether `.venv` was made by this Python from one of these locks."""
    marked = _marked()
    # The link dangles where the Python it was made from has been removed.
    return (
        len(marked) == 2
        and marked[0] == _python_identity()
        and marked[1] in map(_lock_identity, locks)
        and _PYTHON.exists()
    )


def _set_up(locks: tuple[Path, ...]) -> None:
    """Make `.venv` from the first of `locks`, or bring it up to that.

    One process at a time; the others wait for it.
    """
    checkout = os.open(REPOSITORY, os.O_RDONLY)
    fcntl.flock(checkout, fcntl.LOCK_EX)
    try:
        if _is_current(locks):
            return
        sys.stderr.write(f"setting up .venv ({locks[0].name}), once; about 20 to 90 s ...\n")
        # A daemon may be running from this environment: for a new lock it is changed in place, not
        # emptied. Without the marker it is half made, with another Python's it is of no use.
        keep = _marked()[:1] == [_python_identity()] and _PYTHON.exists()
        _MARKER.unlink(missing_ok=True)
        _install(locks[0], keep=keep)
        _MARKER.write_text(f"{_python_identity()}\n{_lock_identity(locks[0])}\n")
    finally:
        os.close(checkout)


def _install(lock: Path, *, keep: bool) -> None:
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not keep:
        # The Python below any environment we were started from, so that `.venv` outlives that one.
        python = Path(getattr(sys, "_base_executable", sys.executable))
        options = [] if has_ensurepip else ["--without-pip"]
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        _run([str(python), "-m", "venv", *options, str(VENV)])
    if has_ensurepip:
        install = [str(_PYTHON), "-m", "pip", "install"]
    else:
        from bot import _find_pip

        try:
            install = _find_pip.command(_PYTHON, VENV)
        except _find_pip.NoPipError as error:
            _fail(str(error), error.remedy)
    # The lock is complete, so nothing is left to resolve.
    _run([*install, "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)])


def _run(command: list[str]) -> None:
    """Run one step of the set-up, its output to the log; its failure ends the process with one line."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environment.pop("PIP_REQUIRE_VIRTUALENV", None)
    with _LOG.open("ab") as log:
        result = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False, env=environment)
    if result.returncode != 0:
        lines = [line.strip() for line in _LOG.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line[7:] for line in lines if line.startswith("ERROR: ")]
        reason = (errors or lines or [f"exit code {result.returncode}"])[-1]
        _fail(reason, f"check the network and pip's settings (PIP_INDEX_URL, PIP_FIND_LINKS); see {_LOG}")


def _fail(reason: str, remedy: str) -> NoReturn:
    sys.stderr.write(f"error: setting up {VENV} failed: {reason}; {remedy}\n")
    sys.exit(1)
