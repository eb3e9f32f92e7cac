import json
import os
import re
import sys
import time

import pytest
from desk import Desk, a_control

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.cli import calibrate
from appliance.errors import LatentError
from appliance.folders import runtime_folder


def test_help_has_an_example(latent):
    assert re.search(r"Example:\s+latent controls", latent("controls", "--help").out)


def test_all_are_shown_once_where_no_terminal_is(latent, desk):
    desk.hands = [
        a_control("left", raw=0.75, mapped=-0.125, touched=True, room=-0.5),
        a_control("next", source="button 17", moves=None, does="next", raw=None, mapped=None, age_s=None, room=None),
        a_control("door", source="distance 23", moves="volume", mapped=None, trouble="no echo for 1.2 s", age_s=75.0),
        a_control("\x1b[31m[red]", raw=1.5, age_s=600.0),
        a_control("off", raw=0.0, mapped=None, waits=True),
    ]
    outcome = latent("controls")
    assert outcome.code == 0
    head, left, button, door, odd, off = outcome.out.splitlines()
    assert head.split() == ["name", "source", "way", "moves", "room", "heard"]
    assert re.fullmatch(r"left +mcp3008 0 +█{9}·{3} 0\.750 +pitch -0\.12 +-0\.50 +now +moves it now *", left)
    assert re.fullmatch(r"next +button 17 +next +never *", button)
    assert re.fullmatch(r"door +distance 23 +█{6}·{6} 0\.500 +volume +0\.00 +75 s ago +no echo for 1\.2 s *", door)
    assert re.fullmatch(r"\\x1b\[31m\[red\] +mcp3008 0 +█{12} 1\.500 +pitch 0\.00 +0\.00 +10 min ago *", odd)
    assert off.rstrip().endswith("at its end since the start: turn it once")


def test_a_program_may_read_it(latent, desk):
    desk.hands = [a_control("left"), a_control("right", mapped=float("nan"))]
    outcome = latent("controls", "--json")
    assert json.loads(outcome.out) == {"controls": [a_control("left"), a_control("right", mapped=None)]}
    assert outcome.out.count("\n") == 1


def test_with_nothing_set_up_it_says_how(latent, desk):
    outcome = latent("controls")
    assert outcome.code == 0
    assert outcome.out.startswith("No knob or sensor is set up: add one to latent.toml")
    assert json.loads(latent("controls", "--json").out) == {"controls": []}


def test_what_only_pretends_is_turned_and_pressed(latent, desk):
    assert latent("controls", "--turn", "a=b=0.7").out == "a=b is turned: 0.7.\n"
    assert latent("controls", "--press", "next").out == "next is pressed.\n"
    assert latent("controls", "--forget", "left").out == "What was learned of left is forgotten.\n"
    assert desk.asked == [("turn", "a=b", 0.7), ("turn", "next", None), ("calibrate", "left", None, None)]
    outcome = latent("controls", "--turn", "real=0")
    assert (outcome.code, outcome.err) == (2, "latent: real is a real knob: turn it by hand.\n")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--turn", "left"], "--turn takes a name and a number from 0 to 1, as in left-knob=0.7, not 'left'."),
        (["--turn", "left=2"], "--turn takes a name and a number from 0 to 1"),
        (["--turn", "left=nan"], "--turn takes a name and a number from 0 to 1"),
        (["--turn", "=0.5"], "--turn takes a name and a number from 0 to 1"),
        (["--turn", "left=1", "--press", "next"], "Give --calibrate, --forget, --turn or --press alone."),
        (["--calibrate", "left", "--json"], "Give --calibrate, --forget, --turn or --press alone."),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(latent, nobody, words, part):
    outcome = latent("controls", *words)
    assert outcome.code == 2
    assert part in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--json"], ["--calibrate", "left"], ["--press", "next"]])
def test_without_an_engine_it_says_how_to_start_one(latent, nobody, words):
    outcome = latent("controls", *words)
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"


# --- calibrating


@pytest.fixture
def keyboard(monkeypatch):
    """What stands in for the keyboard: write to it to type."""
    out, into = os.pipe()
    with os.fdopen(out) as stdin, os.fdopen(into, "w") as typed:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typed


def test_a_knob_is_turned_to_both_ends(latent, desk, keyboard, monkeypatch):
    monkeypatch.setattr(calibrate, "_LOOK_S", 0.001)
    # A crackle is no end.
    way = [0.5, 0.5, 0.5, 1.0, 0.4, 0.2, 0.03, 0.03, 0.03, 0.5, 0.9, 0.96, 0.96, 0.95]

    def controls():
        if len(way) == 1:
            keyboard.write("\n")
            keyboard.flush()
        return [a_control("left", raw=way.pop(0) if len(way) > 1 else way[0])]

    desk.controls = controls
    outcome = latent("controls", "--calibrate", "left")
    assert outcome.code == 0, outcome.err
    assert desk.asked == [("calibrate", "left", 0.03, 0.96)]
    assert outcome.out.splitlines() == [
        "Turn left slowly to both ends, then press Enter; or leave it for 15 s.",
        "left goes from 0.030 to 0.960; that is kept.",
    ]


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        (a_control("left", raw=0.4), "left hardly moved (0.400 to 0.400): turn it all the way; nothing is changed."),
        (
            a_control("left", raw=None),
            "left told of no place where it stands, so it has no ends to learn; nothing is changed.",
        ),
        (
            a_control("left", trouble="no echo for 1.2 s"),
            "left cannot be read (no echo for 1.2 s): mend it, then calibrate it again.",
        ),
    ],
)
def test_a_knob_that_does_not_move_or_is_broken_is_not_learned(latent, desk, keyboard, monkeypatch, control, sentence):
    monkeypatch.setattr(calibrate, "_LOOK_S", 0.001)
    desk.hands = [control]
    looks = []

    def controls():
        looks.append(1)
        if len(looks) == 5:
            keyboard.write("\n")
            keyboard.flush()
        return desk.hands

    desk.controls = controls
    outcome = latent("controls", "--calibrate", "left")
    assert (outcome.code, outcome.err) == (1, f"latent: {sentence}\n")
    assert desk.asked == []


def test_a_name_that_is_unknown_gets_the_nearest(latent, desk):
    desk.hands = [a_control("left-knob")]
    outcome = latent("controls", "--calibrate", "left-nob")
    assert (outcome.code, outcome.err) == (
        2,
        "latent: There is no control called 'left-nob', did you mean left-knob?\n",
    )


def learned(raws, after_s):
    """Learn from what a knob tells at each look, and go by made-up seconds."""
    now = [0.0]
    told = iter(raws)
    last = [None]

    def look():
        last[0] = next(told, last[0])
        return a_control("left", raw=last[0])

    def wait(seconds):
        now[0] += seconds
        return False

    ends = calibrate._learn(look, wait, lambda: now[0])
    assert now[0] == pytest.approx(after_s, abs=0.5)
    return ends


def test_it_ends_by_itself_when_nothing_is_new():
    noise = [0.9 + 0.002 * (-1) ** number for number in range(400)]
    assert learned([0.1] * 8 + [0.5] * 8 + noise, 17.4) == pytest.approx((0.1, 0.902))


def test_nobody_there_to_turn_it():
    with pytest.raises(LatentError, match="hardly moved"):
        learned([0.3], 15.4)


def test_a_keyboard_that_was_taken_away_leaves_the_time(keyboard, monkeypatch):
    slept = []
    enter = calibrate._Enter()
    keyboard.close()
    assert enter.wait(0.1) is False
    monkeypatch.setattr(time, "sleep", slept.append)
    assert enter.wait(0.1) is False
    assert slept == [0.1]


# --- on a terminal


def test_it_follows_until_ctrl_c(desk, terminal):
    desk.hands = [a_control("left", raw=0.25)]
    screen = terminal("controls")
    screen.wait_for("0.250")
    desk.hands = [a_control("left", raw=0.75, trouble="the wire is off")]
    screen.wait_for("0.750")
    screen.wait_for("the wire is off")
    screen.interrupt()
    assert screen.code() == 0


def test_it_finds_an_engine_that_was_restarted(nobody, terminal):
    path, desk = control_path(runtime_folder()), Desk()
    desk.hands = [a_control("left", raw=0.25)]
    server = Server(path, desk, pytest.fail)
    screen = terminal("controls")
    screen.wait_for("0.250")
    server.close()
    screen.wait_for("No engine is running")
    desk.hands = [a_control("left", raw=0.75)]
    server = Server(path, desk, pytest.fail)
    screen.wait_for("0.750")
    screen.interrupt()
    assert screen.code() == 0
    server.close()


def test_a_knob_is_calibrated_on_a_terminal(desk, terminal):
    desk.hands = [a_control("left", raw=0.1)]
    screen = terminal("controls", "--calibrate", "left")
    screen.wait_for("now 0.100")
    desk.hands = [a_control("left", raw=0.8)]
    screen.wait_for("0.100 to 0.800")
    screen.type("\n")
    screen.wait_for("left goes from 0.100 to 0.800; that is kept.")
    assert screen.code() == 0
    assert desk.asked == [("calibrate", "left", 0.1, 0.8)]
