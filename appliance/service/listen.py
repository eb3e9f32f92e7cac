"""What the room hears, for whoever is elsewhere: the ring's monitor as a WAV stream that follows it."""

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import RingError
from appliance.health.liveness import Advance
from appliance.stream.fades import power_fade
from appliance.stream.layout import BLOCK_FRAMES, GUARD_FRAMES, Word
from appliance.stream.ring import open_ring, take

__all__ = ["Sink", "Tap", "listen", "samples"]

Floats = npt.NDArray[np.float32]

_PIECE_FRAMES: Final = 4096
_PAUSE_S: Final = 0.03
_PATIENCE_S: Final = 3.0
_FADE_S: Final = 0.01
# Who fell behind goes on so far behind the newest, so that the next piece is there already.
_NEWEST_S: Final = 0.2
_SETTLED_S: Final = 0.2
# Who begins at the oldest gets so long to take it.
_SPARE_S: Final = 0.5
# The player writes the block after the published end, and processors may show that end late.
_UNSAFE_FRAMES: Final = 2 * BLOCK_FRAMES
# Every program takes 16 bits from a pipe, and ssh has half as much to carry as with float.
_SAMPLE_BYTES: Final = 2
_FULL_SCALE: Final = 32767.0
# What stands for "no end"; ffmpeg writes the same. A smaller number would end there after some hours.
_ENDLESS: Final = 0xFFFFFFFF
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Sink(Protocol):
    """Where the sound goes."""

    def write(self, data: bytes) -> None:
        """Take all of it, waiting where need be. Raises ConnectionError once nobody listens any more."""

    def pause(self, seconds: float) -> None:
        """Wait a little. Raises ConnectionError once nobody listens any more."""


class Tap:
    """Follows the monitor of the ring in a folder, and of those that take its place; it writes nothing to them.

    Parameters
    ----------
    folder : Path
        The runtime folder.
    start_s : float
        So far back it begins, or as far as the monitor goes.
    clock : callable
        Seconds, as `time.monotonic` gives them.

    Attributes
    ----------
    rate, channels : int

    Raises
    ------
    RingError
        If nothing plays.
    """

    def __init__(self, folder: Path, start_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._ring = open_ring(folder, writable=False)
        self.rate = self._ring.rate
        self.channels = self._ring.channels
        # It begins in the middle of the sound, so out of silence.
        self._last: Floats = np.zeros((round(_FADE_S * self.rate), self.channels), dtype=np.float32)
        self._seam = True
        self._left_out = 0
        self._moved = Advance(clock)
        end = self._end()
        oldest = self._oldest(end) + round(_SPARE_S * self.rate)
        self._position = max(0, end - GUARD_FRAMES - round(start_s * self.rate), oldest)

    def read(self) -> Floats:
        """Give what came since the last time, (up to 4096, channels) float32; empty where there is nothing yet.

        Raises
        ------
        RingError
            If the ring of another format took the place of this one.
        """
        replaced = not self._ring.current()
        # What nobody writes to any more can be read to its very end.
        settled = self._moved.seen(self._end()) > _SETTLED_S or replaced
        frames = self._take(0 if settled else GUARD_FRAMES)
        if replaced and not len(frames):
            self._follow()
        if self._left_out:
            frames = self._less(frames)
        if not len(frames):
            return frames
        if self._seam:
            frames = self._joined(frames)
        self._last = np.concatenate([self._last, frames])[-len(self._last) :]
        return frames

    def back(self, seconds: float) -> None:
        """Play so much of the last once more, or as much as is kept, faded into."""
        self._position = max(self._position - round(seconds * self.rate), self._oldest(self._end()), 0)
        self.fade()

    def leave_out(self, seconds: float) -> None:
        """Pass over so much of what is to come, with a fade."""
        self._left_out = round(seconds * self.rate)

    def fade(self) -> None:
        """Let what comes next not follow hard on what came last."""
        self._seam = True

    def _take(self, guard: int) -> Floats:
        end = self._end()
        if end < self._position or self._position < self._oldest(end):
            # Fallen behind, or somebody scribbled: what was to come is no longer there.
            self._position = max(end - guard - round(_NEWEST_S * self.rate), self._oldest(end), 0)
            self.fade()
        count = min(end - guard - self._position, _PIECE_FRAMES)
        if count <= 0:
            return self._nothing()
        frames = take(self._ring.monitor, self._position, count)
        if self._position < self._oldest(self._end()):
            # It was written over meanwhile; the next call goes on at the newest.
            return self._nothing()
        self._position += count
        return frames

    def _follow(self) -> None:
        """Go over to the ring that took the place of this one, as soon as there is one."""
        try:
            ring = open_ring(self._folder, writable=False)
        except RingError:
            # It is being made, or nothing plays at the moment: `listen` says so after a while.
            return
        if (ring.rate, ring.channels) != (self.rate, self.channels):
            raise RingError(
                f"The sound has changed from {self.rate} Hz x {self.channels} to {ring.rate} Hz x {ring.channels},"
                " which one WAV stream cannot hold: start `latent listen` again."
            )
        self._ring = ring
        self._position = 0

    def _end(self) -> int:
        return int(self._ring.words[Word.MONITOR_END])

    def _oldest(self, end: int) -> int:
        return end + _UNSAFE_FRAMES - len(self._ring.monitor)

    def _less(self, frames: Floats) -> Floats:
        """Give what is not to be left out."""
        count = min(self._left_out, len(frames))
        self._left_out -= count
        self.fade()
        return frames[count:]

    def _joined(self, frames: Floats) -> Floats:
        """Fade from what came last, played backwards, to what comes now."""
        self._seam = False
        count = min(len(frames), len(self._last))
        out, into = power_fade(count)
        head: Floats = self._last[::-1][:count] * out[:, np.newaxis] + frames[:count] * into[:, np.newaxis]
        return np.concatenate([head, frames[count:]])

    def _nothing(self) -> Floats:
        return np.zeros((0, self.channels), dtype=np.float32)


def listen(
    folder: Path,
    sink: Sink,
    say: Callable[[str], None],
    start_s: float,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send what the room hears, until so much was sent or nobody listens any more.

    Parameters
    ----------
    folder : Path
        The runtime folder.
    sink : Sink
        Is given a WAV header, then 16-bit frames as they come.
    say : callable
        Is given a sentence where nothing comes for some time.
    start_s : float
        So far back it begins; seconds.
    seconds : float, optional
        How much to send; without end unless told.
    clock : callable
        Seconds, as `time.monotonic` gives them.

    Raises
    ------
    RingError
        If nothing plays, or with another format from now on.
    ConnectionError
        From the sink, once nobody listens any more.
    """
    tap = Tap(folder, start_s, clock)
    left = None if seconds is None else round(seconds * tap.rate)
    sink.write(_header(tap.rate, tap.channels, left))
    heard_s, told = clock(), False
    while left is None or left > 0:
        frames = tap.read()[:left]
        if len(frames):
            sink.write(samples(frames))
            left = None if left is None else left - len(frames)
            heard_s, told = clock(), False
            continue
        if not told and clock() - heard_s > _PATIENCE_S:
            say("Nothing is sent to the sound card at the moment; waiting for the player.")
            told = True
            tap.fade()
        sink.pause(_PAUSE_S)


def _header(rate: int, channels: int, frames: int | None) -> bytes:
    frame_bytes = channels * _SAMPLE_BYTES
    size = _ENDLESS if frames is None else min(frames * frame_bytes, _ENDLESS)
    riff = min(size + _HEADER.size - 8, _ENDLESS)
    kind = (b"fmt ", 16, 1, channels, rate, rate * frame_bytes, frame_bytes, 8 * _SAMPLE_BYTES)
    return _HEADER.pack(b"RIFF", riff, b"WAVE", *kind, b"data", size)


def samples(frames: Floats) -> bytes:
    """Give frames as 16 bits each, the lowest byte first."""
    # Even from a monitor that somebody else wrote to, only sound may come.
    whole = np.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
    return np.rint(whole * _FULL_SCALE).astype("<i2").tobytes()
