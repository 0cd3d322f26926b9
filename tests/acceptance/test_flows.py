"""Real prices and funding, holders who come and go, a daemon that is killed: books agree to the cent."""

import gzip
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from itertools import count, islice
from pathlib import Path
from signal import SIGKILL
from types import CodeType
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from bot.core import flow_records as flow
from bot.core.book import Book, fold
from bot.core.flows import FlowState
from bot.core.public_records import Revealed
from bot.core.records import IncidentOpened, IncomeBooked, Kind, RebalanceStarted, Record
from bot.core.units import DAY_MS
from bot.core.verify import verify_published
from tests.acceptance.conftest import NARROW_BAND, REPEATABLE
from tests.support.audit import differences
from tests.support.customers import Customers
from tests.support.inband import REPOSITORY, Inband, Process
from tests.support.market_leash import Leash, leash_on
from tests.support.patience import PATIENCE_S
from tests.support.ports import free_port

FUNDS = {"BTCUP": "UP", "BTCDOWN": "DOWN"}
FEES = {
    f"FUNDS__{fund}__{name}": value
    for fund in FUNDS
    for name, value in (
        ("MANAGEMENT_FEE_DAILY", "0.0001"),
        ("SUBSCRIBE_FEE", "0.001"),
        ("REDEEM_FEE", "0.001"),
        ("CAPACITY", "400000"),
    )
}
KILLS = 3
TURNS = 16
"""How often somebody asks for a flow between one kill and the next."""
BETWEEN_S = 9_000
"""Market time from one turn to the next; it waits for those who ask, however slow they are."""


class Season(NamedTuple):
    """A finished run, and those who asked for flows in it."""

    inband: Inband
    customers: Customers
    records: dict[str, tuple[Record, ...]]
    books: dict[str, Book]
    downloads: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Season:
    """Ten days in about a minute, with flows every few market hours, and kills in the middle of it."""
    port = free_port()
    folder = tmp_path_factory.mktemp("season")
    prices = ten_days(shared_data / "BTCUSDT_perp_5m_2025-03-06_2025-04-13.csv.gz", folder / "prices.csv")
    inband = Inband(
        folder,
        **{**REPEATABLE, "PAPER__SPEED": "40000"},
        **NARROW_BAND,
        **FEES,
        PAPER__REPLAY=str(prices),
        PAPER__FUNDING=str(shared_data / "BTCUSDT_funding_8h_2025-03-06_2025-06-03.csv.gz"),
        WEB__PORT=str(port),
    )
    customers = Customers(inband, port)
    for kill in range(KILLS + 1):
        with inband.start() as process, leash_on(process) as leash:
            customers.until_served()
            assert customers.ask_all_again() == len(customers.receipts)
            for _ in turns(process, leash, None if kill == KILLS else TURNS):
                customers.come_or_go()
            if process.running:
                process.signal(SIGKILL)
            else:
                assert process.wait() == 0, process.stderr
    records = {fund: inband.records(fund) for fund in FUNDS}
    books = {fund: fold(records[fund]) for fund in FUNDS}
    return Season(inband, customers, records, books, downloaded(inband, port))


def downloaded(inband: Inband, port: int) -> dict[str, list[dict[str, Any]]]:
    """The public record of each fund, as anybody gets it from the daemon."""
    with inband.with_settings(PAPER__EXIT_AT_END="false").start() as process:
        found: dict[str, list[dict[str, Any]]] = {}

        def asked(fund: str) -> list[dict[str, Any]]:
            url = f"http://127.0.0.1:{port}/api/v1/funds/{fund}/rebalances"
            try:
                with urlopen(url, timeout=PATIENCE_S) as answer:
                    found[fund] = json.load(answer)
            except OSError:
                return []
            return found[fund]

        process.until(lambda: all(asked(fund) for fund in FUNDS), what="it served both records")
        return found


def ten_days(prices: Path, file: Path) -> Path:
    """The beginning of a file of five-minute bars."""
    with gzip.open(prices, "rt") as lines:
        file.write_text("".join(islice(lines, 1 + 10 * 288)))
    return file


def turns(process: Process, leash: Leash, most: int | None) -> Iterator[None]:
    """Each turn is one moment to ask at, while the market goes on; `most` of them, or until the end."""
    for turn in count() if most is None else range(most):
        if turn:
            process.until(lambda: leash.arrived() or not process.running, what="the market went on")
        if not process.running:
            return
        leash.let(BETWEEN_S)
        yield


@pytest.mark.needs("shared")
def test_the_books_agree_with_the_exchange_to_the_cent(season: Season) -> None:
    """Wallet and position of both funds, after everything; and nothing ever stopped increases for it."""
    assert differences(season.inband, FUNDS) == []
    for records in season.records.values():
        assert [r.code for r in records if isinstance(r, IncidentOpened) and r.stops_increases] == []


@pytest.mark.needs("shared")
def test_flows_of_every_kind_happened(season: Season) -> None:
    """Dozens of them, some in cash and some by a trade; funding and the fees of each day too."""
    for records in season.records.values():
        assert number_of(records, flow.FlowSettled) > 20
        assert number_of(records, flow.FlowPaid) > 5
        assert number_of(records, flow.FlowsInCash) > 5
        assert sum(isinstance(r, RebalanceStarted) and r.kind is Kind.FLOW for r in records) > 5
        assert sum(isinstance(r, IncomeBooked) and r.kind == "FUNDING_FEE" for r in records) > 25
        midnights = [r for r in records if isinstance(r, flow.FeeCharged) and r.until_ms % DAY_MS == 0]
        assert len({r.until_ms for r in midnights}) == len(midnights) in {9, 10}


@pytest.mark.needs("shared")
def test_every_receipt_is_on_record_once(season: Season) -> None:
    """Whatever was killed: who has a receipt has a flow, and nobody has two for one request."""
    booked = [r for records in season.records.values() for r in records if isinstance(r, flow.FlowRequested)]
    assert len({r.request_id for r in booked}) == len(booked)
    references = {r.reference for r in booked}
    assert {receipt["reference"] for receipt in season.customers.receipts.values()} <= references


@pytest.mark.needs("shared")
def test_units_and_cash_of_all_flows_add_up(season: Season) -> None:
    """Units = capital + made - burned; every deposit and payment on the account belongs to a flow."""
    for fund, records in season.records.items():
        book = season.books[fund]
        made = burned = paid = returned = Decimal(0)
        for record in records:
            if isinstance(record, flow.FlowSettled) and record.amount:
                burned += record.units
            elif isinstance(record, flow.FlowSettled):
                made, returned = made + record.units, returned + record.returned
            elif isinstance(record, flow.FlowPaid):
                paid += record.amount
        assert book.created is not None
        assert abs(book.created.capital + made - burned - book.units) < Decimal("0.00001")
        moves = [r.amount for r in records if isinstance(r, IncomeBooked) and r.kind == "TRANSFER"]
        assert -sum(amount for amount in moves if amount < 0) == paid
        asked = {r.reference: r.amount for r in records if isinstance(r, flow.FlowRequested)}
        funded = [asked[r.reference] for r in records if isinstance(r, flow.FlowFunded)]
        assert sum(amount for amount in moves if amount > 0) == sum(funded) + book.unallocated - returned
        waiting = [f.amount for f in book.flows if f.state is FlowState.FUNDED]
        assert book.escrow == sum(waiting, Decimal(0)) or book.dealing is not None


@pytest.mark.needs("shared")
def test_some_of_them_asked_by_the_command_line(season: Season) -> None:
    """Its receipts are receipts like any other."""
    assert season.customers.by_command > 3


@pytest.mark.needs("shared")
def test_every_reveal_is_verified(season: Season, tmp_path: Path) -> None:
    """By the command from the journal, with a head that was kept; and from the download."""
    revealed = {
        fund: [r for r in records if isinstance(r, Revealed)] for fund, records in season.records.items()
    }
    kept = [arguments for found in revealed.values() for arguments in ("--head", found[2].hash)]
    done = season.inband.run("history", "--verify", "--json", *kept)
    assert done.returncode == 0, done.stdout
    verdicts = {verdict["fund"]: verdict for verdict in json.loads(done.stdout)["funds"]}
    for fund, found in revealed.items():
        assert verdicts[fund]["records"] == len(found) > 10
        record = season.downloads[fund]
        assert [entry["hash"] for entry in record[: len(found)]] == [r.hash for r in found]
        assert sum(entry["kind"] == "band" for entry in record) > 1
        file = tmp_path / f"{fund}.json"
        file.write_text(json.dumps(record))
        assert season.inband.run("history", "--verify", "--file", str(file)).returncode == 0
        file.write_text(json.dumps(record).replace(record[1]["fees"], other_digit(record[1]["fees"], -1), 1))
        assert season.inband.run("history", "--verify", "--file", str(file)).returncode == 1


@pytest.mark.needs("shared")
def test_one_digit_changed_anywhere_fails_verification(season: Season) -> None:
    """By the lines of docs/verification.md, which use hashlib alone, and by ours: each sees every change.

    Every digit of one record out of the band is tried, and some hundred of all the others.
    """
    lines = compile(
        (REPOSITORY / "docs" / "verification.md").read_text().split("```python\n")[1].split("```")[0],
        "docs/verification.md",
        "exec",
    )
    for record in season.downloads.values():
        text = json.dumps(record)
        assert plainly(lines, text) is None
        band = next(entry for entry in record if entry["kind"] == "band")
        start = text.index(json.dumps(band))
        digits = [place for place, letter in enumerate(text) if letter.isdigit()]
        own = [place for place in digits if start <= place < start + len(json.dumps(band))]
        assert len(own) > 300
        for place in (*own, *random.Random(3).sample(digits, 200)):  # noqa: S311 - any digits
            changed = other_digit(text, place)
            assert plainly(lines, changed) is not None, text[place - 40 : place + 1]
            assert [problem for found in verify_published(json.loads(changed)) for problem in found.problems]


def plainly(lines: CodeType, text: str) -> Exception | None:
    """What the documented lines object to in a record that was saved with this text; None if nothing."""
    try:
        exec(lines, {"open": lambda *_, **__: StringIO(text), "print": lambda *_: None})  # noqa: S102 - our page
    except Exception as objection:  # noqa: BLE001 - a traceback of any kind is what its reader sees
        return objection
    return None


def other_digit(text: str, place: int) -> str:
    """The text with another digit at a place."""
    place %= len(text)
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


def number_of(records: tuple[Record, ...], kind: type[Record]) -> int:
    """Records of one class."""
    return sum(isinstance(record, kind) for record in records)
