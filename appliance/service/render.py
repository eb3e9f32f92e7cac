"""Rendering to a file: the timeline, as fast as it goes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from appliance.engine.cursor import Cursor
from appliance.engine.timeline import Timeline
from appliance.errors import AudioFileError, UsageError
from appliance.mood import Mood
from appliance.spectrum.codec import Floats
from appliance.synth.loudness import Meter
from appliance.synth.master import fade_in, fade_out

__all__ = ["Excerpt", "PieceNote", "Rendering", "render"]

# Long renders pass the 4 GiB that a WAV header can count.
_WAV_LIMIT_BYTES = 3 << 30
_FADE_IN_S = 3.0


@dataclass(frozen=True)
class Excerpt:
    """Which part of whose music: seconds are counted from the beginning of piece ``number``."""

    seed: int
    mood: Mood
    number: int
    start_s: float
    seconds: float
    fade_out_s: float


@dataclass(frozen=True)
class PieceNote:
    """A piece that was heard; it began at second ``start_s`` of the file, or before it where that is negative."""

    number: int
    start_s: float
    pattern: str


@dataclass(frozen=True)
class Rendering:
    """What was written: its length, how loud it is by measure, how fast it was made, which pieces are heard."""

    seconds: float
    integrated_lufs: float
    true_peak_dbtp: float
    realtime_factor: float
    pieces: tuple[PieceNote, ...]
    complete: bool


def render(timeline: Timeline, excerpt: Excerpt, path: Path, progress: Callable[[float], None]) -> Rendering:
    """Render an excerpt to a 24-bit file.

    An interruption (Ctrl-C) ends the file where it is and is no error: the result then says it is not complete.

    Parameters
    ----------
    path : Path
        Ends in ``.wav`` or ``.flac``.
    progress : callable
        Told the seconds written so far.

    Raises
    ------
    AudioFileError
        If the file cannot be written.
    """
    total = round(excerpt.seconds * timeline.rate)
    if total < 1:
        raise UsageError("There is nothing to render: give a length above 0 seconds.")
    fade_frames = min(total, round(excerpt.fade_out_s * timeline.rate))
    sound = _Excerpted(timeline, excerpt)
    meter = Meter(timeline.rate, timeline.channels)
    written, complete = 0, True
    with _open(path, timeline, total) as file:
        try:
            for block in sound:
                part = fade_out(block[: total - written], written - (total - fade_frames), fade_frames)
                file.write(part)
                meter.add(part)
                written += len(part)
                progress(written / timeline.rate)
                if written >= total:
                    break
        except KeyboardInterrupt:
            complete = False
        except (OSError, soundfile.SoundFileError) as error:
            raise AudioFileError(f"Writing {path} failed after {written / timeline.rate:.0f} s: {error}.") from error
    seconds = written / timeline.rate
    speed = sound.seconds_made / sound.seconds_spent if sound.seconds_spent else 0.0
    return Rendering(seconds, meter.integrated_lufs(), meter.true_peak_dbtp, speed, sound.pieces(seconds), complete)


class _Excerpted:
    """Iterates over the blocks of an excerpt, with volume and the first fade; times the engine alone."""

    def __init__(self, timeline: Timeline, excerpt: Excerpt) -> None:
        self._timeline = timeline
        self._excerpt = excerpt
        self._starts: dict[int, tuple[int, str]] = {}
        self.seconds_made = 0.0
        self.seconds_spent = 0.0

    def __iter__(self) -> Iterator[Floats]:
        timeline, mood = self._timeline, self._excerpt.mood
        first = round(self._excerpt.start_s * timeline.rate)
        cursor = timeline.start(self._excerpt.seed, mood, self._excerpt.number)
        for _ in range(first // timeline.hop_frames):
            self._note(cursor)
            cursor = timeline.advance(cursor, mood)
        skip = first % timeline.hop_frames
        while True:
            self._note(cursor)
            began = time.perf_counter()
            at = cursor.hop * timeline.hop_frames
            cursor, hop = timeline.step(cursor, mood)
            hop = fade_in(hop, at, round(_FADE_IN_S * timeline.rate))
            if mood.volume != 1.0:
                hop = hop * np.float32(mood.volume)
            self.seconds_spent += time.perf_counter() - began
            self.seconds_made += timeline.hop_s
            yield hop[skip:]
            skip = 0

    def _note(self, cursor: Cursor) -> None:
        for passage in (cursor.now, cursor.next):
            if passage is not None and passage.piece.number not in self._starts:
                self._starts[passage.piece.number] = (cursor.hop, passage.piece.pattern)

    def pieces(self, seconds: float) -> tuple[PieceNote, ...]:
        """List the pieces heard within the first so many seconds, in order."""
        notes = [
            PieceNote(number, round(hop * self._timeline.hop_s - self._excerpt.start_s, 3), pattern)
            for number, (hop, pattern) in self._starts.items()
        ]
        ends = [later.start_s for later in notes[1:]] + [float("inf")]
        return tuple(note for note, end in zip(notes, ends, strict=True) if note.start_s < seconds and end > 0.0)


def _open(path: Path, timeline: Timeline, frames: int) -> soundfile.SoundFile:
    kinds = {".wav": "WAV", ".flac": "FLAC"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path} must end in .wav or .flac.")
    if kind == "WAV" and frames * timeline.channels * 3 > _WAV_LIMIT_BYTES:
        kind = "RF64"
    try:
        return soundfile.SoundFile(path, "w", timeline.rate, timeline.channels, "PCM_24", format=kind)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(
            f"{path} cannot be written: check that the folder exists and may be written to."
        ) from error
