"""A gallery that only pretends: parts on mock pins, MIDI, OSC without a network, and a clock turned by hand."""

import functools
import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gpiozero import Device
from pythonosc.osc_message_builder import build_msg

from appliance.controls import i2c, osc
from appliance.controls.daytime import Daytime
from appliance.controls.gpio import distance
from appliance.controls.gpio.fakes import FakeBoard
from appliance.controls.midi_fake import FakeMidiPorts
from appliance.controls.telling import State
from appliance.errors import ApiError
from appliance.mood import NOWHERE, PLACES, Mood
from appliance.service import wires as wires_module
from appliance.service.hands import Hands
from appliance.service.wires import Wires
from appliance.settings import Settings

TURN_S = 0.01


@dataclass
class Time:
    """Monotonic seconds, and seconds since midnight."""

    now_s: float = 1000.0
    midnight_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def of_day(self) -> float:
        return (self.now_s - self.midnight_s) % 86_400.0


@dataclass
class FakeRoom:
    """A room and its writer in one: notes what it is told, and when."""

    clock: Time
    rests: bool = False
    moves: list[tuple[float, Mood]] = field(default_factory=list)
    placed: dict[str, float] = field(default_factory=lambda: {name: each.rest for name, each in PLACES.items()})
    did: list[str] = field(default_factory=list)

    @property
    def writer(self):
        return self

    @property
    def mood(self) -> Mood:
        return self.moves[-1][1] if self.moves else Mood()

    def move(self, mood):
        self.moves.append((self.clock(), mood))

    def next_piece(self):
        self.did.append("next")

    def place(self, values):
        self.placed = {name: values[name] for name in PLACES}
        return NOWHERE

    def listen(self):
        pass

    def heard(self):
        if self.rests:
            raise ApiError("Nothing has sounded yet: ask again when something does.")
        return bytes(128)

    def keep(self, radius, heard=None):
        self.did.append("keep")

    def never(self, radius, heard=None):
        self.did.append("never")

    def state(self, standing, now_ns):
        return State(standing, {}, 1, "ABC", None, 2)


class Gallery:
    """Wires, hands and a room; `step` lets time pass, reads what is due and moves the room, without any thread."""

    def __init__(
        self, settings: Settings, folder: Path, clock: Time | None = None, mood: Mood | None = None, goes_on=False
    ):
        self.clock = clock or Time()
        self.said: list[str] = []
        self.room = FakeRoom(self.clock)
        (folder / "run").mkdir(exist_ok=True)
        self.wires = Wires(settings, folder / "run", self.said.append, self.clock)
        self.midi = self.wires._midi = FakeMidiPorts(self.clock)
        self.hands = Hands(
            settings, self.room, self.wires, folder / "run", folder / "state", self.said.append, self.clock
        )
        self.hands.begin(mood or Mood(), goes_on)
        self.rng = random.Random(1)
        self.shaken: dict[int, float] = {}
        self.hung: set[str] = set()

    @property
    def board(self) -> FakeBoard:
        return FakeBoard.of(self.wires._pins())

    @property
    def mood(self) -> Mood:
        return self.room.mood

    def step(self, seconds: float = TURN_S) -> None:
        """Let time pass once."""
        self.clock.now_s += seconds
        for channel, value in self.shaken.items():
            # The noise of a converter of ten bits.
            self.board.i2c.turn(0x48, channel, value + self.rng.uniform(-1.0, 1.0) * 4.0 / 1023.0)
        for bus, reader in self.hands.readings._readers.items():
            if bus not in self.hung:
                reader.turn()
        self.hands.turn()

    def wait(self, seconds: float, step_s: float = TURN_S) -> None:
        """Let time pass in steps."""
        for _ in range(round(seconds / step_s)):
            self.step(step_s)

    def within(self, seconds: float, holds) -> None:
        """Let time pass until something holds, which must not take longer."""
        for _ in range(round(seconds / TURN_S)):
            if holds():
                return
            self.step()
        assert holds(), f"it did not come about within {seconds} s"

    def osc(self, address: str, *arguments) -> None:
        """A packet comes in."""
        self.wires._osc._unpack(build_msg(address, list(arguments)).dgram)

    def close(self) -> None:
        if self.wires._factory is not None:
            self.board.close()
        self.hands.close()


def pretend(patch: pytest.MonkeyPatch, clock: Time) -> None:
    """Let pins, echoes, the network and the time of day be no real ones."""
    patch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    patch.setattr(Device, "pin_factory", None)
    patch.setattr(distance, "_ECHO_S", 0.001)
    patch.setattr(i2c, "_WAIT_S", 0.0)
    patch.setattr("os.fsync", lambda handle: None)
    patch.setattr(osc.OscPort, "mend", lambda port: None)
    patch.setattr(wires_module, "Daytime", functools.partial(Daytime, daytime_s=clock.of_day))


class Switchboard(Wires):
    """Wires of which each control is played by a queue of events, or of errors to be raised."""

    def __init__(self, settings: Settings, folder: Path, say, clock):
        super().__init__(settings, folder, say, clock)
        self.played = {name: Played() for name in self.controls}

    def _open(self, control):
        name = next(name for name, each in self.controls.items() if each is control)
        return self.played[name].opened()


class Played:
    """A source that tells what it is given."""

    every_s = TURN_S

    def __init__(self):
        self.events: deque = deque()
        self.error: Exception | None = None
        self.opens = 0
        self.closes = 0

    def opened(self):
        self.opens += 1
        return self

    def read(self):
        if self.error is not None:
            raise self.error
        return [self.events.popleft() for _ in range(len(self.events))]

    def close(self):
        self.closes += 1
