"""The desk in a room where nobody is, and somebody comes."""

from typing import Any

import pytest
from mixing import Table, fader, knob, largest_step

from appliance.controls.source import Position

# --- presence

QUIET = {"sensors": ["door"], "after_min": 1.0, "away": {"volume": 0.2, "pace": 0.5}, "dim_s": 10.0, "wake_s": 2.0}
DOOR = {"door": {"source": "motion", "pin": 4}, "tilt": fader(), "sky": knob("nature", part="light")}


def test_the_room_dims_when_nobody_is_there_and_wakes_when_somebody_comes() -> None:
    table = Table(DOOR, presence=QUIET)
    table.move("door", 1.0, 0.0)
    assert set(table.watch("volume", 59.0)) == {1.0}
    seen = table.watch("volume", 12.0)
    assert largest_step(seen) < 0.01
    assert (seen[-1], table["pace"]) == (pytest.approx(0.2), pytest.approx(0.5))
    assert table.desk.standing()["volume"] == 1.0
    table.move("door", 1.0)
    seen = table.watch("volume", 2.1)
    assert largest_step(seen) < 0.05
    assert seen[-1] == 1.0


def test_a_hand_or_the_control_socket_wakes_it_and_light_does_not() -> None:
    table = Table(DOOR, presence=QUIET)
    table.move("tilt", 0.5)
    for wake in (lambda: table.move("tilt", 0.6, 0.7), lambda: table.set(pitch=0.1)):
        table.move("door", 1.0, 0.0)
        table.watch("volume", 80.0)
        for tick in range(100):
            table.move("sky", 0.3 + 0.004 * tick)
        assert table["volume"] == pytest.approx(0.2)
        wake()
        assert table.watch("volume", 3.0)[-1] == 1.0


def test_a_touch_in_a_turn_that_takes_no_time_wakes_it_too() -> None:
    table = Table(DOOR, presence=QUIET)
    table.move("door", 1.0, 0.0)
    table.move("tilt", 0.5)
    table.watch("volume", 80.0)
    table.desk.take("tilt", [Position(0.9, table.now_s)], table.now_s)
    table.desk.turn(table.now_s)
    assert table.watch("volume", 3.0)[-1] == 1.0


def test_it_stays_awake_while_its_sensor_is_broken() -> None:
    table = Table(DOOR, presence=QUIET)
    table.fail("door")
    assert set(table.watch("volume", 200.0)) == {1.0}
    table.move("door", 0.0)
    assert table.watch("volume", 80.0)[-1] == pytest.approx(0.2)
    table.fail("door")
    assert table.watch("volume", 3.0)[-1] == 1.0


def test_after_a_restart_an_empty_room_stays_dimmed_until_somebody_comes() -> None:
    table = Table(DOOR, presence=QUIET, goes_on=True, awake=0.0)
    assert set(table.watch("volume", 1.0)) == {0.2}
    table.move("door", 0.0)
    assert set(table.watch("volume", 600.0)) == {0.2}
    table.move("door", 1.0)
    assert table.watch("volume", 3.0)[-1] == 1.0


def test_after_a_restart_it_wakes_if_its_sensor_tells_nothing() -> None:
    table = Table(DOOR, presence=QUIET, goes_on=True, awake=0.0)
    assert table.watch("volume", 8.0)[-1] == 1.0


def test_it_is_never_louder_for_being_empty() -> None:
    table = Table(DOOR, presence=QUIET)
    table.set(volume=0.05)
    table.move("door", 1.0, 0.0)
    assert set(table.watch("volume", 100.0)) == {0.05}


@pytest.mark.parametrize(
    ("sensor", "there", "gone"),
    [
        ({"source": "distance", "trigger": 5, "echo": 6}, 0.1, 1.0),
        ({"source": "digital", "pin": 5, "invert": True}, 0.0, 1.0),
        ({"source": "osc", "address": "/there"}, 1.0, 0.0),
    ],
)
def test_who_is_near_is_there(sensor: dict[str, Any], there: float, gone: float) -> None:
    table = Table({"door": sensor}, presence=QUIET)
    table.move("door", *[gone] * 4)
    assert table.watch("volume", 80.0)[-1] == pytest.approx(0.2)
    table.move("door", *[there] * 4)
    assert table.watch("volume", 3.0)[-1] == 1.0
    assert table.watch("volume", 200.0)[-1] == 1.0
