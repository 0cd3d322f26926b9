from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from bot.core import events as ev
from bot.core import records as rec
from bot.core.book import fold
from bot.core.commands import DrawSecrets
from bot.core.engine import start
from bot.core.strategy import Decision, FundView, Hold, Rebalance
from bot.core.units import Urgency
from bot.testing import Lab, a_contract, a_fund
from bot.testing_venue import InstantVenue
from strategies.interval import Interval
from strategies.strategic import Strategic

D = Decimal


def opened(lab: Lab) -> Lab:
    """The fund, settled after its opening."""
    lab.settle()
    return lab


def started(lab: Lab) -> list[rec.RebalanceStarted]:
    """The rebalances decided so far."""
    return lab.of(rec.RebalanceStarted)


@dataclass(frozen=True)
class Wants:
    """A strategy that always says the same."""

    answer: Decision

    def decide(self, view: FundView) -> Decision:  # noqa: ARG002
        """Say it."""
        return self.answer


def test_a_fund_starts_flat_at_nav_one_and_opens_to_its_start_leverage() -> None:
    """Units equal the capital; the first rebalance is of kind `open`, patient, and without a commitment."""
    lab = Lab(a_fund(start_leverage="2"))
    first = started(lab)[0]
    assert lab.state.book.units == 100_000
    assert (first.kind, first.urgency, first.sequence) == (rec.Kind.OPEN, Urgency.PATIENT, None)
    assert (first.position, first.leverage, first.target) == (0, 0, 2)
    opened(lab)
    assert lab.leverage is not None
    assert abs(lab.leverage - 2) <= first.tolerance


def test_a_band_rebalance_starts_strictly_outside_and_ends_at_its_target() -> None:
    """Its target is the public law of the oldest queued draw; it is replaced when it is revealed."""
    lab = opened(Lab())
    draw = lab.state.book.draws[0]
    lab.walk("91000")
    (_, band) = started(lab)
    assert band.kind is rec.Kind.BAND
    assert band.leverage is not None
    assert band.leverage < D("1.5")
    assert band.sequence == draw.sequence == 1
    assert band.target == D("1.8") + (D("0.8") * D(draw.u)).quantize(D("1e-9"))
    assert [queued.sequence for queued in lab.state.book.draws] == [2, 3]
    lab.mark(lab.price, after_s=3_600)
    assert [queued.sequence for queued in lab.state.book.draws] == [2, 3, 4]
    finished = lab.of(rec.RebalanceFinished)[1]
    assert finished.leverage is not None
    assert abs(finished.leverage - band.target) <= band.tolerance


@dataclass(frozen=True)
class Narrow:
    """A strategy that goes back to a range of its own."""

    def decide(self, view: FundView) -> Decision:
        """Hold inside the band."""
        if 1.5 <= view.real_leverage <= 3:
            return view.hold_between(1.5, 3)
        return Rebalance(2.0, 2.1, "patient", "back")


def test_a_range_of_the_strategys_own_takes_the_same_draw() -> None:
    """The commitment is to `u`, whatever range it is mapped to."""
    lab = opened(Lab(a_fund(strategy=Narrow())))
    draw = lab.state.book.draws[0]
    lab.walk("91000")
    (_, band) = started(lab)
    assert (band.kind, band.sequence) == (rec.Kind.BAND, draw.sequence)
    assert band.target == D(2) + (D("0.1") * D(draw.u)).quantize(D("1e-9"))


def test_delevering_is_prompt_whatever_the_strategy_says() -> None:
    """A patient wish to reduce is raised to prompt; an increase is never more than patient."""
    lab = opened(Lab(a_fund(strategy=Wants(Rebalance(1.7, 1.7, "patient", "less")))))
    assert [start.urgency for start in started(lab)] == [Urgency.PATIENT, Urgency.PROMPT]
    lab = opened(Lab(a_fund(strategy=Wants(Rebalance(2.4, 2.4, "prompt", "more")))))
    assert [start.urgency for start in started(lab)] == [Urgency.PATIENT, Urgency.PATIENT]


def test_a_wish_inside_the_band_is_a_schedule_and_uses_no_commitment() -> None:
    """Only what starts outside the band is a `band` rebalance."""
    lab = opened(Lab(a_fund(strategy=Wants(Rebalance(2.4, 2.5, "patient", "more")))))
    assert {(wish.kind, wish.sequence) for wish in started(lab)[1:]} == {(rec.Kind.SCHEDULE, None)}
    assert D("2.4") <= started(lab)[1].target <= D("2.5")


def test_a_band_rebalance_waits_for_a_commitment() -> None:
    """With the queue used up, and no new draw yet, nothing is traded outside the band."""
    lab = opened(Lab())
    lab.deliver = lambda command: not isinstance(command, DrawSecrets)
    lab.walk("91000", "50000", "91000")
    assert len(lab.state.book.draws) == 0
    count = len(started(lab))
    lab.mark("40000")
    assert len(started(lab)) == count
    lab.deliver = lambda _: True
    lab.restart()
    assert len(started(lab)) == count + 1


def test_a_confirmation_runs_its_secret_time_before_an_increase() -> None:
    """Nothing is traded before the deadline, and the increase begins with it."""
    lab = opened(Lab(a_fund(strategy=Strategic(1800))))
    lab.mark("91000")
    (pending,) = lab.of(rec.ConfirmationStarted)
    assert lab.time_ms <= pending.deadline_ms <= lab.time_ms + 1_800_000
    assert lab.state.wake_ms == pending.deadline_ms
    lab.mark("91000", after_s=(pending.deadline_ms - 1 - lab.time_ms) / 1000)
    assert len(started(lab)) == 1
    lab.mark("91000", after_s=0.001)
    assert len(started(lab)) == 2


def test_reentry_cancels_a_confirmation_and_keeps_the_draw() -> None:
    """Back in the band nothing happens; the next time the same u is used, with another delay."""
    lab = opened(Lab(a_fund(strategy=Strategic(1800))))
    draw = lab.state.book.draws[0]
    lab.mark("91000")
    lab.mark("89000", after_s=1)
    assert len(lab.of(rec.ConfirmationCancelled)) == 1
    assert lab.state.book.confirmation is None
    assert lab.state.book.draws[0] == draw
    lab.mark("91000")
    assert len({record.deadline_ms - record.time_ms for record in lab.of(rec.ConfirmationStarted)}) == 2
    lab.mark("91000", after_s=1800)
    assert started(lab)[1].sequence == draw.sequence


def test_a_restart_redraws_neither_delay_nor_target() -> None:
    """The deadline is on record; the draws are too."""
    lab = opened(Lab(a_fund(strategy=Strategic(1800))))
    lab.mark("91000")
    before = lab.state.book.confirmation, lab.state.book.draws
    lab.restart()
    assert (lab.state.book.confirmation, lab.state.book.draws) == before
    assert len(lab.of(rec.ConfirmationStarted)) == 1


def test_above_the_band_no_confirmation_is_awaited() -> None:
    """Delevering begins with the mark that shows it."""
    lab = opened(Lab(a_fund(strategy=Strategic(1800))))
    lab.mark("44900")
    assert started(lab)[1].urgency is Urgency.PROMPT
    assert lab.of(rec.ConfirmationStarted) == []


def test_a_confirmation_ends_at_once_when_leverage_leaves_by_the_other_side() -> None:
    """From below the band to above it within the delay: delevering does not wait."""
    lab = opened(Lab(a_fund(strategy=Strategic(86_400))))
    lab.mark("91000")
    lab.mark("44000", after_s=1)
    assert started(lab)[1].leverage is not None
    assert started(lab)[1].target < D(3)
    assert lab.state.book.confirmation is None


def test_the_emergency_leverage_overrules_a_strategy_that_holds() -> None:
    """At 3.5x a long fund delevers into its target range, whatever its strategy wants."""
    lab = opened(Lab(a_fund(strategy=Wants(Hold(0, 1e9)))))
    lab.mark("42200")
    assert len(started(lab)) == 1
    lab.mark("41900")
    emergency = started(lab)[1]
    assert emergency.urgency is Urgency.EMERGENCY
    assert emergency.reason == "emergency leverage"
    assert D("1.8") <= emergency.target <= D("2.6")


def test_an_emergency_keeps_a_sane_wish_and_refuses_an_insane_one() -> None:
    """A target below the emergency leverage stays the strategy's own; one above it does not."""
    sane = opened(Lab(a_fund(strategy=Interval(max_leverage=3.5, target=2.7), start_leverage="2.7")))
    sane.mark("50000")
    assert (started(sane)[1].target, started(sane)[1].urgency) == (D("2.7"), Urgency.EMERGENCY)
    insane = opened(Lab(a_fund(strategy=Wants(Rebalance(9, 9, "patient", "moon")))))
    insane.mark("42000")
    assert started(insane)[-1].target <= D("2.6")


def test_a_fund_without_value_is_flattened_and_dead() -> None:
    """Value not positive: state `dead`, everything sold, and nothing ever after."""
    lab = opened(Lab())
    lab.mark("29000")
    lab.settle()
    assert lab.state.book.state is rec.FundState.DEAD
    assert started(lab)[-1].kind is rec.Kind.FLATTEN
    assert lab.state.book.position == 0
    count = len(started(lab))
    lab.walk("35000")
    assert len(started(lab)) == count


def test_a_fund_too_small_to_be_managed_is_flattened() -> None:
    """The smallest edge-to-target trade is below the venue's minimum: `too_small`, and flat."""
    lab = opened(Lab(a_fund(capital="420"), a_contract(lot="0.0001")))
    assert lab.state.book.state is rec.FundState.ACTIVE
    lab.walk("52000")
    assert lab.state.book.state is rec.FundState.TOO_SMALL
    assert lab.state.book.position == 0
    assert started(lab)[-1].kind is rec.Kind.FLATTEN


def test_a_fixed_target_fund_is_too_small_by_a_tenth_of_its_start_leverage() -> None:
    """It has no edge to measure from."""
    lab = opened(Lab(a_fund(capital="600", strategy=Interval(target=2)), a_contract(lot="0.0001")))
    assert lab.state.book.state is rec.FundState.ACTIVE
    lab.walk("50000")
    assert lab.state.book.state is rec.FundState.TOO_SMALL


def test_a_target_range_that_touches_the_edge_does_not_make_every_fund_too_small() -> None:
    """The smallest trade would be nothing; half of the trade to the middle of the range counts instead."""
    lab = opened(Lab(a_fund(band=("1.5", "3"), target=("1.5", "2.6"), capital="100000")))
    assert lab.state.book.state is rec.FundState.ACTIVE
    small = opened(Lab(a_fund(target=("1.5", "2.6"), capital="1100"), a_contract(lot="0.0001")))
    small.walk("50000")
    assert small.state.book.state is rec.FundState.TOO_SMALL


def test_dust_that_the_venue_cannot_sell_is_left_in_peace() -> None:
    """Where reductions have a minimum too, a small rest is not flattened over and over."""
    contract = replace(a_contract(lot="0.0001"), reduce_only_any_size=False)
    lab = opened(Lab(a_fund(capital="360"), contract))
    lab.venue.trade(D("0.0010") - lab.state.book.position, lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    lab.mark("32000")
    lab.settle()
    count = len(lab.records)
    assert lab.state.book.position == D("0.0010")
    assert lab.state.book.state is rec.FundState.TOO_SMALL
    lab.mark("32100")
    lab.mark("32200")
    assert len(lab.records) == count


def test_a_wish_without_a_tradable_difference_is_noted_and_no_rebalance() -> None:
    """A clock at 2.001x with a target of 2x: skipped, and the clock counts as served."""
    lab = opened(Lab(a_fund(strategy=Interval(target=2), start_leverage="2")))
    lab.mark("60000", after_s=86_400)
    (skipped,) = lab.of(rec.RebalanceSkipped)
    assert skipped.reason == "clock: nothing tradable"
    assert lab.state.book.last_rebalance_ms == skipped.time_ms
    lab.mark("60000", after_s=1)
    assert lab.state.region is not None


def test_a_wish_for_the_emergency_leverage_is_noted_and_no_rebalance() -> None:
    """Live refuses it as a backtest does, before anything is started."""
    lab = opened(Lab(a_fund(strategy=Wants(Rebalance(3.5, 3.5, "patient", "moon")))))
    lab.mark("61000")
    assert len(started(lab)) == 1
    assert lab.of(rec.RebalanceSkipped)[-1].reason.startswith("moon: the target could lie at the emergency")


def test_a_standing_wish_that_cannot_be_traded_is_noted_once_a_minute() -> None:
    """Or when the mark has moved on by a tenth of a percent: the journal is no place for every second."""
    lab = opened(Lab(a_fund(strategy=Wants(Rebalance(2, 2, "patient", "always")))))
    assert len(lab.of(rec.RebalanceSkipped)) == 1
    for _ in range(59):
        lab.mark("60001", after_s=1)
    assert len(lab.of(rec.RebalanceSkipped)) == 1
    lab.mark("60001", after_s=1)
    assert len(lab.of(rec.RebalanceSkipped)) == 2
    lab.mark("60070", after_s=1)
    assert len(lab.of(rec.RebalanceSkipped)) == 3


def test_no_increase_is_decided_on_a_breach_or_an_untrusted_feed() -> None:
    """Neither the opening nor a band rebalance; both begin when the reason is gone."""
    lab = opened(Lab())
    lab.mark("91000", after_s=0)
    lab = opened(Lab())
    lab.venue.trade(D("-0.4"), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    lab.walk("80000")
    assert len(started(lab)) == 1
    lab.restart(adopt=True)
    assert started(lab)[1].kind is rec.Kind.BAND


def test_the_opening_waits_for_a_trusted_feed() -> None:
    """The mark that a silent feed left behind opens nothing; the next one does."""
    lab = Lab()
    lab.records = lab.records[: lab.records.index(started(lab)[0])]
    lab.venue = InstantVenue(lab.contract, lab.fund.capital)
    lab.state = start(lab.fund, lab.contract, fold(lab.records))
    lab.mark("60000")
    lab.send(ev.FeedLost(*lab.now, "silence"))
    lab.send(ev.Resumed(*lab.now))
    assert started(lab) == []
    lab.mark("60000")
    assert len(started(lab)) == 1


def test_a_strategy_sees_plain_floats_and_the_last_rebalance() -> None:
    """Times in seconds, the mark of the last rebalance, volatility once the grid has two samples."""
    views: list[FundView] = []

    @dataclass(frozen=True)
    class Looks:
        def decide(self, view: FundView) -> Decision:
            views.append(view)
            return view.hold_between(0.0, 9.0)

    lab = opened(Lab(a_fund(strategy=Looks(), side="short")))
    view = views[-1]
    assert (view.side, view.mark, view.band, view.target_range) == ("short", 60_000, (1.5, 3), (1.8, 2.6))
    assert view.last_rebalance_time_s == lab.state.book.last_rebalance_ms / 1000
    assert view.last_rebalance_mark == 60_000
    assert view.volatility is None
    lab.mark("60600", after_s=3600)
    assert views[-1].volatility is not None
    assert {type(value) for value in (views[-1].mark, views[-1].real_leverage, views[-1].time_s)} == {float}


def test_a_hold_ends_with_the_strategys_time_the_grid_or_the_funding() -> None:
    """Whichever comes first."""
    lab = opened(Lab(a_fund(strategy=Wants(Hold(0, 1e9, until_s=2_500)))))
    assert lab.state.region is not None
    assert lab.state.region.until_ms == 2_500_000
    lab = opened(Lab(a_fund(strategy=Wants(Hold(0, 1e9)))))
    assert lab.state.region is not None
    assert lab.state.region.until_ms == lab.state.wake_ms  # its opening is to be revealed
    lab.mark(lab.price, after_s=1_000)
    assert lab.state.region.until_ms == 3_600_000
    lab.send(ev.Mark(*lab.now, lab.price, lab.time_ms + 5))
    lab.send(ev.Wake(*lab.now))
    assert lab.state.region.until_ms == lab.time_ms + 5


@pytest.mark.parametrize(
    "strategy", [Strategic(), Interval(at="", move=0.0)], ids=["strategic", "interval, never"]
)
@pytest.mark.parametrize("left", ["0.5", "3.7"], ids=["a little", "as much leverage as the band allows"])
def test_a_position_on_the_wrong_side_of_zero_is_closed_whatever_the_strategy_says(
    strategy: Strategic | Interval, left: str
) -> None:
    """A stranger sold more than the fund had: nobody's leverage is meant, and closing it is no increase."""
    lab = opened(Lab(a_fund(strategy=strategy)))
    lab.venue.trade(-lab.state.book.position - D(left), lab.time_ms, lab.price)
    lab.send(ev.ReconcileDue(*lab.now))
    assert lab.state.book.breaches
    closing = started(lab)[-1]
    assert (closing.kind, closing.target, closing.urgency) == (rec.Kind.FLATTEN, 0, Urgency.PROMPT)
    assert closing.reason == "on the wrong side of zero"
    lab.settle()
    assert lab.state.book.position == 0
    assert all(order.reduce_only for order in lab.of(rec.OrderIntended)[-2:])
    assert lab.state.book.state is rec.FundState.ACTIVE
