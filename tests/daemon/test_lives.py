"""How soon a daemon that lost its accounts begins again."""

from bot.daemon.lives import Lives


def test_a_life_that_lasted_is_followed_at_once() -> None:
    """Whoever loses the database once an hour waits for nothing."""
    lives = Lives()
    assert [lives.pause_s(hour * 3600.0) for hour in range(3)] == [0, 0, 0]


def test_lives_that_end_at_once_are_further_and_further_apart() -> None:
    """Each reads accounts and contracts anew: the venue would ban whoever does that all day."""
    lives, now_s, pauses = Lives(), 0.0, []
    for _ in range(7):
        pauses.append(lives.pause_s(now_s))
        now_s += pauses[-1] + 0.5
    assert pauses == [0, 1, 2, 4, 8, 8, 8]
    assert lives.pause_s(now_s + 60) == 0
