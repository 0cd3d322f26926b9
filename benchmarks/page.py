"""The dashboard: how soon it can be used with many funds and a year of history, and what open ones cost.

Load times are those of a real Chromium on a real daemon, counted by the page from the start of its navigation
to the frame after the one that showed it: until every figure is there, until both charts are seen, and until
both can be zoomed into (plotly has drawn them; that has no limit). A second visit follows in the same browser
after some seconds.
The cost is the daemon's CPU time while so many pages read streams against none: each dashboard one, an
operator's view the one with true figures besides.
"""

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, sin
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Playwright, sync_playwright

from benchmarks.measure import main, report
from benchmarks.processes import Daemon, settings
from bot.core.bars import INTERVALS_MS, Bar, Closed
from bot.daemon.nav import row_of
from bot.journal.nav_store import NavStore, Row

FIRST_LIMIT_S, AGAIN_LIMIT_S, CORE_LIMIT_PERCENT = 1.5, 0.7, 5.0
_VISIT_MS = 3_000
"""For how long somebody looks at what is there."""
_PATIENCE_MS = 120_000
_GRANTED = b"HTTP/1.1 200"
_NEWS_WITHIN_S = 60.0
"""Marks come once a second, and what they change is told once a second."""
_TOKEN = "operators-token-of-the-benchmark"  # noqa: S105 - of this daemon alone
_CAPITAL = 100_000
_DAY_MS = 86_400_000
_BEGIN_MS = 1_704_067_200_000
"""Where the paper market of a scenario begins: 2024-01-01 00:00 UTC."""


def measure(*, tiny: bool = False) -> None:
    """Load the page, then leave many open."""
    funds, days, loads, seconds = (4, 30, 1, 1.0) if tiny else (50, 365, 3, 10.0)
    names = [f"F{number}" for number in range(funds)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = settings(
            folder,
            config=_write_config(folder / "funds.toml", names),
            paper__scenario="calm",
            paper__speed=60,
            web__token=_TOKEN,
        )
        _fill(folder / "data", names, days)
        with Daemon(["run"], environment) as daemon:
            url = daemon.event("serving").fields["url"]
            daemon.event("running")
            _load(folder, url, loads, funds)
            daemon.event("rebalance_finished" if not tiny else "rebalance_started", times=funds)
            _stay_open(daemon, url, seconds, 1 if tiny else 3)


def _load(folder: Path, url: str, loads: int, funds: int) -> None:
    """Open views in browsers that have seen none of it, and once more in the same."""
    lever = "[data-chart=leverage]"
    views = {
        f"{url}/#/": {"overview usable": f"tr[data-fund=F{funds - 1}] .needle-pin"},
        f"{url}/#/fund/F0": {
            "fund usable": "#main .needle-pin",
            "both charts seen": f"{lever} svg",
            "both charts interactive": f"{lever} .scatterlayer .trace",
        },
    }
    limits = {"first": FIRST_LIMIT_S, "second": AGAIN_LIMIT_S}
    with sync_playwright() as playwright:
        for address, figures in views.items():
            found = [
                _visits(playwright, folder / f"{len(figures)} {number}", address, figures)
                for number in range(loads)
            ]
            for place, (word, limit) in enumerate(limits.items()):
                for figure in figures:
                    samples = [visits[place][figure] for visits in found]
                    bound = None if figure.endswith("interactive") else limit
                    report("page", f"{figure}, {word} visit", samples, "s", limit=bound, funds=funds)


_WATCH = """
window.seen = {};
const look = (figures) => {
  for (const [name, selector] of Object.entries(figures)) {
    if (name in window.seen || !document.querySelector(selector)) continue;
    window.seen[name] = 0;
    requestAnimationFrame(() => (window.seen[name] = performance.now() / 1000));
  }
  requestAnimationFrame(() => look(figures));
};
look(FIGURES);
"""


def _visits(
    playwright: Playwright, profile: Path, address: str, figures: dict[str, str]
) -> list[dict[str, float]]:
    """When each figure's selector matched (s), in a new profile and once more."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    path = shutil.which("chromium")
    with playwright.chromium.launch_persistent_context(
        profile,
        executable_path=path,
        args=arguments,
        viewport={"width": 1280, "height": 860},
        timeout=_PATIENCE_MS,
    ) as context:
        times = []
        for _ in range(2):
            page = context.new_page()
            page.add_init_script(_WATCH.replace("FIGURES", json.dumps(figures)))
            page.goto(address, wait_until="commit", timeout=_PATIENCE_MS)
            for selector in figures.values():
                page.locator(selector).first.wait_for(state="attached", timeout=_PATIENCE_MS)
            page.wait_for_timeout(_VISIT_MS)
            names = json.dumps(list(figures))  # a busy machine has drawn nothing of it by then
            page.wait_for_function(f"{names}.every((name) => window.seen[name] > 0)", timeout=_PATIENCE_MS)
            times.append(page.evaluate("window.seen"))
            page.close()
    return times


def _stay_open(daemon: Daemon, url: str, seconds: float, samples: int) -> None:
    crowds = {
        "20 open dashboards, one mark a second": "",
        "20 open operator's views, one mark a second": "/api/v1/operator/stream",
    }
    for figure, more_path in crowds.items():
        alone, crowded = [], []
        for _ in range(samples):
            alone.append(daemon.share_of_a_core(seconds))
            with _readers(url, "/api/v1/stream", 20), _readers(url, more_path, 20):
                crowded.append(daemon.share_of_a_core(seconds))
        # Readers cost no less than nothing: what is below it is the noise of either share.
        more = [max(0.0, with_it - without) for with_it, without in zip(crowded, alone, strict=True)]
        report("page", figure, more, "% of a core", limit=CORE_LIMIT_PERCENT)
        report("page", f"daemon with {figure}", crowded, "% of a core", baseline=median(alone) or None)


@contextmanager
def _readers(url: str, path: str, count: int) -> Iterator[None]:
    """So many streams of a path, read as fast as they come; none without a path.

    One that is refused, cut off or told nothing costs nothing: that is an error.
    """
    place = urlsplit(url)
    count = count if path else 0
    streams = [socket.create_connection((place.hostname or "", place.port or 80)) for _ in range(count)]
    heard = [0] * count
    for number, stream in enumerate(streams):
        stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {_TOKEN}\r\n\r\n".encode()
        )
        answer = stream.recv(len(_GRANTED), socket.MSG_WAITALL)
        assert answer == _GRANTED, (path, answer)
        threading.Thread(target=_drain, args=(stream, number, heard), daemon=True).start()
    yield
    before, deadline = heard.copy(), time.monotonic() + _NEWS_WITHIN_S
    while not all(now > then for now, then in zip(heard, before, strict=True)):
        assert time.monotonic() < deadline, f"nothing new on {path}"
        time.sleep(0.05)
    for stream in streams:
        stream.shutdown(socket.SHUT_RDWR)


def _drain(stream: socket.socket, number: int, heard: list[int]) -> None:
    while piece := stream.recv(65_536):
        heard[number] += len(piece)
    stream.close()


def _fill(folder: Path, names: list[str], days: int) -> None:
    """A history before the market began: hours and days of all funds, of the one that is opened all of it."""
    folder.mkdir(mode=0o700)
    store = NavStore(folder / "nav.sqlite")
    for interval, length_ms in INTERVALS_MS.items():
        starts = range(_BEGIN_MS - days * _DAY_MS, _BEGIN_MS, length_ms)
        for name in names if length_ms >= INTERVALS_MS["1h"] else names[:1]:
            store.write([_row(name, interval, start, length_ms) for start in starts], INTERVALS_MS, {})
    store.close()


def _row(name: str, interval: str, start_ms: int, length_ms: int) -> Row:
    nav = 1 + 0.3 * sin(start_ms / _DAY_MS / 40) + 0.02 * cos(start_ms / length_ms * 1.7)
    bar = Bar(start_ms, nav, nav * 1.0004, nav * 0.9996, nav, 60, nav * 6e4, 2 / nav, nav * 0.99)
    return row_of(name, Closed(interval, bar, None))


def _write_config(path: Path, names: list[str]) -> Path:
    """So many funds on one symbol, UP and DOWN in turn."""
    lines = ['mode = "paper"']
    for number, name in enumerate(names):
        side = "short" if number % 2 else "long"
        lines += [f"[accounts.{name}]", f"[funds.{name}]", 'underlying = "BTCUSDT"', f'side = "{side}"']
        lines += [f'account = "{name}"', f"capital = {_CAPITAL}"]
    path.write_text("\n".join(lines) + "\n")
    return path


if __name__ == "__main__":
    main(measure)
