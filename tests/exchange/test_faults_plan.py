"""When faults fire: the pure part, where no socket is needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.faults import Fault, Scene, When, make_fault
from bot.exchange.faults.plan import Plan

ORDER = {"method": "POST", "path": "/fapi/v1/order", "symbol": "BTCUSDT", "account": "UP"}
QUERY = ORDER | {"method": "GET"}


def lost(**when: object) -> Fault:
    """Return a lost reply to orders."""
    return make_fault("reply_lost", when=When(**when), match={"method": "POST"})  # type: ignore[arg-type]


def fired(
    plan: Plan, occasions: int, *, now_ms: int = 0, occasion: dict[str, str] | None = None
) -> list[bool]:
    """Return at which of so many occasions something fires."""
    return [bool(plan.at(Scene.REQUEST, occasion or ORDER, now_ms)) for _ in range(occasions)]


def test_a_fault_fires_once_unless_told_otherwise() -> None:
    """The first occasion that matches has it."""
    plan = Plan()
    scheduled = plan.add(lost(), 0)
    assert fired(plan, 3, occasion=QUERY) == [False] * 3
    assert fired(plan, 3) == [True, False, False]
    assert (scheduled.fired, scheduled.is_over) == (1, True)


def test_so_many_occasions_pass_first() -> None:
    """`after` counts occasions that match, and no others."""
    plan = Plan()
    plan.add(lost(after=2, times=2), 0)
    fired(plan, 5, occasion=QUERY)
    assert fired(plan, 6) == [False, False, True, True, False, False]


def test_a_window_of_market_time() -> None:
    """From its first instant to the one before its last."""
    plan = Plan()
    plan.add(lost(from_ms=10, until_ms=20, times=None), 0)
    assert [fired(plan, 1, now_ms=now) for now in (9, 10, 19, 20)] == [[False], [True], [True], [False]]


@given(st.text(max_size=5), st.floats(0, 1), st.lists(st.sampled_from(["UP", "DOWN"]), max_size=50))
def test_chance_depends_on_each_accounts_own_requests_alone(
    seed: str, probability: float, accounts: list[str]
) -> None:
    """However two accounts take turns, each meets the same faults."""

    def met(order: list[str]) -> dict[str, list[bool]]:
        plan, seen = Plan(), {"UP": [], "DOWN": []}  # type: tuple[Plan, dict[str, list[bool]]]
        plan.add(lost(probability=probability, seed=seed, times=None), 0)
        for account in order:
            seen[account] += fired(plan, 1, occasion=ORDER | {"account": account})
        return seen

    assert met(accounts) == met(sorted(accounts))


def test_chance_comes_out_as_asked_for() -> None:
    """A tenth of many occasions, give or take, and another tenth with another seed."""
    found = []
    for seed in ("1", "2"):
        plan = Plan()
        plan.add(lost(probability=0.1, seed=seed, times=None), 0)
        found.append(fired(plan, 2_000))
    assert 150 < sum(found[0]) < 250
    assert found[0] != found[1]


def test_a_fault_of_the_world_is_due_at_its_time() -> None:
    """At once without one, and never twice."""
    plan = Plan()
    later = plan.add(make_fault("price_gap", when=When(from_ms=100), symbol="BTCUSDT", bps=50), 40)
    now = plan.add(make_fault("price_gap", symbol="BTCUSDT", bps=50), 40)
    assert plan.next_due() == 40
    assert plan.due(40) == [now]
    assert plan.next_due() == 100
    assert plan.due(99) == []
    assert plan.due(150) == [later]
    assert plan.next_due() is None


def test_random_times_repeat_with_their_seed() -> None:
    """On average as far apart as asked for, within the window, the same each time."""

    def times(seed: str) -> list[int]:
        plan, found = Plan(), []
        when = When(from_ms=0, until_ms=1_000_000, every_ms=1_000, seed=seed, times=None)
        plan.add(make_fault("price_gap", when=when, symbol="BTCUSDT", bps=50), 0)
        while (due := plan.next_due()) is not None:
            found.append(due)
            assert len(plan.due(due)) == 1
        return found

    found = times("7")
    assert 900 < len(found) < 1_100
    assert found == sorted(set(found))
    assert found == times("7") != times("8")


def test_a_fault_of_the_world_can_wait_for_requests() -> None:
    """`after` counts requests that match, and the time alone does nothing."""
    plan = Plan()
    when = When(after=2)
    plan.add(make_fault("price_gap", when=when, match={"account": "UP"}, symbol="BTCUSDT", bps=50), 0)
    assert plan.due(10**15) == []
    assert fired(plan, 4) == [False, False, True, False]


def test_what_is_removed_fires_no_more() -> None:
    """Its number is not given again."""
    plan = Plan()
    first = plan.add(lost(times=None), 0)
    assert plan.remove(first.id) is first
    assert plan.remove(first.id) is None
    assert fired(plan, 1) == [False]
    assert plan.add(lost(), 0).id == first.id + 1
