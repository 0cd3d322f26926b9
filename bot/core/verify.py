"""Whether a public record is what it claims: chain, sequence, commitments, targets that follow from draws.

It works on what was published, and on nothing else: whoever downloaded the record can do the same in a few
lines (docs/verification.md). Of a journal it also asks whether what was published is what happened.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

from bot.core import draws
from bot.core.book import Book
from bot.core.execution_report import EXECUTION
from bot.core.history import RebalanceEntry, RebalanceHistory, canonical
from bot.core.records import DrawQueued, Kind, RebalanceStarted, Record

PublicRecord: TypeAlias = Mapping[str, Any]


class Verdict(NamedTuple):
    """What came out for a fund. `head`: the hash of its last record; `pending`: what is not public yet.

    `hashes`: of all its records, worked out and not read, after the one that the first record names.
    """

    fund: str
    records: int
    head: str
    problems: tuple[str, ...]
    pending: int = 0
    hashes: tuple[str, ...] = ()


def verify_published(records: Sequence[PublicRecord]) -> list[Verdict]:
    """Judge public records, those of each fund in the order in which they stand.

    What is not revealed yet (it has no hash) may stand at the end of a fund's records, and is only counted.
    """
    by_fund: dict[str, list[PublicRecord]] = {}
    for record in records:
        by_fund.setdefault(str(record.get("fund")), []).append(record)
    return [_verify_fund(fund, found) for fund, found in by_fund.items()]


def verify_journal(fund: str, records: Iterable[Record]) -> Verdict:
    """Judge what a fund's journal says it published, and whether that is what happened."""
    book, history = Book(), RebalanceHistory(fund)
    queued: dict[int, str] = {}
    problems = []
    for record in records:
        if isinstance(record, DrawQueued):
            queued[record.sequence] = record.commitment
        drawn = record.sequence if isinstance(record, RebalanceStarted) else None
        if drawn is not None and drawn not in queued:
            problems.append(f"draw {drawn} was used without a commitment to it")
        book.apply(record)
        history.apply(record)
    revealed = [entry for entry in history.entries() if entry.public is not None]
    published = [_published(entry) for entry in revealed]
    for entry, told in zip(revealed, published, strict=True):
        problems += _differences(entry, told)
        if entry.sequence is not None and told.get("commitment") != queued.get(entry.sequence):
            problems.append(f"{told.get('id')}: its commitment is not the one that was published ahead")
    verdict = _verify_fund(fund, published)
    return verdict._replace(
        problems=(*problems, *verdict.problems), pending=len(history.entries()) - len(revealed)
    )


def _published(entry: RebalanceEntry) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(entry.public or "{}")
    return {**body, "hash": entry.hash}


def _differences(entry: RebalanceEntry, told: PublicRecord) -> list[str]:
    """What was published otherwise than the journal's other records have it."""
    facts = entry.to_json()
    if facts["target_range"] is None:
        del facts["target_range"]  # a journal of before does not hold it
    return [
        f"{told.get('id')}: published {name} {told[name]}, the journal has {value}"
        for name, value in facts.items()
        if name in told and told[name] != value
    ]


def _verify_fund(fund: str, records: Sequence[PublicRecord]) -> Verdict:
    problems: list[str] = []
    head, sequence, count = draws.genesis(fund), 0, 0
    hashes = [head]
    for place, record in enumerate(records):
        name = str(record.get("id"))
        if record.get("hash") is None:
            if any(later.get("hash") is not None for later in records[place:]):
                problems.append(f"{name}: not revealed, but a later record is")
                continue
            return Verdict(fund, count, head, tuple(problems), len(records) - place, tuple(hashes))
        count += 1
        if name != f"{fund}-{count}":
            problems.append(f"{name}: record {fund}-{count} is missing, or out of place")
        if record.get("previous_hash") != head:
            problems.append(f"{name}: previous_hash is not the hash of the record before")
        body = {key: value for key, value in record.items() if key not in ("hash", EXECUTION)}
        head = sha256(canonical(body).encode()).hexdigest()
        hashes.append(head)
        if record["hash"] != head:
            problems.append(f"{name}: hash is not that of the record")
        if record.get("kind") == Kind.BAND.value:
            sequence += 1
            problems += [f"{name}: {problem}" for problem in _draw_problems(fund, record, sequence)]
    return Verdict(fund, count, head, tuple(problems), hashes=tuple(hashes))


def _draw_problems(fund: str, record: PublicRecord, sequence: int) -> list[str]:
    """Of a rebalance out of the band: its place, its commitment, the target that follows from its draw."""
    problems = []
    u, salt, bounds = record.get("u"), record.get("salt"), record.get("target_range")
    if record.get("sequence") != sequence:
        problems.append(f"sequence {record.get('sequence')} where {sequence} is next")
    if draws.commitment(fund, sequence, str(u), str(salt)) != record.get("commitment"):
        problems.append("u and salt are not what was committed to")
    try:
        low, high = (Decimal(bound) for bound in bounds or ())
        if not 0 <= Decimal(str(u)) < 1 or draws.target(str(u), low, high) != Decimal(record["target"]):
            problems.append("target does not follow from u and target_range")
    except (ArithmeticError, InvalidOperation, ValueError, TypeError, KeyError):
        problems.append("u, target and target_range are not numbers")
    return problems
