"""The desk: who moves what, without a jump, whatever breaks; an hour of fake time passes in no time."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from appliance.controls.desk import Action, Desk
from appliance.controls.mapping import Ends
from appliance.controls.source import Position, Press, Step
from appliance.mood import PLACES, QUANTITIES
from appliance.wiring.room import PresenceSettings
from appliance.wiring.tables import AnyControl, Combine

STEERED = QUANTITIES | PLACES
CONTROL: TypeAdapter[AnyControl] = TypeAdapter(AnyControl)


def fader(moves: str = "pitch", **keys: Any) -> dict[str, Any]:
    """A control that makes no noise and has no ends but 0 and 1."""
    return {"source": "midi", "port": "nano", "cc": 1, "moves": moves, **keys}


def knob(moves: str = "pitch", **keys: Any) -> dict[str, Any]:
    return {"source": "mcp3008", "channel": 0, "moves": moves, **keys}


class Table:
    """A desk, the time, and hands."""

    def __init__(
        self,
        controls: Mapping[str, Mapping[str, Any]],
        combine: Mapping[str, Combine] | None = None,
        presence: Mapping[str, Any] | None = None,
        standing: Mapping[str, float] | None = None,
        goes_on: bool = False,
        awake: float = 1.0,
    ) -> None:
        self.now_s = 1000.0
        tables = {name: CONTROL.validate_python(table) for name, table in controls.items()}
        rule = None if presence is None else PresenceSettings(**presence)
        self.desk = Desk(tables, combine or {}, rule, standing or {}, self.now_s, goes_on, awake)

    def __getitem__(self, name: str) -> float:
        return self.desk.values()[name]

    def pass_s(self, seconds: float = 0.01) -> "Table":
        self.now_s += seconds
        self.desk.turn(self.now_s)
        return self

    def move(self, name: str, *values: float) -> list[Action]:
        """Move a control from place to place, a hundredth of a second each."""
        actions = []
        for value in values:
            self.now_s += 0.01
            actions += self.desk.take(name, [Position(value, self.now_s)], self.now_s)
            self.desk.turn(self.now_s)
        return actions

    def hold(self, name: str, value: float, seconds: float) -> "Table":
        self.move(name, *[value] * round(seconds / 0.01))
        return self

    def step(self, name: str, by: float) -> "Table":
        self.now_s += 0.01
        self.desk.take(name, [Step(by, self.now_s)], self.now_s)
        self.desk.turn(self.now_s)
        return self

    def press(self, name: str) -> list[Action]:
        self.now_s += 0.01
        events = [Position(1.0, self.now_s), Press(self.now_s), Position(0.0, self.now_s)]
        return self.desk.take(name, events, self.now_s)

    def fail(self, name: str) -> None:
        self.desk.fail(name, "has no wire", self.now_s)

    def set(self, morph_s: float = 0.0, **values: float) -> None:
        self.desk.set(values, self.now_s, morph_s)

    def watch(self, name: str, seconds: float, every_s: float = 0.1) -> list[float]:
        seen = [self[name]]
        for _ in range(round(seconds / every_s)):
            seen.append(self.pass_s(every_s)[name])
        return seen


def largest_step(values: list[float]) -> float:
    return max(abs(after - before) for before, after in pairwise(values))


# --- at rest, and one control


def test_nothing_wired_stands_at_rest() -> None:
    table = Table({})
    assert table.pass_s(60.0).desk.values() == {name: each.rest for name, each in STEERED.items()}
    assert not table.desk.moving


def test_a_fader_is_heard_in_the_same_turn() -> None:
    table = Table({"tilt": fader()})
    table.move("tilt", 0.5)
    for value in (0.6, 0.2, 1.0, 0.0):
        table.desk.take("tilt", [Position(value, table.now_s)], table.now_s)
        assert table["pitch"] == pytest.approx(2.0 * value - 1.0)


def test_where_a_knob_stands_at_power_on_counts() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.75, 0.3)
    assert table["pitch"] == pytest.approx(0.5, abs=0.03)
    assert table.desk.touched_s < 0.0
    assert table.desk.moves_now(table.desk.channels["tilt"])


def test_a_knob_at_its_end_at_power_on_moves_nothing_until_it_is_turned() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.0, 5.0)
    assert table["pitch"] == 0.0
    assert table.desk.channels["tilt"].trouble is None
    seen = []
    for tick in range(101):
        table.move("tilt", 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.05
    assert seen[-1] == pytest.approx(1.0, abs=0.01)


def test_a_knob_that_is_plugged_in_later_moves_nothing_until_it_is_turned() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.0, 5.0)
    table.hold("tilt", 0.8, 5.0)
    assert table["pitch"] == 0.0
    assert table.desk.channels["tilt"].trouble is None
    table.move("tilt", *[0.8 + 0.01 * tick for tick in range(21)], 1.0, 1.0)
    assert table["pitch"] == pytest.approx(1.0, abs=0.01)


def test_a_knob_reaches_both_ends_of_what_it_moves() -> None:
    table = Table({"tilt": knob(), "other": knob("pace", channel=1)})
    table.desk.calibrate("other", Ends(0.1, 0.9))
    table.hold("tilt", 0.5, 0.3).hold("other", 0.5, 0.3)
    for tick in range(50):
        table.move("tilt", 0.5 + 0.01 * tick)
        table.move("other", 0.5 + 0.008 * tick)
    table.hold("tilt", 0.999, 0.1).hold("other", 0.899, 0.1)
    assert (table["pitch"], table["pace"]) == (1.0, 4.0)


def test_noise_at_a_knob_touches_nothing() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.5, 0.3)
    before, touched_s = table["pitch"], table.desk.touched_s
    for tick in range(1000):
        table.move("tilt", 0.5 + (-4, 3, 0, 4, -2)[tick % 5] / 1023)
    assert (table["pitch"], table.desk.touched_s) == (before, touched_s)


# --- several of one

TWO = {"one": fader(), "other": fader(cc=2)}


def test_the_one_touched_last_moves_it() -> None:
    table = Table(TWO)
    table.move("one", 0.5, 0.75)
    table.move("other", 0.75, 0.25)
    assert table["pitch"] == -0.5
    assert [table.desk.moves_now(each) for each in table.desk.channels.values()] == [False, True]
    table.move("one", 1.0)
    assert table["pitch"] == 1.0
    assert [table.desk.moves_now(each) for each in table.desk.channels.values()] == [True, False]


def test_a_sum_adds_what_each_is_away_from_rest_and_stays_in_range() -> None:
    table = Table(TWO, {"pitch": "sum"})
    table.move("one", 0.5, 0.6)
    table.move("other", 0.5, 0.7)
    assert table["pitch"] == pytest.approx(0.6)
    table.move("other", 1.0)
    assert table["pitch"] == 1.0
    table.move("one", 0.0)
    assert table["pitch"] == pytest.approx(0.0)


def test_a_highest_one_moves_it() -> None:
    table = Table(TWO, {"pitch": "max"})
    table.move("one", 0.5, 0.6)
    table.move("other", 0.5, 0.7)
    assert table["pitch"] == pytest.approx(0.4)
    table.move("other", 0.0)
    assert table["pitch"] == pytest.approx(0.2)


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
def test_what_is_set_stands_and_hands_take_over_from_there(rule: Combine) -> None:
    table = Table(TWO, {"pitch": rule})
    table.move("one", 0.5, 0.9)
    table.move("other", 0.5, 0.6)
    table.set(pitch=-0.4)
    assert table["pitch"] == pytest.approx(-0.4)
    seen = [table["pitch"]]
    for tick in range(91):
        table.move("one", 0.9 - 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.05
    # Of a sum the other keeps its half of what was set, and the highest one all of it.
    assert seen[-1] == pytest.approx(-0.4 if rule == "max" else -1.0)
    seen = [table["pitch"]]
    for tick in range(101):
        table.move("one", 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.05
    assert seen[-1] == pytest.approx(0.8 if rule == "sum" else 1.0)


# --- scenes


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
def test_a_morph_goes_there_without_a_jump(rule: Combine) -> None:
    table = Table(TWO, {"pitch": rule})
    table.move("one", 0.5, 0.9)
    table.move("other", 0.5, 0.2)
    table.set(8.0, pitch=-0.75, nature=1.0)
    seen = table.watch("pitch", 8.1)
    assert largest_step(seen) < 0.04
    assert seen[-1] == pytest.approx(-0.75)
    assert table["nature"] == 1.0
    assert not table.desk.moving


def test_a_hand_ends_a_morph_of_what_it_moves_alone() -> None:
    table = Table({"tilt": fader()})
    table.move("tilt", 0.5)
    table.set(8.0, pitch=1.0, nature=1.0)
    table.pass_s(4.0)
    half = table["pitch"]
    table.move("tilt", 0.49)
    assert 0.9 * half < table["pitch"] < half
    assert table.watch("pitch", 5.0)[-1] == table["pitch"]
    assert table["nature"] == 1.0


def test_light_that_drifts_meanwhile_does_not_keep_a_scene_from_coming() -> None:
    table = Table({"sky": knob("nature", part="light")})
    table.hold("sky", 0.5, 10.0)
    table.set(8.0, nature=0.9)
    seen = []
    for tick in range(900):
        table.move("sky", 0.5 + 0.00003 * tick)
        seen.append(table["nature"])
    assert largest_step(seen) < 0.01
    assert seen[-1] == pytest.approx(0.9, abs=0.02)


def test_a_glide_that_was_under_way_does_not_spoil_what_is_set() -> None:
    table = Table({"tilt": fader(glide_s=5.0)})
    table.move("tilt", 0.5, 1.0)
    table.pass_s(1.0)
    table.set(pitch=-0.5)
    assert set(table.watch("pitch", 10.0)) == {-0.5}


def test_a_scene_brings_a_fader_back_to_where_it_was_saved() -> None:
    table = Table(TWO, {"pitch": "sum"})
    table.move("one", 0.5, 0.6)
    table.move("other", 0.5, 0.8)
    scene = table.desk.standing()
    table.move("other", 0.1)
    table.set(2.0, **scene)
    table.pass_s(3.0)
    assert table.desk.standing() == pytest.approx(scene)


# --- encoders


def test_an_encoder_goes_on_from_wherever_it_stands() -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch"}})
    for _ in range(6):
        table.step("wheel", 1 / 24)
    assert table["pitch"] == pytest.approx(0.5)
    table.set(pitch=-0.5)
    assert table.step("wheel", 1 / 24)["pitch"] == pytest.approx(-0.5 + 2 / 24)
    for _ in range(40):
        table.step("wheel", 1 / 24)
    assert table["pitch"] == 1.0
    assert table.step("wheel", -1 / 24)["pitch"] == pytest.approx(1.0 - 2 / 24)


@pytest.mark.parametrize("curve", ["log", "exp", [[0, 0], [0.4, 0.5], [0.6, 0.5], [1, 1]], [[0, 0.2], [1, 0.8]]])
def test_an_encoder_is_never_stuck(curve: Any) -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch", "curve": curve}})
    seen = [table.step("wheel", -1 / 24)["pitch"] for _ in range(40)]
    seen += [table.step("wheel", 1 / 24)["pitch"] for _ in range(40)]
    assert largest_step(seen) < 0.65
    assert max(seen) == pytest.approx(0.6 if curve == [[0, 0.2], [1, 0.8]] else 1.0)


def test_an_encoder_of_a_part_of_the_range_does_not_pull_it_in_at_once() -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch", "low": -0.5, "high": 0.5}})
    table.set(pitch=1.0)
    assert table.step("wheel", 1 / 24)["pitch"] == 1.0
    seen = [1.0] + [table.step("wheel", -1 / 24)["pitch"] for _ in range(60)]
    assert largest_step(seen) < 0.1
    assert seen[-1] == pytest.approx(-0.5, abs=0.2)


def test_an_encoder_with_a_glide_counts_every_detent() -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch", "glide_s": 1.0}})
    for _ in range(6):
        table.step("wheel", 1 / 24)
    assert table["pitch"] < 0.1
    assert table.watch("pitch", 2.0)[-1] == pytest.approx(0.5)


def test_an_encoder_adds_to_a_sum() -> None:
    table = Table({"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch"}, "tilt": fader()}, {"pitch": "sum"})
    table.move("tilt", 0.5, 0.75)
    table.step("wheel", -0.1)
    assert table["pitch"] == pytest.approx(0.3)


# --- faults


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
def test_what_a_broken_one_moved_glides_to_rest_in_ten_seconds(rule: Combine) -> None:
    table = Table({"tilt": fader("wander")}, {"wander": rule})
    table.move("tilt", 0.4, 1.0)
    table.fail("tilt")
    seen = table.watch("wander", 10.1)
    assert largest_step(seen) < 0.02
    assert 0.6 < seen[50] < 0.8
    assert seen[-1] == pytest.approx(0.4)
    assert not table.desk.moves_now(table.desk.channels["tilt"])


def test_or_to_its_neutral_value() -> None:
    table = Table({"tilt": fader("wander", neutral=0.1)})
    table.move("tilt", 0.4, 1.0)
    table.fail("tilt")
    assert table.watch("wander", 10.1)[-1] == pytest.approx(0.1)


def test_what_a_broken_one_did_not_move_last_stays() -> None:
    table = Table(TWO)
    table.move("one", 0.5, 0.9)
    table.move("other", 0.5, 0.8)
    table.fail("one")
    assert set(table.watch("pitch", 12.0)) == {table["pitch"]}
    table.set(pitch=0.3)
    table.fail("other")
    assert set(table.watch("pitch", 12.0)) == {0.3}


def test_the_other_hand_ends_a_retreat() -> None:
    table = Table(TWO)
    table.move("other", 0.5)
    table.move("one", 0.5, 1.0)
    table.fail("one")
    table.pass_s(5.0)
    table.move("other", 0.51)
    here = table["pitch"]
    assert set(table.watch("pitch", 10.0)) == {here}


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
@pytest.mark.parametrize("broken_s", [0.5, 5.0, 60.0])
def test_one_that_is_well_again_does_not_jump_and_takes_over(rule: Combine, broken_s: float) -> None:
    table = Table({"tilt": fader()}, {"pitch": rule})
    table.move("tilt", 0.5, 1.0)
    table.fail("tilt")
    table.watch("pitch", broken_s)
    before = table["pitch"]
    table.move("tilt", 0.9)
    assert table["pitch"] == pytest.approx(before, abs=0.01)
    assert table.desk.channels["tilt"].trouble is None
    assert largest_step(table.watch("pitch", 20.0)) == 0.0
    seen = [table["pitch"]]
    for tick in range(91):
        table.move("tilt", 0.9 - 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.05
    assert seen[-1] == pytest.approx(-1.0)


def test_a_knob_whose_wire_comes_off_and_back_goes_on() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.7, 0.5)
    here = table["pitch"]
    table.hold("tilt", 0.0, 0.7)
    assert table.desk.channels["tilt"].trouble == "leapt to its end and stays there: is its wire loose?"
    table.hold("tilt", 0.7, 1.0)
    assert table.desk.channels["tilt"].trouble is None
    assert table["pitch"] == pytest.approx(here, abs=0.03)
    seen = [table["pitch"]]
    for tick in range(60):
        table.move("tilt", 0.7 - 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.04
    assert seen[-1] < -0.7


def test_a_chip_that_failed_may_stand_elsewhere_afterwards_and_moves_nothing() -> None:
    table = Table({"tilt": knob()})
    table.hold("tilt", 0.7, 0.5)
    table.fail("tilt")
    table.watch("pitch", 20.0)
    table.hold("tilt", 0.2, 1.0)
    assert table.desk.channels["tilt"].trouble is None
    assert table["pitch"] == 0.0


@pytest.mark.parametrize("glide", [{}, {"glide_s": 0.0}])
def test_light_that_is_well_again_is_followed_slowly(glide: dict[str, float]) -> None:
    table = Table({"sky": knob("nature", part="light", **glide)})
    table.hold("sky", 0.9, 10.0)
    bright = table["nature"]
    table.fail("sky")
    table.watch("nature", 20.0)
    assert table["nature"] == 0.5
    seen = []
    for _ in range(1500):
        table.move("sky", 0.9)
        seen.append(table["nature"])
    assert largest_step(seen) < 0.01
    assert seen[-1] == pytest.approx(bright, abs=0.01)


def test_light_that_is_well_again_leaves_alone_what_was_set_meanwhile() -> None:
    table = Table({"sky": knob("nature", part="light")})
    table.hold("sky", 0.9, 10.0)
    table.fail("sky")
    table.pass_s(3.0)
    table.set(nature=0.2)
    table.hold("sky", 0.9, 10.0)
    assert table["nature"] == pytest.approx(0.2)


def test_one_that_was_never_seen_breaks_without_a_sound() -> None:
    table = Table({"tilt": fader(), "hush": {"source": "button", "pin": 4, "moves": "volume", "low": 1, "high": 0}})
    for _ in range(3):
        table.fail("tilt")
        table.fail("hush")
        table.pass_s(5.0)
    assert table.desk.values() == {name: each.rest for name, each in STEERED.items()}


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


# --- going on after a restart

ALL = {
    "one": knob(),
    "other": fader(cc=2),
    "sky": knob(channel=1, part="light"),
    "near": {"source": "distance", "trigger": 5, "echo": 6, "moves": "pitch", "glide_s": 0.0},
    "night": {"source": "switch", "pin": 4, "moves": "pitch"},
    "high": {"source": "button", "pin": 17, "moves": "pitch"},
    "day": {"source": "clock", "moves": "pitch", "points": [["08:00", 0.0], ["20:00", 1.0]]},
}


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
def test_after_a_restart_nothing_moves_until_something_does(rule: Combine) -> None:
    table = Table(ALL, {"pitch": rule}, standing={"pitch": -0.3, "wander": 0.9}, goes_on=True)
    for name in ALL:
        table.hold(name, 0.0 if name == "high" else 0.8, 0.5)
        assert table["pitch"] == pytest.approx(-0.3)
    assert set(table.watch("pitch", 100.0)) == {table["pitch"]}
    assert table["wander"] == 0.9
    assert not table.desk.moving


@pytest.mark.parametrize("rule", ["last", "sum", "max"])
def test_and_then_hands_take_over(rule: Combine) -> None:
    table = Table({"one": fader()}, {"pitch": rule}, standing={"pitch": -0.3}, goes_on=True)
    table.move("one", 0.9)
    seen = [table["pitch"]]
    for tick in range(91):
        table.move("one", 0.9 - 0.01 * tick)
        seen.append(table["pitch"])
    for tick in range(101):
        table.move("one", 0.01 * tick)
        seen.append(table["pitch"])
    assert largest_step(seen) < 0.05
    assert (min(seen), max(seen)) == pytest.approx((-1.0, 1.0))


# --- calibrating


def test_calibrating_while_it_runs_moves_nothing_until_it_is_turned() -> None:
    table = Table({"one": knob(), "other": fader(cc=2)})
    table.hold("one", 0.8, 0.5)
    table.move("other", 0.1, 0.2)
    before = table["pitch"]
    table.desk.calibrate("one", Ends(0.1, 0.8))
    table.hold("one", 0.8, 0.5)
    assert table["pitch"] == before
    assert table.desk.channels["one"].way == 1.0
    assert table.desk.moves_now(table.desk.channels["other"])
    table.move("one", *[0.8 - 0.01 * tick for tick in range(71)], 0.1, 0.1)
    assert table["pitch"] == pytest.approx(-1.0)
    table.desk.calibrate("one", None)
    table.hold("one", 0.1, 0.1)
    assert table.desk.channels["one"].way == pytest.approx(0.09, abs=0.02)


def test_calibrating_to_what_is_known_already_changes_nothing() -> None:
    table = Table({"high": {"source": "button", "pin": 4, "moves": "pitch"}})
    table.desk.calibrate("high", None)
    table.move("high", 0.0, 1.0)
    assert table["pitch"] == 1.0


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


# --- whatever comes

NAMES = sorted({*ALL, "wheel"})
EVENTS = st.one_of(
    st.builds(lambda value: ("position", value), st.floats(0.0, 1.0)),
    st.builds(lambda value: ("step", value), st.floats(-1.0, 1.0)),
    st.sampled_from([("press", 0.0), ("fail", 0.0), ("nothing", 0.0), ("calibrate", 0.0)]),
    st.builds(lambda value: ("set", value), st.floats(-1.0, 1.0)),
)
STORY = st.lists(st.tuples(st.sampled_from(NAMES), EVENTS, st.sampled_from([0.0, 0.01, 0.5, 7.0, 4000.0])), max_size=50)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["last", "sum", "max"]), st.booleans(), STORY)
def test_values_are_always_within_their_ranges(rule: Combine, goes_on: bool, story: list[Any]) -> None:
    controls = ALL | {"wheel": {"source": "encoder", "pins": [5, 6], "moves": "pitch", "low": 0.5, "high": -0.5}}
    table = Table(controls, {"pitch": rule}, {**QUIET, "sensors": ["night"]}, goes_on=goes_on)
    for name, (what, value), passed_s in story:
        if what == "position" and name != "wheel":
            table.desk.take(name, [Position(value, table.now_s)], table.now_s)
        elif what == "step" and name == "wheel":
            table.desk.take(name, [Step(value, table.now_s)], table.now_s)
        elif what == "press":
            table.desk.take(name, [Press(table.now_s)], table.now_s)
        elif what == "nothing":
            table.desk.take(name, [], table.now_s)
        elif what == "fail":
            table.fail(name)
        elif what == "calibrate":
            table.desk.calibrate(name, Ends(0.2, 0.7))
        elif what == "set":
            table.set(abs(value) * 10.0, pitch=value)
        table.pass_s(passed_s)
        for moved, quantity in STEERED.items():
            assert quantity.low <= table[moved] <= quantity.high


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["last", "sum", "max"]),
    st.lists(st.tuples(st.sampled_from(["one", "other", "set", "fail"]), st.floats(0.0, 1.0)), max_size=30),
)
def test_no_hand_scene_or_fault_ever_makes_it_jump(rule: Combine, story: list[tuple[str, float]]) -> None:
    table = Table(TWO, {"pitch": rule}, goes_on=True)
    places = {"one": 0.5, "other": 0.5}
    for name in places:
        table.move(name, 0.5)
    for what, value in story:
        before = table["pitch"]
        if what == "set":
            table.set(4.0, pitch=2.0 * value - 1.0)
        elif what == "fail":
            table.fail("one")
        else:
            # At once, as by a tap on a fader: it goes the same way, and no farther than the hand's own end.
            way, places[what] = value - places[what], value
            table.desk.take(what, [Position(value, table.now_s)], table.now_s)
            assert (table["pitch"] - before) * way >= -1e-12
            before = table["pitch"]
        assert largest_step([before, *table.watch("pitch", 1.0, 0.05)]) < 0.05
