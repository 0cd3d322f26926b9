"""Each mistake of a user: exit code 2, one line that names the setting or line, nothing written."""

import socket
from pathlib import Path

import pytest

from tests.support.inband import Inband
from tests.support.replay import BAR_MS, START_MS, write_bars

FIRST, SECOND, THIRD = (START_MS + bar * BAR_MS for bar in range(3))


def refusal(inband: Inband) -> str:
    """The one line on standard error; the data directory must not even exist."""
    done = inband.run("run")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert not inband.data_dir.exists()
    return done.stderr


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"FUNDZ__BTCUP__BAND": "[1.5, 3]"}, "INBAND_FUNDZ__BTCUP__BAND"),
        ({"FUNDS__BTCUP__BAND": "[3, 1.5]"}, "INBAND_FUNDS__BTCUP__BAND"),
        ({"FUNDS__BTCUP__BAND": "[0.9, 3]"}, "INBAND_FUNDS__BTCUP__BAND"),
        ({"FUNDS__BTCUP__TARGET": "[1.8, 3.2]"}, "INBAND_FUNDS__BTCUP__TARGET"),
        ({"FUNDS__BTCUP__EMERGENCY": "2.9"}, "INBAND_FUNDS__BTCUP__EMERGENCY"),
        ({"FUNDS__BTCUP__CAPITAL": "10000000000"}, "INBAND_FUNDS__BTCUP__CAPITAL"),
        ({"FUNDS__BTCUP__EMERGENCY": "200"}, "INBAND_FUNDS__BTCUP__EMERGENCY"),
        ({"FUNDS__BTCUP__UNDERLYING": "BTCUSTD"}, "INBAND_FUNDS__BTCUP__UNDERLYING"),
        ({"FUNDS__BTCUP__CAPITAL": "900"}, "INBAND_FUNDS__BTCUP__CAPITAL"),
        ({"FUNDS__BTCDOWN__ACCOUNT": "UP"}, "INBAND_FUNDS__BTCDOWN__ACCOUNT"),
        ({"PAPER__REPLAY": "nowhere.csv"}, "INBAND_PAPER__REPLAY"),
        ({"MODE": "live"}, "INBAND_LIVE_CONFIRM"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    """The line names the setting that is wrong."""
    assert named in refusal(Inband(tmp_path, **settings))


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([], "prices.csv"),
        ([(SECOND, "60000"), (FIRST, "60000")], "prices.csv line 3"),
        ([(FIRST, "60000"), (SECOND, "60000"), (SECOND, "60000")], "prices.csv line 4"),
        ([(FIRST, "60000"), (SECOND, "nan")], "prices.csv line 3"),
        ([(FIRST, "0"), (SECOND, "60000")], "prices.csv line 2"),
        ([(FIRST, "60000"), (SECOND, "-1"), (THIRD, "60000")], "prices.csv line 3"),
    ],
    ids=["empty", "unsorted", "duplicate times", "NaN", "zero", "negative"],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: list[tuple[int, str]], place: str) -> None:
    """The line names the file, and the line in it where there is one."""
    replay = write_bars(tmp_path / "prices.csv", rows)
    assert place in refusal(Inband(tmp_path, PAPER__REPLAY=str(replay)))


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """Somebody else listens on the port: it is said, with the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refusal(Inband(tmp_path, WEB__PORT=str(port)))
    assert f"INBAND_WEB__PORT={port}" in line


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder below a file can be made by nobody, not even by root."""
    (tmp_path / "file").write_text("in the way")
    done = Inband(tmp_path, DATA_DIR=str(tmp_path / "file" / "data")).run("run")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "INBAND_DATA_DIR" in done.stderr


def test_a_journal_belongs_to_one_mode(tmp_path: Path) -> None:
    """A journal that another mode wrote is refused, and left as it was."""
    paper = Inband(tmp_path, PAPER__SPEED="1")
    with paper.start() as process:
        process.until_said("running")
    before = paper.records("BTCUP")
    with paper.with_settings(CONFIG=str(_testnet_with_a_fund(tmp_path)), MODE="testnet").start() as process:
        code = process.wait()
        assert code == 2, process.stderr
        assert process.stderr.count("\n") == 1
        assert "paper" in process.stderr
    assert paper.records("BTCUP") == before


def _testnet_with_a_fund(folder: Path) -> Path:
    file = folder / "testnet.toml"
    file.write_text(
        'mode = "testnet"\n'
        '[accounts.UP]\nexchange = "binanceusdm"\napi_key = "key"\nsecret = "secret"\n'
        '[funds.BTCUP]\nunderlying = "BTCUSDT"\nside = "long"\naccount = "UP"\ncapital = 5000\n'
    )
    return file
