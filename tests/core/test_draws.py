from decimal import Decimal
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from bot.core import draws

KEY = "5a" * 32
us = st.integers(0, 10**18 - 1).map(lambda n: f"0.{n:018d}")
edges = st.tuples(st.decimals("0.1", "5", places=3), st.decimals("0.1", "5", places=3)).map(sorted)


def test_a_commitment_is_the_hash_that_anyone_can_recompute() -> None:
    """Lower-case hex SHA-256 of `inband-1|fund|sequence|u|salt`."""
    u, salt = "0.618033988749894848", "ab" * 32
    expected = sha256(f"inband-1|BTCUP|7|{u}|{salt}".encode()).hexdigest()
    assert draws.commitment("BTCUP", 7, u, salt) == expected
    assert draws.commitment("BTCUP", 7, "0.500000000000000000", "00" * 32) == (
        sha256(b"inband-1|BTCUP|7|0.500000000000000000|" + b"00" * 32).hexdigest()
    )


@given(us, edges)
def test_a_target_lies_in_its_range(u: str, edge: list[Decimal]) -> None:
    """For every draw, the low end at u = 0, the high end never passed."""
    low, high = edge
    assert low <= draws.target(u, low, high) <= high
    assert draws.target("0.000000000000000000", low, high) == low


@given(us, us)
def test_the_target_law_is_monotone(a: str, b: str) -> None:
    """A larger u never gives a smaller target, so that a reveal can be checked by eye."""
    low, high = Decimal("1.8"), Decimal("2.6")
    assert (draws.target(a, low, high) <= draws.target(b, low, high)) or Decimal(a) > Decimal(b)


def test_a_public_target_needs_no_luck() -> None:
    """Where low equals high, every draw gives that leverage."""
    assert draws.target("0.999999999999999999", Decimal(3), Decimal(3)) == 3


def test_keyed_draws_are_spread_evenly() -> None:
    """The mean of many draws is a half, and each tenth of [0, 1) gets its share."""
    values = [draws.unit(KEY, "slice", number) for number in range(5_000)]
    assert all(0 <= value < 1 for value in values)
    assert abs(sum(values) / len(values) - 0.5) < 0.015
    counts = [sum(int(value * 10) == tenth for value in values) for tenth in range(10)]
    assert min(counts) > 400
    assert max(counts) < 600


def test_a_draw_is_fixed_by_key_and_purpose() -> None:
    """The same key and purpose repeat a draw; another key, rebalance or slice gives another."""
    first = draws.unit(KEY, "slice", 1, 1)
    assert draws.unit(KEY, "slice", 1, 1) == first
    others = {
        draws.unit("00" * 32, "slice", 1, 1),
        draws.unit(KEY, "gap", 1, 1),
        draws.unit(KEY, "slice", 2, 1),
        draws.unit(KEY, "slice", 1, 2),
    }
    assert len({first, *others}) == 5


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10**6))
def test_between_stays_between(a: float, b: float, number: int) -> None:
    """A uniform draw lies within its ends."""
    low, high = sorted((a, b))
    assert low <= draws.between(low, high, KEY, "gap", number) <= high


@given(st.floats(0.001, 86_400), st.integers(0, 10**6))
def test_a_confirmation_delay_is_within_its_cap(cap_s: float, number: int) -> None:
    """Never negative, never above the cap, whatever the draw."""
    assert 0 <= draws.confirmation_delay_s(cap_s, KEY, "confirmation", number) <= cap_s


def test_confirmation_delays_follow_their_law() -> None:
    """Exponential with mean a third of the cap, cut there: about e^-3 = 5 % last for the whole cap."""
    delays = [draws.confirmation_delay_s(1800, KEY, "confirmation", number) for number in range(5_000)]
    assert abs(sum(delays) / len(delays) - 600 * (1 - 2.718281828**-3)) < 25
    assert 0.035 < sum(delay == 1800 for delay in delays) / len(delays) < 0.065


def test_client_order_ids_are_facts_made_venue_safe() -> None:
    """32 lower-case alphanumerics with our prefix, repeatable, different for each fact in them."""
    cid = draws.client_order_id("incarnation", "3", 4)
    assert cid == draws.client_order_id("incarnation", "3", 4)
    assert len(cid) == 32
    assert cid.isalnum()
    assert cid.startswith(draws.ID_PREFIX)
    others = {
        draws.client_order_id("another", "3", 4),
        draws.client_order_id("incarnation", "4", 4),
        draws.client_order_id("incarnation", "3", 5),
        cid,
    }
    assert len(others) == 4
