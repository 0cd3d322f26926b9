from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.daemon.draws import SeededDraws, SystemDraws

HEX = set("0123456789abcdef")


def well_formed(u: str, salt: str) -> bool:
    """Whether a draw has the form that commitments are made of."""
    return (
        len(u) == 20
        and u.startswith("0.")
        and u[2:].isdigit()
        and 0 <= Decimal(u) < 1
        and len(salt) == 64
        and set(salt) <= HEX
    )


@given(seed=st.integers(0, 2**63), sequence=st.integers(1, 10**9))
def test_seeded_draws_repeat_and_are_well_formed(seed: int, sequence: int) -> None:
    """The same seed, fund and sequence give the same draw: 18 digits and 64 hex digits."""
    draw = SeededDraws(seed).band("BTCUP", sequence)
    assert draw == SeededDraws(seed).band("BTCUP", sequence)
    assert well_formed(*draw)


def test_seeded_draws_differ_by_seed_fund_and_sequence() -> None:
    """Nothing is shared between funds, rebalances or seeds."""
    draws = [
        SeededDraws(seed).band(fund, sequence)
        for seed in (1, 2)
        for fund in ("BTCUP", "BTCDOWN")
        for sequence in (1, 2)
    ]
    assert len({u for u, _ in draws}) == len({salt for _, salt in draws}) == 8


def test_system_draws_never_repeat_and_are_well_formed() -> None:
    """Asked twice for the same draw, the operating system gives two."""
    draws = [SystemDraws().band("BTCUP", 1) for _ in range(50)]
    assert all(well_formed(*draw) for draw in draws)
    assert len(set(draws)) == 50


def test_a_fund_gets_a_key_and_a_mark_of_its_journal() -> None:
    """Both are hex; seeded ones repeat, those of the system do not."""
    seeded, system = SeededDraws(7).fund("BTCUP"), SystemDraws().fund("BTCUP")
    for secrets in (seeded, system):
        assert (len(secrets.key), len(secrets.incarnation)) == (64, 32)
        assert set(secrets.key + secrets.incarnation) <= HEX
    assert seeded == SeededDraws(7).fund("BTCUP")
    assert system != SystemDraws().fund("BTCUP")
