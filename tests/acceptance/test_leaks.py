"""Nothing secret gets out before its time: a real daemon, every fault, every endpoint, and a search.

The daemon runs with canaries for every secret that it is given, rebalances to a target that the test knows,
and meets every fault that the exchange can make. Meanwhile everything that it says is collected: its log with
the tracebacks, every path of the router with and without a token, what a browser shows and receives,
commands, alerts, exports, and at last the very bytes of all its files and of a backup. The search knows many
writings of a secret, and numbers by their value; its own tests plant leaks and find them, and a mutant of the
product (tests/mutants/leaks.patch) leaks in every one of these places and is found in each.
"""

import json
import os
import re
import shutil
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal, InvalidOperation
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from aiohttp import web
from playwright.sync_api import Response, sync_playwright

from bot.core import records as rec
from bot.core.ledger import target_position
from bot.exchange.faults.kinds import KINDS
from bot.journal.sqlite import JOURNAL_FILE, open_reader
from bot.web.server import make_app
from tests.support.inband import Inband, Process
from tests.support.market_leash import Leash
from tests.support.patience import PATIENCE_S
from tests.support.ports import free_port
from tests.support.receiver import Receiver
from tests.support.site import Figures

TARGET = Decimal("2.876543219")
CANARIES = {
    "token": "canary-token-4f7a1c9e2b",
    "key": "canary-api-key-8d3e5f7a9b",
    "secret": "canary-api-secret-1b2c3d4e5f",
    "route": "canary-route-6a7b8c9d0e",
    "journal": "c4" * 32,
}
BYTES = "latin-1"
"""How the bytes of a file are read as text: each is one character."""

SHORTEST = 6
"""Characters from which on a value can be told from parts of others, whatever it is written in."""

ENDLESS = {"/api/v1/stream", "/api/v1/operator/stream"}
"""Paths that do not end; a moment of them is read."""


# ---- the search --------------------------------------------------------------------------------------------


def writings(secret: str) -> set[str]:
    """How a text may be written: plain, hexadecimal, base64 at any offset, for an address, as bytes."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), raw.hex(), raw.hex().upper()}
    if re.fullmatch(r"(?:[0-9a-f]{2}){16,}", secret):
        found.add(bytes.fromhex(secret).decode(BYTES))
    for offset, skipped in ((0, 0), (1, 2), (2, 3)):
        encoded = b64encode(bytes(offset) + raw).decode()
        whole = encoded[skipped : (offset + len(raw)) * 8 // 6]
        found |= {whole, whole.replace("+", "-").replace("/", "_")}
    return found


def numbers(text: str) -> Iterator[Decimal]:
    """Every number in a text, exponents and all, once."""
    for token in set(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])", text)):
        try:
            yield Decimal(token)
        except InvalidOperation:
            continue


def tells(number: Decimal, value: Decimal) -> bool:
    """Whether a number is the value, or the value rounded to five digits or more."""
    if number in {value, -value}:
        return True
    parts = number.as_tuple()
    exponent = parts.exponent if isinstance(parts.exponent, int) else 0
    return len(parts.digits) >= 5 and number != 0 and abs(number - value) * 2 <= Decimal(10) ** exponent


def leaks(text: str, texts: dict[str, str], values: dict[str, Decimal]) -> set[str]:
    """Names of the secrets that stand in a text: texts in any writing, values as any equal number.

    A number counts when it is the value itself, or rounds it to five digits or more. A short one (0.1) is
    part of many others, and counts as a number alone.
    """
    spelt = texts | {name: str(value) for name, value in values.items() if len(str(value)) >= SHORTEST}
    found = {name for name, secret in spelt.items() if any(form in text for form in writings(secret))}
    for number in numbers(text):
        found |= {name for name, value in values.items() if tells(number, value)}
    return found


@pytest.mark.parametrize(
    "planted",
    [
        "target=2.876543219",
        '{"x": 2.8765432190000}',
        "about 2.87654",
        "2876543219E-9",
        "28.76543219e-1",
        str(TARGET).encode().hex(),
        b64encode(b"x" + str(TARGET).encode() + b"y").decode(),
    ],
)
def test_a_planted_number_is_found(planted: str) -> None:
    """However it is written; and what is no leak is not taken for one."""
    assert leaks(f"before {planted} after", {}, {"target": TARGET}) == {"target"}
    assert leaks("leverage 2.8 at 60000.1, 2.876 or 1732623000000", {}, {"target": TARGET}) == set()


@pytest.mark.parametrize("name", CANARIES)
def test_a_planted_canary_is_found(name: str) -> None:
    """In hexadecimal, in base64 anywhere, in an address."""
    secret = CANARIES[name]
    for form in (secret, secret.encode().hex(), b64encode(b"ab" + secret.encode()).decode(), quote(secret)):
        assert leaks(f'{{"detail": "{form}"}}', CANARIES, {}) == {name}


def test_a_planted_key_is_found_in_the_bytes_of_a_file() -> None:
    """As the 32 bytes that its digits stand for, between whatever else."""
    found = bytes([0, 255, 17]) + bytes.fromhex(CANARIES["journal"]) + b"SQLite"
    assert leaks(found.decode(BYTES), CANARIES, {}) == {"journal"}


# ---- the paths ---------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    method: str
    path: str


def paths_of(app: web.Application) -> list[Asked]:
    """Every method and path of the router, with names filled in: what is added is asked by itself."""
    found = []
    for route in app.router.routes():
        if route.resource is None or route.method == "HEAD":
            continue
        pattern = route.resource.get_info().get("pattern")
        path = route.resource.canonical
        choices = re.findall(r"\(\?P<(\w+)>([a-z|]+)\)", pattern.pattern if pattern is not None else "")
        paths = [path]
        for name, words in choices:
            paths = [p.replace(f"{{{name}}}", word) for p in paths for word in words.split("|")]
        found += [Asked(route.method, re.sub(r"\{\w+\}", "BTCUP", p)) for p in paths]
    return found


def test_a_new_path_is_asked_by_itself() -> None:
    """The router says what there is; nobody has to add it to a list."""

    async def leaky(_: web.Request) -> web.Response:
        return web.json_response({})

    app = make_app(Figures())
    before = paths_of(app)
    app.router.add_get("/api/v1/new/{fund}", leaky)
    assert set(paths_of(app)) - set(before) == {Asked("GET", "/api/v1/new/BTCUP")}
    assert Asked("GET", "/metrics") in before
    assert Asked("POST", "/api/v1/funds/BTCUP/rebalance") in before


# ---- the run -----------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """Something that the daemon said, and where."""

    where: str
    text: str


class Elsewhere(urllib.request.HTTPHandler):
    """From another address of this machine: after many wrong tokens from one, right ones are refused too."""

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """As ever, but for where it comes from."""
        return self.do_open(HTTPConnection, req, source_address=("127.0.0.2", 0))


def ask(url: str, method: str = "GET", token: str | None = None, body: bytes | None = None) -> str:
    """Everything that comes back: status, headers and body, of an error too; a moment of what is endless."""
    request = urllib.request.Request(url, method=method, data=body)  # noqa: S310 - our own daemon
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        opener = urllib.request.build_opener(*[Elsewhere] * (token == "wrong"))
        answer = opener.open(request, timeout=PATIENCE_S)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError:
        return ""  # it was refused
    with answer:
        read = answer.read1(20_000) if any(url.endswith(path) for path in ENDLESS) else answer.read()
        return f"{answer.status}\n{answer.headers}\n{read.decode(errors='replace')}"


class World:
    """An exchange with faults, a receiver of alerts, and a daemon with canaries between them."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        """Nothing runs yet."""
        accounts = folder / "accounts.toml"
        accounts.write_text(
            f'[[account]]\nname = "UP"\nkey = "{CANARIES["key"]}"\nsecret = "{CANARIES["secret"]}"\n'
            "balance = 100000\n"
        )
        self.exchange = Process(
            [
                sys.executable, "-m", "bot", "exchange", "--port", "0", "--json", "--faults", "--speed", "60",
                "--scenario", "calm", "--accounts", str(accounts), "--data-dir", str(folder / "exchange"),
            ],
            Inband(folder)._environment(),
            folder,
        )  # fmt: skip
        self.exchange.until(lambda: self.exchange.stdout.count("\n"), what="it said where it listens")
        self.venue = json.loads(self.exchange.stdout.splitlines()[0])["url"]
        self.port = free_port()
        self.inband = Inband(
            folder,
            WEB__PORT=str(self.port),
            WEB__TOKEN=CANARIES["token"],
            JOURNAL_KEY=CANARIES["journal"],
            PAPER__URL=self.venue,
            FUNDS__BTCDOWN__ENABLED="false",
            FUNDS__BTCUP__BAND="[1.05, 3]",
            FUNDS__BTCUP__START_LEVERAGE="1.1",
            ACCOUNTS__UP__API_KEY=CANARIES["key"],
            ACCOUNTS__UP__SECRET=CANARIES["secret"],
            ROUTES__PHONE__URL=f"json://{receiver.address}/{CANARIES['route']}",
            ROUTES__PHONE__SEVERITY="info",
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def records(self) -> tuple[rec.Record, ...]:
        """What the journal holds, secrets and all."""
        with open_reader(self.inband.data_dir, CANARIES["journal"]) as journal:
            return tuple(journal.read("BTCUP"))

    def inject_everything(self, leash: Leash) -> int:
        """Each kind of fault, with the least that it takes; how many kinds happened.

        What lasts is ended after a moment, so that it does not keep the others away.
        """
        fired = set()
        for name, kind in sorted(KINDS.items(), key=lambda item: item[0] in _FINAL):
            script = {"kind": name, "with": {each: LEAST[each] for each in kind.required}}
            answer = ask(f"{self.venue}/faults", "POST", body=json.dumps(script).encode())
            assert answer.startswith("200"), (name, answer)
            leash.let(SECONDS_OF_A_FAULT)
            time.sleep(0.25)
            if kind.lasting:
                fired |= self._fired()
                ask(f"{self.venue}/faults", "DELETE")
        time.sleep(1)
        return len(fired | self._fired())

    def break_journal(self, process: Process) -> None:
        """Hold the journal's file, so that what a word leads to cannot be made durable: with a traceback."""
        with closing(
            sqlite3.connect(self.inband.data_dir / JOURNAL_FILE, isolation_level=None, timeout=PATIENCE_S)
        ) as holder:
            holder.execute("BEGIN IMMEDIATE")
            said = json.dumps({"author": "ann", "reason": "test"}).encode()
            ask(f"{self.url}/api/v1/funds/BTCUP/pause", "POST", CANARIES["token"], said)
            process.until_said("fund_stopped")

    def _fired(self) -> set[str]:
        faults = json.loads(ask(f"{self.venue}/faults").partition("\n\n")[2])
        return {fault["kind"] for fault in faults if fault["fired"]}


SECONDS_OF_A_FAULT = 12
"""Market time that passes with each: enough to meet it, and all of them are less than the rebalance takes."""

_FINAL = ("liquidated", "deleveraged", "delisted", "key_revoked")
"""After these there is little left to watch."""

LEAST: dict[str, Any] = {
    "account": "UP", "symbol": "BTCUSDT", "by_s": 0.1, "by_ms": 500, "side": "SELL", "quantity": "0.002",
    "amount": "5", "leverage": 7, "type": "ISOLATED", "hedge": True, "share": 0.5, "bps": 20, "for_ms": 2000,
    "rate": 0.0002, "name": "unknown",
}  # fmt: skip
"""Parameters that the faults accept: small, and short."""


def collect(world: World, process: Process, receiver: Receiver) -> Iterator[Said]:
    """Everything that can be heard at this moment."""
    for method, path in paths_of(make_app(Figures())):
        for token in (None, "wrong", CANARIES["token"]):
            if method != "GET" and token == CANARIES["token"]:
                continue  # it would change what is being watched; refusals are asked below
            yield Said(
                f"{method} {path} ({token})",
                ask(world.url + path, method, token, b"{}" if method != "GET" else None),
            )
    for wrong in (b"{", b'{"leverage": "99"}', b'{"reason": 5}'):
        path = "/api/v1/funds/BTCUP/rebalance"
        yield Said(f"refused {wrong!r}", ask(world.url + path, "POST", CANARIES["token"], wrong))
    yield Said("log", process.stdout + process.stderr)
    yield Said("alerts", json.dumps(receiver.letters))


def said_by_commands(world: World) -> Iterator[Said]:
    """What commands print."""
    for command in (
        ("status",),
        ("status", "--json"),
        ("history", "--json"),
        ("config",),
        ("config", "--json"),
        ("alert", "list", "--json"),
        ("alert", "test"),
        ("rebalance", "BTCUP", "--to", "99"),
        ("acknowledge", "BTCUP", "nothing"),
        ("reload",),
        ("check", "--json"),
        ("flows", "BTCUP"),
        ("history", "--verify"),
        ("db", "verify"),
        ("db", "export"),
        ("db", "backup", str(world.inband.data_dir / "backup.sqlite")),
    ):
        done = world.inband.run(*command)
        yield Said(" ".join(command[:2]), done.stdout + done.stderr)


def said_to_words(world: World) -> Iterator[Said]:
    """What is answered to words that the daemon obeys."""
    for path, body in (
        ("funds/BTCUP/pause", {}),
        ("funds/BTCUP/resume", {}),
        ("funds/BTCUP/subscribe", {"amount": "100"}),
        ("funds/BTCUP/redeem", {"units": "1"}),
        ("operator/reload", {}),
    ):
        said = json.dumps({"author": "ann", "reason": "test", **body}).encode()
        yield Said(f"obeyed {path}", ask(f"{world.url}/api/v1/{path}", "POST", CANARIES["token"], said))


LISTEN = """(path) => new Promise((opened) => {
  window.heard = [];
  window.socket = new WebSocket(location.origin.replace("http", "ws") + path);
  window.socket.onmessage = (message) => window.heard.push(message.data);
  window.socket.onopen = () => opened();
})"""
HEARD = (
    """() => ["tokenNav", "nav_kline"].every((name) => window.heard.some((text) => text.includes(name)))"""
)


def said_by_the_page(world: World, leash: Leash) -> Iterator[Said]:
    """What a browser receives and shows, to everybody and to the operator, and what it keeps."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # as in tests/page
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page()
        page.set_default_timeout(1_000 * PATIENCE_S)
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer) if tells_something(answer) else None)
        for view in ("#/", "#/fund/BTCUP"):
            page.goto(f"{world.url}/{view}")
            page.get_by_text("BTCUP").first.wait_for()
            page.wait_for_timeout(500)
            yield Said(f"page {view} (None)", page.content())
        streams = "/stream?streams=BTCUP@tokenNav/BTCUP@nav_kline_1m"
        page.evaluate(LISTEN, streams)
        leash.let(60)
        page.wait_for_function(HEARD)
        yield Said("page's websocket (None)", page.evaluate("socket.close() || heard.join()"))
        yield Said("page's answers (None)", "\n".join(map(body_of, answers)))
        answers.clear()
        page.goto(f"{world.url}/#/operator")
        page.get_by_label("Operator's token").fill(CANARIES["token"])
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="BTCUP").wait_for()
        page.get_by_text("Rebalances, those not public included").click()
        page.get_by_text("Effective configuration").click()
        page.locator("tr[data-rebalance=BTCUP-2]").wait_for()
        yield Said("page of the operator", page.content())
        yield Said("page's answers to the operator", "\n".join(map(body_of, answers)))
        kept = page.evaluate(
            "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie]"
        )
        yield Said("what the page keeps", "\n".join(kept))
        browser.close()


def tells_something(answer: Response) -> bool:
    """Whether it is not one of the page's own files, which are as they were installed, nor an endless one."""
    kind = answer.headers.get("content-type", "")
    return kind.startswith(("application/json", "text/html"))


def body_of(answer: Response) -> str:
    """Address, headers and text of an answer."""
    return f"{answer.url}\n{answer.headers}\n{'' if answer.status == 304 else answer.text()}"


def files_of(world: World) -> Iterator[Said]:
    """The bytes of all files of the daemon: journal, history, alerts, locks, backup."""
    for file in sorted(world.inband.data_dir.rglob("*")):
        if file.is_file():
            yield Said(f"file {file.name}", file.read_bytes().decode(BYTES))


def needles(records: tuple[rec.Record, ...]) -> tuple[dict[str, str], dict[str, Decimal]]:
    """What must not be found, from the journal: draws, keys, the target, its quantity, the plan of slices."""
    texts, values = dict(CANARIES), {}
    for record in records:
        match record:
            case rec.FundCreated(key=key):
                texts["fund's key"] = key
            case rec.DrawQueued(sequence=sequence, u=u, salt=salt):
                texts[f"salt {sequence}"] = salt
                values[f"u {sequence}"] = Decimal(u)
            case rec.OrderIntended(cid=cid, quantity=quantity) if "target" in values:
                values[f"slice {cid}"] = abs(quantity)
            case rec.RebalanceStarted(kind=rec.Kind.OPERATOR, target=target):
                values["target"] = target
            case _:
                pass
    return texts, values


def after_the_order(records: tuple[rec.Record, ...]) -> tuple[rec.Record, ...]:
    """What came after the operator's rebalance had begun; when it is over, operators may read its target."""
    kinds = [record.kind if isinstance(record, rec.RebalanceStarted) else None for record in records]
    return records[kinds.index(rec.Kind.OPERATOR) :]


def target_quantity(records: tuple[rec.Record, ...]) -> Decimal:
    """The position that the target means at the mark of the decision."""
    from bot.core.book import Book

    book = Book()
    for record in records:
        if isinstance(record, rec.RebalanceStarted) and record.kind is rec.Kind.OPERATOR:
            fee = Decimal("0.0005")
            return target_position(book.ledger, record.mark, record.target, 1, fee).quantize(Decimal("0.001"))
        book.apply(record)
    raise AssertionError("no rebalance of an operator")


@pytest.mark.needs("chromium")
def test_nothing_gets_out_before_its_time(tmp_path: Path) -> None:
    """Zero hits in everything that was said while the rebalance was not revealed."""
    with Receiver() as receiver:
        world = World(tmp_path, receiver)
        with world.exchange, world.inband.start() as process:
            process.until(lambda: process.lines("rebalance_finished"), what="it opened")
            body = json.dumps({"leverage": str(TARGET), "reason": "test", "author": "ann"}).encode()
            with Leash(world.venue) as leash:
                answer = ask(f"{world.url}/api/v1/funds/BTCUP/rebalance", "POST", CANARIES["token"], body)
                assert answer.startswith("200"), answer
                said = [
                    Said("answer", answer),
                    *collect(world, process, receiver),
                    *said_by_the_page(world, leash),
                ]
                fired = world.inject_everything(leash)
                said += collect(world, process, receiver)
                said += said_by_commands(world)
                said += said_to_words(world)
                world.break_journal(process)
                said += collect(world, process, receiver)
                records = world.records()
        said += files_of(world)
    assert fired > 20
    assert not any(isinstance(record, rec.RebalanceFinished) for record in after_the_order(records))
    assert "Traceback" in process.stdout
    places = {each.where for each in said}
    assert {"file journal.sqlite", "file backup.sqlite", "file alerts.sqlite", "file nav.sqlite"} <= places
    assert len(said) > 250
    mute = {each.where for each in said if not each.text}
    assert not any(where.startswith(("page", "db export", "obeyed")) for where in mute)
    found = found_in(said, records)
    assert found == set(), "\n".join(f"leak: {name} in {where}" for where, name in sorted(found))


def found_in(said: list[Said], records: tuple[rec.Record, ...]) -> set[tuple[str, str]]:
    """Where something was said that must not be, and what.

    An operator sees the position, and so what was traded, as do their files; the log, alerts and everybody
    else do not. A slice of one or two digits (0.1) cannot be told from ordinary numbers.
    """
    texts, values = needles(records)
    values["target quantity"] = target_quantity(records)
    assert {"target", "u 1", "target quantity"} <= set(values)
    slices = {name: value for name, value in values.items() if name.startswith("slice ")}
    sizes = {name: value for name, value in slices.items() if len(value.normalize().as_tuple().digits) > 2}
    assert sizes
    always = {name: value for name, value in values.items() if name not in slices}
    found = {(each.where, name) for each in said for name in leaks(each.text, texts, always)}
    others = [each for each in said if each.where in {"log", "alerts"} or each.where.endswith("(None)")]
    return found | {
        (each.where, f"{name}: {line}")
        for each in others
        for line in each.text.splitlines()
        for name in leaks(line, {}, sizes)
    }
