"""What is told by MIDI, to ports that are plugged by hand."""

import time

import pytest
from patience import until

from appliance.controls.midi_fake import FakeMidi
from appliance.controls.midi_out import MidiSender
from appliance.controls.telling import State
from appliance.mood import PLACES, QUANTITIES

NOW_S = 7.0


def whole(pitch: float = 1.0, piece: int = 130) -> State:
    mood = {name: span.high for name, span in QUANTITIES.items()} | {"pitch": pitch}
    return State(mood, {name: span.low for name, span in PLACES.items()}, piece, "AABB", -30.0, 2)


WHOLE = [
    *((0xB0, cc, 127) for cc in range(20, 31)),
    *((0xB0, cc, 0) for cc in range(52, 63)),
    (0xB0, 31, 64),
    (0xC0, 2),
]


def test_the_state_is_told_once_and_changes_as_they_come() -> None:
    system = FakeMidi()
    system.plug("lamps 20:0")
    now_s = [NOW_S]
    sender = MidiSender("Lamps", lambda: now_s[0], pytest.fail, system)

    sender.tell(whole())
    assert system.said(len(WHOLE)) == WHOLE

    now_s[0] += 0.2
    sender.tell(whole(pitch=0.0))
    assert system.said(1) == [(0xB0, 20, 64)]

    now_s[0] += 0.2
    sender.tell(whole(pitch=0.001))
    sender.tell(whole(pitch=float("nan"), piece=131))
    assert set(system.said(2)) == {(0xB0, 20, 0), (0xC0, 3)}

    now_s[0] += 1.0
    system.unplug("lamps 20:0")
    sender.tell(whole())
    until(lambda: sender.why == "the MIDI port 'Lamps' is not there: plug it in")
    assert system.said(0) == []

    now_s[0] += 1.0
    system.plug("lamps 28:0")
    sender.tell(whole())
    assert system.said(len(WHOLE)) == WHOLE
    sender.close()


def test_a_port_of_our_own() -> None:
    system = FakeMidi()
    sender = MidiSender("virtual", lambda: NOW_S, pytest.fail, system)

    sender.tell(State({}, {}, None, None, -99.0, 0))

    assert system.said(1) == [(0xB0, 31, 0)]
    sender.close()
    assert sender.why == "MIDI was closed"


def test_a_port_that_breaks_is_said_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    turns: list[None] = []
    system = FakeMidi()
    good = system.outputs
    system.plug("lamps")

    def outputs() -> list[str]:
        turns.append(None)
        return good() if len(turns) > 2 else [][0]

    monkeypatch.setattr(system, "outputs", outputs)
    monkeypatch.setattr("appliance.controls.midi_out._LOOK_S", 0.01)
    sender = MidiSender("lamps", time.monotonic, said.append, system)
    sender.tell(whole())

    assert len(system.said(len(WHOLE))) == len(WHOLE)
    assert said == ["MIDI cannot be sent (IndexError: list index out of range): it is tried again."]
    sender.close()
