"""The wiring as a whole, as a technician writes it: all that is wrong is told at once, with its line and the remedy."""

import datetime
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import SettingsError
from appliance.settings import Settings
from appliance.settings_file import read_settings
from appliance.wiring.checks import problems
from appliance.wiring.tables import SOURCES, control_keys

BUTTON = "[controls.a]\nsource = 'button'\npin = 17\n"
KNOB = "[controls.a]\nsource = 'mcp3008'\nchannel = 0\nmoves = 'pitch'\n"
EVERYTHING = """
[controls.tilt]
source = "mcp3008"
channel = 0
moves = "pitch"
[controls.rise]
source = "mcp3208"
device = 1
channel = 0
moves = "x"
low = 1.0
high = 0.0
curve = [
  [0, 0],
  [0.5, 0.8],
  [1, 1],
]
[controls.sky]
source = "ads1115"
channel = 0
part = "light"
moves = "nature"
[controls.sky2]
source = "ads1115"
address = 0x49
channel = 0
part = "light"
moves = "nature"
[controls.wheel]
source = "encoder"
pins = [5, 6]
push_pin = 13
moves = "axis3"
does = "scene late evening"
[controls.go]
source = "button"
pin = 17
does = "next"
[controls.hush]
source = "switch"
pin = 27
moves = "volume"
low = 1
high = 0.2
[controls.door]
source = "motion"
pin = 22
[controls.near]
source = "distance"
trigger = 23
echo = 24
moves = "wander"
[controls.pad]
source = "osc"
address = "/1/push1"
does = "save now"
[controls.slide]
source = "midi"
port = "nano"
cc = 7
moves = "pitch"
[controls.day]
source = "clock"
points = [["08:00", 0.0], ["20:00", 1.0]]
moves = "nature"
[combine]
nature = "sum"
[presence]
sensors = ["door", "near"]
away = {volume = 0.1, pace = 0.5}
[light]
pin = 18
[osc]
port = 9000
listen = "0.0.0.0"
send_to = ["192.168.1.20:9000"]
[midi]
send_to = "virtual"
[scenes]
morph_s = 12
"""


def told(folder: Path, text: str) -> list[str]:
    """What is wrong with a file, one sentence each."""
    path = folder / "latent.toml"
    path.write_text(text, encoding="utf-8")
    try:
        read_settings(path)
    except SettingsError as error:
        sentence = str(error)
        assert "\n" not in sentence
        assert sentence.endswith((".", "?"))
        return sentence.removesuffix(".").partition(" needs mending: ")[2].split("; ")
    return []


def test_a_room_with_everything_is_taken(tmp_path: Path) -> None:
    assert told(tmp_path, EVERYTHING) == []
    found = read_settings(tmp_path / "latent.toml")
    assert len(found.controls) == 12
    assert found.presence is not None


def test_all_problems_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """[controls.tilt]
source = "mcp3008"
channel = 8
moves = "pich"
[controls.go]
source = "button"
pin = 8
does = "nxt"
[controls.stop]
source = "buton"
[controls.more]
source = "switch"
pn = 4
moves = "pitch"
high = 3
[presence]
sensors = ["dor"]
[light]
pin = 99
"""
    assert told(tmp_path, text) == [
        "line 3, controls.tilt.channel: the mcp3008 has no channel 8, only 0 to 7",
        "line 4, controls.tilt.moves: there is nothing called 'pich' to move, did you mean pitch?",
        "line 7, controls.go.pin: pin 8 is SPI's CE0 already: wire it to another",
        "line 8, controls.go.does: there is nothing called 'nxt' to do, did you mean next?",
        "line 10, controls.stop.source: there is no source 'buton', did you mean button?",
        "line 11, controls.more.pin: is missing",
        "line 13, there is no controls.more.pn, did you mean pin?",
        "line 15, controls.more.high: pitch goes from -1 to 1, so 3 cannot be",
        "line 17, presence.sensors: there is no control called 'dor': there are tilt, go, stop, more",
        "line 19, light.pin: there is no pin 99: BCM numbers go from 2 to 27",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # Pins
        (BUTTON + "does = 'next'\n[controls.b]\nsource = 'touch'\npin = 17\ndoes = 'keep'", "line 7, controls.b.pin:"
         " pin 17 is used by controls.a already: wire it to another"),
        (BUTTON + "does = 'next'\n[light]\npin = 17", "line 6, light.pin: pin 17 is used by controls.a already"),
        ("[controls.a]\nsource='encoder'\npins=[5,6]\npush_pin=5\nmoves='x'", "line 4, controls.a.push_pin: pin 5 is"),
        ("[controls.a]\nsource='encoder'\npins=[5,5]\nmoves='x'", "line 3, controls.a.pins: pin 5 is used by controls"),
        ("[controls.a]\nsource='encoder'\npins=[5]\nmoves='x'", "controls.a.pins: must be two pins in brackets"),
        ("[controls.a]\nsource='encoder'\npins=['a',6]\nmoves='x'", "controls.a.pins.0: must be a whole number"),
        ("[controls.a]\nsource='encoder'\npins='a'\nmoves='x'", "controls.a.pins: must be a list in brackets"),
        ("[controls.a]\nsource='distance'\ntrigger=5\necho=5\nmoves='x'", "line 4, controls.a.echo: pin 5 is used by"),
        ("[controls.a]\nsource='ads1115'\nchannel=0\nmoves='x'\n[light]\npin=3", "line 6, light.pin: pin 3 is I2C's"),
        (KNOB + "[light]\npin = 11", "line 6, light.pin: pin 11 is SPI's clock already: wire it to another"),
        (f"[controls.a]\nsource='button'\npin={'9' * 400}\ndoes='next'", "there is no pin 0x"),
        # Converters
        (KNOB + "[controls.b]\nsource='mcp3008'\nchannel=0\nmoves='x'", "line 7, controls.b.channel: channel 0 is us"),
        (KNOB + "[controls.b]\nsource='mcp3004'\nchannel=1\nmoves='x'", "line 6, controls.b.source: chip enable 0 has"
         " the mcp3008 of controls.a: wire it to the other, and set device"),
        ("[controls.a]\nsource='mcp3004'\nchannel=4\nmoves='x'", "the mcp3004 has no channel 4, only 0 to 3"),
        ("[controls.a]\nsource='ads1115'\nchannel=4\nmoves='x'", "the ads1115 has no channel 4, only 0 to 3"),
        ("[controls.a]\nsource='ads1115'\nchannel=0\naddress=0x20\nmoves='x'", "must be 0x48, 0x49, 0x4a or 0x4b"),
        # What it moves and does
        (BUTTON, "line 1, controls.a: moves nothing and does nothing: give it moves or does"),
        (BUTTON + "low = 0.5\ndoes = 'next'", "line 4, controls.a.low: goes with moves, and it moves nothing"),
        (BUTTON + "moves = 'pitch'\nlow = 1", "line 5, controls.a.low: is the same as high, so nothing would move"),
        (BUTTON + "moves = 'pitch'\nneutral = -2", "line 5, controls.a.neutral: pitch goes from -1 to 1, so -2 cannot"),
        (BUTTON + "does = 'scene'", 'controls.a.does: scene needs the name of a scene, as in "scene dusk"'),
        (BUTTON + "does = 'save a/b'", "controls.a.does: a scene cannot be called so: take up to 40 letters without a"),
        (BUTTON + "does = 'next one'", "controls.a.does: next goes without a name"),
        (BUTTON + "does = 3", "controls.a.does: must be text in quotes"),
        ("[controls.a]\nsource='encoder'\npins=[5,6]\ndoes='next'", "line 4, controls.a.does: its push button does"),
        ("[controls.a]\nsource='encoder'\npins=[5,6]\nmoves='x'\ndeadband=0.1", "deadband: an encoder has no ends"),
        ("[controls.a]\nsource='distance'\ntrigger=5\necho=6\nmoves='x'\nnear_m=2", "near_m: must be less than far_m"),
        # Who is there
        ("[controls]\nsource = 'button'", "line 2, controls.source: is no control: begin one with a line of its own"),
        ("controls.a = 3", "line 1, controls.a: is no control: begin one with a line of its own"),
        ("[controls.a]\nmoves='x'", "line 1, controls.a: needs a source: mcp3004, mcp3008, mcp3208, ads1115, encoder"),
        ("[controls.a]\nsource=3\nmoves='x'", "line 2, controls.a.source: must be text in quotes: mcp3004"),
        (BUTTON.replace("a]", "'b c']") + "does='next'", "line 1, controls.b c: a control cannot be called so"),
        ("[control.a]\nsource='button'", "line 1, there is no control, did you mean controls?"),
        ("[combine]\nptch = 'sum'", "line 2, combine.ptch: there is nothing called so to move, did you mean pitch?"),
        ("[combine]\npitch = 'add'", "line 2, combine.pitch: must be 'last', 'sum' or 'max'"),
        ("[presence]\nsensors = []", 'presence.sensors: must name at least one control, as in ["door"]'),
        ("[presence]\nsensors = [3]", "line 2, presence.sensors.0: must be text in quotes"),
        (KNOB + "[presence]\nsensors = ['a']", "sensors: a is a knob, which cannot tell that somebody is there"),
        ("[presence]\nsensors=['a']\nafter=3\n" + BUTTON, "line 3, there is no presence.after, did you mean after_min"),
        ("[presence]\nsensors=['a']\naway={pitch=7}\n" + BUTTON, "presence.away.pitch: pitch goes from -1 to 1"),
        # The network
        ("[controls.a]\nsource='osc'\naddress='/a'\nmoves='x'", "osc: a control waits for OSC, but nobody listens"),
        ("[osc]\nport=9000\nlisten='localhost'", "osc.listen: must be an address in numbers"),
        ("[osc]\nsend_to=['a:70000']", "osc.send_to: there is no port 70000: take one from 1 to 65535"),
        ("[osc]\nsend_to=['a']", 'osc.send_to.0: must be a host and a port, as in "192.168.1.20:9000"'),
        ("[osc]\nport=0", "osc.port: must be at least 1"),
        ("[controls.a]\nsource='osc'\naddress='a b'\nmoves='x'\n[osc]\nport=9", "must be an OSC address"),
        ("[controls.a]\nsource='osc'\naddress='/a'\nmoves='x'\nfrom_low=1\n[osc]\nport=9", "from_low: is the same as"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_the_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    (found,) = told(tmp_path, text)
    assert sentence in found


@pytest.mark.parametrize(
    "text",
    [
        BUTTON + "moves = 'pitch'\nlow = 1.0\nhigh = -1.0",
        "controls.a = {source = 'button', pin = 17, does = 'next'}",
        "[controls]\na.source = 'button'\na.pin = 17\na.does = 'next'",
        '[controls."a"]\n"source" = "button"\npin = 0x11\ndoes = "scene großer Abend"',
        KNOB + "[controls.b]\nsource='mcp3008'\ndevice=1\nchannel=0\nmoves='pitch'",
        "[controls.a]\nsource='ads1115'\nchannel=0\nmoves='x'\n[controls.b]\nsource='ads1115'\naddress=0x49\nchannel=0\n"
        "moves='y'",
        "[controls.a]\nsource='motion'\npin=4\n[presence]\nsensors=['a']\naway={}",
    ],
)
def test_other_ways_to_write_it_are_taken(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == []


def test_thousands_of_wrong_controls_are_told_in_a_moment(tmp_path: Path) -> None:
    text = "".join(f"[controls.k{number}]\nsource='touch'\npn = 3\nmoves = 'pich'\n" for number in range(5000))
    began_s = time.perf_counter()
    found = told(tmp_path, text)
    assert len(found) >= 5000
    assert time.perf_counter() - began_s < 10.0


def test_a_desk_full_of_faders_is_fine(tmp_path: Path) -> None:
    text = "".join(f"[controls.k{n}]\nsource='osc'\naddress='/{n}'\nmoves='pitch'\n" for n in range(64))
    assert told(tmp_path, text + "[osc]\nport = 9000") == []


# --- whatever a file may hold

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 30),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        [*SOURCES, "pitch", "x", "scene a", "next", "up", "knob", "08:00", "/a", "a:9", "a", "log", "virtual"]
    ),
    st.just(datetime.time(8)),
    st.just(datetime.date(2024, 1, 1)),
    st.just(10**400),
)
KEYS = st.one_of(
    st.sampled_from(sorted({key for source in [*SOURCES, None] for key in control_keys(source)})),
    st.sampled_from(
        ["sensors", "after_min", "away", "listen", "send_to", "morph_s", "active_high", "a", "pitch", "osc"]
    ),
    st.text(max_size=3),
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=8,
)
CONTROLS = st.fixed_dictionaries(
    {"source": st.one_of(st.sampled_from(SOURCES), ANYTHING)}, optional={"moves": st.just("pitch"), "pin": ANYTHING}
).flatmap(lambda table: st.dictionaries(KEYS, ANYTHING, max_size=6).map(lambda more: more | table))
FILES = st.fixed_dictionaries(
    {},
    optional={
        "controls": st.one_of(
            ANYTHING, st.dictionaries(st.one_of(st.text(max_size=4), st.just("a")), CONTROLS, max_size=3)
        ),
        **dict.fromkeys(
            ("presence", "combine", "osc", "midi", "light", "scenes", "mood", "metrics", "exposure"), ANYTHING
        ),
    },
)


def written(value: Any) -> str:
    """As TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(each) for each in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        quoted(value) if isinstance(value, str) else value.isoformat() if hasattr(value, "isoformat") else repr(value)
    )


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(FILES)
def test_any_file_gives_settings_or_one_line_that_says_why(tmp_path: Path, file: dict[str, Any]) -> None:
    path = tmp_path / "latent.toml"
    path.write_text("".join(f"{key} = {written(value)}\n" for key, value in file.items()), encoding="utf-8")
    sentence = refusal(path)
    assert sentence.isprintable()
    assert sentence.endswith((".", "?"))
    assert "not valid TOML" not in sentence


def refusal(path: Path) -> str:
    try:
        assert isinstance(read_settings(path), Settings)
    except SettingsError as error:
        return str(error)
    return "It is taken."


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(FILES)
def test_the_checks_alone_bear_anything(file: dict[str, Any]) -> None:
    for where, what in problems(file):
        assert all(isinstance(each, str) for each in where)
        assert what
