import numpy as np
import pytest

from bot.study.simulate import START_PRICE, Blocks, Garch, Gbm, Jumps, Model, paths

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
YEAR_DAYS = 365


def logs(model: Model, bars: int, bar_ms: int, count: int, seed: int = 0) -> np.ndarray:
    """Logarithmic returns of `count` paths [count, bars - 1]."""
    return np.array([np.diff(np.log(path.closes)) for path in paths(model, bars, bar_ms, range(count), seed)])


@pytest.mark.parametrize("model", [Gbm(), Garch(), Jumps()], ids=lambda model: type(model).__name__)
def test_a_path_starts_at_the_start_price_and_stays_positive(model: Model) -> None:
    """And repeats exactly for the same seed and number, whichever other paths are made."""
    one, two = (next(paths(model, 500, HOUR_MS, range(7, 8), 3)).closes.copy() for _ in range(2))
    among = [path.closes.copy() for path in paths(model, 500, HOUR_MS, range(10), 3)]
    assert one[0] == START_PRICE
    assert one.min() > 0
    assert (one == two).all()
    assert (one == among[7]).all()
    assert (one != among[6]).any()


@pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        (Gbm(0.8), 0.01),
        (Garch(0.8), 0.02),
        (Jumps(0.5, jumps_per_year=50, jump_mean=-0.02, jump_deviation=0.08), 0.03),
    ],
    ids=["Gbm", "Garch", "Jumps"],
)
def test_volatility_is_what_was_asked_for(model: Gbm | Garch | Jumps, tolerance: float) -> None:
    """Jumps add theirs: sqrt(volatility² + rate x (mean² + deviation²))."""
    expected = model.volatility
    if isinstance(model, Jumps):
        jumps = model.jumps_per_year * (model.jump_mean**2 + model.jump_deviation**2)
        expected = float(np.sqrt(model.volatility**2 + jumps))
    found = logs(model, 365 * 24, HOUR_MS, 40)
    assert np.sqrt((found**2).sum(axis=1).mean()) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(
    "model", [Gbm(0.5, 0.3), Garch(0.5, 0.3), Jumps(0.4, 0.3)], ids=["Gbm", "Garch", "Jumps"]
)
def test_drift_is_that_of_the_expected_price(model: Model) -> None:
    """E[S] after a year is e^drift, within five standard errors."""
    ends = np.exp(logs(model, 366, DAY_MS, 4_000, seed=1).sum(axis=1))
    error = ends.std() / np.sqrt(len(ends))
    assert abs(ends.mean() - np.exp(0.3 * 365 / 365)) < 5 * error


def test_garch_clusters() -> None:
    """Squared returns are correlated from bar to bar, which those of Brownian motion are not."""

    def persistence(model: Model) -> float:
        squares = logs(model, 50_000, HOUR_MS, 1)[0] ** 2
        return float(np.corrcoef(squares[1:], squares[:-1])[0, 1])

    assert persistence(Garch(alpha=0.15, beta=0.8)) > 0.1
    assert abs(persistence(Gbm())) < 0.03


def test_blocks_keep_returns_and_funding_together() -> None:
    """Each bar of a path is a bar of the source, and most are followed by the bar that follows it there."""
    source = np.linspace(1e-6, 1e-3, 1_000)
    model = Blocks(source, source * 2, mean_bars=20)
    (path,) = [(path.closes.copy(), path.rates.copy()) for path in paths(model, 20_000, HOUR_MS, range(1))]
    steps, rates = np.diff(np.log(path[0])), path[1]
    np.testing.assert_allclose(rates[1:], steps * 2, rtol=1e-6)
    rows = np.rint(steps * 1e6).astype(int) - 1
    assert set(rows) <= set(range(1_000))
    breaks = (rows[1:] != (rows[:-1] + 1) % 1_000).mean()
    assert breaks == pytest.approx(1 / 20, rel=0.1)
    assert np.unique(rows).size > 900


def test_paths_share_their_memory() -> None:
    """The arrays of one path are overwritten by the next: memory does not grow with their number."""
    seen = {id(path.closes) for path in paths(Gbm(), 100, MINUTE_MS, range(50))}
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Gbm(0.0), "volatility"),
        (lambda: Garch(alpha=0.5, beta=0.5), "alpha"),
        (lambda: Garch(alpha=-0.1), "alpha"),
        (lambda: Jumps(jumps_per_year=-1), "jumps_per_year"),
        (lambda: Blocks(np.ones(3), np.ones(3), 0.5), "mean_bars"),
        (lambda: next(paths(Gbm(), 1, HOUR_MS, range(1))), "bars"),
    ],
)
def test_a_senseless_parameter_is_refused_by_name(make: object, named: str) -> None:
    """The message begins with the parameter."""
    with pytest.raises(ValueError, match=f"^{named}"):
        make()  # type: ignore[operator]
