"""Durable facts about the processes that a fund lives in, and the settings and rules that they run it by."""

from typing import NamedTuple, TypeAlias

from bot.core.units import Contracts, Price, Usd


class TakenUp(NamedTuple):
    """A process took the fund up again."""

    time_ms: int
    wall_ms: int


class PutDown(NamedTuple):
    """A process that was told to stop leaves the fund: what comes next is no crash."""

    time_ms: int


class Configured(NamedTuple):
    """From here on the fund runs by other settings, of which `digest` is the fingerprint."""

    time_ms: int
    digest: str
    author: str
    why: str


class ContractChanged(NamedTuple):
    """The venue demands something else of orders than before: the next ones are made by this."""

    time_ms: int
    tick: Price
    lot: Contracts
    min_quantity: Contracts
    max_quantity: Contracts
    min_notional: Usd


ProcessRecord: TypeAlias = TakenUp | PutDown | Configured | ContractChanged
