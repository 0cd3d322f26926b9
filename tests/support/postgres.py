"""A real PostgreSQL server from the system's packages, in a folder of its own, on a port of its own."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Self

import psycopg

from tests.support.patience import PATIENCE_S
from tests.support.ports import free_port

KEY = "22" * 32
"""A journal key for tests: a journal in PostgreSQL needs one given."""


def _newest(program: str) -> str:
    """The program itself, below `/usr/lib/postgresql`: what is on the path may be a wrapper."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda p: int(p.parts[-3]))
    return str(found[-1])


def _own_folder() -> tuple[Path, Sequence[str]]:
    """A folder for a server, and how to run it: PostgreSQL refuses root, so root lends it another user."""
    folder = Path(tempfile.mkdtemp(prefix="inband-pg-", dir="/tmp"))
    if os.geteuid() != 0:
        return folder, ()
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return folder, ("runuser", "-u", "postgres", "--")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/")


@cache
def _empty_cluster() -> Path:
    """An empty cluster, made once in a process; each server starts from a copy, which takes no seconds."""
    folder, as_user = _own_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _run(*as_user, _newest("initdb"), "-D", str(folder / "data"), "-U", "inband", "--auth=trust", "--no-sync")
    return folder / "data"


class PostgresServer:
    """Started by `start`, ended by `stop` or `kill`; what it stored outlives both, until `__exit__`."""

    def __init__(self, *, to_disk: bool = False) -> None:
        """With an empty cluster.

        `to_disk`: what is committed outlives the machine, too, and not just the server. No test cuts its
        power; and a disk that is busy for seconds looks like a database that is lost.
        """
        self.folder, self._as = _own_folder()
        self.port = free_port()
        self._fsync = "on" if to_disk else "off"
        self._process: subprocess.Popen[bytes] | None = None
        _run(*self._as, "cp", "-a", str(_empty_cluster()), str(self._data))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """Where a database is, as INBAND_DATABASE_URL wants it."""
        return f"postgresql://inband@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Serve, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        command = [*self._as, _newest("postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"]
        command += ["-c", f"fsync={self._fsync}"]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)
        log.close()
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end_s, "the server never answered"
                time.sleep(0.05)
            else:
                return

    def pid(self) -> int:
        """The process of the server itself."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def stop(self) -> None:
        """End every session at once, and the server in good order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut: nothing is said, and nothing is written any more."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self.pid(), number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement as its administrator; its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def keep_alive(self, database: str = "postgres") -> None:
        """Have the owners of a journal look alive for an hour: in a slow test nobody beats for them."""
        self.execute("UPDATE owner SET beat_at = clock_timestamp() + interval '1 hour'", database)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)
