"""A file has one reason to change, and a function fits on a screen."""

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400

# What may be longer, with the reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def product_files() -> list[Path]:
    """Every source file that is installed."""
    return sorted(file for room in ("bot", "strategies") for file in (REPOSITORY / room).rglob("*.py"))


def name(file: Path) -> str:
    """The file's path from the root of the checkout."""
    return str(file.relative_to(REPOSITORY))


def test_files_are_short() -> None:
    """No file of the product is longer than 400 lines."""
    lengths = {name(file): len(file.read_text().splitlines()) for file in product_files()}
    assert {file: n for file, n in lengths.items() if n > FILE_LINES_MAX and file not in LONG_FILES} == {}


def test_functions_are_short() -> None:
    """No function of the product is longer than 70 lines, its docstring included."""
    too_long = {}
    for file in product_files():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                place = f"{name(file)}:{node.name}"
                if length > FUNCTION_LINES_MAX and place not in LONG_FUNCTIONS:
                    too_long[place] = length
    assert too_long == {}
