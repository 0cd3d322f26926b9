"""What core makes of a strategy's answer, live and in a backtest."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import pytest

from bot.core.records import Kind
from bot.core.rules import Denied, Wish, confirmation_deadline_ms, judge
from bot.core.strategy import Decision, FundView, Hold, Rebalance
from bot.testing import a_fund

D = Decimal


@dataclass(frozen=True)
class Says:
    """Answers the same, whatever it sees."""

    answer: Decision

    def decide(self, view: FundView) -> Decision:  # noqa: ARG002 - it does not look
        """Say it."""
        return self.answer


@dataclass(frozen=True)
class SaysWithoutBand(Says):
    """Ignores the band."""

    uses_band: ClassVar[bool] = False


def judged(strategy: Says, leverage: str) -> Hold | Wish | Denied:
    """The verdict on a long fund with the defaults, at mark 100."""
    fund = a_fund(strategy=strategy)
    view = FundView(0.0, "long", 100.0, float(leverage), fund.float_band, fund.float_target_range, 0.0, 100.0)
    return judge(fund, view, D(leverage))


def test_a_hold_ends_where_the_emergency_leverage_begins() -> None:
    """At 2x the price may fall by 30 % until leverage is 3.5, whatever the strategy says."""
    verdict = judged(Says(Hold(0.0, 1e9, 77.0)), "2")
    assert isinstance(verdict, Hold)
    assert verdict.low == pytest.approx(70.0)
    assert verdict.low > 70.0
    assert (verdict.high, verdict.until_s) == (1e9, 77.0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Hold(0.0, 1e9), (D("1.8"), D("2.6"), "emergency leverage")),
        (Rebalance(3.5, 3.5, "patient", "greed"), (D("1.8"), D("2.6"), "emergency leverage")),
        (Rebalance(1.2, 1.3, "patient", "mine"), (D("1.2"), D("1.3"), "mine")),
    ],
)
def test_at_the_emergency_leverage_it_is_reduced(answer: Decision, expected: tuple[D, D, str]) -> None:
    """To the strategy's own target where that is below the level, else to the fund's; at once."""
    verdict = judged(Says(answer), "3.5")
    assert isinstance(verdict, Wish)
    assert (verdict.low, verdict.high, verdict.reason) == expected
    assert (verdict.urgency, verdict.increasing, verdict.confirmation_s) == ("emergency", False, 0.0)


def test_an_emergency_without_a_target_of_its_own_goes_back_to_the_start_leverage() -> None:
    """A strategy that ignores the band has an unchecked target range: one at the level is no way down."""
    fund = a_fund(strategy=SaysWithoutBand(Hold(0.0, 1e9)), target=("3.2", "3.6"), emergency="3.5")
    view = FundView(0.0, "long", 100.0, 3.6, fund.float_band, fund.float_target_range, 0.0, 100.0)
    verdict = judge(fund, view, D("3.6"))
    assert isinstance(verdict, Wish)
    assert (verdict.low, verdict.high) == (fund.start_leverage, fund.start_leverage)


@pytest.mark.parametrize("high", [3.5, 9.0])
def test_no_target_lies_at_the_emergency_leverage(high: float) -> None:
    """Nor may it: a range is denied as a whole, with the strategy's reason."""
    verdict = judged(Says(Rebalance(2.0, high, "patient", "greed")), "2.2")
    assert verdict == Denied("greed: the target could lie at the emergency leverage or above")
    assert isinstance(judged(Says(Rebalance(2.0, 3.49, "patient", "greed")), "2.2"), Wish)


@pytest.mark.parametrize(
    ("leverage", "target", "kind", "confirmation_s"),
    [
        ("1.4", 2.0, Kind.BAND, 600.0),
        ("3.1", 2.0, Kind.BAND, 0.0),
        ("1.6", 2.0, Kind.SCHEDULE, 0.0),
        ("1.5", 2.0, Kind.SCHEDULE, 0.0),
        ("3", 2.0, Kind.SCHEDULE, 0.0),
    ],
)
def test_only_increases_out_of_the_band_are_confirmed(
    leverage: str, target: float, kind: Kind, confirmation_s: float
) -> None:
    """A reduction is not, nor what happens inside the band, whose edges belong to it."""
    verdict = judged(Says(Rebalance(target, target, "patient", "x", 600.0)), leverage)
    assert isinstance(verdict, Wish)
    assert (verdict.kind, verdict.confirmation_s) == (kind, confirmation_s)


def test_a_strategy_that_ignores_the_band_has_no_band_rebalances() -> None:
    """And nothing of it is confirmed."""
    verdict = judged(SaysWithoutBand(Rebalance(2.0, 2.0, "patient", "x", 600.0)), "1.2")
    assert isinstance(verdict, Wish)
    assert (verdict.kind, verdict.increasing, verdict.confirmation_s) == (Kind.SCHEDULE, True, 0.0)


def test_a_confirmation_ends_within_its_cap() -> None:
    """Each number has a delay of its own, which the key fixes."""
    ends = [confirmation_deadline_ms(5_000, 60.0, "ab" * 32, number) for number in range(1, 50)]
    assert all(5_000 <= end <= 65_000 for end in ends)
    assert len(set(ends)) > 30
    assert ends[0] == confirmation_deadline_ms(5_000, 60.0, "ab" * 32, 1)
