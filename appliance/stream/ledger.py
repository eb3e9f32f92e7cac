"""The player's books in the ring: what the card has taken, the history and the monitor.

The player believes its own counts and writes them down for others; should the ring ever say otherwise, somebody else
has written to it.
"""

import math
import os
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RingError
from appliance.stream.guard import Loudness
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.porter import Plan
from appliance.stream.ring import Ring, put, take
from appliance.stream.state import State

__all__ = ["Ledger", "tell_plan"]

Floats = npt.NDArray[np.float32]

# The file's place is looked up only so often: that asks the system.
_CHECK_BLOCKS: Final = 32
_INHERITED_S: Final = 16.0
_DAY_S: Final = 86_400


class Ledger:
    """Keeps the player's part of a ring; its thread alone.

    Parameters
    ----------
    ring : Ring
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.

    Attributes
    ----------
    read : int
        The frame that is handed to the card next.
    """

    def __init__(self, ring: Ring, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._ring = ring
        self._words = ring.words
        self._clock_ns = clock_ns
        self._loudness = Loudness(ring.rate, ring.channels)
        self._blocks = 0
        self._plan: Plan | None = None
        self.read = ring.words[Word.READ] // BLOCK_FRAMES * BLOCK_FRAMES
        self._history_end = ring.words[Word.HISTORY_END]
        self._history_begin = ring.words[Word.HISTORY_BEGIN]
        self._monitor_end = ring.words[Word.MONITOR_END]
        self._words[Word.READ] = self.read
        self._words[Word.PLAYER_PID] = os.getpid()
        self._words[Word.PLAYER_START_NS] = clock_ns()

    @property
    def history_at(self) -> int:
        """Where in the history the next frame will lie: right behind the newest, which is where the oldest may be."""
        return self._history_end % len(self._ring.history)

    @property
    def history_frames(self) -> int:
        """How many frames the history holds."""
        # At the oldest end the next block may be under way.
        return max(0, min(self._history_end - self._history_begin, len(self._ring.history) - BLOCK_FRAMES))

    def check(self) -> None:
        """Raise RingError where the ring is not what this player left."""
        self._blocks += 1
        words = self._words
        theirs = (words[Word.READ], words[Word.HISTORY_END], words[Word.MONITOR_END])
        if theirs != (self.read, self._history_end, self._monitor_end) or not self._ring.intact():
            raise RingError("Somebody else has written to the ring.")
        if self._blocks % _CHECK_BLOCKS == 0 and not self._ring.current():
            raise RingError("Somebody has put another file in the place of the ring.")

    def fresh(self, block: Floats) -> None:
        """The card has taken a block of fresh sound, as it was before the fader."""
        put(self._ring.history, self._history_end, block)
        self._history_end += len(block)
        self.read += len(block)
        self._words[Word.HISTORY_END] = self._history_end
        self._words[Word.READ] = self.read

    def held(self, sounding: bool) -> None:
        """The card has taken a block without fresh sound: of the hold, or of silence because there is none."""
        self._words[Word.HELD if sounding else Word.UNDERRUNS] += BLOCK_FRAMES

    def jump(self, frame: int) -> None:
        """Leave out frames that nobody will ever make; what comes then does not follow from the history."""
        self.read = frame
        self._history_begin = self._history_end
        self._words[Word.READ] = self.read
        self._words[Word.HISTORY_BEGIN] = self._history_begin

    def sent(self, block: Floats, state: State) -> None:
        """The card has taken this, after the fader."""
        words = self._words
        put(self._ring.monitor, self._monitor_end, block)
        self._monitor_end += len(block)
        words[Word.MONITOR_END] = self._monitor_end
        words[Word.CONSUMED] += len(block)
        words[Word.PLAYER_BEAT_NS] = self._clock_ns()
        words[Word.STATE] = state
        if self._loudness.add(block):
            self._ring.reals[Word.LOUDNESS] = self._loudness.lufs

    def plan(self, plan: Plan, edge_s: float) -> None:
        """Write down by what the room is open or closed, and for how many seconds of sound that stays so."""
        if plan is not self._plan:
            self._plan = plan
            tell_plan(self._words, plan)
        self._words[Word.EDGE_FRAME] = self.read + round(edge_s * self._ring.rate) if math.isfinite(edge_s) else 0

    def inherit(self, before: "Ledger") -> None:
        """Take over the end of the history of a ring that this one replaces."""
        # All of it would take so long that the card runs dry.
        frames = min(before.history_frames, round(_INHERITED_S * self._ring.rate))
        put(self._ring.history, 0, take(before._ring.history, before.history_at - frames, frames))
        self._words[Word.CEILING] = before._words[Word.CEILING]
        self._history_end = self._words[Word.HISTORY_END] = frames
        for word in (Word.CONSUMED, Word.HOLDS, Word.HELD, Word.UNDERRUNS, Word.BAD, Word.REFUSALS, Word.CARDS_LOST):
            self._words[word] = before._words[word]


def tell_plan(words: "memoryview[int]", plan: Plan) -> None:
    """Write into a ring's words by what the room is open or closed, and when that changes."""
    change = plan.change
    offset = None if change is None else change.utcoffset()
    words[Word.CHANGE_S] = 0 if change is None else round(change.timestamp())
    words[Word.CHANGE_OFFSET_S] = 0 if offset is None else _DAY_S + round(offset.total_seconds())
    words[Word.RULE] = plan.rule
