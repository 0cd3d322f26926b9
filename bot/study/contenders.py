"""Who is compared: the strategic fund, three conventional tokens, and three controls, each UP and DOWN."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.strategy import Strategy
from bot.study.choice import start_leverage_for
from bot.study.runs import Outcome, Series, follow
from bot.study.spec import Costs, FixedSlippage, FundSpec, Side
from strategies.corridor import Corridor
from strategies.interval import Interval
from strategies.recenter import Recenter
from strategies.strategic import Strategic

Figures = Mapping[str, float | None]

STRATEGIC = "strategic"
MATCHED = "matched"


@dataclass(frozen=True, slots=True)
class Terms:
    """What all contenders share; amounts in the quote currency, leverages real, `lot` in base units."""

    capital: float = 100e6
    fee_bps: float = 5.0
    slippage_bps: float = 0.0
    lot: float | None = 0.001
    band: tuple[float, float] = (1.5, 3.0)
    target_range: tuple[float, float] = (1.8, 2.6)

    @property
    def costs(self) -> Costs:
        """What a trade costs."""
        slippage = FixedSlippage(self.slippage_bps) if self.slippage_bps else None
        return Costs(fee_bps=self.fee_bps, slippage=slippage)


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to run a fund. `drawn` says that its targets are drawn, so that one seed is one of many."""

    key: str
    label: str
    strategy: Strategy
    drawn: bool = False


def contenders(terms: Terms) -> tuple[Contender, ...]:
    """All of them but the matched one, which follows from the strategic fund's own mean leverage."""
    middle = sum(terms.target_range) / 2
    return (
        Contender(STRATEGIC, "strategic", Strategic(confirmation_s=0.0), drawn=True),
        Contender("daily", "interval 3x, daily", Interval(move=0.0)),
        Contender("moves", "interval 3x, 10 % moves", Interval(at="")),
        Contender("both", "interval 3x, daily and 10 % moves", Interval()),
        Contender("recenter", f"recenter to {middle:g}x", Recenter(target=middle)),
        Contender("corridor", f"corridor about {middle:g}x", Corridor(target=middle)),
    )


def matched(leverage: float) -> Contender:
    """A fund held at `leverage` by daily rebalancing alone.

    What the strategic fund is worth beyond its leverage.
    """
    strategy = Interval(target=leverage, move=0.0, max_leverage=max(4.0, 2 * leverage))
    return Contender(MATCHED, "interval daily, at strategic's mean leverage", strategy)


def fund_for(terms: Terms, side: Side, contender: Contender) -> FundSpec:
    """The fund that a contender runs."""
    return FundSpec(
        side=side,
        band=terms.band,
        target_range=terms.target_range,
        start_leverage=start_leverage_for(contender.strategy, terms.target_range),
        capital=terms.capital,
        lot=terms.lot,
    )


def run(series: Series, terms: Terms, side: Side, contender: Contender, seed: int) -> Outcome:
    """One contender through one series, with the secret targets of `seed`."""
    return follow(series, fund_for(terms, side, contender), contender.strategy, terms.costs, seed)


def run_all(series: Series, terms: Terms, side: Side, seed: int) -> dict[str, dict[str, float | None]]:
    """Every contender through one series on the same terms: the figures of each, by its key."""
    found: dict[str, dict[str, float | None]] = {}
    for contender in contenders(terms):
        found[contender.key] = with_yearly(run(series, terms, side, contender, seed).figures(series))
    mean = abs(found[STRATEGIC]["mean_leverage"] or 0.0)
    control = matched(mean)
    found[MATCHED] = with_yearly(run(series, terms, side, control, seed).figures(series))
    return found


PARTS = ("level", "path", "trading", "funding")
"""What a difference of growth is made of: see `with_yearly`."""


def with_yearly(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Add the parts of yearly growth (logarithmic) and the yearly cost.

    `level`: what the price change and volatility give a fund that is held at this one's mean leverage;
    `path`: what leverage did around its mean, when it was high and how much it varied; `trading`: fees and
    slippage; `funding`: as it was received. They add up to `growth_per_year`.
    """
    years = (figures["days"] or 0.0) / 365
    joined = {
        "level": ("growth_level", "growth_level_drag"),
        "path": ("growth_path", "growth_variation_drag"),
        "trading": ("growth_fees",),
        "funding": ("growth_funding",),
    }
    found = dict(figures)
    for part, names in joined.items():
        values = [figures[name] for name in names]
        known = [value for value in values if value is not None]
        found[f"{part}_per_year"] = sum(known) / years if years and len(known) == len(values) else None
    trading = found["trading_per_year"]
    found["cost_per_year"] = None if trading is None else -trading
    return found
