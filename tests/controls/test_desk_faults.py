"""The desk while sources break and come back, after a restart, and whatever comes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixing import TWO, Table, fader, knob, largest_step

from appliance.controls.mapping import Ends
from appliance.controls.source import Position, Press, Step
from appliance.mood import STEERED
from appliance.wiring.tables import Combine

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


# --- whatever comes

QUIET = {"sensors": ["door"], "after_min": 1.0, "away": {"volume": 0.2, "pace": 0.5}, "dim_s": 10.0, "wake_s": 2.0}

NAMES = sorted({*ALL, "wheel"})
EVENTS = st.one_of(
    st.builds(lambda value: ("position", value), st.floats(0.0, 1.0)),
    st.builds(lambda value: ("step", value), st.floats(-1.0, 1.0)),
    st.sampled_from([("press", 0.0), ("fail", 0.0), ("nothing", 0.0), ("calibrate", 0.0)]),
    st.builds(lambda value: ("set", value), st.floats(-1.0, 1.0)),
)
STORY = st.lists(st.tuples(st.sampled_from(NAMES), EVENTS, st.sampled_from([0.0, 0.01, 0.5, 7.0, 4000.0])), max_size=50)


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=60, deadline=None)
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
