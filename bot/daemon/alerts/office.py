"""The post office: takes alerts in at once, makes them durable in a thread, and sends until they arrive.

Trading never waits for it: what a fund records is put into a list, and that is all that happens in its turn.
Killed at any moment it loses nothing either: how far a fund's records have been told is remembered, and what
came later is told at the next start, once.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from bot.core.records import Record
from bot.daemon.alerts.messages import SEVERITIES, Alert, Severity, of_records, undelivered
from bot.daemon.redaction import Redactor
from bot.journal.journal import JournalReader
from bot.journal.outbox import OUTBOX_ERRORS, Cursor, Letter, Outbox, Trouble
from bot.settings import Alerting, Route

if TYPE_CHECKING:
    from bot.daemon.metrics import Metrics
    from bot.daemon.runner import Runner

FIRST_RETRY_MS = 5_000
LONGEST_RETRY_MS = 900_000
GIVE_UP_AFTER = 300
"""Attempts, the last ones a quarter of an hour apart: three days."""

UNDELIVERED = "alerts not delivered"
_IDLE_S = 60.0
_LAST_MOMENT_S = 3.0

Send = Callable[[str, str, str, Severity], str | None]
"""Delivers by address, title, body and severity; why it failed. It may block."""


@dataclass(slots=True)
class _Fresh:
    """What has come in since the last time: alerts, and the market time up to which each fund is told of."""

    alerts: list[Alert]
    told_ms: dict[str, int]


class PostOffice:
    """Alerts of one daemon. `take` and `tell` are called in the event loop's thread, and return at once."""

    def __init__(
        self,
        outbox: Outbox,
        settings: Alerting,
        send: Send,
        *,
        wall_ms: Callable[[], int],
        redactor: Redactor,
        metrics: "Metrics | None" = None,
    ) -> None:
        """Send by `settings.routes`; nothing is sent before `run`."""
        self.settings = settings
        self._outbox = outbox
        self._send = send
        self._wall_ms = wall_ms
        self._redactor = redactor
        self._metrics = metrics
        self._fresh = _Fresh([], {})
        self._places: dict[str, int] = {}
        self._poked = asyncio.Event()
        self._attempts: set[asyncio.Task[bool]] = set()
        self._store = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self._log = structlog.get_logger()
        self._troubles: list[Trouble] = []
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many letters have not arrived yet."""
        return self._waiting

    @property
    def troubles(self) -> list[Trouble]:
        """Open incidents of the daemon itself."""
        return self._troubles

    def take(self, runner: "Runner", records: tuple[Record, ...]) -> None:
        """Take in what a fund recorded; without routes there is nothing to do."""
        if not self.settings.routes:
            return
        self.tell(of_records(runner.name, records))
        self._fresh.told_ms[runner.name] = records[-1].time_ms

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Take alerts in."""
        self._fresh.alerts += alerts
        if self._fresh.alerts:
            self._poked.set()

    def apply(self, settings: Alerting) -> None:
        """Other routes and thresholds, from what is told next on."""
        self.settings = settings
        self._poked.set()

    async def open(self, funds: Iterable[str]) -> dict[str, Cursor | None]:
        """Read what the last process left; how far each fund's records have been told, for `catch_up`."""
        self._troubles = await self._in_store(self._outbox.troubles)
        self._waiting = await self._in_store(self._outbox.waiting)
        return {fund: await self._in_store(partial(self._outbox.cursor, fund)) for fund in funds}

    def catch_up(self, fund: str, journal: JournalReader, cursor: Cursor | None, began: int) -> bool:
        """At a start: what was durable when the last process died, and perhaps not told.

        A fund that this outbox has never told of is told of from place `began` in its journal on: nobody
        wants to hear of its past. False then.
        """
        known = Cursor(began, 0) if cursor is None else cursor
        self._places[fund] = journal.position(fund)
        self._fresh.told_ms[fund] = known.told_ms
        if self.settings.routes:
            records = [each for each in journal.read(fund, known.place) if each.time_ms >= known.told_ms]
            if records:
                self.tell(of_records(fund, tuple(records)))
                self._fresh.told_ms[fund] = records[-1].time_ms
        return cursor is not None

    async def run(self) -> None:
        """Store and send until cancelled."""
        while True:
            await self._forget_removed()
            await self.flush()
            sent = await self._send_due()
            next_ms = await self._in_store(self._outbox.next_due_ms)
            if sent or self._fresh.alerts:
                continue
            wait_s = _IDLE_S if next_ms is None else max(0.05, (next_ms - self._wall_ms()) / 1000)
            try:
                async with asyncio.timeout(min(wait_s, _IDLE_S)):
                    await self._poked.wait()
            except TimeoutError:
                pass
            self._poked.clear()

    async def flush(self) -> None:
        """Make durable what has come in. What cannot be stored is kept for the next time."""
        fresh, self._fresh = self._fresh, _Fresh([], {})
        try:
            await self._in_store(partial(self._keep, fresh))
        except BaseException:
            self._fresh.alerts[:0] = fresh.alerts
            self._fresh.told_ms = fresh.told_ms | self._fresh.told_ms
            raise

    async def finish(self) -> None:
        """At the end of the process: store what has come in, and wait a moment for what is on its way.

        What cannot be stored is told by the next start, from the journal.
        """
        try:
            await self.flush()
        except OUTBOX_ERRORS as error:
            self._log.warning("alerts_not_stored", reason=str(error))
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=_LAST_MOMENT_S)

    def close(self) -> None:
        """Let go of the store."""
        self._store.shutdown(wait=True)
        self._outbox.close()

    def _keep(self, fresh: _Fresh) -> None:
        """In the store's thread: letters first, then how far they tell; the same letter is stored once."""
        letters = [
            (self._letter(alert, route), alert.about)
            for alert in fresh.alerts
            for route in self.settings.routes
            if wants(route, alert) and route.name != alert.not_by
        ]
        self._outbox.put(letters, self._wall_ms(), quiet_ms=int(self.settings.repeat_s * 1000))
        for fund, told_ms in fresh.told_ms.items():
            self._outbox.told(fund, Cursor(self._places.get(fund, 0), told_ms))
        self._waiting = self._outbox.waiting()

    def _letter(self, alert: Alert, route: Route) -> Letter:
        """Redacted once more: whatever a reason or a remedy quotes, no secret leaves the machine."""
        title, body = self._redactor.text(alert.title), self._redactor.text(alert.body)
        return Letter(alert.id, route.name, alert.event, alert.severity, title, body)

    async def _send_due(self) -> bool:
        """Send what is due: routes beside each other, each one's letters in order; whether anything was."""
        due: list[Letter] = await self._in_store(lambda: self._outbox.due(self._wall_ms()))
        by_route: dict[str, list[Letter]] = {}
        for letter in due:
            by_route.setdefault(letter.route, []).append(letter)
        await asyncio.gather(*(self._deliver(name, letters) for name, letters in by_route.items()))
        return bool(due)

    async def _deliver(self, name: str, letters: list[Letter]) -> None:
        route = next((route for route in self.settings.routes if route.name == name), None)
        for letter in letters:
            if route is None:  # it was taken out of the settings
                await self._in_store(partial(self._outbox.failed, letter, None))
                continue
            attempt = asyncio.create_task(self._attempt(route, letter))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
            if not await asyncio.shield(attempt):  # whoever stops us, what was sent is noted as sent
                return  # the others of this route wait for the next time

    async def _attempt(self, route: Route, letter: Letter) -> bool:
        """Send one letter, and note what came of it; whether it arrived."""
        severity = _severity(letter.severity)
        problem = await asyncio.to_thread(self._send, route.url, letter.title, letter.body, severity)
        if problem is None:
            await self._arrived(letter)
        else:
            await self._failed(letter, problem)
        return problem is None

    async def _arrived(self, letter: Letter) -> None:
        await self._in_store(lambda: self._outbox.sent(letter, self._wall_ms()))
        if self._metrics is not None:
            self._metrics.alerts_sent.labels(letter.route).inc()
        code = f"{UNDELIVERED}: {letter.route}"
        if any(trouble.code == code for trouble in self._troubles):
            await self._close(code)
            self._log.info("alerts_delivered_again", route=letter.route)

    async def _failed(self, letter: Letter, problem: str) -> None:
        """Each failure counts; the first one is an incident, which ends when the route takes something."""
        now_ms = self._wall_ms()
        pause_ms = min(FIRST_RETRY_MS * 2 ** min(letter.attempts, 20), LONGEST_RETRY_MS)
        due_ms = None if letter.attempts + 1 >= GIVE_UP_AFTER else now_ms + pause_ms
        await self._in_store(lambda: self._outbox.failed(letter, due_ms))
        if self._metrics is not None:
            self._metrics.alerts_failed.labels(letter.route).inc()
        self._log.warning("alert_not_delivered", route=letter.route, alert=letter.event, reason=problem)
        remedy = f"`alert test {letter.route}` tries it; correct INBAND_ROUTES__{letter.route}__URL"
        trouble = Trouble(f"{UNDELIVERED}: {letter.route}", now_ms, problem, remedy)
        known = any(each.code == trouble.code for each in self._troubles)
        await self._in_store(lambda: self._outbox.open_trouble(trouble))
        self._troubles = await self._in_store(self._outbox.troubles)
        if not known:
            self.tell([undelivered(trouble.code, letter.route, problem, remedy, now_ms)])
            if self._metrics is not None:
                self._metrics.troubled(trouble.code)

    async def _forget_removed(self) -> None:
        """An incident of a route that the settings no longer have is over: it will never take anything."""
        names = {f"{UNDELIVERED}: {route.name}" for route in self.settings.routes}
        for trouble in self._troubles:
            if trouble.code not in names:
                await self._close(trouble.code)

    async def _close(self, code: str) -> None:
        await self._in_store(lambda: self._outbox.close_trouble(code))
        self._troubles = await self._in_store(self._outbox.troubles)

    async def _in_store(self, act: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._store, act)


def wants(route: Route, alert: Alert) -> bool:
    """Whether a route takes an alert. The public feed takes reveals alone; operators' routes as they ask."""
    if route.feed == "public":
        return alert.event == "revealed"
    if route.events:
        return alert.event in route.events
    return alert.event != "revealed" and SEVERITIES.index(alert.severity) >= SEVERITIES.index(route.severity)


def _severity(text: str) -> Severity:
    return next(each for each in SEVERITIES if each == text)
