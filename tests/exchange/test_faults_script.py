"""Faults scripted over HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.exchange import StartError
from bot.exchange.faults import KINDS

if TYPE_CHECKING:
    from tests.exchange.builders import Bench, Start


async def script(bench: Bench, body: object) -> tuple[int, Any]:
    """Post a script."""
    async with bench.session.post(f"{bench.exchange.url}/faults", json=body) as response:
        return response.status, await response.json()


async def test_a_script_is_taken_counted_and_removed(start: Start) -> None:
    """POST, GET and DELETE; the counters say what has fired."""
    body = {
        "kind": "rejected",
        "match": {"method": "POST", "path": "/fapi/v1/order", "account": "UP"},
        "when": {"after": 1, "times": 2},
        "with": {"code": -2022, "message": "ReduceOnly Order is rejected."},
    }
    async with start(faults=True) as bench:
        status, scripted = await script(bench, body)
        assert (status, scripted["id"], scripted["fired"]) == (200, 1, 0)
        assert [(await bench.order()).get("code") for _ in range(4)] == [None, -2022, -2022, None]
        _, (listed,) = await bench.call("GET", "/faults")
        assert (listed["fired"], listed["seen"], listed["over"], listed["problem"]) == (2, 3, True, "")
        assert listed["match"] == body["match"]
        assert listed["with"] == body["with"]
        _, removed = await bench.call("DELETE", "/faults/1")
        assert removed == [listed]
        assert (await bench.call("GET", "/faults"))[1] == []
        assert await bench.refusal("DELETE", "/faults/1", account=None) == -1130


async def test_the_kinds_are_listed_with_what_they_take(start: Start) -> None:
    """Whoever writes a script need not read the source."""
    async with start(faults=True) as bench:
        _, kinds = await bench.call("GET", "/faults/kinds")
    assert set(kinds) == set(KINDS)
    assert all(kind["what"] and kind["rows"] for kind in kinds.values())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "give an object"),
        ({"when": {}}, "'kind' is a text; choose from request_lost"),
        ({"kind": "gremlins"}, "kind 'gremlins' is unknown; choose from request_lost"),
        ({"kind": "reply_lost", "wen": {}}, "no field 'wen'"),
        ({"kind": "reply_lost", "match": {"verb": "GET"}}, "no field 'verb'"),
        ({"kind": "reply_lost", "match": {"path": 1}}, "'match.path' is a text"),
        ({"kind": "reply_lost", "when": {"after": -1}}, "'when.after' is -1; give a whole number from 0 on"),
        ({"kind": "reply_lost", "when": {"probability": 2}}, "give a number from 0 to 1"),
        ({"kind": "reply_lost", "with": {"hold": 1}}, "reply_lost does not take 'hold'; it takes hold_s"),
        (
            {"kind": "reply_lost", "with": {"hold_s": "long"}},
            "'hold_s' of reply_lost is 'long'; give a number",
        ),
        ({"kind": "reply_delayed"}, "reply_delayed needs 'by_s'"),
        ({"kind": "price_gap", "with": {"symbol": "BTCUSDT", "bps": True}}, "give a number from -9999"),
    ],
)
async def test_a_script_that_is_not_possible_is_refused_by_name(
    start: Start, body: object, words: str
) -> None:
    """-1130 with the field and the remedy, and nothing is scripted."""
    async with start(faults=True) as bench:
        status, answer = await script(bench, body)
        assert (status, answer["code"]) == (400, -1130)
        assert words in answer["msg"]
        assert (await bench.call("GET", "/faults"))[1] == []


async def test_without_the_setting_there_is_nothing_to_script(start: Start) -> None:
    """Neither over HTTP nor in process."""
    async with start() as bench:
        assert await bench.refusal("GET", "/faults", account=None) == -5000
        with pytest.raises(StartError, match=r"faults are off; start the exchange with .*--faults"):
            _ = bench.exchange.faults


def test_the_page_lists_every_kind_with_what_it_takes() -> None:
    """One row for each kind, and none for what there is not."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "exchange-faults.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\| [\d, ]+ \|$", page, flags=re.MULTILINE))
    assert rows.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        marked = [f"`{field}`" + ("" if field in kind.required else "?") for field in kind.takes]
        assert rows[name].strip() == ", ".join(marked)


def test_every_kind_is_tested() -> None:
    """By its name, in one of the files about faults."""
    files = Path(__file__).parent.glob("test_faults_*.py")
    text = "".join(file.read_text() for file in files)
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
