import json
from pathlib import Path
from typing import Any

import pytest

from bot.core import records as rec
from bot.core.public_records import Revealed
from bot.journal.journal import Identity
from bot.journal.sqlite import open_journal
from bot.testing import Lab
from tests.cli.conftest import Invoke


@pytest.fixture(scope="module")
def story() -> Lab:
    """A fund with an opening and a rebalance out of the band, both revealed."""
    lab = Lab()
    lab.settle()
    lab.walk("91000")
    lab.mark(lab.price, after_s=3_600)
    return lab


def keep(data_dir: Path, records: list[rec.Record]) -> None:
    """A journal that holds them."""
    with open_journal(data_dir, Identity("paper", "binanceusdm@paper"), None, 1) as journal:
        journal.append("BTCUP", records, 1)


def published(story: Lab) -> list[dict[str, Any]]:
    """The record as the API answers it."""
    return [{**json.loads(r.text), "hash": r.hash} for r in story.of(Revealed)]


def test_a_sound_journal_is_verified(inband: Invoke, story: Lab, tmp_path: Path) -> None:
    """Exit code 0, a line for the fund, and its head; a head that was kept is found again."""
    keep(tmp_path / "data" / "paper", story.records)
    first, last = story.of(Revealed)
    answer = inband("history", "--verify", "--head", first.hash)
    assert answer.code == 0, answer.err
    assert "BTCUP: verified, 2 public records, 0 not public yet" in answer.out
    assert last.hash in answer.out
    answer = inband("history", "--verify", "--head", "0" * 64)
    assert (answer.code, "not part of the record" in answer.out) == (1, True)


def test_a_head_from_before_a_restore_is_missed(inband: Invoke, tmp_path: Path) -> None:
    """The copy was older: its chain went on otherwise, and verifies; only a head that was kept tells."""
    lab = Lab()
    lab.settle()
    lab.mark(lab.price, after_s=4_000)
    lost, restored = lab.fork(), lab.fork()
    for fork, price in ((lost, "91000"), (restored, "44000")):
        fork.walk(price)
        fork.mark(fork.price, after_s=4_000)
    keep(tmp_path / "data" / "paper", restored.records)
    before, gone = (reveal.hash for reveal in lost.of(Revealed)[:2])
    assert inband("history", "--verify").code == 0
    assert inband("history", "--verify", "--head", before).code == 0
    answer = inband("history", "--verify", "--head", before, "--head", gone)
    assert (answer.code, f"head {gone} is not part of the record" in answer.out) == (1, True)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(published(restored)))
    answer = inband("history", "--verify", "--file", str(file), "--head", gone, "--json")
    assert (answer.code, json.loads(answer.out)["problems"]) == (
        1,
        [f"head {gone} is not part of the record"],
    )


def test_a_journal_that_published_otherwise_is_not(inband: Invoke, story: Lab, tmp_path: Path) -> None:
    """Exit code 1, and what is wrong, also as JSON."""
    records = [r._replace(fee=r.fee + 1) if isinstance(r, rec.Filled) else r for r in story.records]
    keep(tmp_path / "data" / "paper", records)
    answer = inband("history", "--verify")
    assert (answer.code, "BTCUP: FAILED" in answer.out) == (1, True)
    answer = inband("history", "--verify", "--json")
    told = json.loads(answer.out)
    assert (answer.code, told["verified"]) == (1, False)
    assert told["funds"][0]["problems"] != []


def test_a_download_and_the_history_are_verified_from_a_file(
    inband: Invoke, story: Lab, tmp_path: Path
) -> None:
    """What the API answers, and what `history --json` prints, are the same record."""
    file = tmp_path / "record.json"
    file.write_text(json.dumps(published(story)))
    assert inband("history", "--verify", "--file", str(file)).code == 0
    keep(tmp_path / "data" / "paper", story.records)
    file.write_text(inband("history", "--json").out)
    answer = inband("history", "--verify", "--file", str(file), "--json")
    assert (answer.code, json.loads(answer.out)["verified"]) == (0, True)
    file.write_text(file.read_text().replace('"BTCUP-2"', '"BTCUP-3"'))
    assert inband("history", "--verify", "--file", str(file)).code == 1


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "\x00"])
def test_a_file_that_is_no_record_is_a_wrong_input(
    inband: Invoke, tmp_path: Path, content: str | None
) -> None:
    """Exit code 2, and one line that names the file."""
    file = tmp_path / "record.json"
    if content is not None:
        file.write_text(content)
    answer = inband("history", "--verify", "--file", str(file))
    assert (answer.code, answer.out) == (2, "")
    assert "record.json" in answer.err
    assert answer.err.count("\n") == 1


def test_a_file_without_verify_is_a_wrong_use(inband: Invoke) -> None:
    """`--file` alone would silently show something else."""
    answer = inband("history", "--file", "record.json")
    assert (answer.code, "--verify" in answer.err) == (2, True)


def test_that_there_is_nothing_to_verify_yet_is_said(inband: Invoke, tmp_path: Path) -> None:
    """Silence could be taken for a record that holds together."""
    file = tmp_path / "record.json"
    file.write_text("[]")
    answer = inband("history", "--verify", "--file", str(file))
    assert (answer.code, answer.out) == (0, "nothing is public yet, so nothing was verified\n")
