"""Frames on their way from the thread that makes them to the thread that plays them."""

import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Ring"]

Floats = npt.NDArray[np.float32]


class Ring:
    """A ring of float32 frames between one writing thread and one reading thread, inside one process.

    Parameters
    ----------
    capacity_frames : int
        How much it holds; this much is the reserve.
    channels : int

    Raises
    ------
    ValueError
        If either is not positive.

    Notes
    -----
    Two counts of frames, which only ever grow, are the whole state: each is changed by one thread and only
    after the frames it speaks of were copied, so the reader holds no lock and never sees a frame half made.
    At 48 kHz a 64-bit count would last six million years.
    """

    def __init__(self, capacity_frames: int, channels: int) -> None:
        if capacity_frames < 1 or channels < 1:
            raise ValueError(f"a ring needs room and channels, not {capacity_frames} frames x {channels}")
        self._frames: Floats = np.zeros((capacity_frames, channels), dtype=np.float32)
        self._capacity: Final = capacity_frames
        self._written = 0
        self._read = 0
        self._closed = False
        self._room = threading.Event()
        self._news = threading.Event()

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return int(self._frames.shape[1])

    @property
    def capacity_frames(self) -> int:
        """How many frames it holds."""
        return self._capacity

    @property
    def fill_frames(self) -> int:
        """How many frames lie ready; the reader can count on them, the writer on the room beside them."""
        return self._written - self._read

    @property
    def closed(self) -> bool:
        """Whether no more frames will come."""
        return self._closed

    def write(self, hop: npt.NDArray[Any]) -> bool:
        """Put frames in, waiting for room; for the writing thread alone.

        Parameters
        ----------
        hop : (n, channels) float32
            Copied; of any length, even longer than the ring.

        Returns
        -------
        bool
            False if the ring was closed before all of it went in.

        Raises
        ------
        ValueError
            If the shape or the type is another.
        """
        if hop.ndim != 2 or hop.shape[1] != self.channels or hop.dtype != np.float32:
            raise ValueError(f"a hop must be float32 (n, {self.channels}), not {hop.dtype} {hop.shape}")
        done = 0
        while done < len(hop) and not self._closed:
            # Cleared before looking: a read between the look and the wait then still ends the wait.
            self._room.clear()
            count = min(self._capacity - self.fill_frames, len(hop) - done)
            if count == 0:
                self._room.wait()
                continue
            self._copy_in(hop[done : done + count])
            done += count
            self._written += count
            self._news.set()
        return done == len(hop)

    def read(self, out: Floats) -> int:
        """Take what is there, never waiting; for the reading thread alone.

        Parameters
        ----------
        out : (n, channels) float32
            Filled from its start; what lies behind the frames taken is left as it was.

        Returns
        -------
        int
            Frames taken, 0..n.

        Raises
        ------
        ValueError
            If the shape or the type is another.
        """
        if out.ndim != 2 or out.shape[1] != self.channels or out.dtype != np.float32:
            raise ValueError(f"out must be float32 (n, {self.channels}), not {out.dtype} {out.shape}")
        count = min(self.fill_frames, len(out))
        start = self._read % self._capacity
        first = min(count, self._capacity - start)
        out[:first] = self._frames[start : start + first]
        out[first:count] = self._frames[: count - first]
        self._read += count
        if count:
            self._room.set()
        return count

    def wait_filled(self, frames: int, timeout_s: float) -> bool:
        """Wait until so many frames lie ready, or the ring is closed, or the time is over; for the reading thread.

        Returns
        -------
        bool
            Whether they do, or it is closed.
        """
        self._news.clear()
        if self.fill_frames < frames and not self._closed:
            self._news.wait(timeout_s)
        return self._closed or self.fill_frames >= frames

    def close(self) -> None:
        """Let no more frames in and end every wait; what is in can still be read.

        From any thread, any number of times.
        """
        self._closed = True
        self._room.set()
        self._news.set()

    def _copy_in(self, frames: npt.NDArray[Any]) -> None:
        start = self._written % self._capacity
        first = min(len(frames), self._capacity - start)
        self._frames[start : start + first] = frames[:first]
        self._frames[: len(frames) - first] = frames[first:]
