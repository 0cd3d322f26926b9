"""Strategic against interval rebalancing on the same data, with the evidence for and against each claim."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bot.study.contenders import (
    MATCHED,
    PARTS,
    STRATEGIC,
    Contender,
    Terms,
    contenders,
    fund_for,
    matched,
    run,
    run_all,
    with_yearly,
)
from bot.study.errors import BadParameterError, StudyError
from bot.study.evidence import Row, blocks_of, bootstrap, rolling, spread
from bot.study.founding import Founding, founding
from bot.study.runs import Outcome, Series, follow
from bot.study.spec import Costs, FundSpec, Side, SquareRootImpact

SIDES: tuple[Side, Side] = ("long", "short")
NAMES = {"long": "UP", "short": "DOWN"}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much evidence is gathered, and the seed of everything random.

    `target_seeds`: of the secret targets, on the data as they are; `starts`: rolling start dates, each for
    half of the data; `resamples`: bootstrap paths of each kind, in blocks of `block_days` on average.
    """

    target_seeds: int = 25
    starts: int = 40
    resamples: int = 200
    block_days: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("target_seeds", "starts", "resamples"):
            if getattr(self, name) < 1:
                raise BadParameterError(name, f"{getattr(self, name)} is too few", "give 1 or more")
        if not self.block_days > 0:
            raise BadParameterError("block_days", f"{self.block_days:g} is no length", "give one above 0")

    @property
    def steps(self) -> int:
        """Steps that are told while comparing."""
        return 2 * (self.target_seeds + self.starts + 2 * self.resamples)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that is claimed of strategic rebalancing, by the figure that would show it."""

    text: str
    figure: str
    more_is_better: bool


CLAIMS = (
    Claim("fewer rebalances", "rebalances_per_year", more_is_better=False),
    Claim("lower trading costs", "cost_per_year", more_is_better=False),
    Claim("exposure changes less from day to day", "daily_exposure_change", more_is_better=False),
    Claim("real leverage is steadier", "leverage_deviation", more_is_better=False),
    Claim("less erosion: more growth", "growth_per_year", more_is_better=True),
)
DETAILS = tuple(
    Claim(f"growth: {text}", f"{part}_per_year", more_is_better=True)
    for part, text in zip(
        PARTS,
        ("from the level of leverage", "from the path", "from less trading", "from funding"),
        strict=True,
    )
)

SAMPLES = ("starts", "bootstrap", "flat")
"""Rolling start dates; resampled paths; resampled paths without the average return."""


@dataclass(frozen=True, slots=True)
class Course:
    """One contender's course on the data as they are, at the end of each UTC day.

    Leverage is real leverage.
    """

    times_ms: list[int]
    returns: list[float]
    exposure: list[float]
    leverage: list[float]
    nav: list[float]
    rebalance_times_ms: list[int]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. `sides` has a table, the claims' evidence and courses for "long" and "short"."""

    data: dict[str, Any]
    terms: Terms
    effort: Effort
    labels: dict[str, str]
    sides: Mapping[Side, dict[str, Any]]
    underlying: list[float]
    founding: Founding

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "data": self.data,
            "terms": asdict(self.terms),
            "effort": asdict(self.effort),
            "labels": self.labels,
            "sides": dict(self.sides),
            "underlying_daily_returns": self.underlying,
            "founding": self.founding._asdict(),
        }


def compare(
    data: Series, terms: Terms, effort: Effort, tell: Callable[[], None] = lambda: None
) -> Comparison:
    """Compare all contenders on `data`, UP and DOWN; `tell` is called `effort.steps` times on the way.

    Raises StudyError for terms that no fund can have, and for data of less than four days.
    """
    if data.years * 365 < 4:
        raise StudyError(f"prices: {data.years * 365:.1f} days are too few to compare; give at least four")
    labels = {contender.key: contender.label for contender in contenders(terms)}
    labels[MATCHED] = matched(2.0).label
    sides = {side: _side(data, terms, effort, side, tell) for side in SIDES}
    returns = data.underlying.daily_returns.tolist()
    return Comparison(_facts(data), terms, effort, labels, sides, returns, founding())


def _side(data: Series, terms: Terms, effort: Effort, side: Side, tell: Callable[[], None]) -> dict[str, Any]:
    seeded: list[Row] = []
    for seed in range(effort.target_seeds):
        seeded.append(run_all(data, terms, side, effort.seed + seed))
        tell()
    table = {key: _average([row[key] for row in seeded]) for key in seeded[0]}
    flat, real = (blocks_of(data, effort.block_days, flat=flat) for flat in (True, False))
    samples = {
        "starts": rolling(data, terms, side, effort.starts, tell),
        "bootstrap": bootstrap(data, real, terms, side, effort.resamples, effort.seed, tell),
        "flat": bootstrap(data, flat, terms, side, effort.resamples, effort.seed, tell),
    }
    growth = {
        name: {key: [row[key]["growth_per_year"] for row in rows] for key in table}
        for name, rows in samples.items()
    }
    return {
        "table": table,
        "seed_deviation": _deviation([row[STRATEGIC] for row in seeded]),
        "claims": _claims(CLAIMS, table, samples),
        "growth_details": _claims(DETAILS, table, samples),
        "growth_samples": growth,
        "impact": _impact(data, terms, side, effort.seed),
        "courses": _courses(data, terms, side, effort.seed, table),
    }


def _average(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in rows[0]:
        known = [value for row in rows if (value := row[name]) is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


def _deviation(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in rows[0]:
        known = [value for row in rows if (value := row[name]) is not None]
        found[name] = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return found


def _claims(
    claims: Sequence[Claim],
    table: Mapping[str, Mapping[str, float | None]],
    samples: Mapping[str, Sequence[Row]],
) -> list[dict[str, Any]]:
    found = []
    for claim in claims:
        for other in (key for key in table if key != STRATEGIC):
            own, theirs = table[STRATEGIC][claim.figure], table[other][claim.figure]
            entry: dict[str, Any] = {"claim": claim.text, "figure": claim.figure, "against": other}
            entry |= {"strategic": own, "other": theirs, "more_is_better": claim.more_is_better}
            for name, rows in samples.items():
                measured = spread(rows, other, claim.figure, more_is_better=claim.more_is_better)
                entry[name] = None if measured is None else {**asdict(measured), "verdict": measured.verdict}
            found.append(entry)
    return found


def _impact(data: Series, terms: Terms, side: Side, seed: int) -> dict[str, dict[str, float | None]] | None:
    """What the product and the three conventional tokens cost under the square-root law of impact."""
    if data.prices.volume is None:
        return None
    costs = Costs(fee_bps=terms.fee_bps, slippage=SquareRootImpact())
    found = {}
    for contender in contenders(terms)[:4]:
        outcome = follow(data, fund_for(terms, side, contender), contender.strategy, costs, seed)
        figures = with_yearly(outcome.figures(data))
        found[contender.key] = {
            name: figures[name] for name in ("cost_per_year", "growth_per_year", "nav", "dead")
        }
    return found


def _courses(
    data: Series, terms: Terms, side: Side, seed: int, table: Mapping[str, Mapping[str, float | None]]
) -> dict[str, dict[str, Any]]:
    control = matched(abs(table[STRATEGIC]["mean_leverage"] or 2.0))
    found = {}
    for contender in (*contenders(terms), control):
        outcome = run(data, terms, side, contender, seed)
        found[contender.key] = asdict(_course(data, outcome, fund_for(terms, side, contender), contender))
    return found


def _course(data: Series, outcome: Outcome, fund: FundSpec, contender: Contender) -> Course:
    times, rows = data.prices.times_ms, data.underlying.day_ends
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.nan_to_num(data.underlying.daily(outcome.nav), posinf=0.0, neginf=0.0)
    exposure = np.abs(outcome.leverage) * outcome.nav * fund.capital
    return Course(
        times_ms=times[rows].tolist(),
        returns=returns.tolist(),
        exposure=exposure[rows].tolist(),
        leverage=np.abs(outcome.leverage)[rows].tolist(),
        nav=outcome.nav[rows].tolist(),
        rebalance_times_ms=times[outcome.trades[:, 0].astype(int)].tolist() if contender.drawn else [],
    )


def _facts(data: Series) -> dict[str, Any]:
    prices = data.prices
    logs = np.diff(np.log(prices.close))
    return {
        "source": data.name,
        "from_ms": int(prices.times_ms[0]),
        "to_ms": int(prices.times_ms[-1]),
        "bars": len(prices),
        "bar_ms": prices.bar_ms,
        "gaps": prices.gaps,
        "missing_bars": prices.missing_bars,
        "first_price": float(prices.close[0]),
        "last_price": float(prices.close[-1]),
        "volatility": float(np.sqrt((logs**2).sum() / data.years)),
        "funding_payments": len(data.funding_rates),
        "funding_sum": float(data.funding_rates.sum()),
        "has_volume": prices.volume is not None,
    }
