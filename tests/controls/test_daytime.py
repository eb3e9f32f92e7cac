"""The time of day as a source, by a day that passes at once."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.controls.daytime import Daytime, local_time_s
from appliance.controls.source import Position

DAY_S = 86_400.0
POINTS = (("08:00", 0.0), ("14:00", 1.0), ("22:30", 0.2))


class Day:
    def __init__(self, points: tuple[tuple[str, float], ...] = POINTS) -> None:
        self.daytime_s = 0.0
        self.source = Daytime(points, lambda: 7.0, lambda: self.daytime_s)

    def at(self, hours: float) -> float:
        """Where it is, told anew."""
        source = Daytime(POINTS, lambda: 7.0, lambda: 3600.0 * hours)
        (event,) = source.read()
        assert isinstance(event, Position)
        assert event.at_s == 7.0
        return event.value


def test_it_is_at_each_point_at_its_time_and_half_way_between() -> None:
    day = Day()
    assert [day.at(hours) for hours in (8.0, 11.0, 14.0, 22.5)] == pytest.approx([0.0, 0.5, 1.0, 0.2])


def test_it_goes_from_the_last_point_to_the_first_over_midnight() -> None:
    day = Day()
    assert day.at(22.5 + 9.5 / 2 - 24.0) == pytest.approx(0.1)
    assert day.at(0.0) == pytest.approx(day.at(23.99999), abs=0.001)


def test_the_order_of_the_points_is_all_one() -> None:
    shuffled = Daytime(tuple(reversed(POINTS)), lambda: 7.0, lambda: 3600.0 * 10.0)
    assert shuffled.read() == Daytime(POINTS, lambda: 7.0, lambda: 3600.0 * 10.0).read()


def test_it_tells_only_what_moved() -> None:
    day, told = Day(), []
    for second in range(0, 86_400, 10):
        day.daytime_s = float(second)
        told += day.source.read()
    assert 1500 < len(told) < 3000
    steps = [abs(one.value - other.value) for one, other in pairwise(told)]
    assert max(steps) < 0.003
    day.source.close()
    day.source.close()


def test_a_clock_that_jumps_is_told_as_it_is() -> None:
    day = Day()
    day.daytime_s = 8 * 3600.0
    assert day.source.read() == (Position(0.0, 7.0),)
    assert day.source.read() == ()
    day.daytime_s = 14 * 3600.0
    assert day.source.read() == (Position(1.0, 7.0),)


TIMES = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))


@given(
    st.lists(st.tuples(TIMES, st.floats(0.0, 1.0)), min_size=2, max_size=8, unique_by=lambda point: point[0]),
    st.floats(0.0, DAY_S),
)
def test_it_is_always_somewhere_on_its_way_and_never_leaps(points: list[tuple[str, float]], daytime_s: float) -> None:
    ways = []
    for at_s in (daytime_s, (daytime_s + 0.5) % DAY_S):
        (event,) = Daytime(points, lambda: 0.0, lambda at_s=at_s: at_s).read()  # type: ignore[misc]
        assert isinstance(event, Position)
        ways.append(event.value)
    assert all(-1e-9 <= way <= 1.0 + 1e-9 for way in ways)
    # Points are a minute apart at least.
    assert abs(ways[1] - ways[0]) < 0.02


def test_the_time_where_the_box_is() -> None:
    assert 0.0 <= local_time_s() < DAY_S + 1.0
