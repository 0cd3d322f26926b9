"""Every row of the fault catalogue has a test of its name, and docs/reliability.md has the table of them."""

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = range(1, 42)
PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN = "| row | fault | outcome | tests |\n|---|---|---|---|\n"


def named_by_row() -> dict[int, list[str]]:
    """The tests of each row, with their files, as they stand in this folder."""
    found: dict[int, list[str]] = {row: [] for row in ROWS}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.match(
                r"test_row_(\d\d)_", node.name
            )
            if named:
                found[int(named.group(1))].append(f"{file.name}::{named.string}")
    return found


def rows_of_page() -> dict[int, list[str]]:
    """The cells of each row of the table in the documentation."""
    lines = PAGE.read_text().split(BEGIN)[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {int(row): rest for row, *rest in cells}


def test_every_row_has_a_test_of_its_name() -> None:
    """All 41 of them."""
    assert [row for row, tests in named_by_row().items() if not tests] == []


def test_the_page_names_every_row_and_its_tests() -> None:
    """With the fault, the outcome that is asserted, and each test; no other."""
    page, tests = rows_of_page(), named_by_row()
    assert list(page) == list(ROWS)
    for row, (fault, outcome, named) in page.items():
        assert fault
        assert outcome
        assert re.findall(r"`(.+?)`", named) == [each.partition("::")[2] for each in tests[row]], row
