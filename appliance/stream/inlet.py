"""The engine's end of the ring: it fills the lane that plays, and renders turns into the other one."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RingError
from appliance.stream.layout import BLOCK_FRAMES, GRID_FRAMES, GUARD_FRAMES, Word
from appliance.stream.ring import Ring, put
from appliance.stream.state import State, switch_word, unpack_switch

__all__ = ["Inlet"]

Floats = npt.NDArray[np.float32]

# A turn begins so far ahead of what was handed to the card; the player has one block in hand already.
_LEAD_FRAMES: Final = 3 * BLOCK_FRAMES


class Inlet:
    """Writes a ring; for the engine's thread alone, which holds the claim on the folder.

    Parameters
    ----------
    ring : Ring
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    """

    def __init__(self, ring: Ring, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.ring = ring
        self._clock_ns = clock_ns
        self._words = ring.words
        self._epoch = (self._words[Word.EPOCH] + 1) & 0xFFFFFFFF
        self._words[Word.EPOCH] = self._epoch
        self._words[Word.ENGINE_PID] = os.getpid()
        self._words[Word.ENGINE_START_NS] = clock_ns()

    @property
    def read(self) -> int:
        """The frame that is handed to the card next."""
        return int(self._words[Word.READ])

    @property
    def lane(self) -> int:
        """The lane to fill: the one that plays, or that will as soon as the player has taken the turn."""
        if self.turning:
            return unpack_switch(self._words[Word.SWITCH]).lane
        return int(self._words[Word.PLAYING]) & 1

    @property
    def turning(self) -> bool:
        """Whether a turn was published that the player has not taken yet; meanwhile no other can be."""
        return unpack_switch(self._words[Word.SWITCH]).number != self._words[Word.TAKEN]

    @property
    def taken_frame(self) -> int:
        """The frame at which the player last went over to the other lane."""
        return int(self._words[Word.TAKEN_FRAME])

    @property
    def taken_faded(self) -> bool:
        """Whether it did so with a cross-fade, for there was sound in both."""
        return bool(self._words[Word.TAKEN_FADED])

    @property
    def state(self) -> int:
        """What the player does, a `State`."""
        return int(self._words[Word.STATE])

    @property
    def edge_frame(self) -> int | None:
        """The frame at which the room closes or opens next; None where that is not known."""
        return int(self._words[Word.EDGE_FRAME]) or None

    @property
    def refusals(self) -> int:
        """How often the player has refused what it found."""
        return int(self._words[Word.REFUSALS])

    def end(self, lane: int) -> int:
        """Where a lane's frames end."""
        return self.ring.lane(lane).end

    @property
    def fill_frames(self) -> int:
        """Frames that lie ready in the lane to fill; 0 where it has fallen behind."""
        return max(0, self.end(self.lane) - self.read)

    def turn_frame(self) -> int:
        """The earliest frame at which a turn that is made now can begin; while the player holds, where it stands."""
        read = self.read // BLOCK_FRAMES * BLOCK_FRAMES
        return read + _LEAD_FRAMES if self.state == State.PLAYING else read

    def check(self) -> None:
        """Raise RingError unless this ring is whole, in its place, and ours to write."""
        if not self.ring.current():
            raise RingError("The player has made another ring.")
        if not self.ring.intact() or self._words[Word.EPOCH] != self._epoch:
            raise RingError("The ring was written to by somebody else.")

    def beat(self) -> None:
        """Show that the engine lives."""
        self._words[Word.ENGINE_BEAT_NS] = self._clock_ns()

    def open_lane(self, lane: int, frame: int) -> None:
        """Empty a lane that does not play; what is appended begins with this frame."""
        self.check()
        self._words[Word.END_0 + lane] = frame
        self._words[Word.BEGIN_0 + lane] = frame
        self.ring.forget(lane)

    def append(self, lane: int, frames: Floats, announced_lufs: tuple[float, float]) -> None:
        """Write frames, (n, channels) float32 before the fader, at the end of a lane, then publish them.

        Parameters
        ----------
        announced_lufs : tuple of float
            Their lowest and highest loudness: what the score wants, and no less than what any part of them has.

        Raises
        ------
        ValueError
            If there is no room for them.
        RingError
            As in `check`.
        """
        self.check()
        begin, end = self.ring.lane(lane).begin, self.end(lane)
        capacity = self.ring.shape.lane_frames
        after = end + len(frames)
        if after - max(begin, min(self.read, end)) > capacity - GUARD_FRAMES:
            raise ValueError(f"a lane of {capacity} frames has no room for {len(frames)} more")
        # What is older is overwritten now.
        self._words[Word.BEGIN_0 + lane] = max(begin, after - capacity)
        self.ring.grids[lane][:, _cells(end, after, capacity)] = np.array(announced_lufs)[:, np.newaxis]
        put(self.ring.lanes[lane], end, frames)
        self._words[Word.END_0 + lane] = after
        self._words[Word.MADE] += len(frames)
        self.beat()

    def save(self, lane: int, saved: Iterable[tuple[int, int, bytes]]) -> None:
        """Keep cursors for a lane, each with its hop number and the frame its hop begins with.

        To be called before the frames they lead to are appended, so that there is always one for the end.
        """
        for hop, frame, data in saved:
            self.ring.save(lane, hop, frame, data)

    def withdraw(self) -> None:
        """Take back a turn that was published and not taken, if there is one."""
        self._words[Word.SWITCH] = switch_word(self._words[Word.TAKEN], self._words[Word.PLAYING], self.read)

    def publish(self, lane: int, frame: int, origin_ns: int) -> None:
        """Let the player go over to a lane from a frame on; ``origin_ns`` is when the hand moved."""
        self.check()
        self._words[Word.ORIGIN_NS] = origin_ns
        number = self._words[Word.TAKEN] + 1
        self._words[Word.SWITCH] = switch_word(number, lane, frame)
        self._words[Word.REWINDS] += 1


def _cells(begin: int, end: int, capacity: int) -> npt.NDArray[np.intp]:
    cells = capacity // GRID_FRAMES
    return np.arange(begin // GRID_FRAMES, -(-end // GRID_FRAMES)) % cells
