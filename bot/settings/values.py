"""The settings as the rest of the program sees them: frozen values, independent of where they came from."""

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Literal

from bot.core.fund import Fund


@dataclass(frozen=True, slots=True)
class Account:
    """An account at an exchange. In paper mode keys that were not given are `paper_key(name)`."""

    name: str
    exchange: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Web:
    """Where to serve; `token` is the operator's, None to make one at first start. Port 0: any free one.

    `allowed_hosts`: names by which the server may be asked, beside localhost and addresses.
    """

    host: str
    port: int
    token: str | None = field(repr=False)
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "console"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where alerts go: an apprise address, and which of them it takes."""

    name: str
    url: str = field(repr=False)
    events: tuple[str, ...]
    severity: Literal["info", "warning", "critical"]
    feed: Literal["operator", "public"]


@dataclass(frozen=True, slots=True)
class Alerting:
    """What people are told of. `summary_at`: hour and minute UTC; `trigger_distance`: 0 for never."""

    routes: tuple[Route, ...] = ()
    repeat_s: float = 600.0
    trigger_distance: Decimal = Decimal(0)
    summary_at: tuple[int, int] | None = None
    heartbeat_url: str | None = field(default=None, repr=False)
    heartbeat_every_s: float = 60.0

    @property
    def addresses(self) -> list[str]:
        """Where things are sent: addresses hold keys, and are secret."""
        beat = [] if self.heartbeat_url is None else [self.heartbeat_url]
        return [*beat, *(route.url for route in self.routes)]


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper market. With `url` the exchange runs elsewhere; with `replay` the scenario is not used.

    `speed` is market seconds per wall second.
    """

    url: str | None
    replay: str | None
    funding: str | None
    scenario: str
    seed: int | None
    speed: float | Literal["max"]
    exit_at_end: bool


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One setting as it applies: its name, its value as text (secrets masked), and where it was set."""

    name: str
    value: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `funds` holds the enabled ones; `warnings` are one line each, for the start of a run."""

    mode: Literal["paper", "testnet", "live"]
    data_dir: Path
    journal_key: str | None = field(repr=False)
    database_url: str | None = field(repr=False)
    least_free_mb: int
    accounts: dict[str, Account]
    funds: tuple[Fund, ...]
    web: Web
    log: Log
    alerts: Alerting
    paper: Paper
    live_confirm: tuple[str, ...]
    warnings: tuple[str, ...]
    effective: tuple[EffectiveValue, ...]

    def digest(self, fund: str) -> str:
        """The fingerprint of what a fund runs by: its own settings and the mode, secrets not among them."""
        group = f"INBAND_FUNDS__{fund}__"
        lines = [f"{e.name}={e.value}" for e in self.effective if e.name.startswith(group)]
        return sha256("\n".join([self.mode, *sorted(lines)]).encode()).hexdigest()[:16]


def paper_key(account: str) -> tuple[str, str]:
    """API key and secret of a paper account. They guard play money only, so that they need no set-up."""
    return f"paper-{account.lower()}", f"paper-{account.lower()}-secret"
