"""The machine's MIDI ports, by ALSA or JACK: the one door to rtmidi."""

import ctypes
import os
import re
import socket
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, Self

from appliance.controls.source import SourceError

__all__ = ["NAME", "MidiInput", "MidiOutput", "MidiSystem", "RtMidi", "find"]

NAME: Final = "Latent"

_ALSA: Final = "alsa"
_JACK: Final = "jack"
_SEQUENCER: Final = Path("/dev/snd/seq")
_JACK_SOCKETS: Final = Path("/dev/shm")
# ALSA ends names with numbers that change from plug to plug: "nanoKONTROL:nanoKONTROL MIDI 1 20:0".
_NUMBERS: Final = re.compile(r"\s+\d+:\d+$")


class MidiInput(Protocol):
    """An open port that something may be heard from."""

    def take(self) -> Sequence[Sequence[int]]:
        """Messages that came since, as bytes 0..255 each, oldest first; never waits."""

    def close(self) -> None:
        """Let go of it."""


class MidiOutput(Protocol):
    """An open port that something may be said to."""

    def send(self, message: Sequence[int]) -> None:
        """Send one message, bytes 0..255."""

    def close(self) -> None:
        """Let go of it."""


class MidiSystem(Protocol):
    """All ports there are; used by one thread. Everything raises SourceError while there is no MIDI at all.

    Attributes
    ----------
    mark : hashable
        Changes when ports may have gone and come back between two looks: what was opened before is to be opened anew.
    """

    mark: Hashable

    def inputs(self) -> Sequence[str]:
        """Names of the ports that may be heard from, without our own."""

    def outputs(self) -> Sequence[str]:
        """Names of the ports that may be said to, without our own."""

    def open_input(self, name: str) -> MidiInput:
        """Open one of `inputs`."""

    def open_output(self, name: str) -> MidiOutput:
        """Open one of `outputs`."""

    def open_virtual(self) -> MidiOutput:
        """Make a port of our own, named `NAME`, for others to listen to."""

    def close(self) -> None:
        """Let go of everything but what was opened."""


def find(part: str, names: Sequence[str]) -> str | None:
    """The first port whose name holds this part, however it is written and whatever ALSA numbered it."""
    wanted = _NUMBERS.sub("", part).casefold()
    return next((name for name in names if wanted in _NUMBERS.sub("", name).casefold()), None)


class RtMidi:
    """`MidiSystem` of this machine: ALSA's where it has one, else JACK's where a server runs.

    One client of each kind looks at the ports for as long as the system stays: a new client per look costs 20 ms.
    """

    def __init__(self) -> None:
        self.mark: Hashable = None
        self._lookers: dict[str, _Client] = {}

    def inputs(self) -> list[str]:
        return self._names("MidiIn")

    def outputs(self) -> list[str]:
        return self._names("MidiOut")

    def open_input(self, name: str) -> MidiInput:
        return _Client("MidiIn").open(name)

    def open_output(self, name: str) -> MidiOutput:
        return _Client("MidiOut").open(name)

    def open_virtual(self) -> MidiOutput:
        return _Client("MidiOut").open(None)

    def close(self) -> None:
        while self._lookers:
            self._lookers.popitem()[1].close()

    def _names(self, kind: str) -> list[str]:
        try:
            mark = _system()
        except SourceError:
            self.close()
            raise
        if mark != self.mark:
            self.close()
            self.mark = mark
        if kind not in self._lookers:
            self._lookers[kind] = _Client(kind)
        return [name for name in self._lookers[kind].names() if not name.startswith(NAME)]


class _Client:
    """One of rtmidi's ``MidiIn`` and ``MidiOut``."""

    def __init__(self, kind: str) -> None:
        self._system, self._number = _system()
        try:
            import rtmidi
        except ImportError as error:
            raise SourceError(f"MIDI cannot be used ({error}): install python-rtmidi and libasound2") from error
        try:
            api = rtmidi.API_LINUX_ALSA if self._system == _ALSA else rtmidi.API_UNIX_JACK
            self._client: Any = getattr(rtmidi, kind)(rtapi=api, name=NAME)
        except rtmidi.RtMidiError as error:
            raise SourceError(f"MIDI does not answer ({error}): it is tried again") from error

    def open(self, name: str | None) -> Self:
        """Open the port of this name, or one of our own."""
        try:
            if name is None:
                self._client.open_virtual_port(NAME)
            else:
                self._client.open_port(self.names().index(name), name=_NUMBERS.sub("", name))
        except Exception as error:
            # It may have gone since it was seen, and libraries differ in how they say so.
            self.close()
            raise SourceError(f"the MIDI port '{name or NAME}' cannot be opened ({error}): plug it in anew") from error
        return self

    def names(self) -> list[str]:
        found: list[str] = self._client.get_ports()
        return found

    def take(self) -> list[list[int]]:
        taken = []
        while heard := self._client.get_message():
            taken.append(heard[0])
        return taken

    def send(self, message: Sequence[int]) -> None:
        self._client.send_message(message)

    def close(self) -> None:
        if self._system == _JACK and _jack() != self._number:
            # libjack knows one server per process: closing a client of one that has ended waits a second for it with
            # all of Python, and crashes once another has started. So it stays for ever.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._client))
        else:
            self._client.delete()


def _system() -> tuple[str, int]:
    """Which system there is, and a number that is another once it was restarted or something was plugged.

    Asked before rtmidi is, whose libraries write to standard error where there is none.
    """
    if _SEQUENCER.exists():
        try:
            os.close(os.open(_SEQUENCER, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except PermissionError:
            raise SourceError("MIDI may not be used: add the user to the group audio") from None
        except OSError as error:
            raise SourceError(f"MIDI does not answer ({error.strerror}): run modprobe snd-seq") from None
        # A device pulled and plugged has made and removed files here.
        return _ALSA, _SEQUENCER.parent.stat().st_mtime_ns
    if number := _jack():
        return _JACK, number
    raise SourceError("this machine has no MIDI: run modprobe snd-seq, or start JACK")


def _jack() -> int:
    """A number of its own for each JACK server that runs; 0 while none does."""
    server = _JACK_SOCKETS / f"jack_{os.environ.get('JACK_DEFAULT_SERVER', 'default')}_{os.getuid()}_0"
    with socket.socket(socket.AF_UNIX) as talk:
        try:
            talk.connect(str(server))
            return server.stat().st_ino
        except OSError:
            return 0
