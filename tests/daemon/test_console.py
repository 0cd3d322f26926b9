"""The live table: what it shows, at the widths that terminals have."""

import dataclasses
import io
from decimal import Decimal

import pytest
from rich.console import Console as Terminal

from bot.daemon.console import Console, ConsoleView, FundRow, RebalanceRow, render


def a_fund(**changes: object) -> FundRow:
    """BTCUP at 2x, in a band of 1.5 to 3."""
    fund = FundRow(
        fund="BTCUP",
        side="long",
        state="active",
        mark=Decimal(88000),
        nav=Decimal("1.02344"),
        real_leverage=Decimal("2.0141"),
        band=(Decimal("1.5"), Decimal(3)),
        triggers=(Decimal(79200), Decimal(110000)),
    )
    return dataclasses.replace(fund, **changes)  # type: ignore[arg-type]


def a_view(**changes: object) -> ConsoleView:
    """A replay a third over, with one fund and one rebalance."""
    view = ConsoleView(
        mode="paper",
        market_ms=1_741_257_000_000,
        speed="max",
        progress=0.34,
        left_s=80.0,
        funds=[a_fund()],
        rebalances=[
            RebalanceRow(
                time_ms=1_741_200_000_000,
                fund="BTCUP",
                kind="band",
                leverage_before=Decimal("3.0123"),
                leverage_after=Decimal("2.2102"),
                slices=5,
                cost_bps=Decimal("1.234"),
            )
        ],
    )
    return dataclasses.replace(view, **changes)  # type: ignore[arg-type]


def shown(view: ConsoleView, width: int = 80) -> list[str]:
    """The lines on a terminal of that width."""
    terminal = Terminal(width=width, file=io.StringIO(), highlight=False)
    with terminal.capture() as capture:
        terminal.print(render("exchange 127.0.0.1:4000, http://127.0.0.1:8080", view))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_everything_is_on_it_whole(width: int) -> None:
    """At 80 and at 120 columns nothing is cut off or broken within a word."""
    rebalancing = a_fund(fund="BTCDOWN", side="short", state="rebalancing", slices=3)
    lines = shown(a_view(funds=[a_fund(), rebalancing]), width)
    text = "\n".join(lines)
    for words in (
        "PAPER   2025-03-06 10:30:00 UTC  speed max",
        "34%  1m 20s left",
        "88,000.0  2.014",
        "1.0234  1.5 ",
        "110,000  +25.0 %",
        "79,200.0  -10.0 %",
        "active",
        "rebalancing",
        "3 slices",
        "3.012 > 2.210",
        "1.23",
    ):
        assert words in text, words
    assert max(len(line.rstrip()) for line in lines) <= width


@pytest.mark.parametrize(
    ("leverage", "bar"),
    [
        ("1.5", "···●─────────│···"),
        ("2.25", "···│────●────│···"),
        ("3", "···│─────────●···"),
        ("1.49", "··●│─────────│···"),
        ("3.01", "···│─────────│●··"),
        ("50", "···│─────────│··●"),
        ("0", "●··│─────────│···"),
    ],
)
def test_the_needle_stands_where_the_leverage_is(leverage: str, bar: str) -> None:
    """Inside the band between the bars, outside it beyond them, however little."""
    assert bar in "\n".join(shown(a_view(funds=[a_fund(real_leverage=Decimal(leverage))])))


def test_what_is_not_known_is_a_dash() -> None:
    """A fund that has not begun has no mark, no leverage and no triggers."""
    fund = a_fund(state="new", mark=None, nav=None, real_leverage=None, triggers=(None, None))
    lines = shown(a_view(funds=[fund], rebalances=[], progress=None, speed=None, market_ms=None))
    assert "●" not in "\n".join(lines)
    assert [line.split() for line in lines if "BTCUP" in line] == [["BTCUP", "-", "-", "-", "new"]]


def test_notices_are_shown_in_full() -> None:
    """A warning may be longer than the line."""
    notice = "BTCUP: " + "as long as it is " * 8
    assert notice.strip() in " ".join(" ".join(shown(a_view(notices=[notice]))).split())


def test_updates_replace_each_other_until_it_is_closed() -> None:
    """What stays on the screen is the last view."""
    out = io.StringIO()
    terminal = Terminal(width=80, file=out, force_terminal=False, highlight=False)
    with Console("header", terminal) as console:
        console.update(a_view(mode="testnet"))
        console.update(a_view(mode="live"))
    assert "LIVE" in out.getvalue()


def test_the_modes_colour_is_its_badges_alone() -> None:
    """Live is red, and what stands beside it is not."""
    terminal = Terminal(width=80, file=io.StringIO(), force_terminal=True, color_system="standard")
    with terminal.capture() as capture:
        terminal.print(render("header", a_view(mode="live", progress=None)))
    badge, _, rest = capture.get().partition(" LIVE ")
    assert badge.endswith("41m")
    assert rest.startswith("\x1b[0m")
    assert "\x1b" not in rest.splitlines()[0].removeprefix("\x1b[0m")
