"""What is learnt by looking at the venue again and again: its clock, the account's settings, the contract."""

from typing import NamedTuple, TypeAlias

from bot.core.fund import Contract


class ClockSeen(NamedTuple):
    """Our clock on the wall was compared with the venue's, and is `skew_ms` ahead of it."""

    time_ms: int
    wall_ms: int
    skew_ms: int


class SettingsSeen(NamedTuple):
    """How the account is set was read; `problem`: what differs from what the fund needs."""

    time_ms: int
    wall_ms: int
    problem: str | None


class ContractDue(NamedTuple):
    """The contract may have changed: it is time to look at it."""

    time_ms: int
    wall_ms: int


class ContractSeen(NamedTuple):
    """What the venue demands of orders by now; None: it does not trade the contract."""

    time_ms: int
    wall_ms: int
    contract: Contract | None


WatchEvent: TypeAlias = ClockSeen | SettingsSeen | ContractDue | ContractSeen
