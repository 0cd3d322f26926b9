"""What several settings say together: funds against their accounts, the mode against its keys."""

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr

from bot.core.fund import Fund
from bot.errors import did_you_mean
from bot.settings.errors import SettingsError
from bot.settings.funds import build_fund, fund_warnings
from bot.settings.layers import Given, Layer
from bot.settings.names import KNOWN, Path, general, variable
from bot.settings.schema import Schema
from bot.settings.values import Account, Alerting, Log, Paper, Route, Web, paper_key

SHORTEST_TOKEN = 16


def resolve(schema: Schema, given: Layer, directory: FilePath) -> tuple[dict[str, Any], dict[Path, object]]:
    """Judge the settings together; give the fields of `Settings`, and the defaults that were worked out."""
    derived: dict[Path, object] = {("data_dir",): f"data/{schema.mode}"}
    funds = []
    for name, described in schema.funds.items():
        if described.enabled:
            fund = build_fund(name, described, given, stop_by_default=schema.mode != "paper")
            funds.append(fund)
            derived[("funds", name.lower(), "emergency")] = fund.emergency
            derived[("funds", name.lower(), "start_leverage")] = fund.start_leverage
            derived[("funds", name.lower(), "target")] = fund.target_range
            derived[("funds", name.lower(), "protective_stop")] = fund.protective_stop
    _check_accounts(schema, funds, given)
    confirmed = _check_live(schema, funds, given)
    _check_keys(schema, funds)
    _check_paper(schema, given, directory)
    settings: dict[str, Any] = {
        "mode": schema.mode,
        "data_dir": directory / (schema.data_dir or f"data/{schema.mode}"),
        "journal_key": _journal_key(schema, given),
        "database_url": _database_url(schema, given),
        "least_free_mb": schema.least_free_mb,
        "accounts": {name: _account(name, schema) for name in schema.accounts},
        "funds": tuple(funds),
        "web": _web(schema, given),
        "alerts": _alerting(schema),
        "log": Log(schema.log.level, schema.log.format),
        "paper": _paper(schema),
        "live_confirm": confirmed,
        "warnings": tuple(_warnings(schema, funds, given)),
    }
    return settings, derived


def fault(path: Path, given: Layer, problem: str, remedy: str) -> SettingsError:
    """Build the error for one setting, with where it was set."""
    origin = given[path].origin.in_errors if path in given else ""
    return SettingsError(variable(path), problem, remedy, origin)


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _database_url(schema: Schema, given: Layer) -> str | None:
    """The address of a journal in PostgreSQL, which hosts may share: so they share the key, too."""
    url = _reveal(schema.database_url)
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        remedy = "set for example postgresql://inband@127.0.0.1:5432/inband, or unset it for SQLite"
        raise fault(("database_url",), given, "not an address of PostgreSQL", remedy)
    if re.match("[^?]*[/@][^?]*@", rest):
        # The driver would take the rest of a password for the server, and name that in its errors.
        problem = "a user or password in it holds / or @, which ends it there"
        raise fault(("database_url",), given, problem, "write %2F for / and %40 for @ within them")
    if schema.journal_key is None:
        problem = "not set, and a journal in PostgreSQL needs it given: its hosts share no key file"
        remedy = "make one with `openssl rand -hex 32`, and give it to every host"
        raise SettingsError("INBAND_JOURNAL_KEY", problem, remedy)
    return url


def _check_accounts(schema: Schema, funds: list[Fund], given: Layer) -> None:
    taken: dict[str, str] = {}
    for fund in funds:
        path = ("funds", fund.name.lower(), "account")
        if fund.account not in schema.accounts:
            hint = did_you_mean(fund.account, schema.accounts) or "no account is described"
            remedy = f"{hint}, or set INBAND_ACCOUNTS__{fund.account}__EXCHANGE"
            raise fault(path, given, f"there is no account {fund.account}", remedy)
        if fund.account in taken:
            problem = f"account {fund.account} already belongs to fund {taken[fund.account]}"
            raise fault(path, given, problem, "give each fund an account of its own")
        taken[fund.account] = fund.name


def _check_live(schema: Schema, funds: list[Fund], given: Layer) -> tuple[str, ...]:
    """Live trading takes a second key: the names of the accounts that may trade."""
    path = ("live_confirm",)
    confirmed = tuple(name.strip().upper() for name in (schema.live_confirm or "").split(",") if name.strip())
    if schema.mode != "live":
        return confirmed
    needed = [fund.account for fund in funds]
    remedy = f"set INBAND_LIVE_CONFIRM={','.join(needed) or '<account>'} if real money shall be traded"
    if not confirmed:
        raise fault(path, given, "live trading takes a second key, and it is not set", remedy)
    for name in confirmed:
        if name not in schema.accounts:
            hint = did_you_mean(name, schema.accounts) or "no account is described"
            raise fault(path, given, f"there is no account {name}", hint)
    missing = [name for name in needed if name not in confirmed]
    if missing:
        raise fault(path, given, f"it does not name account {missing[0]}", remedy)
    return confirmed


def _check_keys(schema: Schema, funds: list[Fund]) -> None:
    for fund in funds if schema.mode != "paper" else []:
        account = schema.accounts[fund.account]
        for part in ("api_key", "secret"):
            if getattr(account, part) is None:
                name = variable(("accounts", fund.account.lower(), part))
                remedy = "set it in the environment or in a file of INBAND_SECRETS_DIR"
                raise SettingsError(
                    name, f"not set, and fund {fund.name} trades there in mode {schema.mode}", remedy
                )


def _check_paper(schema: Schema, given: Layer, directory: FilePath) -> None:
    for part in ("replay", "funding"):
        name = getattr(schema.paper, part)
        if name is None or (part == "replay" and name == "-"):
            continue
        file = directory / name
        if not os.path.isfile(file):  # noqa: PTH113 - false where Path.is_file would raise
            problem = f"{name} is a folder" if os.path.isdir(file) else f"there is no file {name}"  # noqa: PTH112
            raise fault(("paper", part), given, problem, "name an existing file")


def _journal_key(schema: Schema, given: Layer) -> str | None:
    text = _reveal(schema.journal_key)
    if text is None:
        return None
    try:
        size = len(bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if size != 32:
        remedy = "give 64 hexadecimal digits, as `openssl rand -hex 32` prints them"
        raise fault(("journal_key",), given, "not a key of 32 bytes in hexadecimal or base64", remedy)
    return text


def _account(name: str, schema: Schema) -> Account:
    described = schema.accounts[name]
    key, secret = paper_key(name) if schema.mode == "paper" else ("", "")
    return Account(
        name,
        described.exchange,
        _reveal(described.api_key) or key,
        _reveal(described.secret) or secret,
        _reveal(described.password),
    )


def _web(schema: Schema, given: Layer) -> Web:
    """Beyond this machine nothing is served that a token of the operator's own does not guard."""
    web = schema.web
    if web.token is None and not web.make_token and not _is_loopback(web.host):
        raise fault(
            ("web", "host"),
            given,
            f"{web.host} can be reached from elsewhere, and no operator's token is set",
            "set INBAND_WEB__TOKEN (`openssl rand -hex 32` prints one), or listen on 127.0.0.1",
        )
    names = tuple(name.strip() for name in (web.allowed_hosts or "").split(",") if name.strip())
    return Web(web.host, web.port, _reveal(web.token), (web.host, *names))


def _alerting(schema: Schema) -> Alerting:
    alerts = schema.alerts
    hour, _, minute = alerts.summary_at.partition(":")
    return Alerting(
        routes=tuple(
            Route(name, route.url.get_secret_value(), route.events, route.severity, route.feed)
            for name, route in schema.routes.items()
        ),
        repeat_s=float(alerts.repeat_s),
        trigger_distance=alerts.trigger_distance,
        summary_at=None if alerts.summary_at == "off" else (int(hour), int(minute)),
        heartbeat_url=_reveal(alerts.heartbeat_url),
        heartbeat_every_s=float(alerts.heartbeat_every_s),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _paper(schema: Schema) -> Paper:
    paper = schema.paper
    return Paper(
        url=paper.url.rstrip("/") if paper.url else None,
        replay=paper.replay,
        funding=paper.funding,
        scenario=paper.scenario,
        seed=paper.seed,
        speed=paper.speed or "max",
        exit_at_end=paper.exit_at_end,
    )


def _warnings(schema: Schema, funds: list[Fund], given: Mapping[Path, Given]) -> Iterator[str]:
    if not funds:
        yield "no fund is enabled, so nothing will be traded; set INBAND_FUNDS__<NAME>__ENABLED=true for one"
    for fund in funds:
        yield from fund_warnings(fund)
    token = _reveal(schema.web.token)
    if token is not None and len(token) < SHORTEST_TOKEN:
        short = f"INBAND_WEB__TOKEN is shorter than {SHORTEST_TOKEN} characters and can be guessed"
        yield f"{short}; make one by `openssl rand -hex 32`"
    for path, value in given.items():
        secret = general(path) in KNOWN and "SecretStr" in str(KNOWN[general(path)].annotation)
        if secret and value.origin.layer == "file":
            yield f"{variable(path)} ({value.origin}): a secret in this file; keep it in INBAND_SECRETS_DIR"
        chosen = value.origin.layer in ("environment", ".env")
        if path[0] == "paper" and chosen and schema.mode != "paper":
            yield f"{variable(path)} has no effect in mode {schema.mode}; unset it"
        elif (
            path[0] == "paper"
            and chosen
            and schema.paper.url
            and path[1] not in ("url", "seed", "exit_at_end")
        ):
            yield f"{variable(path)} has no effect with INBAND_PAPER__URL, which has its own; unset it"
    endless = schema.paper.replay is None and schema.paper.url is None and schema.paper.scenario != "founding"
    if schema.mode == "paper" and schema.paper.exit_at_end and endless:
        why = f"scenario {schema.paper.scenario} has no end"
        yield f"INBAND_PAPER__EXIT_AT_END has no effect: {why}; unset it, or give a replay"
