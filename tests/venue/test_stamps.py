"""An event carries the time at which its answer was there, not that at which it was asked for."""

import ast
from collections.abc import Iterator
from pathlib import Path

VENUE = Path(__file__).resolve().parents[2] / "bot" / "venue"


def stamped_too_early(source: str) -> Iterator[str]:
    """Calls that read the clock among their arguments, and wait for an answer after that."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and any(
            isinstance(part, ast.Starred) and ast.unparse(part.value).endswith("now()") for part in node.args
        ):
            waits = any(isinstance(part, ast.Await) for value in node.args for part in ast.walk(value))
            if waits:
                yield ast.unparse(node)


def test_what_is_stamped_before_its_answer_is_found() -> None:
    """Arguments are worked out from left to right."""
    early, late = "Seen(*self._now(), await read())", "Seen(*self._now(), found)"
    assert list(stamped_too_early(f"async def f():\n    return {early}")) == [early]
    assert list(stamped_too_early(f"async def f():\n    return {late}")) == []


def test_no_answer_of_a_venue_is_stamped_before_it_is_there() -> None:
    """A read may take ten seconds: orders would be dated back by them, and count as dead too early."""
    found = [call for path in sorted(VENUE.glob("*.py")) for call in stamped_too_early(path.read_text())]
    assert found == []
