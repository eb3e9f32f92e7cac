"""MIDI for people without any: ports that are plugged and turned by hand."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence

from appliance.controls.midi import NAME
from appliance.controls.midi_in import MidiPorts
from appliance.controls.source import SourceError

__all__ = ["FakeMidi", "FakeMidiPorts"]


class FakeMidi:
    """A `MidiSystem` of ports that are plugged by hand.

    Attributes
    ----------
    mark : hashable
        How often something was plugged.
    there : bool
        Whether there is any MIDI at all.
    """

    def __init__(self) -> None:
        self.mark: Hashable = 0
        self.there = True
        self._plugged = 0
        self._names: list[str] = []
        self._open: list[FakeMidiInput] = []
        self._said: list[tuple[int, ...]] = []
        self._news = threading.Condition()

    def plug(self, name: str) -> None:
        """A port comes, to hear from and to say to."""
        self._names.append(name)
        self._plugged += 1
        self.mark = self._plugged

    def unplug(self, name: str) -> None:
        """It goes; what was opened stays silent from now on."""
        self._names.remove(name)
        for each in self._open:
            each.alive = each.alive and each.name != name

    def send(self, name: str, message: Sequence[int]) -> None:
        """Let a port say this, to all who opened it while it was there."""
        for each in self._open:
            if each.name == name and each.alive:
                each.waiting.append(tuple(message))

    def said(self, count: int, patience_s: float = 5.0) -> list[tuple[int, ...]]:
        """Wait until so many messages were sent to whatever port, and take them all."""
        with self._news:
            self._news.wait_for(lambda: len(self._said) >= count, patience_s)
            said, self._said = self._said, []
        return said

    def inputs(self) -> list[str]:
        if not self.there:
            raise SourceError("this machine has no MIDI: run modprobe snd-seq, or start JACK")
        return list(self._names)

    def outputs(self) -> list[str]:
        return self.inputs()

    def open_input(self, name: str) -> "FakeMidiInput":
        opened = FakeMidiInput(name)
        self._open.append(opened)
        return opened

    def open_output(self, name: str) -> "FakeMidiOutput":
        return FakeMidiOutput(self._note)

    def open_virtual(self) -> "FakeMidiOutput":
        return self.open_output(NAME)

    def close(self) -> None:
        """Nothing is held."""

    def _note(self, message: Sequence[int]) -> None:
        with self._news:
            self._said.append(tuple(message))
            self._news.notify_all()


class FakeMidiInput:
    """A port of `FakeMidi`, opened to listen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.waiting: deque[tuple[int, ...]] = deque()

    def take(self) -> list[tuple[int, ...]]:
        return [self.waiting.popleft() for _ in range(len(self.waiting))]

    def close(self) -> None:
        self.alive = False


class FakeMidiOutput:
    """A port of `FakeMidi`, opened to speak."""

    def __init__(self, note: Callable[[Sequence[int]], None]) -> None:
        self._note = note

    def send(self, message: Sequence[int]) -> None:
        self._note(message)

    def close(self) -> None:
        """Nothing is held."""


class FakeMidiPorts(MidiPorts):
    """`MidiPorts` without a thread: what is plugged and pulled is seen at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.fake = FakeMidi()
        super().__init__(clock, print, self.fake)

    def plug(self, port: str) -> None:
        """A controller of this name is plugged in."""
        self.fake.plug(port)
        self.look()

    def unplug(self, port: str) -> None:
        """It is pulled."""
        self.fake.unplug(port)
        self.look()

    def send(self, port: str, cc: int, value: int, channel: int = 1) -> None:
        """A knob of it is turned, 0..127."""
        self.fake.send(port, (0xB0 + channel - 1, cc, value))

    def _begin(self) -> None:
        self.look()
