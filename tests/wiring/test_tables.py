"""Each table of the wiring: what it takes, what it stands for, and what it refuses."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from appliance.wiring.room import LightSettings, MidiSettings, OscSettings, PresenceSettings, ScenesSettings
from appliance.wiring.tables import (
    ACTIONS,
    SOURCES,
    Ads1115,
    AnyControl,
    Button,
    Chip,
    Clock,
    Control,
    Distance,
    Encoder,
    Midi,
    Motion,
    Osc,
    control_keys,
)

CONTROL: TypeAdapter[AnyControl] = TypeAdapter(AnyControl)
LEAST: dict[str, dict[str, Any]] = {
    "mcp3004": {"channel": 0},
    "mcp3008": {"channel": 7},
    "mcp3208": {"channel": 7, "device": 1, "part": "light"},
    "ads1115": {"channel": 3, "address": 0x4B},
    "encoder": {"pins": [5, 6]},
    "button": {"pin": 17},
    "switch": {"pin": 17, "pull": "none"},
    "digital": {"pin": 17},
    "motion": {"pin": 17},
    "touch": {"pin": 17},
    "distance": {"trigger": 5, "echo": 6},
    "osc": {"address": "/1/fader1"},
    "midi": {"port": "nano", "cc": 7},
    "clock": {"points": [["08:00", 0], ["22:00", 0.5]]},
}
KINDS: dict[str, type[Control]] = {
    **dict.fromkeys(("mcp3004", "mcp3008", "mcp3208"), Chip),
    "ads1115": Ads1115,
    "encoder": Encoder,
    **dict.fromkeys(("button", "switch", "digital"), Button),
    **dict.fromkeys(("motion", "touch"), Motion),
    "distance": Distance,
    "osc": Osc,
    "midi": Midi,
    "clock": Clock,
}


def test_all_sources_are_here() -> None:
    assert set(SOURCES) == set(LEAST) == set(KINDS)


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_needs_little(source: str) -> None:
    control = CONTROL.validate_python({"source": source, "moves": "pitch", **LEAST[source]})
    assert type(control) is KINDS[source]
    assert control.source == source
    assert (control.curve, control.invert, control.glide_s, control.neutral) == ("linear", False, None, None)
    assert set(type(control).model_fields) == set(control_keys(source))


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_misses_what_it_needs_and_refuses_what_it_does_not_know(source: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CONTROL.validate_python({"source": source, "colour": "red"})
    kinds = {each["type"] for each in caught.value.errors()}
    assert kinds == {"missing", "extra_forbidden"}


@pytest.mark.parametrize(
    "curve", ["linear", "log", "exp", [[0, 0], [1, 1]], [[0, 1], [0.2, 0.5], [1, 0]], [[0, 0], [0.5, 1], [1, 0]]]
)
def test_curves_that_are_taken(curve: Any) -> None:
    control = CONTROL.validate_python({"source": "button", "pin": 4, "moves": "pitch", "curve": curve})
    assert control.curve == (curve if isinstance(curve, str) else tuple(tuple(point) for point in curve))


@pytest.mark.parametrize(
    "curve",
    [
        "lin",
        3,
        None,
        [],
        [[0, 0]],
        [0, 1],
        [[0, 0], [1]],
        [[0, 0], [1, 1, 1]],
        [[0, 0], [1, 2]],
        [[0, 0], [1, float("nan")]],
        [[0, 0], ["1", 1]],
        [[0, True], [1, 0]],
        [[0, 0], [0.5, 1], [0.5, 0], [1, 1]],
        [[0, 0], [0.9, 1]],
        [[0.1, 0], [1, 1]],
        [[1, 0], [0, 1]],
        [[0, 0], [[1], 1]],
        [[0, 0.5], [1, 0.5]],
    ],
)
def test_curves_that_are_refused_in_one_sentence(curve: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        CONTROL.validate_python({"source": "button", "pin": 4, "moves": "pitch", "curve": curve})
    (problem,) = caught.value.errors()
    assert problem["type"] == "sentence"


@pytest.mark.parametrize(
    "points",
    [
        [],
        [["08:00", 0.1]],
        [["08:00", 0.1], ["08:00", 0.2]],
        [["08:00", 0.1], ["24:00", 0.2]],
        [["8:00", 0.1], ["09:00", 0.2]],
        [["08:00", 0.1], ["09:00", 0.1]],
        [["08:00", 0.1], ["09:00", 1.2]],
        [["08:00", 0.1], ["09:00"]],
        [["08:00", 0.1], "09:00"],
        [[f"{hour:02}:{minute:02}", 0.01 * hour] for hour in range(24) for minute in (0, 20, 40)],
        "08:00",
    ],
)
def test_days_that_are_refused(points: Any) -> None:
    with pytest.raises(ValidationError):
        CONTROL.validate_python({"source": "clock", "moves": "pitch", "points": points})


def test_what_the_room_has_besides() -> None:
    assert OscSettings().port is None
    assert OscSettings().listen == "127.0.0.1"
    assert OscSettings(**{"send_to": ["192.168.1.20:9000"]}).send_to == ("192.168.1.20:9000",)  # type: ignore[arg-type]
    assert MidiSettings().send_to is None
    assert LightSettings(pin=4).active_high
    assert ScenesSettings().morph_s == 8.0
    assert PresenceSettings(sensors=("door",)).away == {"volume": 0.3}


def test_presses_may_do_these() -> None:
    assert ACTIONS == ("next", "keep", "never", "rest", "scene", "save")
