"""The ring's file, byte by byte: a header, two lanes, the player's history and its monitor.

    0       what never changes, with its CRC: see `Shape`
    1024    64 words of the engine, 8 bytes each: see `Word`
    1536    64 words of the player
    2048    records: gains and facts (engine), device (player)
    16384   saved cursors, expected loudness, and the frames: see `Shape.offsets`

All numbers are little endian. A word is written whole or not at all, by one process each, and says something that is
already true of the rest of the file. Between processors that reorder stores (aarch64) there is no barrier that Python
could set: so the reader stays `GUARD_FRAMES` behind the published end of a lane, records carry a CRC, and what was
copied is checked before it is heard.
"""

import enum
import mmap
import struct
import uuid
import zlib
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

__all__ = [
    "BLOCK_FRAMES",
    "GRID_FRAMES",
    "GUARD_FRAMES",
    "SLOT_BYTES",
    "Offsets",
    "Record",
    "Shape",
    "Word",
    "boot_id",
    "reals_of",
    "words_of",
]

MAGIC: Final = b"LATENTRG"
VERSION: Final = 2
# What the player plays at a time; turns begin on its boundaries.
BLOCK_FRAMES: Final = 512
GUARD_FRAMES: Final = BLOCK_FRAMES
# Expected loudness is kept for each so many frames.
GRID_FRAMES: Final = 4096
SLOT_BYTES: Final = 36864

_WORDS_AT: Final = 1024
_RECORDS_AT: Final = 2048
_HEADER_BYTES: Final = 16384
_STATIC: Final = struct.Struct("<8sII16s16sIIQQQId")
_CRC: Final = struct.Struct("<I")


class Word(enum.IntEnum):
    """Index of each word: the first 64 are the engine's, the rest the player's, the last the keeper's.

    ``_NS`` is CLOCK_MONOTONIC.
    """

    EPOCH = 0
    BEGIN_0 = 1
    BEGIN_1 = 2
    END_0 = 3
    END_1 = 4
    SWITCH = 5
    ORIGIN_NS = 6
    MADE = 7
    REWINDS = 8
    ENGINE_BEAT_NS = 9
    ENGINE_PID = 10
    ENGINE_START_NS = 11

    # The keeper's, the bits of a float64: see `Ring.ceiling`.
    CEILING = 127

    READ = 64
    PLAYING = 65
    TAKEN = 66
    TAKEN_FRAME = 67
    ANSWER_NS = 68
    CONSUMED = 69
    UNDERRUNS = 70
    HOLDS = 71
    HELD = 72
    BAD = 73
    REFUSALS = 74
    STATE = 75
    HISTORY_END = 76
    HISTORY_BEGIN = 77
    MONITOR_END = 78
    PLAYER_BEAT_NS = 79
    PLAYER_PID = 80
    PLAYER_START_NS = 81
    CARDS_LOST = 82
    # Of this one the bits are those of a float64.
    LOUDNESS = 83
    TAKEN_FADED = 84
    # By what the room is open or closed (`sign.Rule`), when that changes next in seconds since 1970, and by how many
    # seconds the clock of the gallery is ahead of UTC then, and a day. Then the stream frame at which it does.
    RULE = 85
    CHANGE_S = 86
    CHANGE_OFFSET_S = 87
    EDGE_FRAME = 88


@dataclass(frozen=True)
class Offsets:
    """Where in the file each region begins, in bytes, and how long the file is."""

    slots: int
    grids: int
    lanes: int
    history: int
    monitor: int
    end: int


@dataclass(frozen=True)
class Shape:
    """What never changes in a ring's life.

    Attributes
    ----------
    generation, boot : bytes
        16 each: which ring this is, and since which start of the machine.
    rate : int
        Frames per second.
    channels : int
    lane_frames, history_frames, monitor_frames : int
        Capacity of each lane, of the history and of the monitor; multiples of `GRID_FRAMES`.
    slots : int
        Saved cursors a lane has room for.
    reserve_s : float
        Seconds of sound that the engine should keep ready.
    """

    generation: bytes
    boot: bytes
    rate: int
    channels: int
    lane_frames: int
    history_frames: int
    monitor_frames: int
    slots: int
    reserve_s: float

    @property
    def offsets(self) -> Offsets:
        """Where everything is; regions of frames begin on pages."""
        sizes = {
            "slots": 2 * self.slots * SLOT_BYTES,
            "grids": 2 * 2 * self.lane_frames // GRID_FRAMES * 4,
            "lanes": 2 * self.lane_frames * self.channels * 4,
            "history": self.history_frames * self.channels * 4,
            "monitor": self.monitor_frames * self.channels * 4,
        }
        at, begins = _HEADER_BYTES, {}
        for region, size in sizes.items():
            begins[region] = at
            at += -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        return Offsets(**begins, end=at)

    def pack(self) -> bytes:
        """Give the first bytes of the file."""
        packed = _STATIC.pack(MAGIC, VERSION, _HEADER_BYTES, *astuple(self))
        return packed + _CRC.pack(zlib.crc32(packed))

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> "Shape | None":
        """Read the first bytes of a file; None where they are not such a header, or of another version or boot."""
        packed = bytes(data[: _STATIC.size])
        if len(data) < _STATIC.size + _CRC.size:
            return None
        magic, version, header_bytes, *rest = _STATIC.unpack(packed)
        whole = _CRC.unpack(bytes(data[_STATIC.size : _STATIC.size + _CRC.size]))[0] == zlib.crc32(packed)
        if not whole or (magic, version, header_bytes) != (MAGIC, VERSION, _HEADER_BYTES):
            return None
        shape = cls(*rest)
        return shape if shape.boot == boot_id() and all(astuple(shape)[2:]) else None

    @staticmethod
    def size() -> int:
        """Bytes that `pack` gives."""
        return _STATIC.size + _CRC.size


@lru_cache(maxsize=1)
def boot_id() -> bytes:
    """Which start of the machine this is, 16 bytes: monotonic times of another mean nothing."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


class Record:
    """A few bytes that one process leaves for the others: whole, or as they were before.

    Two places take turns; the count in front says which is the newest. Whoever reads looks at the CRC and keeps to the
    older place if the newest is not whole.

    Parameters
    ----------
    ring : memoryview
    place : int
        0, 1, ...
    """

    GAINS: Final = 0
    FACTS: Final = 1
    DEVICE: Final = 2

    _SIZE: Final = 4096
    _MOST: Final = 2032
    _HEAD: Final = struct.Struct("<II")

    def __init__(self, ring: memoryview, place: int) -> None:
        at = _RECORDS_AT + place * self._SIZE
        self._count = ring[at : at + 8].cast("Q")
        self._places = [ring[at + 16 + half * 2040 : at + 16 + (half + 1) * 2040] for half in (0, 1)]

    @property
    def count(self) -> int:
        """How often it was written; whoever reads need look again only when this has changed."""
        return int(self._count[0])

    def write(self, data: bytes) -> None:
        """Leave 1 to 2032 bytes. Raises ValueError for more or none."""
        if not 0 < len(data) <= self._MOST:
            raise ValueError(f"a record holds 1 to {self._MOST} bytes, not {len(data)}")
        count = self.count + 1
        place = self._places[count % 2]
        place[8 : 8 + len(data)] = data
        place[:8] = self._HEAD.pack(zlib.crc32(data), len(data))
        self._count[0] = count & 0xFFFFFFFFFFFFFFFF

    def read(self) -> bytes | None:
        """Give the newest that is whole; None where none is."""
        count = self.count
        for place in (self._places[count % 2], self._places[(count + 1) % 2]):
            crc, length = self._HEAD.unpack(place[:8])
            data = bytes(place[8 : 8 + min(length, self._MOST)])
            # A place that was never written is all zeros, which would be a whole record of nothing.
            if data and len(data) == length and zlib.crc32(data) == crc:
                return data
        return None


def words_of(ring: memoryview) -> "memoryview[int]":
    """The 128 words as integers."""
    return ring[_WORDS_AT : _WORDS_AT + 1024].cast("Q")


def reals_of(ring: memoryview) -> "memoryview[float]":
    """The 128 words as float64."""
    return ring[_WORDS_AT : _WORDS_AT + 1024].cast("d")
