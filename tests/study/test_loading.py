"""Files of prices and funding: what is read, and how a bad one is refused."""

import gzip
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bot.study import FundSpec, Prices, backtest, from_arrays, funding_from_arrays, load_funding, load_prices
from bot.study.errors import BadParameterError, PriceError

T = 1_600_000_000_000
ROWS = [(T + 60_000 * i, 100.0 + i, 103.0 + i, 99.0 + i, 101.5 + i, 7.5) for i in range(5)]
HEADER = "timestamp,open,high,low,close,volume"


def text(rows: Sequence[Sequence[object]] = ROWS, header: str = HEADER) -> str:
    """The rows as CSV."""
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def check(prices: Prices) -> None:
    """All columns came through; times are those of the closes."""
    assert prices.times_ms.tolist() == [row[0] + 60_000 for row in ROWS]
    columns = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    for column, values in zip(columns, list(zip(*ROWS, strict=True))[1:], strict=True):
        assert column is not None
        assert column.tolist() == list(values)
    assert (prices.bar_ms, prices.gaps) == (60_000, 0)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_csv(tmp_path: Path, newline: str, end: str) -> None:
    """With either kind of line end, and however the last line ends."""
    file = tmp_path / "prices.csv"
    file.write_bytes((text().rstrip("\n") + end).replace("\n", newline).encode())
    check(load_prices(file))


def test_gzip_of_several_members(tmp_path: Path) -> None:
    """As `cat a.csv.gz b.csv.gz` makes it."""
    whole = text().encode()
    file = tmp_path / "prices.csv.gz"
    file.write_bytes(gzip.compress(whole[:100]) + gzip.compress(whole[100:]))
    check(load_prices(file))


def test_parquet(tmp_path: Path) -> None:
    """Whole numbers or floats."""
    file = tmp_path / "prices.parquet"
    pl.DataFrame(ROWS, schema=HEADER.split(","), orient="row").write_parquet(file)
    check(load_prices(file))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is CSV, gzipped or not."""
    for raw in (text().encode(), gzip.compress(text().encode())):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        check(load_prices("-"))


def test_columns_in_any_order_with_others_between(tmp_path: Path) -> None:
    """Names in any case; what is not asked for may hold anything, quoted or not."""
    file = tmp_path / "prices.csv"
    rows = [(f'"coin, {i}"', row[4], row[0]) for i, row in enumerate(ROWS)]
    file.write_text(text(rows, "Symbol,Close,Timestamp"))
    prices = load_prices(file)
    assert prices.close.tolist() == [row[4] for row in ROWS]
    assert prices.open is None


def test_many_blocks_are_one_file(tmp_path: Path) -> None:
    """A file of several megabytes is read in blocks, and no row is lost between them."""
    times = T + 60_000 * np.arange(120_000)
    closes = 100 + np.arange(120_000) / 7
    file = tmp_path / "prices.csv"
    file.write_text(text(list(zip(times.tolist(), closes.tolist(), strict=True)), "timestamp,close"))
    prices = load_prices(file)
    assert (prices.times_ms - 60_000 == times).all()
    assert (prices.close == closes).all()


def replaced(row: int, column: int, value: object) -> str:
    """The CSV with one cell changed."""
    rows: list[list[object]] = [list(cells) for cells in ROWS]
    rows[row][column] = value
    return text([tuple(cells) for cells in rows])


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (text([ROWS[0], ROWS[2], ROWS[1]]), "line 4: timestamp .* earlier .* sort"),
        (text([ROWS[0], ROWS[1], ROWS[1]]), "line 4: timestamp .* twice; keep one"),
        (replaced(2, 4, "nan"), "line 4: close nan is not a positive number"),
        (replaced(2, 4, ""), "line 4: close '' is not a number"),
        (replaced(2, 4, "abc"), "line 4: close 'abc' is not a number"),
        (replaced(3, 4, 0), "line 5: close 0 is not a positive number"),
        (replaced(3, 3, -1), "line 5: low -1 is not a positive number"),
        (replaced(1, 1, "inf"), "line 3: open inf is not a positive number"),
        (replaced(1, 2, 50), "line 3: open .* not within low .* to high 50"),
        (replaced(1, 5, "nan"), "line 3: volume nan is not a number"),
        (replaced(1, 0, 1_600_000_060), "line 3: timestamp 1600000060 looks like seconds"),
        (replaced(1, 0, T * 1_000), "line 3: timestamp 1.6e\\+15 is finer"),
        (replaced(1, 0, T + 0.5), "line 3: timestamp .* whole number"),
        (text([*ROWS[:2], ROWS[2][:3], *ROWS[3:]]), "line 4: has 3 fields, but the header has 6"),
        (text([*ROWS[:2], ROWS[2][:5], (*ROWS[3], 1.0)]), "line 4: has 5 fields"),
        (text().replace("\n", "\n\n", 3), "line 2: is empty"),
        (text(header="time,open,high,low,close,volume"), 'line 1: the header needs one column "timestamp"'),
        (text(ROWS[:1]), "rows: 1; give at least two"),
        ("", "is empty"),
    ],
)
def test_bad_prices_are_refused_by_line(tmp_path: Path, content: str, named: str) -> None:
    """One line that names the file, the line in it, and the remedy."""
    file = tmp_path / "prices.csv"
    file.write_text(content)
    with pytest.raises(PriceError, match=named) as found:
        load_prices(file)
    assert str(found.value).startswith(str(file))
    assert "; " in str(found.value)


def test_a_bad_row_of_parquet_is_named_by_number(tmp_path: Path) -> None:
    """Rows count from 1; an absent value is not a number."""
    file = tmp_path / "prices.parquet"
    pl.DataFrame({"timestamp": [T, T + 60_000, T + 120_000], "close": [1.0, None, 2.0]}).write_parquet(file)
    with pytest.raises(PriceError, match="row 2: close nan is not a positive number"):
        load_prices(file)


@pytest.mark.parametrize(
    ("name", "raw", "named"),
    [
        ("prices.csv.gz", gzip.compress(text().encode(), mtime=0)[:-20], "end too soon"),
        ("prices.csv.gz", gzip.compress(text().encode(), mtime=0)[:30] + b"rubbish" * 9, "damaged"),
        ("prices.parquet", b"PAR1 and no more", "not readable Parquet"),
        ("prices.csv", b"timestamp,close\n\xff\xfe,1\n", "line 2: is not CSV text"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, raw: bytes, named: str) -> None:
    """By what is wrong with them."""
    file = tmp_path / name
    file.write_bytes(raw)
    with pytest.raises(PriceError, match=named):
        load_prices(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Or that is a folder."""
    with pytest.raises(PriceError, match="no such file"):
        load_prices(tmp_path / "none.csv")
    with pytest.raises(PriceError, match="is a directory"):
        load_prices(tmp_path)


def test_funding_is_floored_to_the_minute(tmp_path: Path) -> None:
    """Exchanges stamp some milliseconds late."""
    file = tmp_path / "funding.csv"
    file.write_text(f"timestamp,rate\n{T - T % 60_000 + 7},0.0001\n{T - T % 60_000 + 60_012},-0.0002\n")
    funding = load_funding(file)
    assert funding.times_ms.tolist() == [T - T % 60_000, T - T % 60_000 + 60_000]
    assert funding.rates.tolist() == [0.0001, -0.0002]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (f"{T},0.0001\n{T + 60_000},1.5\n", "line 3: rate 1.5 is not a fraction"),
        (f"{T},nan\n", "line 2: rate nan"),
        (f"{T - T % 60_000},0\n{T - T % 60_000 + 9},0\n", "line 3: .* second rate for one minute"),
        ("", "has no row"),
    ],
)
def test_bad_funding_is_refused_by_line(tmp_path: Path, rows: str, named: str) -> None:
    """As prices are."""
    file = tmp_path / "funding.csv"
    file.write_text("timestamp,rate\n" + rows)
    with pytest.raises(PriceError, match=named):
        load_funding(file)


def test_real_files_load(shared_data: Path) -> None:
    """Prices and funding of the shared data; the gaps of the spot file are the exchange's outages."""
    for file in sorted(shared_data.glob("*_perp_1*.csv.gz")) + sorted(shared_data.glob("*_mark_8h_*")):
        assert len(load_prices(file)) > 200
    for file in sorted(shared_data.glob("*_funding_8h_*")):
        assert len(load_funding(file)) > 200
    spot = load_prices(shared_data / "BTCUSDT_spot_1h_2020-01-01_2021-06-30.csv.gz")
    assert (len(spot), spot.gaps, spot.missing_bars) == (13_104, 12, 24)


def test_lists_and_columns_of_a_data_frame_are_prices() -> None:
    """As a notebook has them: plain lists, and datetimes in UTC."""
    times, closes = [T, T + 60_000, T + 120_000], [100, 101, 102]
    listed = from_arrays(times, closes)
    frame = pl.DataFrame({"at": times, "close": closes}).with_columns(pl.from_epoch("at", time_unit="ms"))
    framed = from_arrays(frame["at"].to_numpy(), frame["close"].to_numpy())
    for prices in (listed, framed):
        assert prices.times_ms.tolist() == [T + 60_000, T + 120_000, T + 180_000]
        assert (prices.close.dtype, prices.close.tolist()) == (np.float64, closes)


@pytest.mark.parametrize(
    ("times", "closes", "named"),
    [
        ([T, T + 2, T + 1], [1, 2, 3], "prices row 2: timestamp .* earlier"),
        ([T, T + 1, T + 1], [1, 2, 3], "prices row 2: timestamp .* twice"),
        ([T, T + 1, T + 2], [1, float("nan"), 3], "prices row 1: close nan is not a positive number"),
        ([T, T + 1, T + 2], [1, 2, -3], "prices row 2: close -3 is not a positive number"),
        ([T, T + 1, T + 2], [1, 2], r"close has shape \(2,\), and the times have \(3,\)"),
        ([T, T + 1], [1, "x"], "close holds what is no number"),
        ([T], [1], "rows: 1; give at least two"),
        ([T / 1000, T / 1000 + 1], [1, 2], "the times are of float64"),
        ([T // 1000, T // 1000 + 60], [1, 2], "row 0: timestamp 1600000000 looks like seconds"),
    ],
)
def test_bad_arrays_are_refused_by_row(times: list[int], closes: list[float], named: str) -> None:
    """What a file is refused for is no better when it comes from a notebook."""
    with pytest.raises(PriceError, match=named):
        from_arrays(times, closes)


def test_funding_of_arrays_is_judged_as_that_of_files() -> None:
    """Stamps are floored to the minute; two of one minute, and rates in per cent, are refused."""
    assert funding_from_arrays([T + 20_005], [0.0001]).times_ms.tolist() == [(T + 20_005) // 60_000 * 60_000]
    for times, rates, named in (
        ([T, T + 5], [0.1, 0.1], "row 1: .* second rate"),
        ([T], [1.5], "row 0: rate 1.5"),
        ([T], [0.1, 0.2], "the rates have shape"),
        ([], [], "no row"),
    ):
        with pytest.raises(PriceError, match=named):
            funding_from_arrays(np.array(times, dtype=np.int64), rates)


def test_what_is_no_prices_is_named() -> None:
    """A list in the place of prices or of funding, a name in that of a fund: what it is, and what to do."""
    prices = from_arrays([T, T + 60_000], [100, 101])
    for given, named in (
        (([100, 101], FundSpec(), {}), "prices is of type list; make them by load_prices or from_arrays"),
        ((prices, "UP", {}), "fund is of type str"),
        ((prices, FundSpec(), {"funding": [0.1]}), "funding is of type list"),
    ):
        with pytest.raises(BadParameterError, match=named):
            backtest(given[0], given[1], **given[2])  # type: ignore[arg-type]


def test_prices_and_results_are_shown_in_a_line() -> None:
    """A notebook shows what a cell ends with: not every bar of it."""
    prices = from_arrays([T, T + 60_000], [100, 101])
    assert (
        repr(prices)
        == "Prices(2 bars of 60 s, 2020-09-13T12:27:40.000 to 2020-09-13T12:28:40.000 UTC, 0 gaps)"
    )
    assert repr(backtest(prices, FundSpec())) == (
        "Result(long fund over 2 bars: NAV 1.02, 0 rebalances, fees 0.00, funding 0.00)"
    )
