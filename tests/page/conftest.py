"""Real Chromium on the page of a real daemon."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.inband import Inband, Process
from tests.support.replay import write_replay

TOKEN = "operators-token-of-the-page-tests"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000
"""What is expected may take a busy machine a while: plotly seconds where it has a core, and it has none."""

LONG_MS = 180_000
"""A rebalance and its reveal take this long at most, in the market of these tests."""

expect.set_options(timeout=PATIENCE_MS)


class Site(NamedTuple):
    """A running daemon, the address of its page, and that of the exchange within it."""

    process: Process
    url: str
    venue: str


class Visit(NamedTuple):
    """A page, what its console said, and what it asked of other hosts."""

    page: Page
    complaints: list[str]
    foreign: list[str]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two funds in a market that goes up and down: BTCDOWN leaves its band again and again, BTCUP never."""
    folder = tmp_path_factory.mktemp("site")
    # It lasts for half an hour of tests.
    path = write_replay(folder / "prices.csv", *[60_000, 78_000] * 25, 60_000, hours=150)
    settings = {
        "PAPER__REPLAY": str(path),
        "PAPER__SEED": "5",
        "PAPER__SPEED": "300",
        "WEB__TOKEN": TOKEN,
    }
    with Inband(folder, **settings).start() as process:
        url = process.until_said("serving")["url"]
        process.until_said("running")  # before that there are neither funds nor a token
        yield Site(process, url, venue_of(process))


def venue_of(process: Process) -> str:
    """Where the exchange within a daemon serves."""
    (host, *_) = process.until_said("starting")["hosts"]
    return f"http://{host}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen; ended with its module, for playwright holds the event loop."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        # Chromium's sandbox refuses to run for root, as which CI runs in its own container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments, timeout=LONG_MS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Open the page anew, with the options of a browser context, e.g. `color_scheme`, `viewport`."""
    contexts: list[BrowserContext] = []

    def open_page(view: str = "#/", **options: Any) -> Visit:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        seen = Visit(page, [], [])
        page.on(
            "console", lambda m: seen.complaints.append(m.text) if m.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        home = urlsplit(site.url).netloc
        page.on(
            "request", lambda r: None if urlsplit(r.url).netloc in {home, ""} else seen.foreign.append(r.url)
        )
        page.goto(f"{site.url}/{view}")
        return seen

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def operator(visit: Callable[..., Visit]) -> Callable[..., Visit]:
    """Open the operator's view, logged in."""

    def open_view(**options: Any) -> Visit:
        seen = visit("#/operator", **options)
        seen.page.get_by_label("Operator's token").fill(TOKEN)
        seen.page.get_by_role("button", name="Log in").click()
        seen.page.get_by_role("heading", name="BTCUP").wait_for()
        return seen

    return open_view


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: into the README's folder in CI, or when asked; other checks change no file.

    PICTURES_UPDATE=1 python -m pytest tests/page -k pictures
    """
    asked = os.environ.get("PICTURES_UPDATE") == "1"
    return Path(__file__).resolve().parents[2] / "docs" / "images" if asked else tmp_path
