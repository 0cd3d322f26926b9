"""`data`: what it says of files, and downloads from the paper exchange's own endpoints."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.cli import invoke
from bot.cli_data import fetch
from bot.exchange import AccountConfig, Exchange, ExchangeConfig, start_exchange
from bot.exchange.prices import open_path
from bot.study import load_funding, load_prices
from bot.study.errors import StudyError
from bot.study.files import Download
from bot.study.inspection import verify
from bot.venue import past as past_module
from bot.venue.errors import UnknownExchange, UnknownSymbol, Unreachable, VenueError
from bot.venue.past import Past
from tests.support.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
START_MS = 1_704_067_200_000
HOUR_MS = 3_600_000


def a_file(folder: Path, rows: list[tuple[int, object]]) -> Path:
    """Closes at hours after START_MS."""
    file = folder / "prices.csv"
    lines = [f"{START_MS + hour * HOUR_MS},{close}" for hour, close in rows]
    file.write_text("\n".join(["timestamp,close", *lines]) + "\n")
    return file


def steady(hours: int) -> list[tuple[int, object]]:
    """A price that wobbles a little."""
    return [(hour, 100 + hour % 7 / 10) for hour in range(hours)]


def test_a_clean_file_has_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    assert invoke(["data", "verify", str(a_file(tmp_path, steady(50)))]) == 0
    assert "no findings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "kind", "place"),
    [
        (steady(50)[:20] + steady(50)[23:], "gap", "line 22"),
        ([*steady(20), *steady(50)[19:]], "duplicate", "line 22"),
        ([*steady(10), (8, 100.0), *steady(50)[10:]], "disorder", "line 12"),
        ([*steady(20), (20, 300.0), *steady(50)[21:]], "outlier", "line 22"),
        ([*steady(10), *((hour, 99.0) for hour in range(10, 40)), *steady(50)[40:]], "frozen", "line 12"),
        ([*steady(10), (10, -1.0), *steady(50)[11:]], "number", "line 12"),
        ([*steady(10), (10, "nan"), *steady(50)[11:]], "number", "line 12"),
    ],
)
def test_what_is_odd_is_named_by_its_line(
    tmp_path: Path, rows: list[tuple[int, object]], kind: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, as JSON too."""
    file = a_file(tmp_path, rows)
    assert invoke(["data", "verify", str(file), "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["kind"], finding["place"]) == (kind, place)


def test_a_crash_is_no_outlier(tmp_path: Path) -> None:
    """It does not come back in the next bar."""
    rows = [
        (hour, price * (0.6 if hour > 30 else 1)) for hour, price in steady(60) if isinstance(price, float)
    ]
    assert verify(a_file(tmp_path, [(hour, price) for hour, price in rows])) == []


def test_info_says_what_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In numbers for programs."""
    assert invoke(["data", "info", str(a_file(tmp_path, steady(50))), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["rows"], found["interval_ms"]) == ("prices", 50, HOUR_MS)
    assert (found["first"], found["last"]) == (START_MS, START_MS + 50 * HOUR_MS)


def test_a_file_that_is_neither_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    file = tmp_path / "odd.csv"
    file.write_text("timestamp,colour\n1,2\n")
    assert invoke(["data", "info", str(file)]) == 2
    assert "neither close nor rate" in capsys.readouterr().err


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    """A paper exchange that has run through four days of hours as fast as it can."""
    closes = 50_000 * np.exp(np.cumsum(np.sin(np.arange(97.0)) / 400))
    replay = tmp_path / "replay.csv"
    rows = [f"{START_MS + hour * HOUR_MS},{price:.1f}" for hour, price in enumerate(closes)]
    replay.write_text("\n".join(["timestamp,close", *rows]))
    config = ExchangeConfig(
        paths={"BTCUSDT": open_path(replay=str(replay))},
        accounts=(AccountConfig("UP", "key", "secret", Decimal(1_000)),),
        directory=tmp_path / "exchange",
        speed=2_000_000.0,
    )
    running = await start_exchange(config)
    yield running
    await running.close()


async def download(exchange: Exchange, out: Path, kind: str, hours: tuple[int, int] = (1, 90)) -> Path:
    """Fetch hours of market time, as the command does."""
    span = (START_MS + hours[0] * HOUR_MS, START_MS + hours[1] * HOUR_MS)
    file = await fetch(out, "BTCUSDT", span, (kind, "1h"), ("binanceusdm", exchange.url))
    assert file.rows > 1
    return out


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
async def test_bars_come_down_as_the_study_reads_them(
    exchange: Exchange, tmp_path: Path, ending: str
) -> None:
    """Complete hours, each once, in the format that the file's name tells."""
    await until(exchange, 91)
    prices = load_prices(await download(exchange, tmp_path / f"btc{ending}", "last"))
    assert (prices.times_ms == START_MS + HOUR_MS * np.arange(2, 91)).all()
    assert prices.volume is not None
    assert (prices.gaps, prices.bar_ms) == (0, HOUR_MS)


@pytest.mark.parametrize("kind", ["mark", "index"])
async def test_marks_and_indices(exchange: Exchange, tmp_path: Path, kind: str) -> None:
    """Without volume."""
    await until(exchange, 91)
    prices = load_prices(await download(exchange, tmp_path / "btc.csv", kind))
    assert len(prices) == 89
    assert prices.volume is None


async def test_funding(exchange: Exchange, tmp_path: Path) -> None:
    """Every eight hours, in [since, until)."""
    await until(exchange, 91)
    funding = load_funding(await download(exchange, tmp_path / "funding.csv", "funding", (1, 88)))
    assert (funding.times_ms == START_MS + 8 * HOUR_MS * np.arange(1, 11)).all()


async def test_a_killed_download_goes_on(exchange: Exchange, tmp_path: Path) -> None:
    """The rows that are there are not fetched again; a line cut in half is."""
    await until(exchange, 91)
    whole = (await download(exchange, tmp_path / "whole.csv", "last")).read_text()
    lines = whole.splitlines(keepends=True)
    marked = [line.replace("0", "9", 1) if i == 5 else line for i, line in enumerate(lines[:40])]
    part = tmp_path / "again.csv.binanceusdm-BTCUSDT-last-1h.part"
    part.write_text("".join(marked) + lines[40][:20])
    again = (await download(exchange, tmp_path / "again.csv", "last")).read_text().splitlines(keepends=True)
    assert again == marked + lines[40:]
    assert not part.exists()


async def test_a_download_that_is_killed_by_force_goes_on(exchange: Exchange, tmp_path: Path) -> None:
    """The command, `kill -9` after its first page, and the command again: the same file as without a kill."""
    await until(exchange, 91)
    whole = tmp_path / "whole.csv"
    span = (START_MS, START_MS + 90 * HOUR_MS)
    await fetch(whole, "BTCUSDT", span, ("last", "1m"), ("binanceusdm", exchange.url))
    out = tmp_path / "killed.csv"
    since, end = (datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M") for ms in span)
    command = [sys.executable, "-m", "bot", "data", "download", "BTCUSDT", "--timeframe", "1m"]
    command += ["--since", since, "--until", end, "--out", str(out), "--paper-url", exchange.url]

    async def started() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)

    first = await started()
    part = tmp_path / "killed.csv.binanceusdm-BTCUSDT-last-1m.part"
    async with asyncio.timeout(PATIENCE_S):
        while not (part.exists() and part.stat().st_size):  # noqa: ASYNC110 - a file has no event for it
            await asyncio.sleep(0.001)
    first.kill()
    await first.wait()
    assert part.exists()
    assert not out.exists()
    second = await started()
    _, told = await second.communicate()
    assert second.returncode == 0, told
    assert out.read_text() == whole.read_text()
    assert b"5,400 rows" in told
    assert not part.exists()


class Sparse:
    """An exchange that looks no further than one page, and lists its symbol late; what `Past` asks of one."""

    def __init__(self, listed_ms: int) -> None:
        """Hours from `listed_ms` on."""
        self.listed_ms, self.asked = listed_ms, 0
        self.markets: dict[str, Any] = {"X": {}}
        self.markets_by_id: dict[str, Any] = {}

    def parse_timeframe(self, _timeframe: str) -> int:
        """One hour, in seconds."""
        return 3_600

    async def fetch_ohlcv(
        self, _symbol: str, _timeframe: str, since_ms: int, limit: int, _: Any
    ) -> list[Any]:
        """The bars of the page that begins at `since_ms`."""
        self.asked += 1
        page = range(since_ms, since_ms + limit * HOUR_MS, HOUR_MS)
        return [[ms, 1.0, 1.0, 1.0, 1.0, 1.0] for ms in page if ms >= self.listed_ms]

    async def fetch_funding_rate_history(self, _symbol: str, since_ms: int, limit: int) -> list[Any]:
        """The same for funding, every eight hours."""
        self.asked += 1
        page = range(-(-since_ms // (8 * HOUR_MS)) * 8 * HOUR_MS, since_ms + 40 * 24 * HOUR_MS, 8 * HOUR_MS)
        found = [ms for ms in page if ms >= self.listed_ms][:limit]
        return [{"timestamp": ms, "fundingRate": 0.0001} for ms in found]


@pytest.mark.parametrize(("kind", "spacing_ms"), [("last", HOUR_MS), ("funding", 8 * HOUR_MS)])
async def test_a_symbol_that_was_listed_late_is_found(kind: str, spacing_ms: int) -> None:
    """Empty pages are passed over until the end is reached."""
    first_ms = START_MS // (8 * HOUR_MS) * 8 * HOUR_MS
    past, sparse = Past("binanceusdm", kind, "1h"), Sparse(first_ms + 2_504 * HOUR_MS)
    past._client = sparse
    rows = [row async for page in past.pages("X", first_ms, first_ms + 4_000 * HOUR_MS) for row in page]
    assert [row[0] for row in rows] == list(range(sparse.listed_ms, first_ms + 4_000 * HOUR_MS, spacing_ms))
    assert sparse.asked < 20


@pytest.mark.parametrize(
    ("exchange_name", "what", "named"),
    [
        ("deribit", ("mark", "1h"), "deribit has no past mark"),
        ("binanceusdm", ("last", "7m"), "has no bars of '7m'; choose --timeframe from 1s"),
        ("binanceusd", ("last", "1h"), "did you mean binanceusdm"),
    ],
)
async def test_what_an_exchange_does_not_have_is_refused_by_name(
    tmp_path: Path, exchange_name: str, what: tuple[str, str], named: str
) -> None:
    """Before it is reached, and with nothing written."""
    with pytest.raises(VenueError, match=named):
        await fetch(tmp_path / "a.csv", "BTCUSDT", (START_MS, None), what, (exchange_name, None))
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a pathlib call would be said to block


async def test_an_exchange_out_of_reach_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    monkeypatch.setattr(past_module, "_TRIES", 1)
    with pytest.raises(Unreachable, match=r"cannot reach http://127.0.0.1:9: .*run the same command again"):
        await fetch(
            tmp_path / "a.csv",
            "BTCUSDT",
            (START_MS, None),
            ("last", "1h"),
            ("binanceusdm", "http://127.0.0.1:9"),
        )
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a pathlib call would be said to block


async def test_what_is_not_listed_is_refused(exchange: Exchange, tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(UnknownSymbol, match="NOPE"):
        await fetch(
            tmp_path / "a.csv", "NOPE", (START_MS, None), ("last", "1h"), ("binanceusdm", exchange.url)
        )
    with pytest.raises(UnknownExchange, match="nowhere"):
        await fetch(
            tmp_path / "b.csv", "BTCUSDT", (START_MS, None), ("last", "1h"), ("nowhere", exchange.url)
        )


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    """Nor is one begun that has no known ending."""
    (tmp_path / "btc.csv").touch()
    with pytest.raises(StudyError, match="is there already"):
        Download(tmp_path / "btc.csv", "x", ("rate",))
    with pytest.raises(StudyError, match=r"ends in none of \.csv"):
        Download(tmp_path / "btc.txt", "x", ("rate",))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--kind", "premium"], "--kind premium"),
        (["--since", "yesterday"], '--since "yesterday"'),
        (["--until", "soon"], '--until "soon"'),
    ],
)
def test_wrong_usage_names_the_option(
    tmp_path: Path, options: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is fetched or written."""
    command = ["data", "download", "BTCUSDT", "--out", str(tmp_path / "a.csv"), "--since", "2024-01-01"]
    assert invoke([*command, *options]) == 2
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_data_alone_asks_for_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """In one short line."""
    assert invoke(["data"]) == 2
    assert capsys.readouterr().err == "error: Missing command; see --help\n"


async def until(exchange: Exchange, hour: int) -> None:
    """Let the market come to an hour."""
    async with asyncio.timeout(PATIENCE_S):
        while exchange.now_ms < START_MS + hour * HOUR_MS:  # noqa: ASYNC110 - the market has no event for it
            await asyncio.sleep(0.05)
