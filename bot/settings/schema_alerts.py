"""Settings of what people are told: alerts, their routes, and the log."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr

from bot.settings.forms import Clock, Group, Names, Number, lower, setting


class RouteSettings(Group):
    """INBAND_ROUTES__<NAME>__..."""

    url: SecretStr = setting(
        ...,
        "where alerts go, as an apprise address",
        "tgram://token/chat",
        "in the environment or as a secret",
    )
    events: Names = setting(
        (), "the events it takes, comma-separated; all of its severity without", "halt, emergency"
    )
    severity: Annotated[Literal["info", "warning", "critical"], BeforeValidator(lower)] = setting(
        "warning", "least severity that it takes, where EVENTS is not set", "critical"
    )
    feed: Annotated[Literal["operator", "public"], BeforeValidator(lower)] = setting(
        "operator", "`public`: reveals alone, for everybody", "public"
    )


class AlertSettings(Group):
    """INBAND_ALERTS__..."""

    repeat_s: Number = setting(
        Decimal(600), "the same trouble is told again after this many seconds at the earliest", "600", ge=0
    )
    trigger_distance: Number = setting(
        Decimal("0.02"),
        "alert when the mark is nearer to a trigger than this fraction; 0: never",
        "0.02",
        ge=0,
        lt=1,
    )
    summary_at: Clock = setting("00:00", "UTC time of the daily summary, or `off`", "06:30")
    heartbeat_url: SecretStr | None = setting(
        None,
        "asked for as long as the daemon is ready, for a dead-man service",
        "https://hc.example.org/uuid",
    )
    heartbeat_every_s: Number = setting(Decimal(60), "how often, in seconds", "60", ge=1)


class LogSettings(Group):
    """INBAND_LOG__..."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = setting(
        "info", "least important lines that are written: debug, info, warning or error", "warning"
    )
    format: Annotated[Literal["json", "console"], BeforeValidator(lower)] = setting(
        "json", "lines of JSON for programs, or of words for people (console)", "console"
    )
