"""Find a pip where Python comes without one, as Debian's does: no ensurepip, so an environment without pip.

In this order, each only where the one before is not there:

1. a pip wheel on this machine: in a folder of `PIP_FIND_LINKS`, or the one Debian keeps for its own venv;
2. pip or uv installed for this system;
3. the pip wheel named below, from the package index that pip's settings name, checked by its hash;
4. Debian's package of that wheel, by way of apt, which needs no root for a mere download.

No index is named here. Where nobody has set one, the pip that (4) brings knows the usual one.
"""

import configparser
import hashlib
import html.parser
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

_PIP_VERSION = "26.3"
_PIP_WHEEL = f"pip-{_PIP_VERSION}-py3-none-any.whl"
_PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

_SYSTEM_WHEELS = Path("/usr/share/python-wheels")
_DEBIAN_PACKAGE = "python3-pip-whl"
_TIMEOUT_S = 60


class NoPipError(Exception):
    """No pip can be had on this machine; `remedy` says what the user can do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this Python has no ensurepip, and {reason}")
        self.remedy = (
            "install the venv module of this Python (Debian: apt install python3-venv), or set PIP_INDEX_URL"
        )


def command(python: Path, folder: Path) -> list[str]:
    """Return the start of a command line that installs into the environment of `python`.

    What has to be downloaded goes into `folder`. Raises NoPipError, and OSError where `folder` cannot be
    written.
    """
    settings = pip_settings()
    wheel = _wheel_on_this_machine(settings)
    if wheel is None:
        installed = _installed_command(python)
        if installed is not None:
            return installed
        wheel = _from_index(settings, folder) or _from_debian(folder)
    if wheel is None:
        raise NoPipError("neither pip, uv, a package index in pip's settings nor apt is there to help")
    return [str(python), str(wheel / "pip"), "install"]


def pip_settings() -> dict[str, str]:
    """Return pip's settings, read where and as pip reads them: the environment beats the files.

    Names are as in the files (`index-url`), whatever the source.
    """
    home = Path.home()
    files = [Path(folder) / "pip" / "pip.conf" for folder in _xdg_folders()]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", _user_folder(home) / "pip" / "pip.conf"]
    if "PIP_CONFIG_FILE" in os.environ:
        files = [*files, Path(os.environ["PIP_CONFIG_FILE"])]
        if os.environ["PIP_CONFIG_FILE"] == os.devnull:
            files = []
    parser = configparser.RawConfigParser()
    try:
        parser.read(files, encoding="utf-8")
    except configparser.Error as error:
        raise NoPipError(f"pip's settings cannot be read: {' '.join(str(error).split())}") from error
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            settings.update(parser.items(section))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def _xdg_folders() -> list[str]:
    return [folder for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]


def _user_folder(home: Path) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")


def _wheel_on_this_machine(settings: dict[str, str]) -> Path | None:
    folders = [Path(entry) for entry in settings.get("find-links", "").split()]
    for folder in [*folders, _SYSTEM_WHEELS]:
        wheels = sorted(folder.glob("pip-*-py3-none-any.whl"), key=_version)
        if wheels:
            return wheels[-1]
    return None


def _version(wheel: Path) -> list[int]:
    return [int(part) for part in wheel.name.split("-")[1].split(".") if part.isdigit()]


def _installed_command(python: Path) -> list[str] | None:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--python", str(python), "install"]
    uv = shutil.which("uv")
    return None if uv is None else [uv, "pip", "install", "--python", str(python)]


def _from_index(settings: dict[str, str], folder: Path) -> Path | None:
    index = settings.get("index-url")
    if index is None or settings.get("no-index", "0").lower() in {"1", "true", "yes", "on"}:
        return None
    page = index.rstrip("/") + "/pip/"
    trust = ssl.create_default_context(cafile=settings.get("cert"))
    try:
        links = _Links()
        links.feed(_fetch(page, trust).decode("utf-8", errors="replace"))
        address = next((link for link in links.addresses if _file_name(link) == _PIP_WHEEL), None)
        if address is None:
            raise NoPipError(f"the package index in pip's settings has no {_PIP_WHEEL}")
        content = _fetch(urllib.parse.urljoin(page, address), trust)
    except (urllib.error.URLError, TimeoutError) as error:
        raise NoPipError(f"the package index in pip's settings does not answer ({error})") from error
    if hashlib.sha256(content).hexdigest() != _PIP_SHA256:
        raise NoPipError(f"the package index in pip's settings has a {_PIP_WHEEL} with another hash")
    wheel = folder / _PIP_WHEEL
    wheel.write_bytes(content)
    return wheel


def _fetch(address: str, trust: ssl.SSLContext) -> bytes:
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S, context=trust) as answer:
        content: bytes = answer.read()
    return content


def _file_name(address: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(address).path).rpartition("/")[2]


class _Links(html.parser.HTMLParser):
    """The addresses on a page of a package index (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of a link."""
        self.addresses += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _from_debian(folder: Path) -> Path | None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        downloads = Path(name)
        # Lists of its own, so that it works without root and where the system's were cleared away.
        apt = ["apt-get", "-qq", "-o", f"Dir::State::Lists={name}/lists", "-o", f"Dir::Cache={name}/cache"]
        apt += ["-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User="]
        for folder_needed in ("lists/partial", "cache/archives/partial"):
            (downloads / folder_needed).mkdir(parents=True)
        _apt_step([*apt, "update"], downloads)
        _apt_step([*apt, "download", _DEBIAN_PACKAGE], downloads)
        for package in downloads.glob("*.deb"):
            _apt_step(["dpkg-deb", "-x", str(package), f"{name}/unpacked"], downloads)
        for wheel in downloads.glob("unpacked/usr/share/python-wheels/pip-*.whl"):
            return Path(shutil.copy(wheel, folder))
    raise NoPipError(f"Debian's {_DEBIAN_PACKAGE} holds no pip")


def _apt_step(step: list[str], folder: Path) -> None:
    done = subprocess.run(step, cwd=folder, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise NoPipError(
            f"apt cannot download {_DEBIAN_PACKAGE}: {output[-1] if output else done.returncode}"
        )
