"""MIDI in: knobs and faders of controllers, which may be plugged and pulled at any time."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.controls.midi import MidiInput, MidiSystem, RtMidi, find
from appliance.controls.source import Event, Position, SourceError

__all__ = ["MidiPorts", "MidiSource"]

_LOOK_S: Final = 0.5
# Libraries have been seen to hang.
_STUCK_S: Final = 5.0
_JOIN_S: Final = 2.0
_MOST_EVENTS: Final = 64
_CONTROL_CHANGE: Final = 0xB0


class MidiSource:
    """One controller number of one port, 0..127, of one channel 1..16 or of all."""

    def __init__(self, ports: "MidiPorts", wire: "_Wire", cc: int, channel: int | None) -> None:
        self.bus = ""
        self.every_s = 0.01
        self._ports = ports
        self._wire = wire
        self._cc = cc
        self._channel = channel
        self._events: deque[Position] = deque(maxlen=_MOST_EVENTS)

    def read(self) -> Sequence[Event]:
        """What came since; raises SourceError while the port is not there."""
        self._ports.collect(self._wire)
        events = [self._events.popleft() for _ in range(len(self._events))]
        if not events and (why := self._ports.why(self._wire)):
            raise SourceError(why)
        return events

    def close(self) -> None:
        """Listen no longer; the port is closed once nobody listens."""
        self._wire.sources = tuple(each for each in self._wire.sources if each is not self)

    def put(self, message: Sequence[int], at_s: float) -> None:
        """Take it if it is for this one."""
        if len(message) == 3 and message[0] & 0xF0 == _CONTROL_CHANGE and message[1] == self._cc:
            channel = (message[0] & 0x0F) + 1
            if self._channel in (None, channel):
                self._events.append(Position(min(message[2], 127) / 127.0, at_s))


@dataclass(eq=False)
class _Wire:
    """A port that is wanted, whether it is there or not."""

    part: str
    why: str | None
    sources: tuple[MidiSource, ...] = ()
    name: str = ""
    mark: Hashable = None
    opened: MidiInput | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class MidiPorts:
    """Ports to listen to; a thread looks twice a second which are there.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    say : callable
        Told in a sentence what nobody foresaw.
    system : MidiSystem, optional
        This machine's, unless given.
    """

    def __init__(
        self, clock: Callable[[], float], say: Callable[[str], None], system: MidiSystem | None = None
    ) -> None:
        self._clock = clock
        self._say = say
        self._system = RtMidi() if system is None else system
        self._wires: dict[str, _Wire] = {}
        self._looked_s = clock()
        self._trouble = ""
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def source(self, port: str, cc: int, channel: int | None = None) -> MidiSource:
        """Listen to the first port whose name holds ``port``."""
        wire = self._wires.setdefault(port, _Wire(port, f"the MIDI port '{port}' is still being looked for"))
        source = MidiSource(self, wire, cc, channel)
        wire.sources = (*wire.sources, source)
        self._begin()
        return source

    def collect(self, wire: _Wire) -> None:
        """Hand round what came in; waits for nobody."""
        if not wire.lock.acquire(blocking=False):
            return
        try:
            messages = wire.opened.take() if wire.opened else ()
        finally:
            wire.lock.release()
        at_s = self._clock()
        for message in messages:
            for source in wire.sources:
                source.put(message, at_s)

    def why(self, wire: _Wire) -> str | None:
        """Why nothing is heard from there, half a sentence."""
        if self._thread and self._clock() - self._looked_s > _STUCK_S:
            return "the MIDI system hangs: restart the engine"
        return wire.why

    def look(self) -> None:
        """Open what is wanted and there, and close what has gone."""
        try:
            names = self._system.inputs()
            for wire in list(self._wires.values()):
                self._mend(wire, find(wire.part, names) if wire.sources else None)
        except SourceError as error:
            for wire in list(self._wires.values()):
                self._cut(wire, str(error))
        self._looked_s = self._clock()

    def close(self) -> None:
        """Let go of everything; any number of times."""
        self._closing.set()
        if self._thread:
            self._thread.join(_JOIN_S)
        for wire in self._wires.values():
            self._cut(wire, "MIDI was closed")
        self._system.close()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="midi in", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self.look()
                self._trouble = ""
            except Exception as error:
                trouble = f"MIDI does not work ({type(error).__name__}: {error}): restart the engine"
                if trouble != self._trouble:
                    self._say(f"{trouble}.")
                self._trouble = trouble
                for wire in list(self._wires.values()):
                    wire.why = trouble
            self._closing.wait(_LOOK_S)

    def _mend(self, wire: _Wire, name: str | None) -> None:
        if wire.opened and (wire.name != name or wire.mark != self._system.mark):
            self._cut(wire, None)
        if name is None:
            wire.why = f"the MIDI port '{wire.part}' is not there: plug it in"
        elif wire.opened is None:
            try:
                opened = self._system.open_input(name)
            except SourceError as error:
                wire.why = str(error)
                return
            with wire.lock:
                wire.name, wire.mark, wire.opened, wire.why = name, self._system.mark, opened, None
        else:
            # Or the queue would fill where nobody reads.
            self.collect(wire)
            wire.why = None

    def _cut(self, wire: _Wire, why: str | None) -> None:
        with wire.lock:
            opened, wire.opened, wire.why = wire.opened, None, why
        if opened:
            opened.close()
