"""What one seed stands for: a fund, its market, and what goes wrong how often."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from bot.core.fund import Contract, Fund
from bot.core.terms import FlowTerms
from bot.simulation.chance import Chance
from bot.simulation.faults import Fault, drawn_faults
from bot.simulation.market import Course
from bot.testing import a_contract, a_fund
from strategies.interval import Interval
from strategies.strategic import Strategic

if TYPE_CHECKING:
    from bot.core.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated world, before its first second. `restart_s`: how long a new process takes to come.

    `flows_per_hour`: how often holders ask for something. `by_hand`: people move their cash.
    """

    fund: Fund
    contract: Contract
    sigma_bps: float
    depth: Decimal
    funding_every_s: int
    funding_rate: float
    clock_off_ms: int
    restart_s: tuple[float, float]
    chances: dict[Fault, float]
    rates: dict[Fault, float]
    course: Course = ()
    flows_per_hour: float = 0.0
    by_hand: bool = True


_SHARE_PROTECTED = 0.5
_SHARE_WITH_FLOWS = 0.5
_SHARE_CAPPED = 0.3
"""Of worlds in which a fund that does as it should meets the caps on what it sends."""
_FLOW_FEES = (Decimal(0), Decimal("0.001"))
_DAILY_FEES = (Decimal(0), Decimal("0.0003"))
_BANDS = (
    (("1.9", "2.3"), ("2.0", "2.2"), "2.1"),
    (("1.8", "2.4"), ("1.95", "2.25"), "2.1"),
    (("1.5", "3"), ("1.8", "2.6"), "2.2"),
    (("2.6", "3.2"), ("2.7", "3.0"), "2.9"),
)


def scenario_of(seed: int) -> Scenario:
    """The world of a seed."""
    chance = Chance(seed, "scenario")
    side: Literal["long", "short"] = chance.pick(("long", "short"))
    band, target, start = chance.pick(_BANDS)
    strategies: tuple[Strategy, ...] = (
        Strategic(0),
        Strategic(60),
        Strategic(600),
        Strategic(1_800),
        Interval(move=0.01, at=""),
        Interval(target=2.2, at="00:00,08:30,09:00,09:30"),
    )
    fund = a_fund(
        side=side,
        band=band,
        target=target,
        start_leverage=start,
        strategy=chance.pick(strategies),
        capital=str(chance.pick((3_000, 20_000, 100_000, 2_000_000))),
    )
    holders = Chance(seed, "holders")
    fund = replace(fund, protective_stop=holders.happens(_SHARE_PROTECTED))
    flows_per_hour = 0.0
    if holders.happens(_SHARE_WITH_FLOWS):
        flows_per_hour = holders.pick((4.0, 12.0, 30.0))
        fund = replace(fund, terms=_terms(holders), management_fee_daily=holders.pick(_DAILY_FEES))
    caps = Chance(seed, "caps")
    if caps.happens(_SHARE_CAPPED):
        tight = fund.caps._replace(
            orders_per_minute=caps.whole(1, 6), hourly_notional=Decimal(caps.whole(3, 6))
        )
        fund = replace(fund, caps=tight)
    chances, rates = drawn_faults(chance)
    return Scenario(
        fund=fund,
        contract=a_contract(),
        sigma_bps=chance.pick((3.0, 8.0, 15.0)),
        depth=fund.capital * Decimal(round(chance.between(0.05, 0.5), 3)),
        funding_every_s=chance.pick((600, 1_800, 3_600)),
        funding_rate=chance.between(-0.0008, 0.0008),
        clock_off_ms=chance.pick((0, 0, 300, -300, 900, -2_000)),
        restart_s=chance.pick(((0.1, 2.0), (0.1, 20.0), (0.0, 0.1), (5.0, 120.0))),
        chances=chances,
        rates=rates,
        flows_per_hour=flows_per_hour,
        by_hand=holders.happens(0.5),
    )


def _terms(chance: Chance) -> FlowTerms:
    """On which terms holders come and go; a dealing each minute, as each half an hour."""
    return FlowTerms(
        subscribe_fee=chance.pick(_FLOW_FEES),
        redeem_fee=chance.pick(_FLOW_FEES),
        every_s=chance.pick((60, 300, 1_800)),
    )
