import pytest

from bot.study.founding import founding


def test_the_strategic_fund_reproduces_the_published_figures() -> None:
    """Exposure 332 million goes to 465 million at 2x on the fifth day, when leverage fell to 1.430."""
    found = founding()
    assert found.strategic_trades == 1
    assert found.strategic_before[-1] / 1e6 == pytest.approx(332.339, abs=5e-4)
    assert found.strategic_exposure[-1] / 1e6 == pytest.approx(464.677, abs=5e-4)
    assert found.leverage_before == pytest.approx([2, 2.111, 1.844, 2.035, 1.642, 1.430], abs=6e-4)
    assert found.strategic_leverage[-1] == pytest.approx(2.0)


def test_the_interval_fund_trades_every_day() -> None:
    """Its leverage is 2 at every close."""
    found = founding()
    assert found.interval_trades == 5
    assert found.interval_leverage == pytest.approx([2.0] * 6)
