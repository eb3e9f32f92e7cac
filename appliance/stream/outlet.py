"""The player's end of the ring: the next block of fresh sound, checked, from whichever lane it is to come."""

from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.fades import LANE_FADE_S, blend_lanes, lane_fade
from appliance.stream.guard import SILENCE_LUFS, Guard
from appliance.stream.layout import BLOCK_FRAMES, GRID_FRAMES, GUARD_FRAMES, Word
from appliance.stream.ledger import Ledger
from appliance.stream.ring import Ring, take
from appliance.stream.state import unpack_switch

__all__ = ["DRY_S", "Outlet"]

Floats = npt.NDArray[np.float32]

# Below this a lane counts as running dry, and the other one is looked to.
DRY_S: Final = 0.4


class Outlet:
    """Reads a ring; for the player's thread alone.

    Parameters
    ----------
    ring : Ring
    ledger : Ledger

    Attributes
    ----------
    position : int
        The frame that is pulled next. What was pulled is in the caller's hands, and not yet in the card's.
    refused : bool
        Whether the last pull found sound that cannot be what was announced.
    """

    def __init__(self, ring: Ring, ledger: Ledger) -> None:
        self._ring = ring
        self._ledger = ledger
        self._words = ring.words
        self._guard = Guard(ring.rate, ring.channels)
        self._lane = int(self._words[Word.PLAYING]) & 1
        self._fading = False
        self._gain = lane_fade(round(LANE_FADE_S * ring.rate))
        self._faded = 0
        self._dry_frames = round(DRY_S * ring.rate) + BLOCK_FRAMES
        self.position = ledger.read
        self.refused = False

    @property
    def ready_frames(self) -> int:
        """Frames that can be pulled before the lane is dry."""
        return self._ready(self._lane)

    @property
    def announced_lufs(self) -> tuple[float, float]:
        """Lowest and highest loudness announced around the frame that is pulled next: a hop may end within a cell."""
        lanes = (self._lane, 1 - self._lane) if self._fading else (self._lane,)
        found = [self._announced(lane) for lane in lanes]
        return min(low for low, _ in found), max(high for _, high in found)

    def _announced(self, lane: int) -> tuple[float, float]:
        lowest, highest = self._ring.grids[lane]
        there = self._ring.lane(lane)
        near = (self.position + by for by in (-GRID_FRAMES, 0, GRID_FRAMES))
        around = [at // GRID_FRAMES % len(lowest) for at in near if there.begin <= at < there.end]
        if not around:
            return SILENCE_LUFS, SILENCE_LUFS
        return float(lowest[around].min()), float(highest[around].max())

    def look(self, holding: bool) -> None:
        """Go over to the other lane if it is time: for a turn, or because this one runs dry and that one does not.

        Parameters
        ----------
        holding : bool
            Nothing of the ring is heard now, so that a lane may change without a fade.
        """
        if self._fading:
            return
        turn = unpack_switch(self._words[Word.SWITCH])
        if turn.number != self._words[Word.TAKEN]:
            there = self._ring.lane(turn.lane)
            if not there.begin <= turn.frame < there.end <= self.position + self._ring.shape.lane_frames:
                # Nobody has made that future: somebody scribbled on the word.
                return
            if turn.lane == self._lane:
                self._words[Word.TAKEN] = turn.number
            elif holding and turn.frame > self.position and self.ready_frames < BLOCK_FRAMES:
                self._jump(turn.frame)
            elif turn.frame <= self.position:
                self._go_over(turn.lane, holding)
        elif self.ready_frames < self._dry_frames and self._ready(1 - self._lane) > self._dry_frames:
            self._go_over(1 - self._lane, holding)

    def pull(self) -> Floats | None:
        """Give the next (512, channels) float32, the caller's own; None where there is nothing fit to be heard."""
        lane, position = self._lane, self.position
        if self._ready(lane) < BLOCK_FRAMES:
            return None
        block = take(self._ring.lanes[lane], position, BLOCK_FRAMES)
        if self._fading:
            block = self._blended(block)
        # Should the engine have begun to write here meanwhile, it said so first.
        still = self._ring.lane(lane)
        if not still.begin <= position <= still.end - BLOCK_FRAMES:
            return None
        self.refused = not self._guard.accepts(block, self.announced_lufs)
        if self.refused:
            self._words[Word.REFUSALS] += 1
            self._words[Word.BAD] += self._guard.bad_samples
            self._guard.bad_samples = 0
            return None
        self.position += BLOCK_FRAMES
        return block

    def _ready(self, lane: int) -> int:
        there = self._ring.lane(lane)
        if not there.begin <= self.position <= there.end <= self.position + self._ring.shape.lane_frames:
            return 0
        return max(0, there.end - GUARD_FRAMES - self.position)

    def _go_over(self, lane: int, holding: bool) -> None:
        enough = len(self._gain) + BLOCK_FRAMES
        if self._ready(lane) < enough:
            return
        if self.ready_frames >= enough and not self.refused:
            self._fading, self._faded = True, 0
        elif not holding:
            return
        self._lane = lane
        self._words[Word.TAKEN_FADED] = self._fading
        self._words[Word.TAKEN_FRAME] = self.position
        self._words[Word.PLAYING] = lane
        if not self._fading:
            self._arrived()

    def _arrived(self) -> None:
        """Let the engine have the other lane."""
        self._fading = False
        self._words[Word.TAKEN] = unpack_switch(self._words[Word.SWITCH]).number

    def _jump(self, frame: int) -> None:
        self.position = frame
        self._ledger.jump(frame)

    def _blended(self, block: Floats) -> Floats:
        part = self._gain[self._faded : self._faded + BLOCK_FRAMES]
        old = take(self._ring.lanes[1 - self._lane], self.position, len(part))
        block[: len(part)] = blend_lanes(old, block[: len(part)], part)
        self._faded += BLOCK_FRAMES
        if self._faded >= len(self._gain):
            self._arrived()
        return block
