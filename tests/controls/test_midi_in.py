"""MIDI from ports that are plugged by hand."""

import threading
import time
from collections.abc import Iterator

import pytest
from patience import PATIENCE_S, until

from appliance.controls.midi import find
from appliance.controls.midi_fake import FakeMidi, FakeMidiPorts
from appliance.controls.midi_in import MidiPorts, MidiSource
from appliance.controls.source import Position, SourceError

NOW_S = 7.0


def why(source: MidiSource) -> str:
    """Why it cannot be read; empty where it can."""
    try:
        source.read()
    except SourceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("nano", "nanoKONTROL:nanoKONTROL MIDI 1 20:0"),
        ("NANOKONTROL MIDI 1", "nanoKONTROL:nanoKONTROL MIDI 1 20:0"),
        ("nanoKONTROL:nanoKONTROL MIDI 1 24:0", "nanoKONTROL:nanoKONTROL MIDI 1 20:0"),
        ("20:0", None),
        ("through", "Midi Through:Midi Through Port-0 14:0"),
        ("launch", None),
    ],
)
def test_ports_are_found_by_part_of_their_name_without_numbers(part: str, found: str | None) -> None:
    assert find(part, ["Midi Through:Midi Through Port-0 14:0", "nanoKONTROL:nanoKONTROL MIDI 1 20:0"]) == found


@pytest.fixture
def ports() -> Iterator[FakeMidiPorts]:
    ports = FakeMidiPorts(lambda: NOW_S)
    yield ports
    ports.close()


def test_a_knob_plugged_by_hand(ports: FakeMidiPorts) -> None:
    knob = ports.source("nano", 16)
    assert why(knob) == "the MIDI port 'nano' is not there: plug it in"

    ports.plug("nanoKONTROL 20:0")
    assert knob.read() == []
    ports.send("nanoKONTROL 20:0", 16, 0)
    ports.send("nanoKONTROL 20:0", 16, 127)
    assert knob.read() == [Position(0.0, NOW_S), Position(1.0, NOW_S)]

    ports.send("nanoKONTROL 20:0", 16, 64)
    ports.unplug("nanoKONTROL 20:0")
    assert why(knob) == "the MIDI port 'nano' is not there: plug it in"

    ports.plug("nanoKONTROL 28:0")
    ports.send("nanoKONTROL 28:0", 16, 1)
    assert knob.read() == [Position(1 / 127, NOW_S)]


def test_pulled_and_plugged_between_two_looks(ports: FakeMidiPorts) -> None:
    knob = ports.source("nano", 16)
    ports.plug("nano")

    ports.fake.unplug("nano")
    ports.fake.plug("nano")
    ports.look()

    ports.send("nano", 16, 127)
    assert knob.read() == [Position(1.0, NOW_S)]


def test_each_hears_its_own_number_and_channel(ports: FakeMidiPorts) -> None:
    ports.plug("nano")
    ports.plug("other")
    any_channel, second, other = ports.source("nano", 7), ports.source("nano", 7, 2), ports.source("other", 7)

    ports.send("nano", 7, 127, channel=1)
    ports.send("nano", 7, 0, channel=2)
    ports.send("nano", 8, 64)
    for message in ([0x90, 7, 127], [0xC0, 7], [0xF8], [], [0xB0, 7]):
        ports.fake.send("nano", message)

    assert [event.value for event in any_channel.read()] == [1.0, 0.0]
    assert [event.value for event in second.read()] == [0.0]
    assert other.read() == []


def test_a_flood_keeps_the_newest(ports: FakeMidiPorts) -> None:
    ports.plug("nano")
    knob = ports.source("nano", 7)

    for number in range(5000):
        ports.send("nano", 7, number % 128)

    assert [round(event.value * 127) for event in knob.read()] == [number % 128 for number in range(4936, 5000)]


def test_a_port_is_closed_once_nobody_listens(ports: FakeMidiPorts) -> None:
    ports.plug("nano")
    knob, other = ports.source("nano", 7), ports.source("nano", 8)

    knob.close()
    knob.close()
    ports.look()
    ports.send("nano", 8, 127)
    assert len(other.read()) == 1

    other.close()
    ports.look()
    assert not any(each.alive for each in ports.fake._open)


def test_no_midi_at_all_is_tried_again(ports: FakeMidiPorts) -> None:
    ports.plug("nano")
    knob = ports.source("nano", 7)

    ports.fake.there = False
    ports.look()
    assert why(knob) == "this machine has no MIDI: run modprobe snd-seq, or start JACK"

    ports.fake.there = True
    ports.look()
    assert why(knob) == ""


def test_what_nobody_foresaw_is_said_once_and_does_not_end_the_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    looks: list[None] = []
    system = FakeMidi()
    system.plug("nano")
    good = system.inputs

    def inputs() -> list[str]:
        looks.append(None)
        return good() if len(looks) > 2 else [][0]

    monkeypatch.setattr(system, "inputs", inputs)
    monkeypatch.setattr("appliance.controls.midi_in._LOOK_S", 0.01)
    ports = MidiPorts(time.monotonic, said.append, system)
    knob = ports.source("nano", 7)

    until(lambda: len(looks) > 2 and not why(knob))

    assert said == ["MIDI does not work (IndexError: list index out of range): restart the engine."]
    ports.close()


def test_a_system_that_hangs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [NOW_S]
    hung, leave = threading.Event(), threading.Event()
    system = FakeMidi()

    def inputs() -> list[str]:
        hung.set()
        leave.wait(PATIENCE_S)
        return []

    monkeypatch.setattr(system, "inputs", inputs)
    ports = MidiPorts(lambda: now_s[0], pytest.fail, system)
    knob = ports.source("nano", 7)
    assert hung.wait(PATIENCE_S)
    assert why(knob) == "the MIDI port 'nano' is still being looked for"

    now_s[0] += 6.0
    assert why(knob) == "the MIDI system hangs: restart the engine"

    leave.set()
    until(lambda: "is not there" in why(knob))
    ports.close()
