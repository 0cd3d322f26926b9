"""Alerts arrive: at a real HTTP receiver, once, after failures, after a kill; and hold nobody up."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.history import RebalanceHistory
from bot.daemon.alerts import office as office_module
from bot.daemon.alerts import sender
from bot.daemon.alerts.messages import alert
from bot.daemon.alerts.office import UNDELIVERED, PostOffice, wants
from bot.daemon.alerts.sender import send
from bot.daemon.alerts.watch import Heartbeat, Lookout
from bot.daemon.metrics import Metrics
from bot.daemon.operations import Operations
from bot.daemon.redaction import Redactor
from bot.journal.outbox import OUTBOX_FILE, Cursor, Letter, Outbox, kept_troubles, open_outbox
from bot.settings import Alerting, Route
from tests.daemon.conftest import Logged
from tests.support.desk import Desk
from tests.support.patience import until
from tests.support.receiver import Receiver

CANARY = "canary-token-0123456789"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on its way is waited for, however late it arrives, also when an office ends."""
    monkeypatch.setattr(office_module, "_LAST_MOMENT_S", 60.0)
    monkeypatch.setattr(sender, "_WITHIN_S", 60.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A service that takes alerts."""
    with Receiver() as receiver:
        yield receiver


def route(url: str, **changes: Any) -> Route:
    """A route that takes everything."""
    values = {"name": "PHONE", "url": url, "events": (), "severity": "info", "feed": "operator"}
    return Route(**{**values, **changes})


def news(number: int, *, about: str | None = None, body: str = "It happened.") -> Any:
    """One alert of many."""
    return alert("incident", "warning", f"news {number}", body, number, about=about)


class Post:
    """An office with its outbox in a folder, by a clock that a test moves."""

    def __init__(self, folder: Path, *routes: Route, **changes: Any) -> None:
        """Nothing is told yet."""
        self.now_ms = 1_000_000
        self.known: dict[str, Cursor | None] = {}
        self.operations = Operations("paper")
        self.metrics = Metrics(self.operations)
        self.office = PostOffice(
            Outbox(folder / OUTBOX_FILE),
            replace(Alerting(routes=routes), **changes),
            send,
            wall_ms=lambda: self.now_ms,
            redactor=Redactor([CANARY]),
            metrics=self.metrics,
        )

    def caught_up(self, desk: Any) -> bool:
        """Catch up with a desk, which reads as a journal does."""
        return self.office.catch_up("BTCUP", desk, self.known["BTCUP"], desk.position("BTCUP"))

    def counted(self, what: str) -> float:
        """A counter of the route PHONE."""
        counter = getattr(self.metrics, f"alerts_{what}")
        return float(counter.labels("PHONE")._value.get())


@asynccontextmanager
async def at_work(post: Post) -> AsyncIterator[Post]:
    """Storing and sending until the context ends."""
    post.known = await post.office.open(["BTCUP"])
    task = asyncio.create_task(post.office.run())
    try:
        yield post
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await post.office.finish()
        post.office.close()


async def test_alerts_arrive_in_order_and_without_secrets(tmp_path: Path, receiver: Receiver) -> None:
    """As apprise's JSON: title, message and type; a secret that a reason quotes is masked."""
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        post.office.tell([news(1, body=f"it quotes {CANARY}"), news(2), news(3)])
        await until(lambda: len(receiver.letters) == 3)
        await until(lambda: post.office.waiting == 0)
        assert post.counted("sent") == 3
    assert sorted(receiver.titles) == ["news 1", "news 2", "news 3"]
    assert CANARY not in str(receiver.letters)
    assert receiver.letters[0]["type"] == "warning"


async def test_what_fails_is_tried_again_later_and_is_an_incident_until_then(
    tmp_path: Path, receiver: Receiver, logged: Logged
) -> None:
    """Each failure counts; pauses grow; what waits behind it waits too; the incident is durable."""
    receiver.fail = True
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        post.office.tell([news(1), news(2)])
        await until(lambda: receiver.refused == 1)
        await until(lambda: post.office.troubles)
        (trouble,) = post.office.troubles
        assert trouble.code == f"{UNDELIVERED}: PHONE"
        assert "alert test PHONE" in trouble.remedy
        await asyncio.sleep(0.2)
        assert receiver.refused == 1
        post.now_ms += office_module.FIRST_RETRY_MS
        post.office.tell([news(3)])
        await until(lambda: post.counted("failed") == 2)
    again = Post(tmp_path, route(receiver.url))
    await again.office.open(["BTCUP"])
    assert [trouble.code for trouble in again.office.troubles] == [f"{UNDELIVERED}: PHONE"]
    assert again.office.waiting == 3
    receiver.fail = False
    async with at_work(again) as post:
        post.now_ms += 10 * office_module.FIRST_RETRY_MS
        await until(lambda: len(receiver.letters) == 3)
        await until(lambda: not post.office.troubles)
    events = [line["event"] for line in logged()]
    assert "alert_not_delivered" in events
    assert "alerts_delivered_again" in events
    assert receiver.address not in str(logged())


async def test_the_other_routes_hear_of_one_that_takes_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """Once, and not the route itself; it counts as an incident of the daemon, open and opened."""
    dead = route("json://127.0.0.1:1/nobody", name="PAGER", events=("halt",))
    async with at_work(Post(tmp_path, route(receiver.url), dead)) as post:
        post.operations.office = post.office
        post.office.tell([alert("halt", "critical", "BTCUP: halted", "By Ada: a test")])
        code = f"{UNDELIVERED}: PAGER"
        await until(lambda: code in receiver.titles)
        post.now_ms += office_module.FIRST_RETRY_MS
        post.office.tell([news(1)])
        await until(lambda: post.metrics.alerts_failed.labels("PAGER")._value.get() == 2)
        text = post.metrics.text().decode()
    assert f'inband_incidents_open{{code="{code}",fund="",stops_increases="false"}} 1.0' in text
    assert f'inband_incidents_total{{code="{code}",fund=""}} 1.0' in text
    assert receiver.titles.count(code) == 1


async def test_an_incident_of_a_route_ends_with_the_route(tmp_path: Path, receiver: Receiver) -> None:
    """Settings without it are taken over while the office works, and at a start."""
    receiver.fail = True
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        post.office.tell([news(1)])
        await until(lambda: post.office.troubles)
        post.office.apply(Alerting(routes=()))
        await until(lambda: not post.office.troubles)
    assert kept_troubles(tmp_path) == []


async def test_a_damaged_store_is_put_aside(tmp_path: Path) -> None:
    """A start goes on without it; what waited is kept for whoever can read it. No other failure is hidden."""
    path = tmp_path / OUTBOX_FILE
    path.write_bytes(b"this was a database" * 500)
    assert [trouble.code for trouble in kept_troubles(tmp_path)] == ["alerts not readable"]
    outbox, aside = open_outbox(path, 17)
    assert outbox.waiting() == 0
    outbox.close()
    assert aside == tmp_path / f"{OUTBOX_FILE}.damaged-17"
    assert aside.read_bytes().startswith(b"this was")
    outbox, aside = open_outbox(path, 18)
    outbox.close()
    assert aside is None
    with pytest.raises(IsADirectoryError):
        open_outbox(tmp_path, 19)


async def test_the_same_trouble_is_told_once_in_a_while(tmp_path: Path, receiver: Receiver) -> None:
    """Repeats are dropped until the time is over, over restarts; what happens once is never dropped."""
    async with at_work(Post(tmp_path, route(receiver.url), repeat_s=600)) as post:
        post.office.tell([news(1, about="BTCUP|late fill"), news(2, about="BTCUP|late fill"), news(3)])
        await until(lambda: len(receiver.letters) == 2)
    async with at_work(Post(tmp_path, route(receiver.url), repeat_s=600)) as post:
        post.office.tell([news(4, about="BTCUP|late fill"), news(3)])
        await post.office.flush()
        post.now_ms += 601_000
        post.office.tell([news(5, about="BTCUP|late fill")])
        await until(lambda: len(receiver.letters) == 3)
    assert sorted(receiver.titles) == ["news 1", "news 3", "news 5"]


async def test_trading_never_waits_for_a_route(tmp_path: Path) -> None:
    """A thousand alerts are taken, and the loop turns, while a service hangs as long as the test says."""
    hangs, free, gave_up = threading.Event(), threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hangs.set()
        if not free.wait(60):
            gave_up.set()

    post = Post(tmp_path, route("json://ignored"))
    post.office._send = hang
    async with at_work(post):
        post.office.tell([news(0)])
        await until(hangs.is_set)
        for number in range(1, 1_001):
            post.office.tell([news(number)])
        await asyncio.sleep(0)
        free.set()
    assert not gave_up.is_set()


async def test_what_was_durable_but_not_told_is_told_after_a_kill(
    desk: Desk, tmp_path: Path, receiver: Receiver
) -> None:
    """From where the outbox had come, once; a new outbox tells nothing of the past."""
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    first = Post(tmp_path, route(receiver.url))
    first.known = await first.office.open(["BTCUP"])
    assert first.caught_up(desk) is False
    first.office.take(runner, tuple(desk.records[-1:]))
    await first.office.flush()
    first.office.close()
    assert receiver.letters == []
    desk.mark(runner, runner.now()[0] + 60_000, "44900")
    await desk.until_flat_out(runner)
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        assert post.caught_up(desk) is True
        await until(lambda: "BTCUP: rebalance over" in receiver.titles)
    count = len(receiver.letters)
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        post.caught_up(desk)
        await post.office.flush()
        await asyncio.sleep(0.1)
    assert len(receiver.letters) == count
    assert "BTCUP: rebalance 2 began" in receiver.titles
    assert "BTCUP: rebalance 1 began" not in receiver.titles


async def test_without_routes_nothing_is_kept(desk: Desk, tmp_path: Path) -> None:
    """And whoever sets one up later hears nothing of before."""
    runner = await desk.opened()
    post = Post(tmp_path)
    post.office.take(runner, tuple(desk.records))
    post.known = await post.office.open(["BTCUP"])
    post.caught_up(desk)
    await post.office.flush()
    assert post.office.waiting == 0
    post.office.close()
    store = Outbox(tmp_path / OUTBOX_FILE)
    assert store.cursor("BTCUP") == Cursor(desk.position("BTCUP"), 0)
    store.close()


async def test_a_route_that_is_gone_holds_nothing_up(tmp_path: Path, receiver: Receiver) -> None:
    """What waits for it is given up."""
    receiver.fail = True
    async with at_work(Post(tmp_path, route(receiver.url))) as post:
        post.office.tell([news(1)])
        await until(lambda: receiver.refused)
    async with at_work(Post(tmp_path, route(receiver.url, name="OTHER"))) as post:
        post.now_ms += 10 * office_module.FIRST_RETRY_MS
        post.office.tell([news(2)])
        await until(lambda: receiver.refused == 2)
        await post.office.flush()
        assert post.office.waiting == 1


def test_a_letter_is_given_up_after_days(tmp_path: Path) -> None:
    """And forgotten some days later; one that arrived too."""
    store = Outbox(tmp_path / OUTBOX_FILE)
    letter = Letter("1", "PHONE", "incident", "warning", "t", "b")
    other = letter._replace(id="2")
    store.put([(letter, None), (other, None)], 0, quiet_ms=0)
    store.failed(letter, None)
    assert store.due(0) == [other]
    store.sent(other, 8 * 86_400_000)
    assert store.next_due_ms() is None
    assert store._connection.execute("SELECT count(*) FROM letter").fetchone() == (0,)
    assert oct((tmp_path / OUTBOX_FILE).stat().st_mode)[-3:] == "600"
    store.close()


@pytest.mark.parametrize(
    ("changes", "event", "severity", "taken"),
    [
        ({}, "incident", "info", True),
        ({"severity": "critical"}, "incident", "warning", False),
        ({"severity": "critical"}, "incident", "critical", True),
        ({"events": ("halt", "revealed"), "severity": "critical"}, "halt", "info", True),
        ({"events": ("halt",)}, "incident", "critical", False),
        ({}, "revealed", "info", False),
        ({"events": ("revealed",)}, "revealed", "info", True),
        ({"feed": "public"}, "revealed", "info", True),
        ({"feed": "public", "events": ("halt",)}, "halt", "critical", False),
    ],
)
def test_routes_take_what_they_asked_for(
    changes: dict[str, Any], event: str, severity: Any, *, taken: bool
) -> None:
    """By event or by severity; the public feed takes reveals and nothing else, whatever it asks."""
    assert wants(route("json://x", **changes), alert(event, severity, "t", "b", 1)) is taken


async def looking(desk: Desk, tmp_path: Path, url: str) -> tuple[Post, Lookout, Any]:
    """A lookout over one fund that has opened, and is revealed."""
    post = Post(tmp_path, route(url), trigger_distance=Decimal("0.02"), summary_at=(0, 0), repeat_s=0)
    desk.listen = post.operations.changed
    runner = desk.runner()
    post.operations.add(runner, RebalanceHistory(runner.name))
    runner.begin(desk.fund.capital, adopt=False)
    desk.mark(runner, 1_000)
    await desk.until_flat_out(runner)
    for hour in range(1, 40):
        desk.mark(runner, hour * 3_600_000)
        await runner.wait_quiet()
    return post, Lookout(post.operations, post.office, lambda: post.now_ms), runner


async def test_the_lookout_tells_of_edges_once_until_they_are_left(
    desk: Desk, tmp_path: Path, receiver: Receiver
) -> None:
    """Near a trigger, away, near again: twice; a band that was left by the public basket, once."""
    post, lookout, runner = await looking(desk, tmp_path, receiver.url)
    told = post.office._fresh.alerts
    higher = post.operations.public.funds()[0]["trigger_prices"][1]
    runner.handle(rec_pause(runner))
    for price in (60_000, Decimal(higher) * Decimal("0.99"), Decimal(higher) * Decimal("0.995"), 60_000):
        desk.mark(runner, runner.now()[0] + 1_000, str(price))
        lookout.look()
    assert [each.event for each in told if each.event != "daily_summary"] == ["trigger_near"]
    for price in (Decimal(higher) * Decimal("0.99"), Decimal(higher) * Decimal("1.03"), 60_000):
        desk.mark(runner, runner.now()[0] + 1_000, str(price))
        lookout.look()
    assert [each.event for each in told if each.event != "daily_summary"] == [
        "trigger_near",
        "trigger_near",
        "band_left",
    ]
    assert told[-1].title == "BTCUP: below its band"
    post.office.close()


def rec_pause(runner: Any) -> Any:
    """The fund is not to trade while a test moves its price."""
    from bot.core.events import Controlled

    time_ms, wall_ms = runner.now()
    return Controlled(time_ms, wall_ms, rec.Control.HALTED, "ann", "a test")


async def test_the_lookout_tells_of_a_fund_that_stopped_and_of_a_day(
    desk: Desk, tmp_path: Path, receiver: Receiver
) -> None:
    """Each once; the summary at its minute, or at the first look of a later day."""
    post, lookout, runner = await looking(desk, tmp_path, receiver.url)
    told = post.office._fresh.alerts
    post.now_ms = 86_400_000 * 3 + 3_600_000
    lookout.look()
    runner.failure = "OSError"
    lookout.look()
    lookout.look()
    assert [each.event for each in told] == ["fund_stopped"]
    post.now_ms = 86_400_000 * 4 + 30_000
    lookout.look()
    lookout.look()
    assert [each.event for each in told] == ["fund_stopped", "daily_summary"]
    assert told[-1].title == "Inband paper: 1970-01-05"
    post.office.settings = replace(post.office.settings, summary_at=None)
    post.now_ms += 86_400_000
    lookout.look()
    assert len(told) == 2
    post.office.close()


async def test_the_heart_beats_while_the_daemon_is_well(receiver: Receiver, logged: Logged) -> None:
    """It asks for the address, which is never logged; a failure counts."""
    well, asked_in_vain = True, 0

    def is_well() -> bool:
        nonlocal asked_in_vain
        asked_in_vain += not well
        return well

    metrics = Metrics(Operations("paper"))
    url = f"http://{receiver.address}/ping/{CANARY}"
    settings = Alerting(heartbeat_url=url, heartbeat_every_s=0.02)
    task = asyncio.create_task(Heartbeat(lambda: settings, is_well, metrics).run())
    await until(lambda: len(receiver.pings) >= 2)
    receiver.fail = True
    failed = metrics.alerts_failed.labels("heartbeat")._value
    await until(lambda: failed.get() > 0)
    well = False
    await until(lambda: asked_in_vain >= 1)  # so whatever it had asked for is answered
    count = len(receiver.pings)
    await until(lambda: asked_in_vain >= 5)
    assert len(receiver.pings) == count
    assert set(receiver.pings) == {f"/ping/{CANARY}"}
    assert CANARY not in str(logged())
    before = failed.get()
    settings = replace(settings, heartbeat_url="http://127.0.0.1:1/")  # as a reload does
    well = True
    await until(lambda: failed.get() > before)
    task.cancel()


@pytest.mark.parametrize("url", ["nonsense", "json://127.0.0.1:1/"])
def test_a_delivery_that_fails_says_why_without_the_address(url: str) -> None:
    """An address that no service has the form of, or where nobody answers."""
    problem = send(url, "t", "b", "critical")
    assert problem is not None
    assert url not in problem


async def test_a_store_that_fails_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """What could not be stored is kept for the next time."""
    post = Post(tmp_path, route(receiver.url))
    post.office.tell([news(1)])
    put = post.office._outbox.put

    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    post.office._outbox.put = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="full"):
        await post.office.flush()
    post.office._outbox.put = put  # type: ignore[method-assign]
    async with at_work(post):
        await until(lambda: receiver.titles == ["news 1"])
