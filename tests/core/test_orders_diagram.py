"""The diagram of ARCHITECTURE.md is drawn from the table of `bot/core/orders.py`, and nothing else.

After a change of the table, draw it anew: DIAGRAM_UPDATE=1 python -m pytest tests/core/test_orders_diagram.py
"""

import os
from collections import defaultdict
from pathlib import Path

from bot.core.orders import FINAL, TRANSITIONS, OrderState

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"
OPENING, CLOSING = "```mermaid\nstateDiagram-v2\n", "```"


def diagram() -> str:
    """The table as a Mermaid state diagram: one arrow per pair of states, named by what was learnt."""
    arrows: dict[tuple[OrderState, OrderState], list[str]] = defaultdict(list)
    for (before, news), after in TRANSITIONS.items():
        arrows[before, after].append(news.value)
    lines = [f"    [*] --> {OrderState.INTENT}"]
    lines += [f"    {before} --> {after}: {', '.join(news)}" for (before, after), news in arrows.items()]
    lines += [f"    {state} --> [*]" for state in OrderState if state in FINAL]
    return OPENING + "\n".join(lines) + "\n" + CLOSING


def test_the_diagram_is_the_table() -> None:
    """Every transition of the code is in the page, and no other."""
    text = PAGE.read_text()
    start = text.index(OPENING)
    end = text.index(CLOSING, start + len(OPENING)) + len(CLOSING)
    if os.environ.get("DIAGRAM_UPDATE") == "1":
        PAGE.write_text(text[:start] + diagram() + text[end:])
    assert text[start:end] == diagram()
