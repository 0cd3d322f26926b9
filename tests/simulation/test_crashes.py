import pytest

from bot.simulation.crashes import FLOWS, KILLS


@pytest.mark.parametrize("name", FLOWS)
def test_killed_at_every_moment_no_promise_is_broken(name: str, *, soak: bool) -> None:
    """Before and after each write and each send; in a soak at every one, and then again at a later one."""
    flow = FLOWS[name]
    whole = flow.run()
    assert whole.violation is None
    found = 0
    for kills, outcome in flow.crashes(step=1 if soak else 6, again=soak):
        assert outcome.violation is None, f"{kills}: {outcome.violation}"
        assert outcome.lives >= 2, f"{kills} did not happen"
        found += 1
    assert found >= (20 if soak else 4)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_has_every_kind_of_moment(name: str) -> None:
    """Writes and sends are both within it."""
    assert {moment.kill for moment in FLOWS[name].moments()} == set(KILLS)
