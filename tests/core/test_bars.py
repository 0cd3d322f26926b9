from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.bars import INTERVALS_MS, Bar, Closed, Point, Tracks

updates = st.lists(
    st.tuples(st.integers(1, 40 * 60_000), st.floats(0.01, 100), st.floats(0.01, 100)),
    min_size=1,
    max_size=60,
)


def point(nav: float) -> Point:
    """An update at some mark."""
    return Point(nav, 60_000.0, 2.0)


def run(steps: list[tuple[int, float, float]]) -> tuple[list[tuple[int, float, float]], list[Closed]]:
    """Updates at increasing times, and all bars that come of them."""
    tracks, time_ms, told, bars = Tracks(), 0, [], []
    for wait_ms, true, shown in steps:
        time_ms += wait_ms
        told.append((time_ms, true, shown))
        bars += tracks.update(time_ms, point(true), point(shown))
    return told, bars + tracks.under_way()


@given(updates)
@example([(1, 1.0, 1.0), (3_599_999, 2.0, 2.0), (82_800_000, 3.0, 3.0)])
def test_every_bar_is_the_summary_of_its_updates(steps: list[tuple[int, float, float]]) -> None:
    """Of all lengths, on both tracks: first, highest, lowest, last, how many; and no update is lost."""
    told, bars = run(steps)
    for interval, length_ms in INTERVALS_MS.items():
        found = [closed for closed in bars if closed.interval == interval]
        starts = [closed.bar.start_ms for closed in found]
        assert starts == sorted(set(starts)) == sorted({t // length_ms * length_ms for t, _, _ in told})
        for _, bar, shown in found:
            inside = [step for step in told if bar.start_ms <= step[0] < bar.start_ms + length_ms]
            for track, made in ((1, bar), (2, shown or bar)):
                navs = [step[track] for step in inside]
                expected = (navs[0], max(navs), min(navs), navs[-1], len(navs))
                assert made[1:6] == expected


@given(updates)
def test_what_is_shown_is_told_apart_only_where_it_differs(steps: list[tuple[int, float, float]]) -> None:
    """While nothing is hidden no second bar is kept."""
    _, bars = run([(wait, true, true) for wait, true, _ in steps])
    assert all(closed.shown is None for closed in bars)


def test_after_the_reveal_what_is_under_way_is_shown_as_it_is() -> None:
    """The day that began in secret is, from the reveal on, the true one."""
    tracks = Tracks()
    tracks.update(0, point(1), point(1))
    tracks.update(1, point(2), point(1.5))
    assert all(closed.shown is not None for closed in tracks.under_way())
    tracks.trued_up()
    assert all(closed.shown is None for closed in tracks.under_way())
    tracks.update(2, point(3), point(3))
    assert {closed.bar.high for closed in tracks.under_way()} == {3}


def test_bars_go_on_where_an_earlier_process_left_them() -> None:
    """Stored bars that are still under way are continued; those that are over stay as they are."""
    minute = Bar(0, 1, 4, 0.5, 2, 7, 60_000, 2)
    hour = Bar(0, 1, 5, 0.4, 2, 90, 60_000, 2)
    tracks = Tracks({"1m": (minute, minute), "1h": (hour, hour)})
    assert tracks.under_way() == []
    tracks.update(59_000, point(3), point(2.5))
    bars = {closed.interval: closed for closed in tracks.under_way()}
    assert bars["1m"].bar[1:6] == (1, 4, 0.5, 3, 8)
    assert bars["1m"].shown is not None
    assert bars["1h"].bar[1:6] == (1, 5, 0.4, 3, 91)
    tracks.trued_up()
    (closed,) = tracks.update(60_000, point(6), point(6))
    assert (closed.bar[1:6], closed.shown) == ((1, 4, 0.5, 3, 8), None)
    bars = {closed.interval: closed for closed in tracks.under_way()}
    assert bars["1m"].bar[1:6] == (6, 6, 6, 6, 1)
    assert bars["1h"].bar[1:6] == (1, 6, 0.4, 6, 92)
