"""Small values that travel through the ring: the player's state, the word that publishes a turn, the gains."""

import enum
import struct
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

__all__ = ["Change", "Gains", "State", "Switch", "switch_word", "unpack_switch"]

_NUMBERS: Final = 1 << 15
_FRAMES: Final = 1 << 48


class State(enum.IntEnum):
    """What the player does."""

    STARTING = 0
    WAITING_FOR_CARD = 1
    PLAYING = 2
    HOLDING = 3


class Switch(NamedTuple):
    """A turn: its number (which comes round), the lane to go over to, and the frame at which to."""

    number: int
    lane: int
    frame: int


def switch_word(number: int, lane: int, frame: int) -> int:
    """Pack a turn into 64 bits, so that it is published whole."""
    return (number % _NUMBERS) << 49 | (lane & 1) << 48 | frame % _FRAMES


def unpack_switch(word: int) -> Switch:
    """Undo `switch_word`."""
    return Switch(word >> 49, word >> 48 & 1, word % _FRAMES)


@dataclass(frozen=True)
class Change:
    """From a moment of CLOCK_MONOTONIC on, the scheduled gain (0..1, amplitude) is another, reached in ``glide_s``."""

    at_ns: int
    gain: float
    glide_s: float


@dataclass(frozen=True)
class Gains:
    """What the engine tells the player's fader.

    Attributes
    ----------
    volume : float
        Where the fader goes, 0..1, amplitude.
    glide_s : float
        How long it takes for the whole way.
    changes : tuple of Change
        Up to 16, in order of time: they hold although the engine be gone by then.
    """

    volume: float = 1.0
    glide_s: float = 0.05
    changes: tuple[Change, ...] = ()

    _HEAD: ClassVar = struct.Struct("<ddI")
    _CHANGE: ClassVar = struct.Struct("<Qdd")

    def pack(self) -> bytes:
        """Give the bytes of the record."""
        head = self._HEAD.pack(self.volume, self.glide_s, len(self.changes))
        return head + b"".join(self._CHANGE.pack(each.at_ns, each.gain, each.glide_s) for each in self.changes)

    @classmethod
    def unpack(cls, data: bytes | None) -> "Gains | None":
        """Read them back; what is outside 0..1 is brought inside. None for other bytes."""
        if data is None or len(data) < cls._HEAD.size:
            return None
        volume, glide_s, count = cls._HEAD.unpack_from(data)
        if len(data) != cls._HEAD.size + count * cls._CHANGE.size:
            return None
        changes = cls._CHANGE.iter_unpack(data[cls._HEAD.size :])
        return cls(_share(volume), glide_s, tuple(Change(at, _share(gain), glide) for at, gain, glide in changes))


def _share(value: float) -> float:
    # In this order a NaN comes out as silence.
    return min(1.0, max(0.0, value))
