"""Presence by itself: the rule, and time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.controls.presence import Presence
from appliance.wiring.room import PresenceSettings

RULE = PresenceSettings(sensors=("door",), after_min=2.0, dim_s=20.0, wake_s=4.0)


def test_it_begins_awake_and_dims_slowly_after_its_time() -> None:
    presence = Presence(RULE, 100.0)
    presence.see([0.0], False, 219.9)
    assert presence.turn(219.9, 0.1) == 1.0
    assert presence.turn(220.0, 0.1) == pytest.approx(0.995)
    assert presence.turn(230.0, 10.0) == pytest.approx(0.495)
    assert presence.turn(300.0, 70.0) == 0.0


@pytest.mark.parametrize(
    ("ways", "touched", "woken"),
    [
        ([0.0, 1.0], False, True),
        ([0.0], True, True),
        ([None], False, True),
        ([None, 0.0], False, False),
        ([0.4, 0.0], False, False),
        ([], False, True),
    ],
)
def test_what_wakes_it(ways: list[float | None], touched: bool, woken: bool) -> None:
    presence = Presence(RULE, 0.0, awake=0.0)
    presence.see(ways, touched, 1000.0)
    assert (presence.turn(1001.0, 1.0) > 0.0) is woken


@given(
    st.lists(
        st.tuples(st.sampled_from([None, 0.0, 0.5, 1.0]), st.booleans(), st.sampled_from([0.0, 0.01, 3.0, 9e5])),
        max_size=40,
    )
)
def test_it_never_jumps(story: list[tuple[float | None, bool, float]]) -> None:
    presence, now_s = Presence(RULE, 0.0), 0.0
    for way, touched, passed_s in story:
        now_s += passed_s
        before = presence.awake
        presence.see([way], touched, now_s)
        awake = presence.turn(now_s, passed_s)
        assert 0.0 <= awake <= 1.0
        assert before - passed_s / 20.0 - 1e-9 <= awake <= before + passed_s / 4.0 + 1e-9
