"""Wires: from the tables of the settings to the sources and the listeners outside that they name."""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.controls.daytime import Daytime
from appliance.controls.desk import Action
from appliance.controls.source import Source, SourceError
from appliance.controls.telling import State
from appliance.errors import UsageError
from appliance.mood import STEERED
from appliance.names import quoted
from appliance.settings import Settings
from appliance.wiring.tables import CHIPS, Ads1115, AnyControl, Chip, Clock, Distance, Encoder, Midi, Osc

if TYPE_CHECKING:
    from appliance.controls import osc
    from appliance.controls.midi_in import MidiPorts
    from appliance.controls.midi_out import MidiSender

__all__ = ["Wires"]

_MEND_EVERY_S: Final = 1.0


class Wires:
    """What is wired to this box; what it needs is loaded and opened only where the settings name it.

    Parameters
    ----------
    settings : Settings
    folder : Path
        The runtime folder.
    say : callable
        Told in one sentence what nobody foresaw.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    controls : mapping
        The tables of the controls by name.
    """

    def __init__(
        self, settings: Settings, folder: Path, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.controls: Mapping[str, AnyControl] = settings.controls
        self._settings = settings
        self._folder = folder
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._factory: Any = None
        self._midi: MidiPorts | None = None
        self._osc: osc.OscPort | None = None
        self._midi_out: MidiSender | None = None
        self._senders: list[Any] = []
        self._mended_s = clock()
        with self._telling("OSC cannot be heard"):
            self._listen_outside()
        with self._telling("OSC cannot be sent"):
            self._send_osc()
        with self._telling("MIDI cannot be sent"):
            self._send_midi()

    @property
    def busy(self) -> bool:
        """Whether anything may come in."""
        return bool(self.controls) or self._osc is not None

    @property
    def tells(self) -> bool:
        """Whether anybody outside is told how the room stands."""
        return bool(self._senders)

    def buses(self) -> dict[str, dict[str, Callable[[], Source]]]:
        """Give what opens each control, by what it hangs together with: one that hangs takes the others along."""
        buses: dict[str, dict[str, Callable[[], Source]]] = {}
        for name, control in self.controls.items():
            buses.setdefault(_bus(control), {})[name] = functools.partial(self._open, control)
        return buses

    def asked(self, move: Callable[[Mapping[str, float]], None]) -> list[Action]:
        """Do what came in by our own OSC addresses: values are handed to ``move``, the rest is given."""
        if self._osc is None:
            return []
        now_s = self._clock()
        if now_s - self._mended_s >= _MEND_EVERY_S:
            self._mended_s = now_s
            self._osc.mend()
        moved: dict[str, float] = {}
        actions = []
        for command in self._osc.commands():
            word, *names = command.path
            if word in ("mood", "place"):
                span, value = STEERED.get(names[0]), command.arguments[0]
                if span is not None and isinstance(value, float):
                    moved[names[0]] = min(max(value, span.low), span.high)
            else:
                scene = str((*names, *command.arguments, "")[0]) if word == "scene" else ""
                actions.append(Action(word, scene))
        if moved:
            move(moved)
        return actions

    def tell(self, state: State) -> None:
        """Tell those outside how the room stands."""
        for sender in self._senders:
            sender.tell(state)

    def troubles(self) -> dict[str, str]:
        """Why nothing comes in by OSC or goes out by MIDI, by the table of the settings, where that is so."""
        ways = {"[osc]": self._osc and self._osc.why, "[midi]": self._midi_out and self._midi_out.why}
        return {table: why for table, why in ways.items() if why}

    def counts(self) -> dict[str, int] | None:
        """What came in by OSC; None where nobody listens."""
        return None if self._osc is None else dict(self._osc.counts)

    def turn(self, name: str, value: float | None) -> None:
        """Turn a control that only pretends; None presses it. Raises UsageError."""
        control = self.controls.get(name)
        if control is None:
            raise UsageError(f"There is no control called {quoted(name)} in the settings.")
        board = None
        if not isinstance(control, Osc | Midi | Clock):
            with contextlib.suppress(SourceError):
                board = self._board()
        if board is None:
            raise UsageError(
                f"{quoted(name)} is real: turn it by hand. With GPIOZERO_PIN_FACTORY=mock the pins only pretend."
            )
        if value is None and isinstance(control, Encoder) and control.push_pin is None:
            raise UsageError(f"{quoted(name)} has no button: give its push_pin in the settings.")
        table = control.model_dump()
        board.wire(control.source, table)
        board.move(control.source, table, value)

    def close(self) -> None:
        """Let go of what all share; any number of times."""
        for each in (*self._senders, self._midi, self._osc, self._factory):
            if each is not None:
                with contextlib.suppress(Exception):
                    each.close()
        self._senders = []

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Say what goes wrong inside: nothing that is wired may keep the music from playing."""
        try:
            yield
        except Exception as error:
            self._say(f"{what}: {error}.")

    def _listen_outside(self) -> None:
        if self._settings.osc.port is not None:
            from appliance.controls.osc import OscPort

            self._osc = OscPort(self._settings.osc.listen, self._settings.osc.port, self._clock, self._say)

    def _send_osc(self) -> None:
        for target in self._settings.osc.send_to:
            from appliance.controls.osc_out import OscSender

            self._senders.append(OscSender([target], self._clock))

    def _send_midi(self) -> None:
        if self._settings.midi.send_to is not None:
            from appliance.controls import midi_out

            self._midi_out = midi_out.MidiSender(self._settings.midi.send_to, self._clock, self._say)
            self._senders.append(self._midi_out)

    def _open(self, control: AnyControl) -> Source:
        """Open a control's source, in the thread that is to read it. Raises SourceError."""
        if isinstance(control, Clock):
            return Daytime(control.points, self._clock)
        if isinstance(control, Osc):
            if self._osc is None:
                raise SourceError("nobody listens for OSC: set port in [osc]")
            return self._osc.source(control.address, control.from_low, control.from_high, control.argument)
        if isinstance(control, Midi):
            return self._midi_ports().source(control.port, control.cc, control.channel)
        table = {key: value for key, value in control.model_dump().items() if value is not None}
        if isinstance(control, Ads1115):
            from appliance.controls.i2c import open_ads1115

            return open_ads1115(table, self._clock, self._i2c_bus())
        from appliance.controls.gpio.build import open_gpio

        return open_gpio(control.source, table, self._pins(), self._clock)

    def _midi_ports(self) -> "MidiPorts":
        with self._lock:
            if self._midi is None:
                from appliance.controls.midi_in import MidiPorts

                self._midi = MidiPorts(self._clock, self._say)
            return self._midi

    def _pins(self) -> Any:
        with self._lock:
            if self._factory is None:
                from appliance.controls.gpio.factory import open_factory

                self._factory = open_factory(self._folder)
            return self._factory

    def _i2c_bus(self) -> Any:
        """The machine's own bus, None, unless its pins only pretend."""
        board = self._board() if os.environ.get("GPIOZERO_PIN_FACTORY") == "mock" else None
        return None if board is None else board.i2c

    def _board(self) -> Any:
        """What pretends to be wired to the pins; None where they are real."""
        from appliance.controls.gpio.fakes import FakeBoard

        return FakeBoard.of(self._pins())


def _bus(control: AnyControl) -> str:
    if control.source in CHIPS and isinstance(control, Chip):
        return "spi"
    if isinstance(control, Ads1115):
        return "i2c"
    if isinstance(control, Distance):
        return f"echo {control.echo}"
    return "network" if isinstance(control, Osc | Midi | Clock) else "pins"
