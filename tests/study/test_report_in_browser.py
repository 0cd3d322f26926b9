"""The report as a person opens it: from a file, without a network, in Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from bot.study.compare import Comparison
from bot.study.report.compare_page import compare_page

pytestmark = pytest.mark.needs("chromium")
PATIENCE_MS = 120_000
DESKTOP: ViewportSize = {"width": 1280, "height": 860}


class Visit(NamedTuple):
    """A page, what its console said, and what it asked for."""

    page: Page
    complaints: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run for root, as which CI runs in its own container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visit(
    chromium: Browser, found: Comparison, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Visit]]:
    """Open the report, with the options of a browser context."""
    file = tmp_path_factory.mktemp("report") / "compare.html"
    compare_page(found).write(file)
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Visit:
        options = {"viewport": DESKTOP, "offline": True, **options}
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        seen = Visit(context.new_page(), [], [])
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.asked.append(request.url))
        seen.page.goto(file.as_uri())
        seen.page.wait_for_selector(".main-svg")
        return seen

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def seen(visit: Callable[..., Visit]) -> Visit:
    """On a large screen, by day."""
    return visit()


def test_it_draws_without_a_network(seen: Visit) -> None:
    """Every chart is there, nothing is complained of, and the file is all that was asked for."""
    charts = seen.page.locator(".chart")
    assert charts.count() >= 10
    expect(seen.page.locator(".chart:has(.main-svg)")).to_have_count(charts.count(), timeout=PATIENCE_MS)
    assert seen.complaints == []
    assert len(seen.asked) == 1


def test_its_figures_are_those_of_the_json(seen: Visit, found: Comparison) -> None:
    """What stands in the tables is what a program would read."""
    told = found.to_json()["sides"]
    rows = seen.page.locator("tr", has=seen.page.locator("text='NAV at the end'"))
    for place, side in enumerate(("long", "short")):
        table = told[side]["table"]
        cells = rows.nth(place).locator("td").all_inner_texts()
        assert [float(cell) for cell in cells[-len(table) :]] == pytest.approx(
            [figures["nav"] for figures in table.values()], rel=5e-3
        )


def test_it_fits_a_phone(seen: Visit) -> None:
    """Tables scroll within themselves; the page does not scroll sideways."""
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.page.wait_for_function("document.documentElement.scrollWidth === 390")  # charts need a moment
    seen.page.set_viewport_size(DESKTOP)


def test_in_the_dark_charts_take_the_colours_of_the_page(visit: Callable[..., Visit]) -> None:
    """Text and lines of charts are those of the text around, also when the light comes on later."""
    page = visit(color_scheme="dark").page
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
    colours = "[...document.querySelectorAll('.chart')].map(chart => chart.layout?.font?.color)"
    page.wait_for_function(f"{colours}.every(colour => colour === {ink})")
    assert page.evaluate(ink) != "#1d2330"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{colours}.every(colour => colour === {ink})")
    assert page.evaluate(ink) == "#1d2330"
