"""What no record tells: a mark near a trigger, a band that was left, a day, a daemon that is well."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import structlog

from bot.core.units import ZERO
from bot.daemon.alerts.messages import Alert, alert, summary
from bot.settings import Alerting

if TYPE_CHECKING:
    from bot.daemon.alerts.office import PostOffice
    from bot.daemon.metrics import Metrics
    from bot.daemon.operations import Operations

LOOK_EVERY_S = 5.0
HEARTBEAT = "heartbeat"

_PING_WITHIN_S = 10.0
_AWAY_AGAIN = Decimal("1.25")
"""A mark has to go away from a trigger by this much more than it came near, before it can come near again."""


class Lookout:
    """Compares the funds' public figures with what people want to know."""

    def __init__(self, operations: "Operations", office: "PostOffice", wall_ms: Callable[[], int]) -> None:
        """`office` takes what there is to tell, and has the settings."""
        self._operations = operations
        self._office = office
        self._wall_ms = wall_ms
        self._near: set[tuple[str, str]] = set()
        self._outside: set[str] = set()
        self._stopped: set[str] = set()
        self._day: str | None = None

    def look(self) -> None:
        """Tell what has become true since the last time."""
        funds = self._operations.public.funds()
        self._office.tell([found for fund in funds for found in self._of_fund(fund)])
        self._office.tell(self._of_failures())
        self._office.tell(self._of_day(funds))

    def _of_fund(self, fund: dict[str, Any]) -> Iterator[Alert]:
        name, at_ms = fund["fund"], self._wall_ms()
        leverage, mark = _number(fund["real_leverage"]), _number(fund["mark"])
        if leverage is not None:
            lower, upper = map(Decimal, fund["band"])
            outside = leverage != ZERO and not lower <= leverage <= upper
            if outside and name not in self._outside:
                side = "below" if leverage < lower else "above"
                text = f"By its public basket it is {side} [{lower}, {upper}]."
                yield alert("band_left", "warning", f"{name}: {side} its band", text, name, at_ms, about=name)
            (self._outside.add if outside else self._outside.discard)(name)
        near = self._office.settings.trigger_distance
        if not near or not mark:
            return
        for edge, text in zip(("lower", "higher"), fund["trigger_prices"], strict=True):
            price = _number(text)
            away = None if price is None else abs(price / mark - 1)
            if away is not None and away < near and (name, edge) not in self._near:
                self._near.add((name, edge))
                title = f"{name}: near its {edge} trigger"
                body = f"The mark is within {near:.2%} of {text}."
                yield alert("trigger_near", "info", title, body, name, edge, at_ms, about=f"{name}|{edge}")
            elif away is None or away > near * _AWAY_AGAIN:
                self._near.discard((name, edge))

    def _of_failures(self) -> Iterator[Alert]:
        for runner in self._operations.runners:
            if runner.failure is not None and runner.name not in self._stopped:
                self._stopped.add(runner.name)
                text = "It is not driven any more. Repair what the log says, and restart."
                title = f"{runner.name}: stopped"
                yield alert("fund_stopped", "critical", title, text, runner.name, self._wall_ms())

    def _of_day(self, funds: list[dict[str, Any]]) -> Iterator[Alert]:
        at = self._office.settings.summary_at
        if at is None:
            return
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        day = f"{now:%Y-%m-%d}"
        if (now.hour, now.minute) >= at and day != self._day:
            first, self._day = self._day is None, day
            if not first or (now.hour, now.minute) == at:
                yield summary(funds, self._operations.mode, day)


class Heartbeat:
    """Tells a dead-man service that the daemon is well; when it is not, or is gone, that service alerts."""

    def __init__(
        self,
        settings: Callable[[], Alerting],
        well: Callable[[], bool],
        metrics: "Metrics | None" = None,
    ) -> None:
        """Ask for the address of the settings that apply, where they have one, as long as `well` says so."""
        self._settings = settings
        self._well = well
        self._metrics = metrics
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Beat until cancelled."""
        limit = aiohttp.ClientTimeout(total=_PING_WITHIN_S)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                url = self._settings().heartbeat_url
                if url is not None and self._well():
                    await self._beat(session, url)
                await asyncio.sleep(self._settings().heartbeat_every_s)

    async def _beat(self, session: aiohttp.ClientSession, url: str) -> None:
        try:
            async with session.get(url) as answer:
                problem = None if answer.status < 400 else f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = type(error).__name__  # its text would hold the address, which is a secret
        counters = self._metrics
        if problem is not None:
            self._log.warning("heartbeat_failed", reason=problem)
        if counters is not None:
            (counters.alerts_sent if problem is None else counters.alerts_failed).labels(HEARTBEAT).inc()


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
