"""Small values that travel through the ring: the player's state, the word that publishes a turn, the gains."""

import enum
import struct
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

__all__ = ["Gains", "State", "Switch", "switch_word", "unpack_switch"]

_NUMBERS: Final = 1 << 15
_FRAMES: Final = 1 << 48


class State(enum.IntEnum):
    """What the player does."""

    STARTING = 0
    WAITING_FOR_CARD = 1
    PLAYING = 2
    HOLDING = 3
    CLOSED = 4


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
class Gains:
    """What the engine tells the player's fader.

    Attributes
    ----------
    volume : float
        Where the fader goes, 0..1, amplitude.
    glide_s : float
        How long it takes for the whole way.
    """

    volume: float = 1.0
    glide_s: float = 0.05

    # Four bytes are spare.
    _RECORD: ClassVar = struct.Struct("<dd4x")

    def pack(self) -> bytes:
        """Give the bytes of the record."""
        return self._RECORD.pack(self.volume, self.glide_s)

    @classmethod
    def unpack(cls, data: bytes | None) -> "Gains | None":
        """Read them back; what is outside 0..1 is brought inside. None for other bytes."""
        if data is None or len(data) != cls._RECORD.size:
            return None
        volume, glide_s = cls._RECORD.unpack(data)
        return cls(_share(volume), glide_s)


def _share(value: float) -> float:
    # In this order a NaN comes out as silence.
    return min(1.0, max(0.0, value))
