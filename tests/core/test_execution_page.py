from pathlib import Path

from bot.core.breaches import REMEDIES
from bot.core.caps import USUAL_CAPS
from bot.core.orders import ORDER_LIFETIME_MS
from bot.core.plan import CLOSE_ENOUGH, DEADLINE_MS, LATE, MANNERS, OVERDUE_MS, RETRY_GAP_S, Manner
from bot.core.trust import MAX_MARK_AGE_MS
from bot.core.units import Urgency
from strategies.strategic import Strategic

PAGE = (Path(__file__).parents[2] / "docs" / "execution.md").read_text()


def row(urgency: Urgency, manner: Manner) -> str:
    """The line of the page's table that this manner should have."""
    share, gap = manner.slice_share, manner.gap_s
    size = f"{share[0] * 100:g} to {share[1] * 100:g} %" if share else "all that is left"
    rest = manner.rest_s
    posted = f"{manner.posts} times, {rest[0]:g} to {rest[1]:g} s each" if manner.posts else "never"
    pause = f"{gap[0]:g} to {gap[1]:g} s" if gap[1] else "none"
    widest = f"{manner.widest_bps} bps" if manner.widest_bps is not None else "the venue's price limit"
    widening = f"{manner.widening_bps_per_s} bps/s"
    return f"| {urgency} | {size} | {pause} | {posted} | {manner.collar_bps} bps | {widening} | {widest} |"


def test_the_table_of_urgencies_is_the_code() -> None:
    """Each level's row is what `MANNERS` says, and there are no others."""
    table = PAGE.split("## Urgency")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "urgency" not in line]
    assert rows == [row(urgency, manner) for urgency, manner in MANNERS.items()]


def test_the_numbers_in_the_text_are_the_code() -> None:
    """Age of a mark, life of an order, tolerance, retry pause, default confirmation."""
    assert f"older than {MAX_MARK_AGE_MS // 1000} s of market time" in PAGE
    assert f"({ORDER_LIFETIME_MS // 1000} s after sending)" in PAGE
    assert f"within {CLOSE_ENOUGH} of its target" in PAGE
    assert f"waits {RETRY_GAP_S:g} s" in PAGE
    assert (
        "after an hour is late: its gaps are a third as long (so it never trades more\nthan three times"
        in PAGE
    )
    assert (DEADLINE_MS, OVERDUE_MS) == (3_600_000, 7_200_000)
    assert f"its collar reaches {LATE.widest_bps} bps" in PAGE
    assert f"`confirmation_s`, {Strategic().confirmation_s:g} by default" in PAGE


def test_the_table_of_breaches_is_the_code() -> None:
    """Each breach that core knows has its row, and the defaults are those of the caps."""
    table = PAGE.split("Breaches. Each opens")[1].split("A breach never stops")[0]
    named = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")} - {
        "incident"
    }
    assert named == set(REMEDIES)
    assert f"more than {USUAL_CAPS.orders_per_minute} increasing orders" in table
    assert f"more than {USUAL_CAPS.hourly_notional} times the fund's value sent" in table
    assert f"more than {USUAL_CAPS.daily_turnover} times the fund's value traded" in table
    assert f"more than {USUAL_CAPS.daily_loss * 100:.0f} % of NAV" in table
    assert f"cost more than {USUAL_CAPS.daily_costs * 100:.0f} % of fund value" in table
    assert f"has not moved for\n{USUAL_CAPS.frozen_ms // 60_000} minutes" in PAGE
