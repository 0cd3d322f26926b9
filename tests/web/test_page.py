"""The page's files, as a browser asks for them."""

import gzip
import re
from importlib.resources import files
from pathlib import Path

from bot.core import (
    breaches,
    cash,
    contract_rules,
    engine,
    execution,
    protection,
    reconcile,
    recovery,
    settlement,
)
from tests.support.site import Site

DOCS = Path(__file__).resolve().parents[2] / "docs"
BASE = re.compile(r"/page/[0-9a-f]{12}")


async def page(site: Site, **headers: str) -> tuple[int, str, str]:
    """Status, text and tag of the page."""
    async with site.session.get(f"{site.url}/", headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers["ETag"]


async def test_the_page_is_asked_for_again_and_not_sent_again(site: Site) -> None:
    """Who has it is told that it is still the one."""
    status, text, tag = await page(site)
    assert (status, "{assets}" in text) == (200, False)
    assert (await page(site, **{"If-None-Match": tag}))[:2] == (304, "")


async def test_parts_are_kept_for_good_and_packed_for_those_who_can_unpack(site: Site) -> None:
    """Below a path that changes with any of them."""
    (base,) = set(BASE.findall((await page(site))[1]))
    plain = files("bot.web").joinpath("page", "app.js").read_bytes()
    url = f"{site.url}{base}/app.js"
    async with site.session.get(url, headers={"Accept-Encoding": "identity"}) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert await answer.read() == plain
    async with site.session.get(url, auto_decompress=False) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == plain


async def test_plotly_comes_from_its_installed_wheel(site: Site) -> None:
    """Byte for byte."""
    (base,) = set(BASE.findall((await page(site))[1]))
    async with site.session.get(f"{site.url}{base}/plotly.min.js") as answer:
        assert await answer.read() == files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


async def test_there_is_nothing_else_below_the_page(site: Site) -> None:
    """Neither other files of the package nor anything above."""
    (base,) = set(BASE.findall((await page(site))[1]))
    for name in ("index.html", "server.py", "..%2fserver.py", "%2e%2e/server.py", "nothing.js"):
        async with site.session.get(f"{site.url}{base}/{name}") as answer:
            assert answer.status == 404, name


def incident_codes() -> set[str]:
    """Each code that the core opens an incident by; those of breaches too."""
    modules = (breaches, cash, engine, execution, contract_rules, protection, reconcile, recovery, settlement)
    opened = re.compile(r"(?:open_incident|breach)\(\s*([A-Z_]+)\b")
    codes = {
        getattr(module, name)
        for module in modules
        for name in opened.findall(Path(str(module.__file__)).read_text())
    }
    assert {"stale mark", "unfilled delever", "external trade"} <= codes
    return codes | set(breaches.REMEDIES)


def test_every_incident_is_told_in_plain_words() -> None:
    """It has its sentence on the page."""
    told = files("bot.web").joinpath("page", "incidents.js").read_text()
    assert [code for code in incident_codes() if f'"{code}": "' not in told] == []


def test_every_incident_is_in_the_operators_pages() -> None:
    """What it stops and how it ends: in the table for the night, or in that of breaches."""
    operations, execution = (DOCS.joinpath(f"{page}.md").read_text() for page in ("operations", "execution"))
    at_night = operations.split("## When a fund does not trade")[1].split("\n## ")[0]
    missing = [
        code for code in incident_codes() if f"`{code}`" not in at_night and f"\n| {code} |" not in execution
    ]
    assert missing == []
