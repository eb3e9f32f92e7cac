"""The desk: who moves what, without a jump."""

from typing import Any

import pytest
from mixing import TWO, Table, fader, knob, largest_step

from appliance.controls.mapping import Ends
from appliance.controls.source import Position
from appliance.mood import STEERED
from appliance.wiring.tables import Combine

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
