"""Bad files of prices and funding rates: each is refused with one line that says where and what to do."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.exchange.prices import PriceFileError
from bot.exchange.prices.funding import load_funding
from bot.exchange.prices.replay import load_replay

MINUTE_MS = 60_000
T0, T1, T2 = (1_700_000_040_000 + i * MINUTE_MS for i in range(3))
CLOSES = "timestamp,close\n"
RANGES = "timestamp,open,high,low,close\n"
GOOD_GZIP = gzip.compress(
    ("timestamp,close\n" + "".join(f"{T0 + i},{i + 1}\n" for i in range(9000))).encode()
)


def refusal(load: Callable[[Path], object], file: Path) -> str:
    """Return the text of the refusal after the name of the file, having checked its form."""
    with pytest.raises(PriceFileError) as caught:
        load(file)
    text = str(caught.value)
    assert text.startswith(str(file))
    assert len(text.splitlines()) == 1
    assert "; " in text, "a remedy follows the problem"
    return text.removeprefix(str(file)).strip(" :")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("\n", "line 1: no column timestamp"),
        ("time,price\n1,2\n", "line 1: no column timestamp and no column close"),
        (f"{T0},100\n{T1},101\n", "line 1: no column timestamp"),
        ("timestamp,open\n", "line 1: no column close"),
        ("timestamp,open,close\n", "line 1: has column open but not high, low"),
        ("timestamp,close,close\n", "line 1: column close appears twice"),
        (CLOSES, "has no rows"),
        (f"{CLOSES}{T0},100\n", "has 1 row,"),
        (f"{CLOSES}{T0},100\n{T1},abc\n", "line 3: close 'abc' is not a number"),
        (f"{CLOSES}{T0},100\n{T1},\n", "line 3: close '' is not a number"),
        (f"{CLOSES}{T0},nan\n{T1},101\n", "line 2: close 'nan' is not a number"),
        (f"{CLOSES}{T0},100\n{T1},inf\n", "line 3: close 'inf' is not a price above 0"),
        (f"{CLOSES}{T0},100\n{T1},1e999\n", "line 3: close '1e999' is not a price above 0"),
        (f"{CLOSES}{T0},0\n{T1},101\n", "line 2: close '0' is not a price above 0"),
        (f"{CLOSES}{T0},100\n{T1},-101\n", "line 3: close '-101' is not a price above 0"),
        (f"{CLOSES}{T1},100\n{T0},101\n", f"line 3: timestamp {T0} is earlier than the row before"),
        (f"{CLOSES}{T0},100\n{T0},101\n", f"line 3: timestamp {T0} appears twice"),
        (f"{CLOSES}noon,100\n{T1},101\n", "line 2: timestamp 'noon' is not a whole number"),
        (f"{CLOSES}nan,100\n{T1},101\n", "line 2: timestamp 'nan' is not a whole number"),
        (f"{CLOSES}{T0}.5,100\n{T1},101\n", f"line 2: timestamp '{T0}.5' is not a whole number"),
        (
            f"{CLOSES}{T0 // 1000},100\n{T1 // 1000},101\n",
            "line 2: timestamp '1700000040' looks like seconds",
        ),
        (f"{CLOSES}{T0}000,100\n{T1}000,101\n", f"line 2: timestamp '{T0}000' is finer than milliseconds"),
        (f"{CLOSES}{T0},100\n\n{T1},101\n", "line 3: is empty"),
        (f"{CLOSES}{T0},100\n{T1}\n", "line 3: has 1 fields, but the header has 2"),
        (f"{CLOSES}{T0},100\n{T1},1,234\n", "line 3: has 3 fields, but the header has 2"),
        (f'{CLOSES}{T0},100\n{T1},"{"1" * 200_000}"\n', "line 3: is not CSV"),
        (f"{CLOSES}{T0},100\n{T1},{'x' * 500}\n", f"line 3: close '{'x' * 40}...' is not a number"),
        (f"{RANGES}{T0},100,99,101,100\n{T1},1,1,1,1\n", "line 2: high 99.0 is below low 101.0"),
        (f"{RANGES}{T0},100,101,99,102\n{T1},1,1,1,1\n", "line 2: close 102.0 is outside low 99.0"),
        (f"{RANGES}{T0},100,101,99,98\n{T1},1,1,1,1\n", "line 2: close 98.0 is outside low 99.0"),
        (f"{RANGES}{T0},103,101,99,100\n{T1},1,1,1,1\n", "line 2: open 103.0 is outside low 99.0"),
        (f"{RANGES}{T0},100,101,-1,100\n{T1},1,1,1,1\n", "line 2: low '-1' is not a price above 0"),
        (f"{CLOSES}{T0},1\n{T1},9e9\n{T2},9e9\n", "line 3: the price moves too far"),
        (f"{RANGES}{T0},1,1,1,1\n{T1},1,9e9,1,1\n{T2},1,1,1,1\n", "line 3: the price moves too far"),
    ],
)
def test_bad_prices_are_refused_in_one_line(content: str, expected: str, tmp_path: Path) -> None:
    """Each fault in a file of prices names its line and the remedy."""
    file = tmp_path / "bad.csv"
    file.write_text(content)
    assert refusal(load_replay, file).startswith(expected)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    assert refusal(load_replay, tmp_path / "nowhere.csv").startswith("no such file")


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is not a file of prices."""
    assert refusal(load_replay, tmp_path).startswith("is a directory")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD_GZIP[: len(GOOD_GZIP) // 2], id="cut off"),
        pytest.param(GOOD_GZIP[:200] + b"\x00" * 50 + GOOD_GZIP[250:], id="overwritten"),
        pytest.param(GOOD_GZIP[:-8] + b"12345678", id="wrong checksum"),
        pytest.param(b"\x1f\x8b\x08", id="header only"),
    ],
)
def test_damaged_gzip_is_refused(content: bytes, tmp_path: Path) -> None:
    """A gzip file that does not unpack is reported as such, at the line reached."""
    file = tmp_path / "bad.csv.gz"
    file.write_bytes(content)
    assert "the gzip data are damaged" in refusal(load_replay, file)


def test_plain_text_named_gz_is_refused(tmp_path: Path) -> None:
    """A file whose name says gzip must be gzip."""
    file = tmp_path / "bad.csv.gz"
    file.write_text(f"{CLOSES}{T0},100\n{T1},101\n")
    assert refusal(load_replay, file).startswith("ends in .gz but is not gzip data")


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are reported at their line."""
    file = tmp_path / "bad.csv"
    file.write_bytes(f"{CLOSES}{T0},100\n{T1},101\xe9\n".encode("latin-1"))
    assert refusal(load_replay, file).startswith("line 3: is not UTF-8 text")


def test_parquet_without_a_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without polars and pyarrow, a Parquet file is refused with the remedy."""
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    file = tmp_path / "prices.parquet"
    file.write_bytes(b"PAR1")
    assert "install polars" in refusal(load_replay, file)


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    """Bytes that only claim to be Parquet are refused."""
    pytest.importorskip("polars", reason="Parquet needs polars or pyarrow")
    file = tmp_path / "prices.parquet"
    file.write_bytes(b"PAR1 and nothing else")
    assert "is not readable Parquet" in refusal(load_replay, file)


def test_bad_row_of_parquet_is_named(tmp_path: Path) -> None:
    """In Parquet the row is named instead of the line."""
    polars = pytest.importorskip("polars", reason="Parquet needs polars or pyarrow")
    file = tmp_path / "prices.parquet"
    polars.DataFrame({"timestamp": [T0, T1], "close": [100.0, None]}).write_parquet(file)
    assert refusal(load_replay, file).startswith("row 2: close 'None' is not a number")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("timestamp,close\n", "line 1: needs one column rate"),
        ("timestamp,rate\n", "has no row"),
        (f"timestamp,rate\n{T0},x\n", "line 2: rate 'x' is not a finite number"),
        (f"timestamp,rate\n{T0},NaN\n", "line 2: rate 'NaN' is not a finite number"),
        (f"timestamp,rate\n{T0},1.5\n", "line 2: rate '1.5' is 100 % or more"),
        (f"timestamp,rate\n{T1},0\n{T0},0\n", f"line 3: timestamp {T0 // MINUTE_MS * MINUTE_MS} is earlier"),
        (f"timestamp,rate\n{T0},0\n{T0 + 5},0\n", f"line 3: timestamp {T0} appears twice"),
        (f"timestamp,rate\n{T0 // 1000},0\n", "line 2: timestamp '1700000040' looks like seconds"),
    ],
)
def test_bad_funding_is_refused_in_one_line(content: str, expected: str, tmp_path: Path) -> None:
    """Each fault in a file of funding rates names its line and the remedy."""
    file = tmp_path / "funding.csv"
    file.write_text(content)
    assert refusal(load_funding, file).startswith(expected)
