"""The desk under buttons, switches, pads, glides and the time of day."""

from typing import Any

import pytest
from mixing import Table, fader, largest_step

from appliance.controls.desk import Action
from appliance.controls.source import Press, Step

# --- buttons and switches


def test_each_press_is_done_exactly_once() -> None:
    table = Table({"go": {"source": "button", "pin": 4, "does": "next"}})
    assert [table.press("go") for _ in range(5)] == [[Action("next", "")]] * 5
    assert table.pass_s().move("go", 1.0, 1.0, 0.0) == []


def test_the_name_of_a_scene_goes_with_it() -> None:
    table = Table({"go": {"source": "touch", "pin": 4, "does": "scene late  evening "}})
    assert table.press("go") == [Action("scene", "late  evening")]


def test_the_push_of_an_encoder() -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "push_pin": 7, "moves": "pitch", "does": "rest"}})
    assert table.desk.take("wheel", [Step(0.1, 1.0), Press(1.0), Step(0.1, 1.0)], 1.0) == [Action("rest", "")]
    assert table["pitch"] == pytest.approx(0.4)


def test_a_button_that_moves_does_so_while_it_is_held() -> None:
    table = Table({"hush": {"source": "button", "pin": 4, "moves": "volume", "low": 1.0, "high": 0.2}})
    table.move("hush", 0.0)
    assert table["volume"] == 1.0
    table.move("hush", 1.0)
    assert table["volume"] == 0.2
    table.move("hush", 0.0)
    assert table["volume"] == 1.0


def test_a_button_that_was_broken_does_not_move_anything_by_itself() -> None:
    table = Table({"high": {"source": "button", "pin": 4, "moves": "pitch"}})
    table.fail("high")
    table.move("high", 0.0)
    assert table["pitch"] == 0.0


def test_a_switch_counts_from_the_beginning_and_presses_when_it_closes() -> None:
    table = Table({"night": {"source": "switch", "pin": 4, "moves": "volume", "low": 1, "high": 0.3, "does": "next"}})
    assert table.move("night", 1.0) == []
    assert table["volume"] == 0.3
    assert table.move("night", 0.0, 0.0) == []
    assert table["volume"] == 1.0
    assert table.move("night", 1.0, 1.0) == [Action("next", "")]


def test_an_inverted_switch_presses_when_it_opens_and_a_distance_when_somebody_comes_near() -> None:
    table = Table(
        {
            "door": {"source": "digital", "pin": 4, "does": "next", "invert": True},
            "near": {"source": "distance", "trigger": 5, "echo": 6, "does": "keep"},
        }
    )
    assert table.move("door", 1.0, 0.0, 1.0) == [Action("next", "")]
    assert table.move("near", *[1.0] * 3, *[0.1] * 3, *[1.0] * 3, *[0.1] * 3) == [Action("keep", "")] * 2


@pytest.mark.parametrize("source", [{"source": "midi", "port": "a", "cc": 3}, {"source": "osc", "address": "/a"}])
def test_the_first_message_of_a_pad_is_a_press_already(source: dict[str, Any]) -> None:
    table = Table({"pad": {**source, "does": "next"}})
    assert table.move("pad", 1.0, 0.0, 1.0, 0.0) == [Action("next", "")] * 2
    table.fail("pad")
    assert table.move("pad", 1.0) == [Action("next", "")]


def test_a_pad_that_never_tells_its_release_presses_anew_but_not_while_it_is_held() -> None:
    table = Table({"pad": {"source": "osc", "address": "/a", "does": "next"}})
    assert table.move("pad", 1.0) == [Action("next", "")]
    assert table.pass_s(1.0).move("pad", 1.0) == [Action("next", "")]
    # It is sent over and over while it is held.
    assert table.move("pad", *[1.0] * 500) == []


def test_the_first_message_of_a_fader_counts_unless_the_room_stood_somewhere_already() -> None:
    for goes_on, pitch in ((False, 0.5), (True, 0.2)):
        table = Table({"tilt": fader()}, standing={"pitch": 0.2}, goes_on=goes_on)
        table.move("tilt", 0.75)
        assert table["pitch"] == pytest.approx(pitch)
        assert table.desk.touched_s == table.now_s
    table.move("tilt", 1.0)
    assert table["pitch"] == 1.0


# --- glides, the day


def test_a_glide_takes_as_long_for_a_long_way_as_for_a_short_one() -> None:
    for goal in (0.6, 1.0):
        table = Table({"tilt": fader(glide_s=4.0)})
        table.move("tilt", 0.5, goal)
        seen = table.watch("pitch", 4.0)
        assert seen[20] == pytest.approx(goal - 0.5, abs=0.05)
        assert seen[-1] == pytest.approx(2.0 * goal - 1.0)


def test_the_clock_glides_and_is_no_hand() -> None:
    day = {"source": "clock", "moves": "nature", "points": [["08:00", 0.0], ["20:00", 1.0]]}
    table = Table({"day": day})
    table.move("day", 1.0)
    assert table["nature"] < 0.51
    assert largest_step(table.watch("nature", 61.0)) < 0.01
    assert table["nature"] == 1.0
    assert table.desk.touched_s < 0.0


def test_a_curve_and_an_inverted_way() -> None:
    table = Table({"tilt": fader("pace", low=0.5, high=2.0, curve="exp", invert=True)})
    table.move("tilt", 0.5, 0.0)
    assert table["pace"] == 2.0
    table.move("tilt", 1.0)
    assert table["pace"] == 0.5
