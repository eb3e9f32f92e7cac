"""Choosing where to go in a recording: to what sounds alike, but not where it was just now."""

from collections import deque
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.stream.joins import in_phase
from appliance.stream.survey import Survey, difference_db

__all__ = ["Places"]

Floats = npt.NDArray[np.float32]

# In a short recording at most these shares of it.
_APART_S, _APART_SHARE = 5.0, 0.08
_NEWEST_S, _NEWEST_SHARE = 5.0, 0.25
_LIKENESS_S: Final = 3.0
_FIRST_LOOKS: Final = 64
# Few, lest the same ways are gone again and again.
_CANDIDATES: Final = 4
_RECENT: Final = 3
# Where little is left to choose from, these shares of the room wished for will do; with the last, nearness too.
_ROOMS: Final = (1.0, 0.5, 0.25, 0.1, 0.05)
# What was played lately counts as so much less alike, and is forgotten by this factor with each stretch.
_WEAR_DB, _WEAR_KEPT = 3.0, 0.7
_UNKNOWN_DB: Final = 40.0


class Places:
    """Where a stretch may begin.

    Parameters
    ----------
    survey : Survey
    rng : numpy.random.Generator
    least_frames : int
        What should follow behind the fade to a place.
    rate : int
        Frames per second.
    """

    def __init__(self, survey: Survey, rng: np.random.Generator, least_frames: int, rate: int) -> None:
        seconds = survey.frames / rate
        self._survey = survey
        self._rng = rng
        self._least_frames = least_frames
        self._apart_frames = round(min(_APART_S, _APART_SHARE * seconds) * rate)
        self._newest_frames = round(min(_NEWEST_S, _NEWEST_SHARE * seconds) * rate)
        self._likeness_frames = min(round(_LIKENESS_S * rate), survey.frames)
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._wear: npt.NDArray[Any] = np.zeros(survey.cells, dtype=np.float32)
        # The end of the recording is what was just heard.
        self._wear[-least_frames // survey.cell_frames :] = 1.0

    def first(self, ahead_frames: int) -> int | None:
        """Find the place that is most like the end of the recording, but not in its newest seconds.

        Parameters
        ----------
        ahead_frames : int
            How much behind it is looked at, every frame.

        Returns
        -------
        int or None
            What reaches the end of the recording goes on there in phase; None where nothing can be heard.
        """
        survey, likeness = self._survey, self._likeness_frames
        length, step = survey.cell_frames // 2, max(-(-survey.cells // _FIRST_LOOKS), 1)
        for cell in {*range(0, survey.cells, step), *survey.between(survey.frames - likeness, survey.frames)}:
            survey.look(cell)
        reference = survey.character(survey.frames - likeness, likeness)
        for room in _ROOMS:
            least = round(room * self._least_frames)
            last = survey.frames - self._newest_frames - least
            costs = {
                place: self._cost(place, likeness, least, reference)
                for place in range(step * survey.cell_frames, last, step * survey.cell_frames)
                if survey.run(place) >= least
            }
            for place in sorted(costs, key=costs.__getitem__):
                if all(survey.look(cell) for cell in survey.between(place, place + min(least, ahead_frames))):
                    return in_phase(survey, survey.frames - length, place - length, length) + length
        return None

    def choose(self, entered: int, leave: int, fade: int) -> int | None:
        """Draw places, and give the one that sounds most like the frames to be faded away from ``leave`` on.

        It lies apart from there, from where this stretch was ``entered``, and from where the ones before it were.
        None where no place is left with room for that fade and a little more.
        """
        survey = self._survey
        reference = survey.character(leave, fade)
        shunned = np.array([leave, entered, *self._recent])
        starts = np.arange(survey.cells) * survey.cell_frames
        apart = np.abs(starts[:, np.newaxis] - shunned).min(axis=1)
        for room in _ROOMS:
            least = fade + round(room * self._least_frames)
            # A cell more, because a place lies anywhere in its cell; none in the first, to be brought into phase.
            fits = survey.runs() >= least + survey.cell_frames
            if room > _ROOMS[-1]:
                fits &= apart >= room * self._apart_frames
            cells = np.flatnonzero(fits[1:]) + 1
            if len(cells):
                drawn = self._rng.choice(cells, min(_CANDIDATES, len(cells)), replace=False) * survey.cell_frames
                places = (drawn + self._rng.integers(0, survey.cell_frames, len(drawn))).tolist()
                return int(min(places, key=lambda place: self._cost(place, fade, least, reference)))
        return None

    def played(self, entry: int, end: int) -> None:
        """Remember the stretch that was played last."""
        cells = self._survey.between(entry, end)
        self._recent.append(entry)
        self._wear *= np.float32(_WEAR_KEPT)
        self._wear[cells.start : cells.stop] += 1.0

    def _cost(self, place: int, frames: int, least: int, reference: Floats | None) -> float:
        """How unlike a place is, and how worn."""
        character = self._survey.character(place, frames)
        unlike_db = _UNKNOWN_DB if character is None or reference is None else difference_db(reference, character)
        cells = self._survey.between(place, place + least)
        return unlike_db + _WEAR_DB * float(self._wear[cells.start : cells.stop].mean())
