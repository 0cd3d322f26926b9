"""From the public endpoints alone nobody can tell a fund that trades in secret from one that does nothing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.core import events as ev
from bot.core import records as rec
from bot.core.basket import Basket
from bot.core.flow_records import FlowKind, FlowsInCash
from bot.core.history import RebalanceHistory
from bot.core.strategy import Decision, FundView
from bot.core.terms import FlowTerms
from bot.core.turn import State
from bot.daemon.flow_desk import FlowDesk
from bot.daemon.nav import NavRecorder
from bot.daemon.public import PublicSide
from bot.errors import AmountRefusedError
from bot.journal.nav_store import NavStore
from bot.testing import Lab, a_fund
from strategies.strategic import Strategic
from tests.support.flows import FlowLab
from tests.support.patience import PATIENCE_S
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
    "/fapi/v1/lvtKlines?symbol=BTCUP&interval=1m",
    "/fapi/v1/lvtKlines?symbol=BTCUP&interval=1h&limit=3",
    "/sapi/v1/blvt/tokenInfo?tokenName=BTCUP",
    "/sapi/v1/blvt/tokenInfo",
    "/api/v1/funds/NONE",
    "/readyz",
    "/openapi.json",
)
STREAMS = ("BTCUP@tokenNav", "BTCUP@nav_kline_1m", "BTCUP@nav_kline_1h", "BTCUP@nav_kline_1d")
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

    @property
    def failure(self) -> str | None:
        """Nothing is wrong."""
        return None

    def now(self) -> tuple[int, int]:
        """Both clocks."""
        return self.lab.now

    def handle(self, event: ev.FlowAsked) -> None:
        """Somebody asks for a flow."""
        self.lab.send(event)

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
    socket: aiohttp.ClientWebSocketResponse
    seen: list[tuple[str, int, str, bytes]] = field(default_factory=list)

    async def look(self) -> None:
        """Ask everything, headers too, and read what both kinds of streams say."""
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
        for _ in STREAMS:
            message = await self.socket.receive_str(timeout=PATIENCE_S)
            self.seen.append(("tokens", 200, "", message.encode()))

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
    async with (
        a_site(Figures(public=side)) as site,
        site.session.get(site.url + "/api/v1/stream") as reader,
        site.session.ws_connect(f"{site.url}/stream?streams={'/'.join(STREAMS)}") as socket,
    ):
        await reader.content.readuntil(b"\n\n")
        await reader.content.readuntil(b"\n\n")
        yield Watched(runner, site, recorder, reader, socket)
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
            assert until >= reveal - len(PATHS) - len(STREAMS) - 1
        assert until > 20 * len(PATHS)


@pytest.mark.parametrize("story", STORIES)
async def test_who_comes_or_goes_meanwhile_learns_nothing_either(tmp_path: Path, story: str) -> None:
    """Receipts and refusals are the same, at the very edges of what is taken, and so are the figures after.

    The flows are small ones, which go in cash: what is public of them does not wait for a reveal. At their
    dealing the public basket is within the band: delevering goes first, and its trigger price is no secret.
    """
    terms = FlowTerms(every_s=420, capacity=D(300_000), daily_redeem=D(50_000))
    funds = [replace(a_fund(strategy=strategy), terms=terms) for strategy in (Strategic(0), Idle())]
    labs = [opened(FlowLab(fund)) for fund in funds]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    told: list[list[object]] = [[], []]
    async with watched(labs[0], tmp_path / "a") as one, watched(labs[1], tmp_path / "b") as other:
        back = "46000" if story == "leverage is reduced" else "91000"
        for number, price in enumerate((*STORIES[story][:35], *[back] * 25)):
            await asyncio.gather(one.mark(price), other.mark(price))
            if not labs[0].state.book.public.pending:
                continue
            basket = one.runner.state.book.public.basket
            for answers, watcher in zip(told, (one, other), strict=True):
                answers.extend(requests(FlowDesk([watcher.runner]), basket, D(price), number))  # type: ignore[list-item]
        since_ms = labs[0].state.book.public.hidden_since_ms
        dealt = [r for r in labs[0].of(FlowsInCash) if since_ms is not None and r.time_ms > since_ms]
        assert dealt
        assert one.seen == other.seen
    assert told[0] == told[1]
    assert len({str(answer) for answer in told[0]}) > 5


def requests(desk: FlowDesk, basket: Basket, mark: Decimal, number: int) -> Iterator[object]:
    """A small flow, and amounts just beyond what the public figures allow."""
    value = basket.value(mark)
    most = (D(50_001) / value * basket.units).quantize(D("1e-8"))
    for kind, amount in (
        (FlowKind.SUBSCRIBE, (D(300_001) - value).quantize(D("1e-8"))),
        (FlowKind.REDEEM, most),
    ):
        with pytest.raises(AmountRefusedError) as refused:
            desk.take("BTCUP", kind, amount, "")
        yield str(refused.value)
    if number % 8 == 0:
        kind = (FlowKind.SUBSCRIBE, FlowKind.REDEEM)[number // 8 % 2]
        small = D(15) if kind is FlowKind.SUBSCRIBE else (D(15) / value * basket.units).quantize(D("1e-8"))
        yield desk.take("BTCUP", kind, small, f"small {number}")


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
        tokens = [json.loads(body)["data"] for path, _, _, body in one.seen[:hidden] if path == "tokens"]
    navs = [told for told in tokens if told["e"] == "nav"]
    assert {told["b"][0]["n"] for told in navs} == {float(before)}
    assert len({told["m"] for told in navs}) == 1
    points = [(D(f["mark"]), D(f["nav"]), D(f["fund_value"]), f) for f in funds]
    guesses = [
        slope([(mark, nav) for mark, nav, _, _ in points]) * D(funds[0]["units"]),
        slope([(mark, value) for mark, _, value, _ in points]),
        *(D(f["notional"]) / mark for mark, _, _, f in points),
        *(D(f["real_leverage"]) * value / mark for mark, _, value, f in points),
        *(D(f["position"]) for f in funds),
        slope([(mark, D(told["n"])) for (mark, *_), told in zip(points, navs, strict=True)])
        * D(funds[0]["units"]),
        *(D(told["l"]) * value / mark for (mark, _, value, _), told in zip(points, navs, strict=True)),
    ]
    assert all(abs(guess - before) < D("0.001") for guess in guesses)
    assert len({str(f["trigger_prices"]) for f in funds}) == 1
    for name in ("state", "units", "commitments", "chain_head", "basket_as_of", "condition"):
        assert len({str(f[name]) for f in funds}) == 1, name
    seen_at = [f["updated_at"] for f in funds]
    assert len(set(seen_at)) == len(seen_at)  # once a mark, no more and no less
    assert {len(re.findall("BTCUP-", str(f))) for f in funds} == {0}
    assert all(float(row[4]) > 0 for row in bars[-1])
