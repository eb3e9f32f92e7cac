"""The hold: endless sound out of a recording of a minute or less, for when nothing fresh comes any more.

It reads a stretch, cross-fades to another place that sounds alike, reads on from there, and so on. Lengths and places
are drawn, so that no period forms; stretches are read forwards, and never across the seam of the circle.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.joins import in_phase, steady_gains
from appliance.stream.places import Places
from appliance.stream.survey import Recording, Survey, hush, plausible

__all__ = ["LEAST_S", "Wander"]

Floats = npt.NDArray[np.float32]

LEAST_S: Final = 4.0
# Shortest and longest; in a short recording at most these shares of it.
_FADE_S, _FADE_SHARES = (2.0, 4.0), (0.125, 0.125)
_STRETCH_S, _STRETCH_SHARES = (8.0, 25.0), (0.25, 0.5)
# At least as long as a fade, so that all of it was looked at before it begins.
_AHEAD_S: Final = 4.0
_PLAN_S: Final = 8.0

_BLOCK: Final = 1024
_LOOK_SLICES: Final = 4
_SLICES_PER_S: Final = 47.0
# Places that cancel each other more than this are kept only where others are no better.
_TRIES, _EASY_GAIN = 6, 1.1


@dataclass(frozen=True)
class _Join:
    """Where a fade leads, and what its gains are multiplied by at so many places along it."""

    entry: int
    gains: Floats


class Wander:
    """Endless sound without a seam, from a recording of a minute or less.

    Begins at a place that sounds like the end of the recording, in phase with it where it has a pitch. The same
    source and seed give the same sound, in parts of whatever length it is read. One thread at a time.

    Parameters
    ----------
    source : (length, channels) float32 or float16
        A circle: frame i in time is ``source[(start + i) % length]``. Read where needed and never copied whole, so it
        may be shared memory; what turns bad while it plays (not finite, beyond full scale, silent) is left before it
        comes near.
    start : int
        Where the oldest frame lies.
    rate : int
        Frames per second, 8000 or more.
    seed : int
    frames : int or None
        How many frames, the newest ones, hold sound yet; None means all.

    Raises
    ------
    ValueError
        If the source has another shape or type, or fewer frames than said.
    """

    def __init__(self, source: Recording, start: int, rate: int, seed: int, frames: int | None = None) -> None:
        self._survey = Survey(source, start, len(source) if frames is None else frames, rate)
        self._rng = np.random.default_rng(seed)
        self._rate = rate
        seconds = self._survey.frames / rate
        self._fade_s = _bounds(_FADE_S, _FADE_SHARES, seconds)
        self._stretch_s = _bounds(_STRETCH_S, _STRETCH_SHARES, seconds)
        self._ahead_frames = round(_AHEAD_S * rate)
        self._plan_frames = round(_PLAN_S * rate)
        # At low rates a block lasts longer, and what is to be done is less.
        self._slices = max(round(_SLICES_PER_S * _BLOCK / rate), 1)
        least_frames = round((self._stretch_s[0] + self._fade_s[1]) * rate)
        self._places = Places(self._survey, self._rng, least_frames, rate)
        self._rest = np.zeros((0, self._survey.channels), dtype=np.float32)
        self._looks = 0
        self._at = 0
        first = self._places.first(self._ahead_frames)
        self._lost = first is None
        self._entered = first or 0
        self._settle(self._entered)

    @property
    def lost(self) -> bool:
        """Whether no good place is left: it has faded out, and stays silent."""
        return self._lost

    def read(self, frames: int) -> Floats:
        """Give the next frames, (frames, channels) float32, always finite; the caller may keep and change them."""
        parts, ready = [self._rest], len(self._rest)
        while ready < frames:
            parts.append(self._block())
            ready += _BLOCK
        sound = np.concatenate(parts)
        self._rest = sound[frames:].copy()
        return sound[:frames]

    def _block(self) -> Floats:
        if self._lost:
            return np.zeros((_BLOCK, self._survey.channels), dtype=np.float32)
        if self._faded is None and self._at >= self._exit:
            self._depart()
        block, good = self._heard(self._at)
        self._at += _BLOCK
        if self._faded is not None:
            other_good = self._mix(block, self._faded)
            self._faded += _BLOCK
            # A fade between two places that are both spoilt is no use.
            if self._faded >= self._fade or not (good or other_good):
                self._arrive()
        for _ in range(self._slices):
            self._work()
        return block

    def _heard(self, at: int) -> tuple[Floats, bool]:
        """Take a block, and say if it is good; what must not be heard becomes silence, and the place is left."""
        block = self._survey.take(at, _BLOCK)
        good = plausible(block)
        if not good:
            hush(block)
            if not plausible(block):
                block[:] = 0.0
            self._survey.reject(at)
            self._shorten()
        return block, good

    def _mix(self, block: Floats, faded: int) -> bool:
        """Fade from a block, in place, to that of the next place: equal power, corrected for what both share.

        Gives whether the next place is good.
        """
        places = (np.arange(_BLOCK, dtype=np.float32) + np.float32(faded + 0.5)) / np.float32(self._fade)
        turns = places * np.float32(np.pi / 2.0)
        block *= np.cos(turns)[:, np.newaxis]
        if self._join is None:
            return False
        other, good = self._heard(self._join.entry + faded)
        block += np.sin(turns)[:, np.newaxis] * other
        points = len(self._join.gains)
        gains = np.interp(places * (points - 1), np.arange(points), self._join.gains)
        block *= gains.astype(np.float32)[:, np.newaxis]
        return good

    def _settle(self, at: int) -> None:
        """Begin a stretch."""
        self._at = at
        self._faded: int | None = None
        self._join: _Join | None = None
        self._plan: Iterator[None] | None = None
        self._next_ahead = at // self._survey.cell_frames
        run = self._survey.run(at)
        self._fade = _fitting(self._draw(self._fade_s), run)
        self._exit = at + max(min(self._draw(self._stretch_s), _whole(run - self._fade)), 0)

    def _shorten(self) -> None:
        """Leave earlier if something bad was found ahead; a fade under way is let finish."""
        run = self._survey.run(self._at)
        if self._faded is not None or self._at + run >= self._exit + self._fade:
            return
        self._fade = _fitting(self._fade, run)
        self._exit = self._at + max(_whole(run - self._fade), 0)
        self._join = self._plan = None

    def _depart(self) -> None:
        """Begin to fade; where no plan is ready any good place is better than what comes here, and else silence."""
        if self._join is None:
            self._join = self._hasty()
        self._faded = 0
        if self._join is not None:
            self._next_ahead = self._join.entry // self._survey.cell_frames

    def _hasty(self) -> _Join | None:
        """Give a place to go to at once."""
        for _ in range(_TRIES):
            entry = self._places.choose(self._entered, self._at, self._fade)
            if entry is None:
                break
            soon = self._survey.between(entry, entry + self._fade + _BLOCK)
            if all(self._survey.look(cell) for cell in soon):
                return _Join(entry, np.ones(2, dtype=np.float32))
        return None

    def _arrive(self) -> None:
        self._places.played(self._entered, self._at)
        if self._join is None:
            self._lost = True
            return
        seen, self._entered, faded = self._next_ahead, self._join.entry, self._faded or 0
        self._settle(self._entered + faded)
        self._next_ahead = max(seen, self._next_ahead)

    def _work(self) -> None:
        """A slice of what is to be done between blocks: look at what is played soon, plan where to go, look around."""
        survey, cell = self._survey, self._next_ahead
        at, last = self._at, min(self._exit + self._fade, survey.frames)
        if self._faded is not None and self._join is not None:
            at, last = self._join.entry + self._faded, survey.frames
        if cell * survey.cell_frames < min(at + self._ahead_frames, last):
            self._next_ahead += 1
            if not survey.look(cell):
                self._shorten()
        elif self._faded is None and self._exit - at <= self._plan_frames:
            self._plan = self._plan or self._planning(self._exit, self._fade)
            next(self._plan, None)
        else:
            self._looks += 1
            if self._looks % _LOOK_SLICES == 0:
                survey.look(self._looks // _LOOK_SLICES % survey.cells)

    def _planning(self, leave: int, fade: int) -> Iterator[None]:
        """In slices, find a few places to go to, and keep the one whose fade needs the least help."""
        best = np.inf
        for _ in range(_TRIES):
            entry = self._places.choose(self._entered, leave, fade)
            yield
            if entry is not None:
                join = yield from self._prepared(leave, entry, fade)
                if join is not None and join.gains.max() < best:
                    best, self._join = float(join.gains.max()), join
            if best <= _EASY_GAIN:
                return

    def _prepared(self, leave: int, entry: int, fade: int) -> Generator[None, None, _Join | None]:
        """In slices, look at all that follows a place, bring it into phase, and measure what the fade needs."""
        survey, length = self._survey, self._survey.cell_frames // 2
        for cell in survey.between(entry, entry + self._ahead_frames):
            survey.look(cell)
            yield
        if survey.run(entry) < fade + _BLOCK:
            return None
        if fade > length:
            middle = (fade - length) // 2
            entry = in_phase(survey, leave + middle, entry + middle, length) - middle
            yield
        return _Join(entry, (yield from steady_gains(survey, leave, entry, fade)))

    def _draw(self, bounds_s: tuple[float, float]) -> int:
        return _whole(round(self._rng.uniform(*bounds_s) * self._rate))


def _bounds(usual_s: tuple[float, float], shares: tuple[float, float], seconds: float) -> tuple[float, float]:
    return min(usual_s[0], shares[0] * seconds), min(usual_s[1], shares[1] * seconds)


def _whole(frames: int) -> int:
    """Down to whole blocks."""
    return frames // _BLOCK * _BLOCK


def _fitting(fade: int, run: int) -> int:
    """Give a fade that leaves half of what can be played, but never none."""
    return max(min(fade, _whole(run // 2)), _BLOCK)
