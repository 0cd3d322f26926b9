"""A journal as lines of JSON, for other programs. What is not public yet stays sealed."""

from collections.abc import Iterator
from typing import Any

import orjson

from bot.core.public_records import Revealed
from bot.core.records import SEALED, DrawQueued, RebalanceStarted
from bot.journal.codec import encode
from bot.journal.journal import JournalReader


def lines(journal: JournalReader, fund: str) -> Iterator[bytes]:
    """One JSON object per record: fund, record, market time, fields; `sealed` names the fields left out.

    The draw and the target of a rebalance are told once it has been revealed; nothing else that is sealed is.
    """
    numbers, sequences = set(), set()
    for record in journal.read(fund):
        if isinstance(record, Revealed):
            numbers.add(record.number)
            sequences.add(record.sequence)
    for record in journal.read(fund):
        kind, time_ms, body, sealed = encode(record)
        line: dict[str, Any] = {"fund": fund, "record": kind, "time_ms": time_ms, **orjson.loads(body)}
        told = (isinstance(record, DrawQueued) and record.sequence in sequences) or (
            isinstance(record, RebalanceStarted) and record.number in numbers
        )
        if sealed is not None and told:
            line |= orjson.loads(sealed)
        elif sealed is not None:
            line["sealed"] = sorted(SEALED[type(record)])
        yield orjson.dumps(line) + b"\n"
