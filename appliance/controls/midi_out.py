"""MIDI out: tells lamps, mixers and other instruments, by control changes, how the room stands."""

import threading
from collections.abc import Callable, Hashable
from typing import Final

from appliance.controls.midi import MidiOutput, MidiSystem, RtMidi, find
from appliance.controls.source import SourceError
from appliance.controls.telling import Changes, State
from appliance.mood import PLACES, QUANTITIES, Quantity

__all__ = ["MidiSender"]

_LOOK_S: Final = 0.5
_JOIN_S: Final = 2.0
_PROGRAM: Final = (0xC0,)
_MOOD_FROM: Final = 20
_LOUDNESS: Final = 31
_PLACE_FROM: Final = 52
_QUIETEST_LUFS: Final = -60.0
_VIRTUAL: Final = "virtual"


class MidiSender:
    """Sends what changes on channel 1, in a thread of its own, for a port may hang.

    Control changes 20..30 are the moods in their order, 31 is the loudness from -60 to 0 LUFS, 52..62 are the places in
    their order; each goes from 0 to 127. The program is the number of the piece.

    Parameters
    ----------
    port : str
        Part of the name of a port, or ``virtual`` for one of our own that others may listen to.
    clock : callable
        Monotonic seconds.
    say : callable
        Told in a sentence what nobody foresaw.
    system : MidiSystem, optional
        This machine's, unless given.

    Attributes
    ----------
    why : str or None
        Why nothing is sent, half a sentence.
    """

    def __init__(
        self,
        port: str,
        clock: Callable[[], float],
        say: Callable[[str], None],
        system: MidiSystem | None = None,
    ) -> None:
        self.why: str | None = f"the MIDI port '{port}' is still being looked for"
        self._part = port
        self._clock = clock
        self._say = say
        self._system = RtMidi() if system is None else system
        self._changes = Changes(clock)
        self._state: State | None = None
        self._opened: MidiOutput | None = None
        self._name = ""
        self._mark: Hashable = None
        self._look_s = clock()
        self._news = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="midi out", daemon=True)
        self._thread.start()

    def tell(self, state: State) -> None:
        """Have sent what is due; never waits."""
        self._state = state
        self._news.set()

    def close(self) -> None:
        """Send no more; any number of times."""
        self._closing = True
        self._news.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except SourceError as error:
                self._drop(str(error))
            except Exception as error:
                trouble = f"MIDI cannot be sent ({type(error).__name__}: {error}): it is tried again"
                if trouble != self.why:
                    self._say(f"{trouble}.")
                self._drop(trouble)
            self._news.wait(_LOOK_S)
            self._news.clear()
        self._drop("MIDI was closed")
        self._system.close()

    def _turn(self) -> None:
        now_s = self._clock()
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            self._look()
        if self._opened and self._state:
            for key, value in self._changes.pick(_values(self._state)).items():
                self._opened.send([*key, value])

    def _look(self) -> None:
        names = self._system.outputs()
        virtual = self._part == _VIRTUAL
        name = _VIRTUAL if virtual else find(self._part, names)
        if self._opened and (name != self._name or self._system.mark != self._mark):
            self._drop(None)
        if name is None:
            raise SourceError(f"the MIDI port '{self._part}' is not there: plug it in")
        if self._opened is None:
            self._opened = self._system.open_virtual() if virtual else self._system.open_output(name)
            self._name, self._mark, self.why = name, self._system.mark, None
            self._changes.forget()

    def _drop(self, why: str | None) -> None:
        opened, self._opened, self.why = self._opened, None, why
        if opened:
            opened.close()


def _values(state: State) -> dict[tuple[int, ...], int]:
    """Beginnings of messages to their last byte."""
    values: dict[tuple[int, ...], int] = {}
    for first, ranges, given in ((_MOOD_FROM, QUANTITIES, state.mood), (_PLACE_FROM, PLACES, state.place)):
        for cc, (name, span) in enumerate(ranges.items(), first):
            if name in given:
                values[_control(cc)] = _scaled(given[name], span)
    if state.loudness_lufs is not None:
        values[_control(_LOUDNESS)] = _scaled(state.loudness_lufs, Quantity(_QUIETEST_LUFS, 0.0, 0.0, "loudness"))
    if state.piece is not None:
        values[_PROGRAM] = state.piece % 128
    return values


def _control(cc: int) -> tuple[int, int]:
    return 0xB0, cc


def _scaled(value: float, span: Quantity) -> int:
    share = (value - span.low) / (span.high - span.low)
    # Written so that what is not a number is 0.
    return round(127 * min(share, 1.0)) if share > 0.0 else 0
