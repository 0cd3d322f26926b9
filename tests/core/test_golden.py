"""Golden runs: what the engine makes of a few scripted stories, line by line in tests/core/golden/*.jsonl.

Each line is an event that went in, or a record or command that came out of it, in order. After a change that
is meant to change them, write them anew and read the difference before committing it:

    GOLDEN_UPDATE=1 python -m pytest tests/core/test_golden.py
"""

import json
import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core import events as ev
from bot.core.commands import Command
from bot.core.flow_records import FlowKind
from bot.core.fund import Contract, Fund
from bot.testing import Lab, a_contract, a_fund
from bot.testing_venue import Outcome
from strategies.interval import Interval
from strategies.strategic import Strategic
from tests.support.flows import a_dealing_fund

GOLDEN = Path(__file__).parent / "golden"


def plain(value: Any) -> Any:
    """A message as JSON: decimals as strings, nested messages as objects."""
    if isinstance(value, Decimal):
        return str(value)
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


class Told(Lab):
    """A laboratory that writes down what it sees."""

    lines: list[str]

    def __init__(self, fund: Fund, contract: Contract | None = None) -> None:
        """Open the fund; the opening is written down too."""
        self.lines = []
        super().__init__(fund, contract)

    def take(self, event: ev.Event) -> tuple[Command, ...]:
        """One step, told."""
        known = len(self.records)
        commands = super().take(event)
        self._tell("event", event)
        for record in self.records[known:]:
            self._tell("record", record)
        for command in commands:
            self._tell("command", command)
        return commands

    def _tell(self, what: str, message: Any) -> None:
        self.lines.append(json.dumps({what: type(message).__name__, **plain(message)}))


def settled(*outcomes: Outcome, **changes: Any) -> Told:
    """A fund at rest near 2.1x in a narrow band, so that stories stay short; told from here on."""
    parameters: dict[str, Any] = {
        "band": ("1.9", "2.3"),
        "target": ("2.0", "2.2"),
        "start_leverage": "2.1",
        **changes,
    }
    told = Told(a_fund(**parameters))
    told.settle()
    told.lines.clear()
    told.venue.script.extend(outcomes)
    return told


def opening() -> Told:
    """A fund opens: patient slices to its start leverage, then it is compared with the venue."""
    told = Told(a_fund(start_leverage="0.3", band=("0.2", "0.9"), target=("0.3", "0.5")))
    told.settle()
    return told


def confirmation() -> Told:
    """Below the band: a confirmation is started, cancelled, started again, and ends in a rebalance."""
    told = settled(strategy=Strategic(600))
    told.mark("66600")
    told.mark("66000", after_s=1)
    told.mark("66600", after_s=1)
    told.mark("66600", after_s=600)
    told.settle()
    return told


def band_down() -> Told:
    """Above the band: prompt, reduce-only slices to the secret target."""
    told = settled()
    told.mark("55000")
    told.settle()
    return told


def emergency() -> Told:
    """Beyond the emergency leverage: one order for everything; what it leaves follows at once."""
    told = settled("half")
    told.mark("41000")
    told.settle()
    return told


def superseded() -> Told:
    """Raising leverage when the price falls through the other edge: that ends, and delevering begins."""
    told = settled()
    told.mark("66600")
    told.mark("54000", after_s=1)
    told.settle()
    return told


def unknown_found() -> Told:
    """The answer to an order is lost; the order is found by its client id."""
    told = settled("lose filled")
    told.mark("55000")
    told.settle()
    return told


def never_arrived() -> Told:
    """The request is lost: not found until its window is over, dead with the position as witness."""
    told = settled("lose")
    told.mark("55000")
    told.settle()
    return told


def refusals() -> Told:
    """Five refusals back off and become a breach, which the fill of a delever does not end."""
    told = settled("refuse", "refuse", "refuse", "refuse", "refuse")
    told.mark("55000")
    told.settle()
    return told


def external_trade() -> Told:
    """Somebody else sells: booked, no increase until the operator adopts it."""
    told = settled()
    told.venue.trade(Decimal("-0.5"), told.time_ms, told.price)
    told.send(ev.ReconcileDue(*told.now))
    told.mark("61000")
    told.restart(adopt=True)
    told.settle()
    return told


def funding() -> Told:
    """Funding is booked at its instant, before anything is decided on it."""
    told = settled()
    due_ms = 28_800_000
    told.mark("60000", after_s=(due_ms - 1000 - told.time_ms) / 1000, rate="0.0001")
    told.venue.pay_funding(Decimal("-20.97"), due_ms)
    told.mark("60000", after_s=1, rate="0.0002")
    return told


def too_small() -> Told:
    """The fund has become too small for the venue's minimum order: flattened, and at rest."""
    told = Told(a_fund(capital="420", start_leverage="1.6"), a_contract(lot="0.0001"))
    told.settle()
    told.lines.clear()
    told.mark("51000")
    told.settle()
    told.mark("51100")
    return told


def dead() -> Told:
    """A gap leaves no value: flattened at once, and dead."""
    told = settled()
    told.mark("30000")
    told.settle()
    told.mark("31000")
    return told


def park_and_resume() -> Told:
    """Stopped between two slices, and taken up again."""
    told = settled()
    told.mark("55000")
    told.send(ev.Park(*told.now))
    told.mark("55000", after_s=30)
    told.restart()
    told.settle()
    return told


def interval() -> Told:
    """A conventional token: after a move, at its hour, and at its maximum leverage."""
    told = settled(strategy=Interval(target=2.1, at="12:00", move=0.05, max_leverage=2.6), emergency="2.6")
    told.mark("63100", rate="0")
    told.settle()
    told.mark("63000", rate="0")
    told.mark("64500", after_s=43_200 - told.time_ms / 1000)
    told.settle()
    told.mark("51000")
    told.settle()
    return told


def flows() -> Told:
    """One comes, one goes: funded, crossed, traded in proportion, settled, paid; the fee until then first."""
    told = Told(a_dealing_fund("0.001", redeem_fee="0.001"))
    told.settle()
    told.lines.clear()
    told.send(ev.FlowAsked(*told.now, FlowKind.SUBSCRIBE, Decimal(9_000), "order-1"))
    told.send(ev.FlowAsked(*told.now, FlowKind.REDEEM, Decimal(2_000), "order-2"))
    told.mark("60100", after_s=(told.fund.terms.dealing_after(told.time_ms) - told.time_ms) / 1000)
    told.settle()
    return told


STORIES: dict[str, Callable[[], Told]] = {
    story.__name__: story
    for story in (
        opening,
        confirmation,
        band_down,
        emergency,
        superseded,
        unknown_found,
        never_arrived,
        refusals,
        external_trade,
        funding,
        too_small,
        dead,
        flows,
        park_and_resume,
        interval,
    )
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_as_it_always_was(name: str) -> None:
    """Event by event, the same records and the same commands."""
    told = "\n".join(STORIES[name]().lines) + "\n"
    path = GOLDEN / f"{name}.jsonl"
    if os.environ.get("GOLDEN_UPDATE") == "1":
        path.write_text(told)
    assert told.splitlines() == path.read_text().splitlines()


def test_no_story_is_about_nothing() -> None:
    """Each of them has records: a price that triggers nothing would tell no story at all."""
    for path in GOLDEN.glob("*.jsonl"):
        assert sum('"record": ' in line for line in path.read_text().splitlines()) > 1, path.name


def test_every_golden_file_has_its_story() -> None:
    """And no file is left from a story that is gone."""
    assert {path.stem for path in GOLDEN.glob("*.jsonl")} == set(STORIES)
