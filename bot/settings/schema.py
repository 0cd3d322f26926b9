"""Every setting: its name, form, default, meaning and safe range. The table in the documents comes from here.

The form is judged here, one value at a time; what several settings say together is judged in `resolve`.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.core.caps import USUAL_CAPS
from bot.settings.forms import Group, Name, Number, Pair, Parameters, WholeNumber, lower, number, setting
from bot.settings.schema_alerts import AlertSettings, LogSettings, RouteSettings

Mode = Literal["paper", "dry-run", "testnet", "live"]

SCENARIOS = ("calm", "crash", "squeeze", "whipsaw", "founding")
"""The names that the paper exchange knows; a test holds them equal to its own list."""


class AccountSettings(Group):
    """INBAND_ACCOUNTS__<NAME>__..."""

    exchange: Annotated[str, BeforeValidator(lower)] = setting(
        "binanceusdm", "the exchange, by its ccxt name", "binanceusdm"
    )
    api_key: SecretStr | None = setting(
        None, "API key; paper mode has keys of its own", "...", "no withdrawal permission; bound to your IP"
    )
    secret: SecretStr | None = setting(None, "API secret", "...", "by environment or secrets folder")
    password: SecretStr | None = setting(None, "API passphrase, where the exchange has one", "...")


class LimitSettings(Group):
    """INBAND_FUNDS__<NAME>__LIMITS__... in the words of `bot.core.caps.Caps`, whose defaults they have."""

    order_notional: Number | None = setting(
        None, "largest order, in USDT; larger slices are cut to it", "50000", "a few slices or more", gt=0
    )
    position_notional: Number | None = setting(
        None, "largest position, in USDT, that an order may lead to", "500000", "above the band's top", gt=0
    )
    orders_per_minute: WholeNumber = setting(
        USUAL_CAPS.orders_per_minute, "most orders in any 60 s that raise leverage", "60", "10 or more", gt=0
    )
    hourly_notional: Number = setting(
        USUAL_CAPS.hourly_notional,
        "most notional sent in any hour to raise leverage, in fund values",
        "25",
        "10 or more",
        gt=0,
    )
    daily_turnover: Number = setting(
        USUAL_CAPS.daily_turnover, "most turnover in a day, in fund values", "50", "10 or more", gt=0
    )
    daily_loss: Number = setting(
        USUAL_CAPS.daily_loss,
        "largest loss of a day, as a fraction of fund value, after which leverage is still raised",
        "0.75",
        "what the market alone may do in a day, at the fund's leverage",
        gt=0,
        le=1,
    )
    daily_costs: Number = setting(
        USUAL_CAPS.daily_costs,
        "most that a day's fills may cost against the mark, fees included, as a fraction of fund value",
        "0.05",
        "0.02 or more",
        gt=0,
    )
    collar: Number = setting(
        USUAL_CAPS.collar,
        "how far from mark and index the price of an increase may lie, as a fraction",
        "0.05",
        "0.01 to 0.05",
        gt=0,
        lt=1,
    )
    participation: Number = setting(
        USUAL_CAPS.participation, "largest share of the market's volume in a slice's time", "0.1", gt=0, le=1
    )
    frozen_s: WholeNumber = setting(
        USUAL_CAPS.frozen_ms // 1000,
        "a mark that does not move for so many seconds raises no leverage",
        "300",
        "60 or more",
        gt=0,
    )


class FundSettings(Group):
    """INBAND_FUNDS__<NAME>__..."""

    enabled: bool = setting(default=True, meaning="false leaves a fund of the file out", example="false")
    underlying: Annotated[Name, Field(max_length=32)] = setting(
        ..., "the perpetual future, by the exchange's own symbol", "BTCUSDT"
    )
    side: Annotated[Literal["long", "short"], BeforeValidator(lower)] = setting(
        ..., "`long` for an UP token, `short` for a DOWN token", "long"
    )
    account: Name = setting(..., "the account it trades on", "UP", "one fund per account")
    strategy: str = setting(
        "strategic", "a strategy's name, or the import path of your own", "strategic", min_length=1
    )
    parameters: Parameters = setting({}, "the strategy's parameters, as JSON", '{"confirmation_s": 600}')
    band: Pair = setting(
        (Decimal("1.5"), Decimal(3)),
        "real leverage within which nothing is traded",
        "[1.5, 3]",
        "UP above 1, DOWN above 0",
    )
    target: Pair = setting(
        (Decimal("1.8"), Decimal("2.6")),
        "where the secret target lies, inside the band",
        "[1.8, 2.6]",
        "0.2 or more from each edge",
    )
    emergency: Number | None = setting(
        None,
        "leverage from which the fund delevers at once",
        "3.5",
        "above the band",
        shown="3.5 long, 4 short; the strategy's own limit if it ignores the band",
        gt=0,
    )
    capital: Number = setting(
        ..., "what the fund starts with, in USDT", "100000", "ten minimum orders or more", gt=0
    )
    start_leverage: Number | None = setting(
        None,
        "leverage it opens at",
        "2",
        "inside the band",
        shown="2, or the middle of a target range without 2; its own target if it ignores the band",
        gt=0,
    )
    protective_stop: bool | None = setting(
        None,
        "whether a reduce-only stop rests at the exchange, between emergency and liquidation price",
        "true",
        "true with real money",
        shown="true outside paper mode",
    )
    management_fee_daily: Number = setting(
        Decimal(0), "fee per day as a fraction of fund value", "0.0001", "0.001 or less", ge=0, lt=1
    )
    subscribe_fee: Number = setting(
        Decimal(0), "fee of a subscription, a fraction of its amount", "0.001", "0.01 or less", ge=0, lt=1
    )
    redeem_fee: Number = setting(
        Decimal(0), "fee of a redemption, a fraction of its proceeds", "0.001", "0.01 or less", ge=0, lt=1
    )
    min_subscribe: Number = setting(Decimal(10), "smallest subscription, in USDT", "10", gt=0)
    min_redeem: Number = setting(
        Decimal(10), "smallest redemption, by its worth in USDT, unless it is of all units", "10", gt=0
    )
    daily_subscribe: Number | None = setting(
        None, "subscriptions taken per UTC day, in USDT", "100000", shown="no limit", gt=0
    )
    daily_redeem: Number | None = setting(
        None, "redemptions taken per UTC day, by their worth in USDT", "100000", shown="no limit", gt=0
    )
    capacity: Number | None = setting(
        None,
        "fund value up to which subscriptions are taken, in USDT",
        "200000",
        "what the leverage brackets admit",
        shown="twice the capital",
        gt=0,
    )
    dealing_every_s: WholeNumber = setting(
        3600,
        "seconds from one dealing to the next, from 00:00 UTC on; they divide a day",
        "3600",
        "60 or more",
        ge=60,
        le=86_400,
    )
    limits: LimitSettings = LimitSettings()


class WebSettings(Group):
    """INBAND_WEB__..."""

    host: str = setting(
        "127.0.0.1", "address to serve on", "127.0.0.1", "loopback, or behind TLS", min_length=1
    )
    port: WholeNumber = setting(8080, "port to serve on; 0 takes any free one", "8080", ge=0, le=65535)
    token: SecretStr | None = setting(
        None,
        "the operator's token",
        "...",
        "16 characters or more",
        shown="made at first start",
    )
    allowed_hosts: str | None = setting(
        None,
        "names under which the page is asked for, comma-separated, beside localhost and addresses",
        "funds.example.org",
        "only names that you control",
    )
    make_token: bool = setting(
        default=False,
        meaning="make a token at first start also where HOST is not loopback, as the container image does",
        example="true",
    )


def _speed(value: object) -> object:
    if isinstance(value, str) and value.lower() == "max":
        return 0.0
    given = number(value)
    try:
        factor = float(given)  # type: ignore[arg-type]  # whatever it is, it is judged here
    except (TypeError, ValueError):
        raise ValueError(f'"{value}" is neither a factor nor max') from None
    if not 0 < factor <= 1_000_000:
        raise ValueError(f"{value} is no speed above 0 and up to 1000000")
    return factor


class PaperSettings(Group):
    """INBAND_PAPER__..."""

    url: str | None = setting(
        None,
        "a paper exchange elsewhere, instead of the embedded one",
        "http://127.0.0.1:8090",
        pattern=r"^https?://[^/\s]+/?$",
    )
    replay: str | None = setting(
        None,
        "file of prices to replay (CSV, CSV.gz, Parquet, - for standard input); beats SCENARIO",
        "prices.csv.gz",
    )
    funding: str | None = setting(
        None,
        "file of funding rates",
        "funding.csv.gz",
        shown="by the venue's formula: usually 0.0001 every 8 hours",
    )
    scenario: Annotated[
        Literal["calm", "crash", "squeeze", "whipsaw", "founding"], BeforeValidator(lower)
    ] = setting("whipsaw", f"made-up market: {', '.join(SCENARIOS)}", "crash")
    seed: WholeNumber | None = setting(
        None,
        "makes a paper run repeat exactly; its secrets are then predictable",
        "7",
        "unset",
        ge=0,
        lt=2**63,
    )
    speed: Annotated[float, BeforeValidator(_speed)] = setting(
        60.0, "market time per wall time: a factor, or max", "60"
    )
    exit_at_end: bool = setting(default=False, meaning="end when the replay ends", example="true")


class Schema(BaseSettings):
    """INBAND_..."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False
    )

    mode: Annotated[Mode, BeforeValidator(lower)] = setting(
        "paper", "`paper`, `testnet` or `live` (`dry-run` comes with a later version)", "paper", "paper"
    )
    config: str | None = setting(None, "TOML file of settings", "my.toml", shown="`config/<mode>.toml`")
    secrets_dir: str | None = setting(
        None, "folder of files named like settings, such as INBAND_WEB__TOKEN", "/run/secrets"
    )
    live_confirm: str | None = setting(
        None, "second key to live: the accounts that may trade, comma-separated", "UP,DOWN"
    )
    data_dir: str | None = setting(
        None,
        "folder for the journal, keys and the operator's token",
        "data",
        shown="`data/<mode>`",
        min_length=1,
    )
    database_url: SecretStr | None = setting(
        None,
        "PostgreSQL for the journal, which hosts may share, such as postgresql://inband@db:5432/inband",
        "postgresql://inband@127.0.0.1:5432/inband",
        shown="SQLite in the data directory",
    )
    journal_key: SecretStr | None = setting(
        None,
        "key that seals the journal's secrets: 32 bytes, hex or base64",
        "...",
        shown="made at first start; PostgreSQL needs it given",
    )
    least_free_mb: WholeNumber = setting(
        512,
        "less free disk than this (in MB, where the journal is) stops increases; 0 for no such limit",
        "512",
        "200 or more",
        ge=0,
    )
    accounts: dict[Name, AccountSettings] = {}
    funds: dict[Name, FundSettings] = {}
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    alerts: AlertSettings = AlertSettings()
    routes: dict[Name, RouteSettings] = {}
    paper: PaperSettings = PaperSettings()
