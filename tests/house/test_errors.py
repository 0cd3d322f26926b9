"""Errors are made where they are raised."""

from __future__ import annotations

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_no_module_keeps_an_error_to_raise() -> None:
    """Each raise adds to an error's traceback: one that is kept keeps every frame it ever passed through."""
    kept = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in sorted((REPOSITORY / "bot").rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).endswith("Error")
    ]
    assert kept == []
