"""Wires: which source a table stands for, and that nothing wired keeps the music from playing."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gallery import Time, pretend
from pythonosc.osc_message_builder import build_msg

from appliance.controls.daytime import Daytime
from appliance.controls.desk import Action
from appliance.controls.gpio.adc import Adc
from appliance.controls.gpio.distance import Distance
from appliance.controls.gpio.encoder import Encoder
from appliance.controls.i2c import Ads1115
from appliance.controls.midi_fake import FakeMidiPorts
from appliance.controls.midi_in import MidiSource
from appliance.controls.osc import OscSource
from appliance.controls.source import SourceError
from appliance.controls.telling import State
from appliance.errors import UsageError
from appliance.service.wires import Wires
from appliance.settings import Settings

ALL = {
    "knob": {"source": "mcp3008", "channel": 0, "moves": "pitch"},
    "other": {"source": "mcp3208", "channel": 1, "device": 1, "moves": "pitch"},
    "slow": {"source": "ads1115", "channel": 0, "moves": "pitch"},
    "wheel": {"source": "encoder", "pins": [5, 6], "push_pin": 13, "moves": "pitch"},
    "press": {"source": "button", "pin": 17, "does": "next"},
    "near": {"source": "distance", "trigger": 20, "echo": 21, "moves": "wander"},
    "far": {"source": "distance", "trigger": 22, "echo": 23, "moves": "wander"},
    "fader": {"source": "osc", "address": "/1", "moves": "pitch"},
    "pad": {"source": "midi", "port": "nano", "cc": 7, "moves": "volume"},
    "day": {"source": "clock", "points": [["00:00", 0.0], ["12:00", 1.0]], "moves": "level"},
}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Wires]]:
    clock, made = Time(), []
    pretend(monkeypatch, clock)

    def make(said: list[str] | None = None, **tables: object) -> Wires:
        say = [].append if said is None else said.append
        wires = Wires(Settings.model_validate(tables), tmp_path, say, clock)
        wires._midi = FakeMidiPorts(clock)
        made.append(wires)
        return wires

    yield make
    for wires in made:
        wires.close()
        wires.close()


def test_each_table_is_a_source_and_what_hangs_together_is_read_together(make: Callable[..., Wires]) -> None:
    wires = make(controls=ALL, osc={"port": 9000})
    buses = wires.buses()
    assert {bus: set(controls) for bus, controls in buses.items()} == {
        "spi": {"knob", "other"},
        "i2c": {"slow"},
        "pins": {"wheel", "press"},
        "echo 21": {"near"},
        "echo 23": {"far"},
        "network": {"fader", "pad", "day"},
    }
    kinds = {"knob": Adc, "other": Adc, "slow": Ads1115, "wheel": Encoder, "near": Distance}
    kinds |= {"fader": OscSource, "pad": MidiSource, "day": Daytime}
    for controls in buses.values():
        for name, opener in controls.items():
            source = opener()
            assert isinstance(source, kinds.get(name, object))
            source.close()
    assert wires.busy
    assert not wires.tells


def test_where_nothing_is_wired_nothing_is_loaded(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys
from appliance.service.hands import Hands
from appliance.service.wires import Wires
from appliance.settings import Settings
wires = Wires(Settings(), pathlib.Path({str(tmp_path)!r}), print)
assert not wires.busy and not wires.tells and wires.buses() == {{}} and wires.asked(print) == []
wires.close()
print([each for each in ("gpiozero", "lgpio", "rtmidi", "mido", "pythonosc", "smbus2") if each in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_no_pins_at_all_is_trouble_of_a_control_alone(make: Callable[..., Wires], monkeypatch) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    wires = make(controls={"press": ALL["press"]})
    with pytest.raises(SourceError):
        wires.buses()["pins"]["press"]()


@pytest.mark.parametrize(
    "tables",
    [
        {"osc": {"send_to": ["localhost:99999"]}},
        {"osc": {"send_to": ["127.0.0.1:0", "127.0.0.1:9001"]}},
        {"osc": {"port": 9000, "listen": "no.address.at.all"}},
    ],
)
def test_what_cannot_be_reached_is_told_and_stops_nothing(make: Callable[..., Wires], tables: dict) -> None:
    said: list[str] = []
    wires = make(said, **tables)
    wires.tell(State({"pitch": 0.0}, {}, 1, "A", -20.0, 2))
    assert wires.asked(print) == []


def test_our_own_addresses_move_and_ask(make: Callable[..., Wires]) -> None:
    wires = make(osc={"port": 9000})
    moved: list[dict[str, float]] = []
    for address, *arguments in (
        ("/latent/mood/pitch", 0.2),
        ("/latent/mood/pitch", 7.0),
        ("/latent/mood/pitsch", 0.5),
        ("/latent/place/x", -3.0),
        ("/latent/next",),
        ("/latent/scene/dusk",),
        ("/latent/scene", "dawn"),
        ("/latent/never", 0.0),
        ("/latent/mood", 0.5),
        ("/latent/mood/pitch/more", 0.5),
        ("/latent/mood/pitch", float("nan")),
    ):
        wires._osc._unpack(build_msg(address, list(arguments)).dgram)
    asked = wires.asked(lambda values: moved.append(dict(values)))
    assert asked == [Action("next", ""), Action("scene", "dusk"), Action("scene", "dawn")]
    assert moved == [{"pitch": 1.0, "x": 0.0}]
    assert wires.asked(lambda values: moved.append(dict(values))) == []
    assert len(moved) == 1
    assert wires.counts()["refused"] >= 2


def test_what_only_pretends_may_be_turned(make: Callable[..., Wires]) -> None:
    wires = make(controls=ALL, osc={"port": 9000})
    source = wires.buses()["spi"]["knob"]()
    wires.turn("knob", 0.75)
    (event,) = source.read()
    assert event.value == pytest.approx(0.75, abs=0.001)
    for name in ("wheel", "press"):
        wires.turn(name, None)
    wires.turn("slow", 0.3)
    wires.turn("near", 0.3)
    source.close()


def test_what_is_real_or_not_there_may_not(make: Callable[..., Wires], monkeypatch) -> None:
    wires = make(controls=ALL | {"plain": {"source": "encoder", "pins": [26, 27], "moves": "pace"}}, osc={"port": 9000})
    with pytest.raises(UsageError, match="no control called 'nob'"):
        wires.turn("nob", 0.5)
    with pytest.raises(UsageError, match="'fader' is real"):
        wires.turn("fader", 0.5)
    with pytest.raises(UsageError, match="'plain' has no button"):
        wires.turn("plain", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    wires.close()
    other = make(controls=ALL, osc={"port": 9000})
    with pytest.raises(UsageError, match="'knob' is real"):
        other.turn("knob", 0.5)
