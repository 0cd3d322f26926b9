"""`db verify` against what the venue holds: what it paid while no process ran is no difference."""

from decimal import Decimal

import pytest

from bot.core.events import Income
from bot.daemon.paper import Held
from bot.daemon.verification import Check, compare, while_another_trades
from bot.journal.journal import Owner
from bot.testing import Lab

D = Decimal
FUNDING = "FUNDING_FEE"


@pytest.mark.parametrize(
    ("paid", "in_wallet", "position", "ok"),
    [
        ((), "0", "0", True),
        ((("FUNDING_FEE:7", 1, "-6.05"),), "-6.05", "0", True),
        ((("FUNDING_FEE:7", 1, "-6.05"), ("TRANSFER:8", 2, "100")), "93.95", "0", True),
        ((("FUNDING_FEE:7", 1, "-6.05"),), "-6.06", "0", False),
        ((), "-0.01", "0", False),
        ((), "0.009", "0", True),
        ((), "0", "0.001", False),
        ((("FUNDING_FEE:1", 0, "5"),), "0", "0", True),
        ((("FUNDING_FEE:0", -9, "5"),), "0", "0", True),
    ],
)
def test_what_came_since_is_told_and_no_difference(
    paid: tuple[tuple[str, int, str], ...], in_wallet: str, position: str, *, ok: bool
) -> None:
    """By the venue's own list: each payment counts once, one that is booked not at all."""
    lab = Lab()
    lab.settle()
    lab.venue.pay_funding(D("5"), lab.time_ms)
    lab.venue.income[-1] = lab.venue.income[-1]._replace(income_id="FUNDING_FEE:1")
    lab.mark(lab.price, after_s=8 * 3_600, rate="0.0001")
    book = lab.state.book
    assert book.recent_income.has("FUNDING_FEE:1")
    income = tuple(Income(name, book.income_cursor_ms + ms, FUNDING, D(amount)) for name, ms, amount in paid)
    held = Held(book.wallet + D(in_wallet), {"BTCUSDT": book.position + D(position)}, income)
    found = compare("BTCUP", book, held, "BTCUSDT")
    assert found.ok is ok
    assert ("the next start books" in found.seen) is any(ms > 0 for _, ms, _ in paid)


def test_an_unknown_account_and_an_order_under_way_decide_nothing() -> None:
    """Neither is right or wrong."""
    lab = Lab()
    lab.settle()
    assert compare("BTCUP", lab.state.book, None, "BTCUSDT").ok is None


@pytest.mark.parametrize(("silent_s", "ok"), [(0.5, None), (60.0, False)])
def test_a_difference_is_none_yet_while_another_host_trades(silent_s: float, *, ok: bool | None) -> None:
    """Journal and account are read moments apart; the host that trades compares them itself."""
    differs = Check("venue", "BTCUP", ok=False, seen="position 2, ledger 1")
    owner = Owner("UP", "host:7", 0, silent_s)
    assert while_another_trades(differs, [owner]).ok is ok
    same = differs._replace(ok=True)
    assert while_another_trades(same, [owner]) == same
