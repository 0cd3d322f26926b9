import io
import json
from pathlib import Path

import structlog

from bot.daemon import logs
from bot.daemon.redaction import Redactor

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
    sink = logs.FileSink(folder / "inband.log")
    logs.configure(Redactor(), sink)
    log = structlog.get_logger()
    log.info("first")
    assert not folder.exists()
    folder.mkdir()
    log.info("second")
    events = [json.loads(line)["event"] for line in (folder / "inband.log").read_text().splitlines()]
    assert events == ["first", "second"]


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
