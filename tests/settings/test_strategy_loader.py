"""Strategies are found by name or import path, and built with checked parameters."""

import contextlib
import re
import sys
from collections.abc import Iterator
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.strategy import FundView, Hold, Rebalance
from bot.strategy_loader import ParameterError, UnknownStrategyError, load_strategy, strategy_names
from strategies.interval import Interval
from strategies.strategic import Strategic

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules can be imported; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def view(**changes: Any) -> FundView:
    """A long fund at 2x in a band of 1.5 to 3, a day after its last rebalance."""
    facts: dict[str, Any] = {
        "time_s": 86_400.0,
        "side": "long",
        "mark": 100.0,
        "real_leverage": 2.0,
        "band": (1.5, 3.0),
        "target_range": (1.8, 2.6),
        "last_rebalance_time_s": 0.0,
        "last_rebalance_mark": 100.0,
    }
    return FundView(**(facts | changes))


def test_a_strategy_is_found_by_its_name() -> None:
    """The name is that of its file, in any case."""
    assert load_strategy("strategic", {}) == Strategic()
    assert load_strategy("Interval", {}) == Interval()
    assert {"strategic", "interval", "recenter", "corridor"} <= set(strategy_names())


def test_parameters_may_be_numbers_or_text() -> None:
    """JSON gives numbers, TOML decimals, a command line text; all become the field's type."""
    for seconds in (60, 60.0, Decimal(60), "60"):
        strategy = load_strategy("strategic", {"confirmation_s": seconds})
        assert strategy == Strategic(60.0)
        assert isinstance(strategy, Strategic)
        assert type(strategy.confirmation_s) is float
    assert load_strategy("interval", {"at": ""}) == Interval(at="")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strategc", ("did you mean strategic?",)),
        ("", ("known: ", "strategic", "interval")),
        ("nowhere.at_all:Thing", ('no module "nowhere"', "PYTHONPATH")),
        ("strategies.strategic:Strategc", ("did you mean Strategic?",)),
        ("strategies.strategic:dataclass", ("no class",)),
        ("decimal:Decimal", ("decide(self, view)",)),
        (":Thing", ("package.module:ClassName",)),
    ],
)
def test_an_unknown_strategy_is_named_with_the_remedy(name: str, words: tuple[str, ...]) -> None:
    """The line proposes the nearest name, or says what is missing."""
    with pytest.raises(UnknownStrategyError) as refusal:
        load_strategy(name, {})
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"confirm": 1}, ('no parameter "confirm"', "confirmation_s")),
        ({"confirmation_s": "soon"}, ("confirmation_s must be a number",)),
        ({"confirmation_s": True}, ("confirmation_s must be a number",)),
        ({"confirmation_s": float("nan")}, ("confirmation_s must be a number",)),
        ({"confirmation_s": [1]}, ("confirmation_s must be a number",)),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, object], words: tuple[str, ...]) -> None:
    """The line names the parameter, and those that there are."""
    with pytest.raises(ParameterError) as refusal:
        load_strategy("strategic", parameters)
    for word in words:
        assert word in str(refusal.value)


def test_a_strategys_own_refusal_is_passed_on() -> None:
    """What __post_init__ says about a value reaches the user."""
    with pytest.raises(ParameterError, match="move must be a fraction"):
        load_strategy("interval", {"move": 1.5})


def test_a_module_that_fails_is_named(folder: Path) -> None:
    """A user's mistake in a module is one line, with Python's own words."""
    (folder / "broken_one.py").write_text("1 / 0\n")
    with pytest.raises(UnknownStrategyError, match=r"broken_one:X .*division by zero"):
        load_strategy("broken_one:X", {})


def test_a_modules_own_precision_is_its_own(folder: Path) -> None:
    """`getcontext().prec = 6` at the top of a user's module does not round the ledger."""
    (folder / "rough.py").write_text("from decimal import getcontext\ngetcontext().prec = 6\n")
    with pytest.raises(UnknownStrategyError, match="no class"):
        load_strategy("rough:X", {})
    assert getcontext().prec == 28


def test_a_strategy_must_be_frozen(folder: Path) -> None:
    """State between two calls would make a backtest and a live run differ."""
    (folder / "thawed.py").write_text("class Thawed:\n    def decide(self, view):\n        return None\n")
    with pytest.raises(UnknownStrategyError, match=r"@dataclass\(frozen=True\)"):
        load_strategy("thawed:Thawed", {})


def test_the_documents_example_works(folder: Path) -> None:
    """The strategy in docs/strategies.md is under 30 lines, loads by its path, and decides as it says."""
    source = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    assert len(source.splitlines()) < 30
    (folder / "patience.py").write_text(source)
    strategy = load_strategy("patience:Patience", {"wait_s": 7200})

    hold = strategy.decide(view())
    assert isinstance(hold, Hold)
    assert hold.low < 100.0 < hold.high
    rested = strategy.decide(view(real_leverage=1.4))
    assert rested == Rebalance(1.8, 2.6, "patient", "rested")
    assert strategy.decide(view(real_leverage=1.4, time_s=60.0)) == Hold(100.0, 100.0, 7200.0)
    urgent = strategy.decide(view(real_leverage=3.1, time_s=60.0))
    assert isinstance(urgent, Rebalance)
    assert urgent.urgency == "prompt"
    with pytest.raises(ParameterError, match="wait_s must not be negative"):
        load_strategy("patience:Patience", {"wait_s": -1})


@given(
    name=st.text(max_size=8),
    value=st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none()),
)
def test_no_parameter_raises_anything_but_our_own_error(name: str, value: object) -> None:
    """Whatever the parameter, the answer is a strategy or our own error."""
    for parameter in (name, "at", "target"):
        with contextlib.suppress(ParameterError):
            load_strategy("interval", {parameter: value})
