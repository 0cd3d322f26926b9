"""Durable facts about the journal itself: it came from a backup, it lacks orders, another process had it."""

from typing import NamedTuple

from bot.core.process_records import PutDown, TakenUp


class JournalRestored(NamedTuple):
    """The records before this one were put back from a backup: what came after them may be lost."""

    time_ms: int
    how: str


class Reincarnated(NamedTuple):
    """The fund goes on with a new identity, because records of it may be lost: no id or draw is used twice.

    Order ids follow from `incarnation`, draws of times and slices from `key`; draws that are queued but not
    used are made anew. `number` counts a fund's lives after its first.
    """

    time_ms: int
    number: int
    incarnation: str
    key: str
    why: str


class TakenOver(NamedTuple):
    """This process took the account over from one that died, stalled or lost the database."""

    time_ms: int
    taken_from: str


RecoveryRecord = TakenUp | PutDown | TakenOver | JournalRestored | Reincarnated
