import io
import json
from pathlib import Path

import pytest
import structlog

from bot.daemon import logs
from bot.daemon.log_sinks import FileSink
from bot.daemon.redaction import Redactor
from tests.support.desk import Desk

SECRET = "canary-secret-0123456789"


def test_secrets_are_masked_wherever_they_occur() -> None:
    """Whole values, parts of texts and tracebacks: the secret is gone, the rest is readable."""
    sink = io.StringIO()
    logs.configure(Redactor([SECRET]), sink)
    log = structlog.get_logger()
    log.info("event", key=SECRET, text=f"before {SECRET} after {SECRET}")
    log.error("failed", exc_info=ValueError(f"refused {SECRET}"))
    assert SECRET not in sink.getvalue()
    first, second = map(json.loads, sink.getvalue().splitlines())
    assert (first["key"], first["text"]) == ("***", "before *** after ***")
    assert "refused ***" in second["exception"]


def test_a_word_is_no_secret() -> None:
    """A value so short that masking it would spoil ordinary words is left alone."""
    sink = io.StringIO()
    logs.configure(Redactor(["up"]), sink)
    structlog.get_logger().info("event", text="topped up")
    assert json.loads(sink.getvalue())["text"] == "topped up"


def test_every_line_is_an_object_with_event_level_and_time() -> None:
    """Programs read the log: one JSON object a line."""
    sink = io.StringIO()
    logs.configure(Redactor(), sink)
    structlog.get_logger().warning("venue_unreachable", host="h", path=Path("p"))
    line = json.loads(sink.getvalue())
    assert (line["event"], line["level"], line["path"]) == ("venue_unreachable", "warning", "p")
    assert line["at"].endswith("Z")


def test_a_log_file_waits_for_its_folder(tmp_path: Path) -> None:
    """Nothing is made by a start that is refused; what was said before is not lost."""
    folder = tmp_path / "data"
    sink = FileSink(folder / "inband.log")
    logs.configure(Redactor(), sink)
    log = structlog.get_logger()
    log.info("first")
    assert not folder.exists()
    folder.mkdir()
    log.info("second")
    events = [json.loads(line)["event"] for line in (folder / "inband.log").read_text().splitlines()]
    assert events == ["first", "second"]


def test_a_log_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    """It is put aside, and what was put aside before goes: the two hold the newest lines."""
    sink = FileSink(tmp_path / "inband.log", largest=100)
    for number in range(40):
        sink.write(f"line {number:03}\n")
        sink.flush()
    files = [tmp_path / "inband.log.1", tmp_path / "inband.log"]
    assert all(file.stat().st_size <= 110 for file in files)
    lines = "".join(file.read_text() for file in files).splitlines()
    assert lines == [f"line {number:03}" for number in range(40 - len(lines), 40)]


class _Pipe(io.StringIO):
    """What can be cut."""

    error: Exception | None = None

    def flush(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("closed")]
)
def test_a_log_that_cannot_be_written_is_no_error_of_who_writes_it(error: Exception) -> None:
    """It goes on with the next line that can be, and says how many are missing."""
    sink = _Pipe()
    logs.configure(Redactor(), sink)
    log = structlog.get_logger()
    sink.error = error
    log.info("first")
    log.info("second")
    sink.error = None
    sink.truncate(0)
    sink.seek(0)
    log.info("third")
    log.info("fourth")
    told = [json.loads(line) for line in sink.getvalue().removeprefix("\n").splitlines()]
    assert [line["event"] for line in told] == ["log_lines_lost", "third", "fourth"]
    assert (told[0]["lines"], told[0]["level"]) == (2, "warning")


async def test_a_full_disk_of_the_log_stops_no_fund(desk: Desk) -> None:
    """The whole opening goes through while not a line can be written."""
    sink = _Pipe()
    sink.error = OSError(28, "No space left on device")
    logs.configure(Redactor(), sink)
    runner = await desk.opened()
    await desk.until_flat_out(runner)
    assert runner.failure is None


def test_the_latest_warnings_are_kept_for_the_table() -> None:
    """Four of them at most, oldest first, without what was only information; masked like the log."""
    notices = logs.configure(Redactor([SECRET]), io.StringIO())
    log = structlog.get_logger()
    log.info("routine")
    for number in range(5):
        log.warning("trouble", host=f"host-{number}", reason=f"key {SECRET}")
    assert notices.latest() == [f"trouble host-{number} key ***" for number in range(1, 5)]


def test_a_console_gets_words() -> None:
    """People read a line, not JSON; it is masked all the same."""
    sink = io.StringIO()
    logs.configure(Redactor([SECRET]), sink, console=True)
    structlog.get_logger().warning("venue_unreachable", host=SECRET)
    line = sink.getvalue()
    assert "venue_unreachable" in line
    assert "warning" in line
    assert not line.startswith("{")
    assert SECRET not in line


def test_what_is_less_important_than_the_level_is_not_written() -> None:
    """As the settings say."""
    sink = io.StringIO()
    logs.configure(Redactor(), sink, level=logs.LEVELS["warning"])
    structlog.get_logger().info("running")
    assert sink.getvalue() == ""
