"""MIDI over a real JACK server, with ports that come and go."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jack_server import Jack
from patience import until

from appliance.controls import midi
from appliance.controls.midi import NAME, RtMidi
from appliance.controls.midi_in import MidiPorts, MidiSource
from appliance.controls.midi_out import MidiSender
from appliance.controls.source import SourceError
from appliance.controls.telling import State

GONE_S = 2.0


def why(source: MidiSource) -> str:
    """Why it cannot be read; empty where it can."""
    try:
        source.read()
    except SourceError as error:
        return str(error)
    return ""


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Jack]:
    if not shutil.which("jackd"):
        pytest.skip("JACK is missing; run `apt install jackd2`.")
    pytest.importorskip("rtmidi", reason="rtmidi is missing; run `pip install .[midi]`.")
    name = f"latent{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    # Where the machine has real MIDI, it is left alone.
    monkeypatch.setattr(midi, "_SEQUENCER", Path("/nonexistent/seq"))
    server = Jack(name)
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Controller:
    """A box of knobs: a port of its own on the JACK server, plugged until it is pulled."""

    def __init__(self, name: str) -> None:
        import rtmidi

        self._port = rtmidi.MidiOut(rtapi=rtmidi.API_UNIX_JACK, name=name)
        self._port.open_virtual_port("knobs")

    def turn(self, cc: int, value: int) -> None:
        self._port.send_message([0xB0, cc, value])

    def pull(self) -> None:
        self._port.delete()


def test_a_knob_is_heard_and_may_be_pulled_and_plugged(jack: Jack) -> None:
    ports = MidiPorts(time.monotonic, pytest.fail)
    knob = ports.source("NANOkontrol", 16)
    until(lambda: "'NANOkontrol' is not there: plug it in" in why(knob))

    for value in (127, 0, 127):
        controller = Controller("nanoKONTROL")
        until(lambda: not why(knob))
        controller.turn(17, 5)
        controller.turn(16, value)
        (event,) = until(knob.read)
        assert event.value == value / 127
        controller.pull()
        until(lambda: "is not there: plug it in" in why(knob), GONE_S)
    ports.close()
    ports.close()


def test_a_server_that_ends_and_comes_back_is_no_end(jack: Jack) -> None:
    ports = MidiPorts(time.monotonic, pytest.fail)
    sender = MidiSender("virtual", time.monotonic, pytest.fail)
    knob = ports.source("nano", 1)
    controller = Controller("nano")
    until(lambda: not why(knob) and not sender.why)

    jack.stop()
    until(lambda: "this machine has no MIDI" in why(knob), GONE_S)
    until(lambda: "this machine has no MIDI" in (sender.why or ""), GONE_S + 1.0)
    controller.pull()

    jack.start()
    controller = Controller("nano")
    until(lambda: not why(knob) and not sender.why)
    controller.turn(1, 127)
    assert until(knob.read)[0].value == 1.0
    controller.pull()
    sender.close()
    ports.close()


def test_looking_leaks_nothing(jack: Jack) -> None:
    system = RtMidi()
    system.inputs()
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), resident_kib()
    for _ in range(500):
        assert system.inputs() == []
    after = len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), resident_kib()
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 1024
    system.close()


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def test_without_any_midi_one_sentence_says_so_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nonesuch")
    monkeypatch.setattr(midi, "_SEQUENCER", tmp_path / "seq")
    ports = MidiPorts(time.monotonic, pytest.fail)
    knob = ports.source("nano", 1)

    until(lambda: why(knob) == "this machine has no MIDI: run modprobe snd-seq, or start JACK")

    ports.close()
    assert capfd.readouterr() == ("", "")


def test_a_sequencer_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "seq"))
        monkeypatch.setattr(midi, "_SEQUENCER", tmp_path / "seq")
        with pytest.raises(SourceError, match=r"MIDI does not answer \(No such device or address\): run modprobe"):
            RtMidi().inputs()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("way", ["virtual", "LAMPS"])
def test_the_state_is_told_to_real_ports(jack: Jack, way: str) -> None:
    import rtmidi

    lamps = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name="lamps")
    if way == "LAMPS":
        lamps.open_virtual_port("in")
    sender = MidiSender(way, time.monotonic, pytest.fail)
    until(lambda: not sender.why)
    if way == "virtual":
        (number,) = [number for number, name in enumerate(lamps.get_ports()) if NAME in name]
        lamps.open_port(number)

    sender.tell(State({"pitch": 1.0}, {"x": 0.0}, 130, None, -30.0, 2))
    heard = [until(lamps.get_message)[0] for _ in range(4)]
    assert heard == [[0xB0, 20, 127], [0xB0, 52, 0], [0xB0, 31, 64], [0xC0, 2]]
    sender.close()
    sender.close()
    lamps.delete()
