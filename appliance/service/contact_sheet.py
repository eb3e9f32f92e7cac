"""A contact sheet of sound: a moment of each of many pieces, from all over the run of a seed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.engine.timeline import Timeline
from appliance.errors import UsageError
from appliance.mood import Mood
from appliance.service.render import Excerpt, Excerpted, PieceNote
from appliance.spectrum.codec import Floats
from appliance.synth.master import fade_in, fade_out

__all__ = ["GAP_S", "LEAST_SECONDS", "STRIDE", "ContactSheet", "Shown"]

# Neighbouring pieces resemble each other: those so many apart show how far the model reaches.
STRIDE: Final = 7
GAP_S: Final = 0.5
_FADE_S = 0.75
LEAST_SECONDS: Final = 2.0 * _FADE_S


@dataclass(frozen=True)
class Shown:
    """A piece on the sheet.

    Attributes
    ----------
    number : int
        As `Piece` counts.
    pattern : str
        Letters A to E.
    length_s : float
        Of the whole piece, at the pace of the mood.
    start_s : float
        Where in the piece the excerpt begins, in whole seconds.
    at_s : float
        Where in the file it begins.
    """

    number: int
    pattern: str
    length_s: float
    start_s: float
    at_s: float


class ContactSheet:
    """The excerpts one after another, each faded in and out, with silence between: a `Source`.

    An excerpt begins a third of the way into its piece, where nothing of the piece before or after is heard; at a pace
    that leaves no room for that, it is the middle of the piece.

    Parameters
    ----------
    timeline : Timeline
    seed : int
    mood : Mood
    pieces : int
        How many are shown: 0, 7, 14, ...
    seconds : float
        Of each, at least `LEAST_SECONDS`.

    Attributes
    ----------
    shown : tuple of Shown
    seconds : float
        Of the whole sheet.

    Raises
    ------
    UsageError
        If a piece is shorter than what is to be shown of it.
    """

    def __init__(self, timeline: Timeline, seed: int, mood: Mood, pieces: int, seconds: float) -> None:
        self._timeline, self._seed, self._mood = timeline, seed, mood
        self._frames, self._gap_frames = (round(each * timeline.rate) for each in (seconds, GAP_S))
        self.shown = tuple(self._show(place, seconds) for place in range(pieces))
        self.seconds = self.shown[-1].at_s + self._frames / timeline.rate
        self.seconds_made = 0.0
        self.seconds_spent = 0.0

    def _show(self, place: int, seconds: float) -> Shown:
        number = place * STRIDE
        piece = self._timeline.start(self._seed, self._mood, number).now.piece
        length_s = piece.length_s / self._mood.pace
        if seconds > length_s:
            raise UsageError(f"Piece {number} lasts {length_s:.0f} s at this pace: show fewer seconds of each.")
        start_s = math.floor(min(length_s / 3.0, (length_s - seconds) / 2.0))
        at_s = place * (self._frames + self._gap_frames) / self._timeline.rate
        return Shown(number, piece.pattern, length_s, float(start_s), at_s)

    def __iter__(self) -> Iterator[Floats]:
        for each in self.shown:
            if each.at_s:
                yield np.zeros((self._gap_frames, self._timeline.channels), np.float32)
            yield from self._excerpt(each)

    def _excerpt(self, shown: Shown) -> Iterator[Floats]:
        fade_frames, done = round(_FADE_S * self._timeline.rate), 0
        sound = Excerpted(self._timeline, Excerpt(self._seed, self._mood, shown.number, shown.start_s))
        for hop in sound:
            part = fade_in(hop[: self._frames - done], done, fade_frames)
            yield fade_out(part, done - (self._frames - fade_frames), fade_frames)
            done += len(part)
            if done == self._frames:
                break
        self.seconds_made += sound.seconds_made
        self.seconds_spent += sound.seconds_spent

    def within(self, seconds: float) -> tuple[Shown, ...]:
        """List what is heard within the first so many seconds of the file."""
        return tuple(each for each in self.shown if each.at_s < seconds)

    def pieces(self, seconds: float) -> tuple[PieceNote, ...]:
        """List the pieces heard within the first so many seconds, in order."""
        return tuple(
            PieceNote(each.number, round(each.at_s - each.start_s, 3), each.pattern) for each in self.within(seconds)
        )
