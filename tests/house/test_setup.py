"""The first start from a fresh clone, in a copy of the checkout."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot import _find_pip

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN_PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"

# Stands for the command line: says where it runs and with which arguments.
CLI = 'import sys\ndef main():\n    print(sys.executable, *sys.argv[1:], "X" in sys._xoptions)\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout whose lock asks for nothing, so that setting it up needs no network."""
    folder = tmp_path / "clone"
    (folder / "bot").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "_setup.py", "_find_pip.py", "testing_command.py"):
        shutil.copy(REPOSITORY / "bot" / name, folder / "bot")
    (folder / "bot" / "cli.py").write_text(CLI)
    (folder / "config").mkdir()
    (folder / "config" / "runtime.lock").write_text("# nothing\n")
    (folder / "config" / "study.lock").write_text("# nothing, and the study\n")
    (folder / "config" / "requirements.lock").write_text("# nothing, and the test tools\n")
    return folder


def start(
    clone: Path, *arguments: str, python: Path = PLAIN_PYTHON, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -S -m bot` in the clone: without site-packages, as on a machine that has nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, "-S", "-X", "X", "-m", "bot", *arguments],
        cwd=clone,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_first_start_makes_an_environment_and_goes_on_in_it(clone: Path) -> None:
    """One line tells what takes so long; arguments and the interpreter's options are kept."""
    result = start(clone, "status", "--json")
    assert result.stdout == f"{clone / '.venv/bin/python'} status --json True\n", result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "setting up .venv" in result.stderr


def test_the_second_start_sets_nothing_up(clone: Path) -> None:
    """With the environment in place the start is silent."""
    start(clone)
    assert start(clone).stderr == ""


def test_a_new_lock_is_installed_into_the_same_environment(clone: Path) -> None:
    """A running daemon keeps its files when a new version is fetched beside it."""
    start(clone)
    (clone / ".venv" / "kept").touch()
    (clone / "config" / "runtime.lock").write_text("# another\n")
    assert "setting up" in start(clone).stderr
    assert (clone / ".venv" / "kept").exists()


def test_the_test_tools_come_with_the_first_test(clone: Path) -> None:
    """They are added to the same environment, which then serves the other commands too."""
    start(clone)
    (clone / ".venv" / "kept").touch()
    assert "setting up" in start(clone, "test").stderr
    assert (clone / ".venv" / "kept").exists()
    assert start(clone).stderr == ""


def test_the_libraries_of_the_study_come_with_the_first_backtest(clone: Path) -> None:
    """Into the same environment, which then serves the daemon too."""
    start(clone)
    (clone / ".venv" / "kept").touch()
    assert start(clone, "backtest", "--help").stderr == "", "help needs none of them"
    assert "study.lock" in start(clone, "backtest").stderr
    assert (clone / ".venv" / "kept").exists()
    assert start(clone).stderr == ""
    assert start(clone, "sweep").stderr == ""


def test_a_half_made_environment_is_made_again(clone: Path) -> None:
    """A set-up that was killed leaves no marker, and nothing of it is trusted."""
    start(clone)
    (clone / ".venv" / ".lock-sha").unlink()
    (clone / ".venv" / "half").touch()
    start(clone)
    assert not (clone / ".venv" / "half").exists()


def test_two_first_starts_share_one_set_up(clone: Path) -> None:
    """The second waits for the first, then goes on in what that has made."""
    with_results: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: with_results.append(start(clone))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in with_results] == [0, 0]
    assert sum("setting up" in result.stderr for result in with_results) == 1


def test_a_lock_that_cannot_be_installed_ends_in_one_line(clone: Path) -> None:
    """The line gives pip's reason, the settings to look at, and the log."""
    (clone / "config" / "runtime.lock").write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n")
    result = start(clone, PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "no-such-package" in line
    assert "PIP_INDEX_URL" in line


def test_nothing_is_set_up_where_that_was_forbidden(clone: Path) -> None:
    """An image brings its own environment."""
    result = start(clone, BOT_NO_BOOTSTRAP="1")
    assert result.returncode == 0
    assert not (clone / ".venv").exists()


def test_nothing_is_set_up_where_all_is_installed_already(clone: Path) -> None:
    """A developer's own environment is used as it is."""
    kept = os.environ | {"PYTHONPATH": str(clone)}
    subprocess.run([sys.executable, "-m", "bot"], cwd=clone, env=kept, check=True, capture_output=True)
    assert not (clone / ".venv").exists()


def test_tests_that_are_not_there_are_said_to_be_missing(clone: Path) -> None:
    """An installed package carries no tests."""
    result = start(clone, "test", BOT_NO_BOOTSTRAP="1")
    assert result.returncode == 2
    assert "in a clone" in result.stderr


@pytest.fixture
def no_pip_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which nobody has set anything for pip."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return monkeypatch


def test_pip_settings_come_from_its_file(no_pip_settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A section for `install` beats `global`, and the environment beats both."""
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = a\ncert = c\nno-index = n\n[install]\nindex-url = b\n")
    no_pip_settings.setenv("PIP_CONFIG_FILE", str(file))
    no_pip_settings.setenv("PIP_NO_INDEX", "1")
    settings = _find_pip.pip_settings()
    assert (settings["index-url"], settings["cert"], settings["no-index"]) == ("b", "c", "1")


def test_a_wheel_in_the_users_folder_is_taken_first(
    no_pip_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of several the newest counts, by number and not by letter."""
    for version in ("9.0", "24.10", "24.9"):
        (tmp_path / f"pip-{version}-py3-none-any.whl").touch()
    no_pip_settings.setenv("PIP_FIND_LINKS", str(tmp_path))
    command = _find_pip.command(Path("python"), tmp_path)
    assert command == ["python", str(tmp_path / "pip-24.10-py3-none-any.whl" / "pip"), "install"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A package index on a real socket: its folder and its address."""
    folder = tmp_path / "index"
    (folder / "pip").mkdir(parents=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def nothing_installed(no_pip_settings: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without pip, uv, apt and Debian's wheels."""
    no_pip_settings.setattr(_find_pip, "_SYSTEM_WHEELS", tmp_path / "none")
    no_pip_settings.setattr(_find_pip, "_installed_command", lambda _python: None)
    no_pip_settings.setenv("PATH", str(tmp_path / "none"))
    return no_pip_settings


def test_pip_is_fetched_from_the_users_index(
    nothing_installed: pytest.MonkeyPatch, index: tuple[Path, str], tmp_path: Path
) -> None:
    """The link on the index's page is followed, and the wheel kept where its hash is right."""
    folder, address = index
    name = _find_pip._PIP_WHEEL
    (folder / "pip" / "index.html").write_text(f'<a href="../files/{name}#sha256=0">{name}</a>')
    (folder / "files").mkdir()
    (folder / "files" / name).write_bytes(b"a wheel")
    nothing_installed.setenv("PIP_INDEX_URL", address)
    nothing_installed.setattr(_find_pip, "_PIP_SHA256", hashlib.sha256(b"a wheel").hexdigest())
    assert _find_pip.command(Path("python"), tmp_path) == ["python", str(tmp_path / name / "pip"), "install"]
    assert (tmp_path / name).read_bytes() == b"a wheel"


def test_a_pip_with_another_hash_is_refused(
    nothing_installed: pytest.MonkeyPatch, index: tuple[Path, str], tmp_path: Path
) -> None:
    """Nobody between us and the index can put in a pip of his own."""
    folder, address = index
    (folder / "pip" / "index.html").write_text(f'<a href="{_find_pip._PIP_WHEEL}">pip</a>')
    (folder / "pip" / _find_pip._PIP_WHEEL).write_bytes(b"another")
    nothing_installed.setenv("PIP_INDEX_URL", address)
    with pytest.raises(_find_pip.NoPipError, match="another hash"):
        _find_pip.command(Path("python"), tmp_path)


def test_a_machine_that_offers_nothing_is_told_what_to_install(
    nothing_installed: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The remedy names the package and the setting."""
    del nothing_installed
    with pytest.raises(_find_pip.NoPipError) as caught:
        _find_pip.command(Path("python"), tmp_path)
    assert "python3-venv" in caught.value.remedy
    assert "PIP_INDEX_URL" in caught.value.remedy
