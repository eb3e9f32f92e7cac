"""Beds: the nature sounds under the music, played without a seam and without a pattern that one could hear.

A bed is a loop. It is read for less than a minute from one place, then from another; after a minute or two it
gives way to a similar bed. Where and when follows from the seed, so that any moment can be found again
without making the sound before it.
"""

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import FLOOR_DB, Floats
from appliance.synth.chance import draw

__all__ = ["Bed", "BedCursor", "Beds"]

_READING_S = (20.0, 45.0)
_STAY_S = (60.0, 120.0)
_JUMP_FADE_S = 4.0
_MOVE_FADE_S = 20.0
_BREATH_S = 8.0
_BREATH_DB = 2.0
_NEAREST = 3
_MOST_KNOTS = 64


@dataclass(frozen=True, eq=False)
class Bed:
    """A nature sound, ready to be looped.

    Attributes
    ----------
    name : str
    loop : (frames, channels) float32 or int16
        Times ``scale`` it is the sound. Its end runs into its beginning. May be a memory map of a file.
    spectrum : (1233,) float32
        Its mean power per bin (see `codec`), by which similar beds are found.
    lufs : float
        Integrated loudness.
    scale : float
    """

    name: str
    loop: npt.NDArray[Any]
    spectrum: Floats
    lufs: float
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class BedCursor:
    """Where the beds are at the beginning of a hop: a small value, the same for the same seed and hop.

    Attributes
    ----------
    hop : int
        Hops since the beginning.
    segment : int
        Readings since the beginning; all that is random is drawn from the seed and this number.
    bed, place : int
        The bed that sounds and the frame of its loop with which this hop begins.
    next_bed, next_place : int
        The reading that follows: this or another bed, and the frame at which it is now or will begin.
    left : int
        Hops until the cross-fade to it begins.
    fade, faded : int
        Hops that the cross-fade lasts, and how many of them have passed.
    stay : int
        Hops this bed is still to sound when the next reading begins; 0 or less if another follows.
    came_from : int
        The bed before this one, -1 at the beginning.
    """

    hop: int
    segment: int
    bed: int
    place: int
    next_bed: int
    next_place: int
    left: int
    fade: int
    faded: int
    stay: int
    came_from: int


class Beds:
    """Plays beds: ``first`` and ``advance`` move a cursor, ``render`` makes the sound of its hop.

    All three are pure; any thread.

    Parameters
    ----------
    beds : sequence of Bed
        At least one; all with the same number of channels.
    hop_frames : int
    rate : int
        Frames per second.

    Raises
    ------
    ValueError
        If there is no bed, their channels differ, or a loop is shorter than a hop.

    Attributes
    ----------
    all : tuple of Bed
    lufs : float
        Nominal loudness: the mean power of the beds.
    """

    def __init__(self, beds: Sequence[Bed], hop_frames: int, rate: int) -> None:
        if not beds or len({bed.loop.shape[1] for bed in beds}) > 1:
            raise ValueError("there must be at least one bed, and all must have the same number of channels")
        if min(len(bed.loop) for bed in beds) < hop_frames:
            raise ValueError("a bed's loop must be at least as long as a hop")
        self.lufs = 10.0 * math.log10(sum(10.0 ** (bed.lufs / 10.0) for bed in beds) / len(beds))
        self.hop_frames = hop_frames
        self.all = tuple(beds)
        self._loops = tuple(np.asarray(bed.loop) for bed in beds)
        self._hop_s = hop_frames / rate
        self._similar = _similar([bed.spectrum for bed in beds])
        # Gains are drawn through knots, evenly spaced, with straight lines between them.
        knots = max(count for count in range(1, _MOST_KNOTS + 1) if hop_frames % count == 0)
        self._knots = np.linspace(0.0, 1.0, knots + 1)
        channels = beds[0].loop.shape[1]
        slope = np.repeat(np.arange(hop_frames // knots, dtype=np.float32) / np.float32(hop_frames // knots), channels)
        self._lines = np.stack([np.ones_like(slope), slope])

    def first(self, seed: int) -> BedCursor:
        """Give the cursor of the first hop of this seed."""
        bed = int(draw(seed, 0, 0) * len(self.all))
        place = int(draw(seed, 0, 1) * len(self._loops[bed]))
        return self._read(seed, (0, 0, bed, place, 0), self._stay(seed, 0), -1)

    def advance(self, seed: int, cursor: BedCursor) -> BedCursor:
        """Give the cursor of the next hop, without sound."""
        c = cursor
        place = (c.place + self.hop_frames) % len(self._loops[c.bed])
        if c.left > 0:
            return BedCursor(
                c.hop + 1, c.segment, c.bed, place, c.next_bed, c.next_place,
                c.left - 1, c.fade, 0, c.stay, c.came_from,
            )  # fmt: skip
        next_place = (c.next_place + self.hop_frames) % len(self._loops[c.next_bed])
        if c.faded + 1 < c.fade:
            return BedCursor(
                c.hop + 1, c.segment, c.bed, place, c.next_bed, next_place, 0, c.fade, c.faded + 1, c.stay, c.came_from
            )
        segment = c.segment + 1
        at = (c.hop + 1, segment, c.next_bed, next_place, c.fade)
        if c.stay > 0:
            return self._read(seed, at, c.stay, c.came_from)
        return self._read(seed, at, self._stay(seed, segment), c.bed)

    def render(self, seed: int, cursor: BedCursor, gain: tuple[float, float] = (1.0, 1.0)) -> Floats:
        """Make the sound of a hop.

        Parameters
        ----------
        seed : int
        cursor : BedCursor
        gain : (float, float)
            Linear gain at the beginning and at the end of the hop, in a straight line between.

        Returns
        -------
        (hop_frames, channels) float32
        """
        breath = tuple(10.0 ** (_breath_db(seed, (cursor.hop + step) * self._hop_s) / 20.0) for step in (0, 1))
        level = np.interp(self._knots, (0.0, 1.0), breath) * np.interp(self._knots, (0.0, 1.0), gain)
        if cursor.left > 0:
            return self._part(cursor.bed, cursor.place, level)
        # Places in a loop that are seconds apart, and different beds, are uncorrelated: their powers add.
        angle = (cursor.faded + self._knots) * (0.5 * math.pi / cursor.fade)
        sound = self._part(cursor.bed, cursor.place, level * np.cos(angle))
        sound += self._part(cursor.next_bed, cursor.next_place, level * np.sin(angle))
        if cursor.faded + 1 == cursor.fade and cursor.next_bed != cursor.bed:
            _let_go(self.all[cursor.bed].loop)
        return sound

    def _part(self, bed: int, place: int, level: npt.NDArray[np.float64]) -> Floats:
        """Read a hop of one loop under a gain given at the knots."""
        loop = self._loops[bed]
        piece = loop[place : place + self.hop_frames]
        if len(piece) < self.hop_frames:
            piece = np.concatenate([piece, loop[: self.hop_frames - len(piece)]])
        level = level * self.all[bed].scale
        ends = np.stack([level[:-1], np.diff(level)], axis=1).astype(np.float32)
        gains = ends @ self._lines
        gains *= piece.reshape(gains.shape)
        return np.asarray(gains.reshape(piece.shape))

    def _stay(self, seed: int, segment: int) -> int:
        return self._hops(_between(_STAY_S, draw(seed, segment, 2)))

    def _read(self, seed: int, at: tuple[int, int, int, int, int], stay: int, came_from: int) -> BedCursor:
        """Begin a reading, and decide how long it lasts and what follows.

        ``at`` is (hop, segment, bed, place, entered): hops of the reading that have passed in the cross-fade.
        """
        hop, segment, bed, place, entered = at
        # Not longer than the loop, if that can be, lest a stretch be heard twice at the same distance.
        whole = len(self._loops[bed]) // self.hop_frames - entered
        reading = min(self._hops(_between(_READING_S, draw(seed, segment, 3))), whole)
        moves = max(1, reading) >= stay
        fade = self._hops(_MOVE_FADE_S if moves else _JUMP_FADE_S)
        left = max(1, reading - fade)
        next_bed = self._choose(seed, segment, bed, came_from) if moves else bed
        length = len(self._loops[next_bed])
        if next_bed == bed:
            # Far from the place that is being left, or the two would be correlated.
            ahead = left * self.hop_frames + int(_between((0.15, 0.85), draw(seed, segment, 5)) * length)
            next_place = (place + ahead) % length
        else:
            next_place = int(draw(seed, segment, 5) * length)
        stay = 0 if moves else max(1, stay - left - fade)
        return BedCursor(hop, segment, bed, place, next_bed, next_place, left, fade, 0, stay, came_from)

    def _choose(self, seed: int, segment: int, bed: int, came_from: int) -> int:
        """Draw one of the similar beds, not the one before unless there is no other."""
        candidates = [other for other in self._similar[bed] if other != came_from] or self._similar[bed]
        return candidates[int(draw(seed, segment, 4) * len(candidates))]

    def _hops(self, seconds: float) -> int:
        return max(1, round(seconds / self._hop_s))


def _similar(spectra: list[Floats]) -> list[list[int]]:
    """List for each bed those it may give way to: the three nearest by RMS difference in decibels.

    Two groups of alike beds would never meet that way, so the links of a minimum spanning tree (R. C. Prim,
    "Shortest connection networks and some generalizations", 1957) are added: from each bed a way leads to
    every other.
    """
    count = len(spectra)
    if count == 1:
        return [[0]]
    stack = np.stack(spectra) * FLOOR_DB
    distance = np.stack([np.sqrt(np.mean((stack - row) ** 2, axis=1)) for row in stack])
    np.fill_diagonal(distance, np.inf)
    nearest = min(_NEAREST, count - 1)
    links = [set(np.argsort(row, kind="stable")[:nearest].tolist()) for row in distance]
    reached, rest = [0], list(range(1, count))
    while rest:
        gap = distance[np.ix_(reached, rest)]
        one, two = np.unravel_index(int(np.argmin(gap)), gap.shape)
        links[reached[one]].add(rest[two])
        links[rest[two]].add(reached[one])
        reached.append(rest.pop(int(two)))
    return [sorted(each) for each in links]


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


def _breath_db(seed: int, time_s: float) -> float:
    """Slow random curve of time within +-2 dB: smoothed steps between values drawn every 8 s."""
    number = int(time_s // _BREATH_S)
    share = time_s / _BREATH_S - number
    share *= share * (3.0 - 2.0 * share)
    ends = (draw(seed, number, 6), draw(seed, number + 1, 6))
    return _BREATH_DB * (2.0 * _between(ends, share) - 1.0)


def _let_go(loop: Floats) -> None:
    """Give back the memory of a mapped loop, lest a night of many recordings gather all of them in memory."""
    if isinstance(loop.base, mmap.mmap):
        loop.base.madvise(mmap.MADV_DONTNEED)
