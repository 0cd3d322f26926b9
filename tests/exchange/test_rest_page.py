"""The page of REST endpoints names each that is served, with its weight, and each that is not."""

from __future__ import annotations

import re
from pathlib import Path

import ccxt

from bot.exchange.endpoints import PRIVATE_ROUTES, PUBLIC_ROUTES
from bot.exchange.params import Params
from bot.exchange.routes import PrivateRoute, PublicRoute, Security, weight_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exchange-rest.md").read_text()
ROUTES: dict[tuple[str, str], PublicRoute | PrivateRoute] = {**PUBLIC_ROUTES, **PRIVATE_ROUTES}
PREFIXES = {
    "fapiPublic": "/fapi/v1",
    "fapiPrivate": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
}


def rows(heading: str) -> dict[tuple[str, str], list[str]]:
    """Return the table below a heading, by method and path."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = {}
    for methods, path, rest in re.findall(r"^\| ([A-Z, ]+) (/\S+) \|(.*)\|$", section, flags=re.MULTILINE):
        for method in methods.split(", "):
            found[method, path] = [cell.strip() for cell in rest.split("|")]
    return found


def weights(route: PublicRoute | PrivateRoute) -> str:
    """Return what a route may weigh, as the page writes it."""
    queries = ["", "symbol=BTCUSDT", *(f"limit={limit}" for limit in (5, 50, 99, 100, 499, 500, 1000, 1500))]
    found = sorted({weight_of(route, Params(query, "")) for query in queries})
    return f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"


def key_kind(route: PublicRoute | PrivateRoute) -> str:
    """Return what a route asks for, as the page writes it."""
    if isinstance(route, PublicRoute):
        return ""
    return "key" if route.security is Security.KEY else "signed"


def test_the_page_lists_what_is_served() -> None:
    """The table of endpoints is the one that the server routes by, with weights and security."""
    expected = {key: [key_kind(route), weights(route)] for key, route in ROUTES.items()}
    assert {key: cells[:2] for key, cells in rows("Served").items()} == expected


def test_each_endpoint_that_ccxt_offers_is_accounted_for() -> None:
    """The list of the venue's endpoints that ccxt has holds nothing that the page passes over."""
    known = rows("Served").keys() | rows("Not served").keys()
    offered = {
        (method.upper(), f"{prefix}/{path}")
        for api, prefix in PREFIXES.items()
        for method, paths in ccxt.binanceusdm().api[api].items()
        for path in paths
        if not path.startswith("apiReferral/")
    }
    assert offered - known == set()


def test_nothing_is_both_served_and_not() -> None:
    """Each endpoint stands in one table, and one that is not served says why."""
    missing = rows("Not served")
    assert missing.keys() & ROUTES.keys() == set()
    assert all(len(cells[0]) > 5 for cells in missing.values())
