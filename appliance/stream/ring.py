"""The ring: one file in shared memory between the engine, which fills it, and the player, which plays it.

The player makes it, since it knows the card. A ring of another shape is another file, renamed into place: a mapped file
is never made shorter, which would kill whoever touches it.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import stat
import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RingError
from appliance.folders import shown
from appliance.stream.layout import GRID_FRAMES, SLOT_BYTES, Record, Shape, Word, boot_id, reals_of, words_of

__all__ = ["LOWEST_CEILING", "Lane", "Ring", "claim", "create", "open_ring", "put", "ring_path", "take"]

Floats = npt.NDArray[np.float32]

HISTORY_S: Final = 64
MONITOR_S: Final = 8
# Beyond the reserve a lane has room for the hop being written and for the guard.
_LANE_SPARE_S: Final = 5
LOWEST_CEILING: Final = 0.03
"""Nobody is kept below this."""
_NO_FRAME: Final = (1 << 64) - 1
_SLOT_HEAD: Final = struct.Struct("<QII")


@dataclass(frozen=True)
class Lane:
    """Frames of one lane that are there: positions from ``begin`` up to ``end``."""

    begin: int
    end: int


class Ring:
    """A mapped ring. Either end, or a third that only looks, may hold it; `Inlet` and `Outlet` know the protocol.

    Attributes
    ----------
    shape : Shape
    words, reals : memoryview
        The words as integers, and the same as float64, by `Word`.
    gains, facts, device : Record
    lanes : (2, lane_frames, channels) float32
        Frame n lies at n modulo the capacity; so in the other two.
    grids : (2, 2, lane_frames / 4096) float32
        For each lane the lowest and the highest loudness that is announced, in LUFS.
    history, monitor : (frames, channels) float32
    """

    def __init__(self, path: Path, handle: int, shape: Shape, writable: bool) -> None:
        self.path = path
        self.shape = shape
        self._packed = shape.pack()
        self._inode = os.fstat(handle).st_ino
        at = shape.offsets
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        whole = memoryview(mmap.mmap(handle, at.end, mmap.MAP_SHARED, protection))
        self._static = whole[: Shape.size()]
        self.words = words_of(whole)
        self.reals = reals_of(whole)
        self.gains = Record(whole, Record.GAINS)
        self.facts = Record(whole, Record.FACTS)
        self.device = Record(whole, Record.DEVICE)
        self._slots = whole[at.slots : at.slots + 2 * shape.slots * SLOT_BYTES]

        def region(begin: int, *size: int) -> Any:
            count = int(np.prod(size))
            return np.frombuffer(whole, dtype=np.float32, count=count, offset=begin).reshape(size)

        self.grids: Floats = region(at.grids, 2, 2, shape.lane_frames // GRID_FRAMES)
        self.lanes: Floats = region(at.lanes, 2, shape.lane_frames, shape.channels)
        self.history: Floats = region(at.history, shape.history_frames, shape.channels)
        self.monitor: Floats = region(at.monitor, shape.monitor_frames, shape.channels)

    @property
    def rate(self) -> int:
        """Frames per second."""
        return self.shape.rate

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return self.shape.channels

    @property
    def reserve_s(self) -> float:
        """Seconds of sound that the engine should keep ready."""
        return self.shape.reserve_s

    @property
    def ceiling(self) -> float:
        """What the volume is kept below for the guards' sake, amplitude; 1 where nobody asks for it."""
        gain = self.reals[Word.CEILING]
        # Who scribbles here does not silence the room.
        return gain if LOWEST_CEILING <= gain < 1.0 else 1.0

    @ceiling.setter
    def ceiling(self, gain: float) -> None:
        self.reals[Word.CEILING] = gain

    def intact(self) -> bool:
        """Whether the part that never changes is still what it was."""
        return bytes(self._static) == self._packed

    def current(self) -> bool:
        """Whether this is still the ring of its folder, and no other was renamed into its place."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def lane(self, lane: int) -> Lane:
        """What is in a lane."""
        return Lane(self.words[Word.BEGIN_0 + lane], self.words[Word.END_0 + lane])

    def save(self, lane: int, hop: int, frame: int, data: bytes) -> None:
        """Keep the saved cursor of the hop that begins at a frame; ``hop`` counts from anywhere, to spread them."""
        slot = self._slot(lane, hop % self.shape.slots)
        slot[: _SLOT_HEAD.size] = _SLOT_HEAD.pack(_NO_FRAME, 0, 0)
        slot[_SLOT_HEAD.size : _SLOT_HEAD.size + len(data)] = data
        slot[: _SLOT_HEAD.size] = _SLOT_HEAD.pack(frame, zlib.crc32(data), len(data))

    def saved(self, lane: int) -> dict[int, bytes]:
        """Give all cursors kept for a lane that are whole, by the frame their hop begins with."""
        found = {}
        for place in range(self.shape.slots):
            slot = self._slot(lane, place)
            frame, crc, length = _SLOT_HEAD.unpack(slot[: _SLOT_HEAD.size])
            data = bytes(slot[_SLOT_HEAD.size : _SLOT_HEAD.size + min(length, SLOT_BYTES)])
            if frame != _NO_FRAME and zlib.crc32(data) == crc and len(data) == length > 0:
                found[frame] = data
        return found

    def forget(self, lane: int) -> None:
        """Drop the cursors of a lane that is about to be written anew."""
        for place in range(self.shape.slots):
            self._slot(lane, place)[: _SLOT_HEAD.size] = _SLOT_HEAD.pack(_NO_FRAME, 0, 0)

    def _slot(self, lane: int, place: int) -> memoryview:
        at = (lane * self.shape.slots + place) * SLOT_BYTES
        return self._slots[at : at + SLOT_BYTES]


def ring_path(folder: Path) -> Path:
    """The ring's file in a runtime folder."""
    return folder / "ring"


def create(folder: Path, rate: int, channels: int, reserve_s: float) -> Ring:
    """Make an empty ring and put it in the place of any other.

    Raises
    ------
    RingError
        If the folder or its memory has no room for it.
    """
    shape = Shape(
        generation=uuid.uuid4().bytes,
        boot=boot_id(),
        rate=rate,
        channels=channels,
        lane_frames=_grids((reserve_s + _LANE_SPARE_S) * rate),
        history_frames=_grids(HISTORY_S * rate),
        monitor_frames=_grids(MONITOR_S * rate),
        slots=int(reserve_s + _LANE_SPARE_S) * 2,
        reserve_s=reserve_s,
    )
    path = ring_path(folder)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            # Room is taken now: a page that cannot be had later would end the process that touches it.
            os.posix_fallocate(handle, 0, shape.offsets.end)
            ring = Ring(path, handle, shape, writable=True)
            os.pwrite(handle, shape.pack(), 0)
        finally:
            os.close(handle)
        for lane in (0, 1):
            ring.forget(lane)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        reason = "no room" if error.errno == errno.ENOSPC else error.strerror
        need = shape.offsets.end / 1e6
        raise RingError(
            f"The ring cannot be made in {shown(folder)} ({reason}): make {need:.0f} MB of room or check its rights."
        ) from error
    return ring


def open_ring(folder: Path, *, writable: bool) -> Ring:
    """Map the ring that is there.

    Raises
    ------
    RingError
        If there is none, or the file is no ring of this version and this start of the machine, or not whole.
    """
    path = ring_path(folder)
    try:
        handle = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise RingError(f"Nothing plays on this machine (there is no {shown(path)}): start `latent play`.") from error
    except PermissionError as error:
        raise RingError(
            f"What plays belongs to another user ({shown(path)}): ask as that user, or with sudo."
        ) from error
    except OSError as error:
        raise RingError(f"{shown(path)} cannot be opened ({error.strerror}): check its rights.") from error
    try:
        there = os.fstat(handle)
        shape = Shape.unpack(os.pread(handle, Shape.size(), 0)) if stat.S_ISREG(there.st_mode) else None
        if shape is None or there.st_size < shape.offsets.end:
            raise RingError(
                f"{shown(path)} is no ring that can be played: restart `latent player`, which makes another."
            )
        return Ring(path, handle, shape, writable)
    finally:
        os.close(handle)


def claim(folder: Path, who: str) -> int:
    """Be the only engine or player of a folder for as long as this process lives.

    Returns
    -------
    int
        A file descriptor, to be kept open.

    Raises
    ------
    RingError
        If another is.
    """
    path = folder / f"{who}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RingError(f"{shown(path)} cannot be opened ({error.strerror}): check its rights.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise RingError(f"Another {who} runs already in {shown(folder)}: stop it first.") from error
    return handle


def put(region: Floats, position: int, frames: Floats) -> None:
    """Copy frames into a circular region, from a position on."""
    start = position % len(region)
    first = min(len(frames), len(region) - start)
    region[start : start + first] = frames[:first]
    region[: len(frames) - first] = frames[first:]


def take(region: Floats, position: int, count: int) -> Floats:
    """Copy frames out of a circular region, from a position on."""
    start = position % len(region)
    first = min(count, len(region) - start)
    return np.concatenate([region[start : start + first], region[: count - first]])


def _grids(frames: float) -> int:
    """Round up to whole cells of the grid."""
    return -int(-frames // GRID_FRAMES) * GRID_FRAMES
