"""Replay: the sound of a run made again from its log, on the same machine to the same bits as the ring carried."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from appliance.engine.cursor import Cursor
from appliance.engine.log import MOST_LOG_BYTES, Chosen, Logged, Turn, inputs_of, read
from appliance.engine.timeline import Timeline
from appliance.errors import ModelError, UsageError
from appliance.folders import shown
from appliance.model.library import find
from appliance.service.build import build_timeline
from appliance.service.render import PieceNote, heard_within
from appliance.settings import BUILT_IN_BEDS, NO_BEDS, SoundSettings
from appliance.spectrum.codec import Floats
from appliance.stream.fades import LANE_FADE_S, blend_lanes, lane_fade

__all__ = ["Replay", "open_log", "replayed", "timeline_of"]

Heard = Callable[[int, Cursor], None]
"""Told, of each hop of what is heard, the stream frame from which it is and its cursor."""


def open_log(path: Path) -> Logged:
    """Read a log from a file. Raises UsageError."""
    name = shown(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_LOG_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The log {name} cannot be read ({error.strerror}): check its path and its rights.") from error
    if len(data) > MOST_LOG_BYTES:
        raise UsageError(f"{name} is longer than any log: name a file that was saved as one.")
    return read(data, name)


def timeline_of(log: Logged, model: str | None, beds: str | None, tell: Callable[[str], None]) -> Timeline:
    """Build the engine that made a log.

    Parameters
    ----------
    model, beds : str or None
        Where they are now; None is the model of that digest if there is one on this machine, and what is used where
        nothing is told, or no beds if the log has none.
    tell : callable
        Told in one sentence why the bits may differ.

    Raises
    ------
    UsageError
        If model or beds are not those of the log.
    ModelError, AudioFileError
        Where they cannot be used.
    """
    inputs = log.inputs
    sound = SoundSettings(target_lufs=inputs.target_lufs, ceiling_dbtp=inputs.ceiling_dbtp)
    chosen = beds or (NO_BEDS if inputs.beds is None else BUILT_IN_BEDS)
    timeline = build_timeline(
        model or _known(inputs.model), inputs.rate, inputs.channels, chosen, sound, tell, inputs.bounds
    )
    timeline.adopt(inputs.taste)
    now = inputs_of(timeline, sound)
    if now.model != inputs.model:
        raise UsageError(f"The log was made with another model ({inputs.model[:8]}): name its file with --model.")
    if now.beds != inputs.beds:
        remedy = "leave out --beds" if inputs.beds is None else "name its folder of recordings with --beds"
        raise UsageError(f"The log was made with {'no' if inputs.beds is None else 'other'} beds: {remedy}.")
    others = [f"{name} {there}" for name, there in inputs.versions.items() if now.versions.get(name) != there]
    if now.machine != inputs.machine:
        others.append(inputs.machine)
    if others:
        tell(f"The log was made with {', '.join(others)}: the sound may differ a little from what was heard.")
    return timeline


def _known(digest: str) -> str | None:
    """The digest, where a model on this machine has it."""
    try:
        find(digest)
    except ModelError:
        return None
    return digest


def replayed(
    timeline: Timeline, log: Logged, start_frame: int | None = None, heard: Heard | None = None
) -> Iterator[Floats]:
    """Make the sound of a log again, as the ring carried it: before volume and fades of the player.

    Parameters
    ----------
    timeline : Timeline
        Made from what the log was made from, see `timeline_of`.
    start_frame : int, optional
        Stream frame to begin at, not before the first turn; that of the first turn unless told.
    heard : callable, optional

    Yields
    ------
    (n, channels) float32
        Up to the log's ``end_frame``; n varies.
    """
    turns, fade_frames = log.turns, round(LANE_FADE_S * timeline.rate)
    start = turns[0].frame if start_frame is None else start_frame
    # Within the cross-fade of a turn the chain before it is needed, too.
    index = max((place for place, turn in enumerate(turns) if turn.frame + fade_frames <= start), default=0)
    position = min([start, *(turn.frame for turn in turns[index + 1 : index + 2])])
    skip = start - position
    for block in _blocks(timeline, turns[index:], (position, log.end_frame), heard):
        if skip < len(block):
            yield block[skip:]
        skip = max(0, skip - len(block))


class Replay:
    """A log as sound for a file.

    Parameters
    ----------
    timeline : Timeline
    log : Logged
    start_s : float
        Left out first, counted from the first turn.
    tell : callable
        Told in one sentence if other pieces come than those that were heard.

    Attributes
    ----------
    seed : int
        Of the first turn.
    seconds : float
        From the start to the end of the log.
    seconds_made, seconds_spent : float
        Of sound so far, and by the engine.

    Raises
    ------
    UsageError
        If the log ends before the start.
    """

    def __init__(self, timeline: Timeline, log: Logged, start_s: float, tell: Callable[[str], None]) -> None:
        self._timeline = timeline
        self._log = log
        self._tell = tell
        self._start_frame = log.turns[0].frame + round(start_s * timeline.rate)
        self._differs = False
        self.seed = log.turns[0].cursor.seed
        self.seconds = (log.end_frame - self._start_frame) / timeline.rate
        self.seconds_made = 0.0
        self.seconds_spent = 0.0
        if self.seconds <= 0.0:
            raise UsageError(f"The log holds {self.seconds + start_s:.1f} s: choose an earlier --start.")

    def __iter__(self) -> Iterator[Floats]:
        began = time.perf_counter()
        for block in replayed(self._timeline, self._log, self._start_frame, self._compare):
            self.seconds_spent += time.perf_counter() - began
            self.seconds_made += len(block) / self._timeline.rate
            yield block
            began = time.perf_counter()

    def pieces(self, seconds: float) -> tuple[PieceNote, ...]:
        """List the pieces heard within the first so many seconds, in order, as they were logged."""
        rate = self._timeline.rate
        notes = [
            PieceNote(chosen.number, round((chosen.frame - self._start_frame) / rate, 3), chosen.pattern)
            for chosen in self._log.pieces
        ]
        return heard_within(notes, seconds, self._timeline.handover_hops * self._timeline.hop_s)

    def _compare(self, frame: int, cursor: Cursor) -> None:
        """Look whether the pieces of a hop are those that were heard; on another machine ranking may flip."""
        for piece in (passage.piece for passage in (cursor.now, cursor.next) if passage is not None):
            logged = self._logged(frame, cursor.seed, piece.number)
            if self._differs or logged is None or (logged.pattern, logged.latents) == (piece.pattern, piece.latents):
                continue
            self._differs = True
            self._tell(f"From piece {piece.number} on, this machine chooses other sounds than those that were heard.")

    def _logged(self, frame: int, seed: int, number: int) -> Chosen | None:
        known = (each for each in reversed(self._log.pieces) if each.frame <= frame)
        return next((each for each in known if (each.seed, each.number) == (seed, number)), None)


def _blocks(
    timeline: Timeline, turns: tuple[Turn, ...], span: tuple[int, int], heard: Heard | None
) -> Iterator[Floats]:
    """Give the stream from the first frame of a span to the second, which begins within the first turn."""
    position, end = span
    fade_frames = round(LANE_FADE_S * timeline.rate)
    chain = _Chain(timeline, turns[0], position, heard)
    for following in (*turns[1:], None):
        until = end if following is None else min(end, following.frame)
        while position < until:
            block = chain.read(until - position)
            position += len(block)
            yield block
        if following is None or position >= end:
            return
        new = _Chain(timeline, following, position, heard)
        chain.leave()
        if following.faded:
            fading = min(fade_frames, end - position)
            yield blend_lanes(chain.take(fading), new.take(fading), lane_fade(fade_frames)[:fading])
            position += fading
        chain = new


class _Chain:
    """The sound of the chain of a turn from a stream frame on."""

    def __init__(self, timeline: Timeline, turn: Turn, frame: int, heard: Heard | None) -> None:
        self._timeline = timeline
        self._turn = turn
        self._cursor = turn.cursor
        self._heard = heard
        self._hop = np.empty((0, timeline.channels), dtype=np.float32)
        while self._begins() + timeline.hop_frames <= frame:
            self._say()
            self._cursor = timeline.advance(self._cursor, turn.mood)
        self._skip = frame - self._begins()

    def read(self, frames: int) -> Floats:
        """Give the next frames, at least one and at most so many."""
        if not len(self._hop):
            self._say()
            self._cursor, hop = self._timeline.step(self._cursor, self._turn.mood)
            self._hop, self._skip = hop[self._skip :], 0
        part, self._hop = self._hop[:frames], self._hop[frames:]
        return part

    def take(self, frames: int) -> Floats:
        """Give exactly the next frames."""
        parts = []
        while frames > 0:
            parts.append(self.read(frames))
            frames -= len(parts[-1])
        return np.concatenate(parts)

    def leave(self) -> None:
        """From here on another chain is what is heard."""
        self._heard = None

    def _begins(self) -> int:
        return self._turn.base + self._cursor.hop * self._timeline.hop_frames

    def _say(self) -> None:
        if self._heard is not None:
            self._heard(max(self._turn.frame, self._begins()), self._cursor)
