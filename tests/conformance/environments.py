"""The environments of clients that cannot live in ours, each made from a hashed lock of `config/`.

An environment is made once for a lock and a Python, below `.conformance` in the checkout, by one process at
a time. Where this Python has no ensurepip, pip is found as the project's own set-up finds it.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bot import _find_pip

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".conformance"
LOCKS = {
    "sdk": REPOSITORY / "config" / "conformance-sdk.lock",
    "python_binance": REPOSITORY / "config" / "conformance-python-binance.lock",
}
"""The clients by name. ccxt is not among them: the project itself depends on it."""

_DONE = ".installed"


class InstallError(Exception):
    """An environment cannot be made on this machine; one line."""


def python_of(client: str) -> Path:
    """Return the Python that can import `client`; installs it where need be. Raises InstallError."""
    if client == "ccxt":
        return Path(sys.executable)
    lock = LOCKS[client]
    identity = hashlib.sha256(lock.read_bytes() + f"{sys.version} {FOLDER}".encode()).hexdigest()[:16]
    environment = FOLDER / f"{client}-{identity}"
    python = environment / "bin" / "python"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{client}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (environment / _DONE).exists():
            for old in FOLDER.glob(f"{client}-*"):
                shutil.rmtree(old)
            _install(environment, python, lock)
            (environment / _DONE).touch()
    return python


def _install(environment: Path, python: Path, lock: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    _run([base, "-m", "venv", *([] if has_ensurepip else ["--without-pip"]), str(environment)], lock)
    install = [str(python), "-m", "pip", "install"]
    if not has_ensurepip:
        try:
            install = _find_pip.command(python, environment)
        except _find_pip.NoPipError as error:
            raise InstallError(f"{lock.name}: {error}; {error.remedy}") from error
    # The lock is complete, so nothing is left to resolve.
    _run([*install, "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)], lock)


def _run(command: list[str], lock: Path) -> None:
    settings = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    settings.pop("PIP_REQUIRE_VIRTUALENV", None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")]
        reason = (errors or lines or [f"exit code {done.returncode}"])[-1]
        raise InstallError(f"cannot install {lock.name}: {reason}; check the network and pip's settings")
