"""One event name per fact: the registry, the code and the page say the same."""

import ast
from pathlib import Path

import pytest

from bot.daemon import narration
from bot.daemon.log_events import EVENTS, block

REPOSITORY = Path(__file__).resolve().parents[2]
METHODS = {"debug", "info", "warning", "error", "critical", "exception"}


def logged_names(source: str) -> set[str]:
    """The event of each call of a logger, which must be a constant; a logger is called `log`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = ast.unparse(node.func.value)
        if node.func.attr in METHODS and (
            owner.endswith(("log", "_log", "get_logger()")) or "logger" in owner
        ):
            assert node.args, ast.unparse(node)
            event = node.args[0]
            assert isinstance(event, ast.Constant), f"an event is a constant name: {ast.unparse(node)}"
            names.add(str(event.value))
    return names


def test_the_registry_is_what_the_code_logs() -> None:
    """No name without a meaning, no meaning without its line; the exchange is a program of its own."""
    rooms = [folder for folder in (REPOSITORY / "bot").iterdir() if folder.name != "exchange"]
    files = [file for room in rooms for file in ([room] if room.suffix == ".py" else room.rglob("*.py"))]
    used = {name for file in files for name in logged_names(file.read_text())}
    used |= {event for _, event, _ in narration._LINES.values()}
    assert used == set(EVENTS)


def test_one_fact_has_one_name() -> None:
    """No two records are told by the same event, and names are words joined by underscores."""
    told = [event for _, event, _ in narration._LINES.values()]
    assert len(set(told)) == len(told)
    assert all(name.replace("_", "").isalpha() and name.islower() for name in EVENTS)


def test_a_name_that_is_made_up_on_the_spot_is_found() -> None:
    """The scan sees through an f-string, and does not take other methods for loggers."""
    assert logged_names('self._log.info("x", a=1)\nstructlog.get_logger().error("y")\nfoo.info("z")') == {
        "x",
        "y",
    }
    with pytest.raises(AssertionError, match="constant"):
        logged_names('log.info(f"{x}")')


def test_the_page_lists_them() -> None:
    """docs/operations.md holds the table as the code has it."""
    assert block() in (REPOSITORY / "docs" / "operations.md").read_text()
