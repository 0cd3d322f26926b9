"""From the public endpoints alone nobody can tell a fund that trades in secret from one that does nothing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.history import RebalanceHistory
from bot.core.strategy import Decision, FundView
from bot.core.turn import State
from bot.daemon.nav import NavRecorder
from bot.daemon.public import PublicSide
from bot.journal.nav_store import NavStore
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic
from tests.support.site import Figures, Site, a_site

D = Decimal
PATHS = (
    "/api/v1/funds",
    "/api/v1/funds/BTCUP",
    "/api/v1/funds/BTCUP/rebalances",
    "/api/v1/funds/BTCUP/nav?interval=1m",
    "/api/v1/funds/BTCUP/nav?interval=1h",
    "/api/v1/funds/BTCUP/series?interval=1m",
    "/api/v1/funds/BTCUP/performance",
    "/api/v1/funds/BTCUP/costs",
    "/api/v1/funds/NONE",
    "/readyz",
    "/openapi.json",
)
RATE = D("0.0003")


@dataclass(frozen=True)
class Idle:
    """A strategy that never trades again once its fund is open."""

    def decide(self, view: FundView) -> Decision:
        """Hold, whatever the leverage."""
        return view.hold_between(0.0, 3.49)


@dataclass
class LabRunner:
    """A laboratory's fund, as the public side looks at a runner."""

    lab: Lab
    history: RebalanceHistory = field(default_factory=lambda: RebalanceHistory("BTCUP"))
    known: int = 0

    @property
    def name(self) -> str:
        """The fund's name."""
        return self.lab.fund.name

    @property
    def state(self) -> State:
        """The engine's state."""
        return self.lab.state

    def tell(self) -> None:
        """Let the history hear of what is new."""
        for record in self.lab.records[self.known :]:
            self.history.apply(record)
        self.known = len(self.lab.records)


@dataclass
class Watched:
    """One fund, its public endpoints, and everything that somebody who watches them has seen."""

    runner: LabRunner
    site: Site
    recorder: NavRecorder
    reader: Any
    seen: list[tuple[str, int, str, bytes]] = field(default_factory=list)

    async def look(self) -> None:
        """Ask everything, headers too, and read what the stream says."""
        self.runner.tell()
        mark = self.runner.state.mark
        assert mark is not None
        self.recorder.take(self.runner, mark)  # type: ignore[arg-type]
        await self.site.figures.feed.look()
        for path in PATHS:
            async with self.site.session.get(self.site.url + path) as answer:
                told = {name: value for name, value in answer.headers.items() if name != "Date"}
                self.seen.append((path, answer.status, str(sorted(told.items())), await answer.read()))
        frame = await self.reader.content.readuntil(b"\n\n")
        self.seen.append(("stream", 200, "", frame))

    async def mark(self, price: str, *, after_s: float = 20) -> None:
        """Time passes, funding is paid where it is due, a mark comes; somebody looks."""
        lab = self.runner.lab
        due_ms = (lab.time_ms // 28_800_000 + 1) * 28_800_000
        if lab.time_ms + int(after_s * 1000) >= due_ms:
            paid = (-lab.state.book.position * lab.price * RATE).quantize(D("1e-8"))
            if paid:
                lab.venue.pay_funding(paid, due_ms)
        lab.mark(price, after_s=after_s, rate=str(RATE))
        await self.look()


@asynccontextmanager
async def watched(lab: Lab, folder: Path) -> AsyncIterator[Watched]:
    """Serve a fund's public side, and read its stream."""
    runner = LabRunner(lab)
    runner.tell()
    store = NavStore(folder / "nav.sqlite")
    recorder = NavRecorder(store)
    side = PublicSide("paper", [runner], {"BTCUP": runner.history})  # type: ignore[list-item]
    side.recorder = recorder
    async with a_site(Figures(public=side)) as site, site.session.get(site.url + "/api/v1/stream") as reader:
        await reader.content.readuntil(b"\n\n")
        await reader.content.readuntil(b"\n\n")
        yield Watched(runner, site, recorder, reader)
    recorder.close()
    store.close()


def opened(lab: Lab) -> Lab:
    """The fund's opening is over and public; its next funding is an hour and a half away."""
    lab.settle()
    lab.mark(lab.price, after_s=4_000)
    lab.mark(lab.price, after_s=(6.5 * 3_600_000 - lab.time_ms) / 1000, rate=str(RATE))
    return lab


def prices(to: int, count: int) -> list[str]:
    """A walk from 60,000 that trembles."""
    return [str(60_000 + (to - 60_000) * i // count + (i * 7919) % 41 - 20) for i in range(1, count + 1)]


STORIES = {
    "leverage is raised": prices(91_000, 30) + ["91000"] * 30,
    "leverage is reduced": prices(44_900, 30) + ["44900"] * 20,
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("funding", [False, True], ids=["", "over funding"])
async def test_a_fund_that_trades_in_secret_looks_like_one_that_does_nothing(
    tmp_path: Path, story: str, *, funding: bool
) -> None:
    """Every byte of every public answer, header and event, from before the start until the reveal.

    So no attack can work, known or not: there is nothing that depends on the position.
    """
    trading, idle = opened(Lab(a_fund(strategy=Strategic(0)))), opened(Lab(a_fund(strategy=Idle())))
    assert trading.state.book.public.basket == idle.state.book.public.basket
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with watched(trading, tmp_path / "a") as one, watched(idle, tmp_path / "b") as other:
        for price in STORIES[story]:
            await asyncio.gather(one.mark(price), other.mark(price))
        if funding:
            wait_s = (28_800_000 - trading.time_ms) / 1000 + 1
            await asyncio.gather(*(w.mark(STORIES[story][-1], after_s=wait_s) for w in (one, other)))
        filled = [r for r in trading.of(rec.Filled) if r.time_ms > 23_400_000]
        assert len(filled) > 3
        assert trading.state.book.position != idle.state.book.position
        until = len(one.seen)
        if trading.state.book.public.pending:
            assert one.seen == other.seen
        else:  # the lag was over before: then they part at the reveal and not before
            until = next(
                i for i, pair in enumerate(zip(one.seen, other.seen, strict=True)) if pair[0] != pair[1]
            )
            reveal = next(i for i, seen in enumerate(one.seen) if b"BTCUP-2" in seen[3])
            assert until >= reveal - len(PATHS)
        assert until > 20 * len(PATHS)


def slope(points: list[tuple[Decimal, Decimal]]) -> Decimal:
    """What a figure gains per dollar of the mark, by least squares."""
    mean_x, mean_y = (sum(values, D(0)) / len(points) for values in zip(*points, strict=True))
    both = sum(((x - mean_x) * (y - mean_y) for x, y in points), D(0))
    return both / sum(((x - mean_x) ** 2 for x, _ in points), D(0))


async def test_the_obvious_attacks_give_the_position_of_before(tmp_path: Path) -> None:
    """Slopes, products and trigger prices all tell the old basket; counts, states and times do not move."""
    lab = opened(Lab(a_fund(strategy=Strategic(0))))
    before, hidden = lab.state.book.position, 0
    async with watched(lab, tmp_path) as one:
        for price in STORIES["leverage is raised"]:
            await one.mark(price)
            if not lab.state.book.public.pending and lab.state.book.rebalances > 1:
                break
            hidden = len(one.seen)
        assert abs(lab.state.book.position - before) > 1
        funds = [json.loads(body) for path, _, _, body in one.seen[:hidden] if path == PATHS[1]]
        bars = [json.loads(body) for path, _, _, body in one.seen[:hidden] if path == PATHS[3]]
    points = [(D(f["mark"]), D(f["nav"]), D(f["fund_value"]), f) for f in funds]
    guesses = [
        slope([(mark, nav) for mark, nav, _, _ in points]) * D(funds[0]["units"]),
        slope([(mark, value) for mark, _, value, _ in points]),
        *(D(f["notional"]) / mark for mark, _, _, f in points),
        *(D(f["real_leverage"]) * value / mark for mark, _, value, f in points),
        *(D(f["position"]) for f in funds),
    ]
    assert all(abs(guess - before) < D("0.001") for guess in guesses)
    assert len({str(f["trigger_prices"]) for f in funds}) == 1
    for name in ("state", "units", "commitments", "chain_head", "basket_as_of", "condition"):
        assert len({str(f[name]) for f in funds}) == 1, name
    seen_at = [f["updated_at"] for f in funds]
    assert len(set(seen_at)) == len(seen_at)  # once a mark, no more and no less
    assert {len(re.findall("BTCUP-", str(f))) for f in funds} == {0}
    assert all(float(row[4]) > 0 for row in bars[-1])
