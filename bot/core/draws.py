"""Secret draws: the public law from draw to target, its commitment, and keyed draws for timing and slices.

Nothing here is random: secrets come in with events. Timing and slice draws are a keyed function
(keyed BLAKE2s) of the fund's sealed key and of *what they are for*, so a restart repeats them exactly.
"""

from decimal import Decimal
from hashlib import blake2s, sha256
from math import log
from typing import NamedTuple

from bot.core.units import Leverage


class Draw(NamedTuple):
    """The secrets of one future band rebalance, and the commitment published ahead of it."""

    sequence: int
    commitment: str
    u: str
    salt: str


def commitment(fund: str, sequence: int, u: str, salt: str) -> str:
    """Lower-case hex SHA-256 that fixes `u` and `salt` for a fund's `sequence`-th band rebalance."""
    return sha256(f"inband-1|{fund}|{sequence}|{u}|{salt}".encode()).hexdigest()


def genesis(fund: str) -> str:
    """What a fund's first public record names as the hash before it."""
    return sha256(f"inband-1|{fund}".encode()).hexdigest()


def target(u: str, low: Leverage, high: Leverage) -> Leverage:
    """The public law: uniform on [low, high), to nine digits, never above `high`."""
    return low + ((high - low) * Decimal(u)).quantize(_TARGET_GRID)


_TARGET_GRID = Decimal("0.000000001")


def unit(key: str, *purpose: str | int) -> float:
    """A number in [0, 1) with 53 bits, fixed by the fund's key and the purpose."""
    message = "|".join([str(part) for part in purpose]).encode()
    digest = blake2s(message, key=bytes.fromhex(key), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def digits(key: str, *purpose: str | int) -> str:
    """`unit` as the 18 decimal digits from which a target is drawn."""
    return f"{unit(key, *purpose):.18f}"


def between(low: float, high: float, key: str, *purpose: str | int) -> float:
    """Uniform on [low, high)."""
    return low + (high - low) * unit(key, *purpose)


def share(low: float, high: float, size: float) -> Decimal:
    """The size of a slice as a share of fund value, in millionths: where in [low, high] `size` puts it."""
    return Decimal(round((low + (high - low) * size) * 1_000_000)) * _MILLIONTH


_MILLIONTH = Decimal("0.000001")


def confirmation_delay_s(cap_s: float, key: str, *purpose: str | int) -> float:
    """Exponential with mean a third of the cap, cut at the cap: most delays are short, none is certain."""
    return min(cap_s, -cap_s / 3 * log(1.0 - unit(key, *purpose)))


def publication_lag_ms(key: str, number: int) -> int:
    """How long after its end a rebalance is revealed: 5 minutes and an exponential, one hour at most.

    The exponential (mean 15 minutes) has no memory: that nothing is revealed so far tells nothing of the end.
    """
    lag_s = 300.0 - 900.0 * log(1.0 - unit(key, "publication", number))
    return int(1000 * min(3_600.0, lag_s))


def client_order_id(incarnation: str, rebalance: str, order: int) -> str:
    """A venue-safe id (32 alphanumeric characters) that is a function of facts: the same after a restart."""
    digest = blake2s(f"{incarnation}|{rebalance}|{order}".encode(), digest_size=15).hexdigest()
    return ID_PREFIX + digest


def reference(key: str, number: int) -> str:
    """The opaque name of a fund's `number`-th flow: it does not tell how many there were, nor whose."""
    return blake2s(f"flow|{number}".encode(), key=bytes.fromhex(key), digest_size=10).hexdigest()


ID_PREFIX = "ib"
"""Every order of ours starts so; an order on the account that does not is someone else's."""
