import json
import re
import runpy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import records as rec
from bot.core.history import canonical
from bot.core.public_records import Revealed
from bot.core.verify import verify_journal, verify_published
from bot.testing import Lab
from tests.support.examples import examples

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verification.md"


def a_story() -> Lab:
    """A fund that opened, and left its band at both ends; all revealed."""
    lab = Lab()
    lab.settle()
    lab.walk("91000", "60000")
    lab.mark(lab.price, after_s=3_600)
    lab.mark(lab.price, after_s=3_600)
    return lab


STORY = a_story()
PUBLISHED: list[dict[str, Any]] = [{**json.loads(r.text), "hash": r.hash} for r in STORY.of(Revealed)]
TEXT = canonical(PUBLISHED)  # type: ignore[arg-type]
DIGITS = [match.start() for match in re.finditer(r"\d", TEXT)]


def problems(records: list[dict[str, Any]]) -> list[str]:
    """All that is wrong with one fund's records."""
    return [problem for verdict in verify_published(records) for problem in verdict.problems]


def test_an_honest_record_is_verified() -> None:
    """Nothing is wrong, and the head is that of the book."""
    (verdict,) = verify_published(PUBLISHED)
    assert (verdict.fund, verdict.problems) == ("BTCUP", ())
    assert verdict.records == len(PUBLISHED) >= 3
    assert {record["kind"] for record in PUBLISHED} == {"open", "band"}
    assert verdict.head == STORY.state.book.public.head == verdict.hashes[-1]


def test_an_honest_journal_is_verified() -> None:
    """Also while the last rebalance is not public yet."""
    verdict = verify_journal("BTCUP", STORY.records)
    assert (verdict.problems, verdict.pending) == ((), 0)
    lab = STORY.fork()
    lab.mark("120000")
    lab.settle(at_most_s=200)
    verdict = verify_journal("BTCUP", lab.records)
    assert (verdict.problems, verdict.pending) == ((), 1)


@given(place=st.sampled_from(DIGITS), digit=st.sampled_from("0123456789"))
@settings(max_examples=examples(150))
def test_one_digit_changed_anywhere_fails(place: int, digit: str) -> None:
    """Whatever the digit stands for: a price, a time, a salt, a hash, a number in an id."""
    changed = TEXT[:place] + digit + TEXT[place + 1 :]
    try:
        records = json.loads(changed)
    except json.JSONDecodeError:  # a leading zero is no JSON number
        return
    assert bool(problems(records)) is (digit != TEXT[place])


def resealed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with hashes that hold together again: what a forger who knows the rules would publish."""
    from hashlib import sha256

    head, found = sha256(b"inband-1|BTCUP").hexdigest(), []
    for record in records:
        body = {**record, "previous_hash": head}
        del body["hash"]
        head = sha256(canonical(body).encode()).hexdigest()
        found.append({**body, "hash": head})
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"u": "0.500000000000000000"}, "not what was committed to"),
        ({"salt": "0" * 64}, "not what was committed to"),
        ({"target": "2.2"}, "target does not follow"),
        ({"target_range": ["1.8", "2.5"]}, "target does not follow"),
        ({"target_range": None}, "not numbers"),
        ({"target": None}, "not numbers"),
        ({"u": "1.5"}, "target does not follow"),
        ({"u": ["x"]}, "not numbers"),
        ({"sequence": 2}, "sequence 2 where 1 is next"),
        ({"id": "BTCUP-3"}, "BTCUP-2 is missing"),
    ],
)
def test_a_forged_record_that_is_sealed_anew_still_fails(change: dict[str, Any], said: str) -> None:
    """The chain can be made anew by anybody; draw, law and numbering cannot be made to fit."""
    place = next(i for i, record in enumerate(PUBLISHED) if record["kind"] == "band")
    forged = [*PUBLISHED[:place], {**PUBLISHED[place], **change}, *PUBLISHED[place + 1 :]]
    assert any(said in problem for problem in problems(resealed(forged)))


@pytest.mark.parametrize("gone", range(len(PUBLISHED) - 1))
def test_a_record_that_was_left_out_is_missed(gone: int) -> None:
    """Wherever it was, but at the end: there only a head that was kept tells."""
    rest = [*PUBLISHED[:gone], *PUBLISHED[gone + 1 :]]
    assert problems(rest) != []
    assert any("missing" in problem for problem in problems(resealed(rest)))


def test_records_that_are_not_revealed_may_only_stand_at_the_end() -> None:
    """`history --json` lists them last; one in the middle hides something."""
    hidden = {**PUBLISHED[-1], "hash": None}
    (verdict,) = verify_published([*PUBLISHED[:-1], hidden])
    assert (verdict.records, verdict.pending, verdict.problems) == (len(PUBLISHED) - 1, 1, ())
    middle = [PUBLISHED[0], {**PUBLISHED[1], "hash": None}, *PUBLISHED[2:]]
    assert any("not revealed" in problem for problem in problems(middle))


def test_funds_are_judged_each_by_itself() -> None:
    """One file may hold the records of several."""
    other = {"fund": "BTCDOWN", "id": "BTCDOWN-1", "hash": "x"}
    up, down = verify_published([PUBLISHED[0], other, *PUBLISHED[1:]])
    assert (up.fund, up.problems) == ("BTCUP", ())
    assert down.fund == "BTCDOWN"
    assert down.problems != ()


def test_a_journal_that_published_something_else_fails() -> None:
    """What was published is compared with the facts, and the commitment with the one made ahead."""
    told = [r._replace(fee=r.fee + 1) if isinstance(r, rec.Filled) else r for r in STORY.records]
    assert any("published fees" in p for p in verify_journal("BTCUP", told).problems)
    told = [r._replace(commitment="0" * 64) if isinstance(r, rec.DrawQueued) else r for r in STORY.records]
    assert any("published ahead" in p for p in verify_journal("BTCUP", told).problems)
    told = [r for r in STORY.records if not isinstance(r, rec.DrawQueued)]
    assert any("without a commitment" in p for p in verify_journal("BTCUP", told).problems)


def test_an_old_journals_record_without_a_range_is_compared_without_it() -> None:
    """Its rebalances do not say the range that the publication worked out."""
    told = [
        r._replace(low=None, high=None) if isinstance(r, rec.RebalanceStarted) else r for r in STORY.records
    ]
    assert verify_journal("BTCUP", told).problems == ()


def snippet() -> str:
    """The lines of Python in the page."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    return str(code)


def test_the_pages_lines_of_python_verify_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They run as they stand, import only what comes with Python, and fail on a changed digit."""
    code = snippet()
    assert set(re.findall(r"^(?:import|from) (\w+)", code, flags=re.MULTILINE)) == {
        "json", "decimal", "hashlib",
    }  # fmt: skip
    script = tmp_path / "verify.py"
    script.write_text(code)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps(PUBLISHED))
    runpy.run_path(str(script))
    assert f"head {PUBLISHED[-1]['hash']}" in capsys.readouterr().out
    for kept, holds in ((PUBLISHED[0]["hash"], True), ("0" * 64, False)):
        script.write_text(code.replace("kept = []", f'kept = ["{kept}"]'))
        with nullcontext() if holds else pytest.raises(AssertionError, match="no longer part of the record"):
            runpy.run_path(str(script))
    script.write_text(code)
    changed = json.dumps(PUBLISHED).replace(PUBLISHED[1]["target"], PUBLISHED[1]["target"][:-1] + "0")
    (tmp_path / "record.json").write_text(changed)
    with pytest.raises(AssertionError):
        runpy.run_path(str(script))
