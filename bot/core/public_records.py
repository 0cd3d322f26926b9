"""Durable facts of publication; see `bot.core.records`."""

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from bot.core.units import Contracts, Price, Usd


class PublicationScheduled(NamedTuple):
    """When a rebalance that is over will be revealed: after a random lag, so that nobody can tell its end."""

    time_ms: int
    number: int
    due_ms: int


class Revealed(NamedTuple):
    """A rebalance is public. `text` is its public record as canonical JSON, `hash` that text's SHA-256.

    The text stands here as it was published, so that no later version can tell it differently. `sequence`:
    the draw whose commitment it opens.
    """

    time_ms: int
    number: int
    sequence: int | None
    text: str
    hash: str


class ShadowTraded(NamedTuple):
    """The shadow, a conventional token beside the fund, traded `quantity` at `mark`; the first begins it."""

    time_ms: int
    mark: Price
    quantity: Contracts
    fee: Usd
    reason: str


class FundingImputed(NamedTuple):
    """Funding passed a flat fund by: what a position would have been charged at `mark` is `rate` of it."""

    time_ms: int
    mark: Price
    rate: Decimal


PublicRecord: TypeAlias = PublicationScheduled | Revealed | FundingImputed | ShadowTraded
