"""Rendering to a file: the timeline, as fast as it goes."""

import contextlib
import errno
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from appliance.engine.cursor import Cursor
from appliance.engine.timeline import Timeline
from appliance.errors import AudioFileError, UsageError
from appliance.mood import Mood
from appliance.spectrum.codec import Floats
from appliance.synth.loudness import Meter
from appliance.synth.master import fade_in, fade_out

__all__ = ["Excerpt", "Excerpted", "PieceNote", "Rendering", "Source", "file_kind", "heard_within", "write"]

# Long renders pass the 4 GiB that a WAV header can count.
_WAV_LIMIT_BYTES = 3 << 30
_FULL_BYTES = 1 << 20
_FADE_IN_S = 3.0


@dataclass(frozen=True)
class Excerpt:
    """Whose music, and from where: seconds are counted from the beginning of piece ``number``."""

    seed: int
    mood: Mood
    number: int
    start_s: float


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


class Source(Protocol):
    """Sound for a file, block by block; the engine is timed alone."""

    seconds_made: float
    seconds_spent: float

    def __iter__(self) -> Iterator[Floats]: ...

    def pieces(self, seconds: float) -> tuple[PieceNote, ...]:
        """List the pieces heard within the first so many seconds, in order."""


def file_kind(path: Path) -> str:
    """Give libsndfile's name for what a file is by its ending, WAV or FLAC. Raises UsageError for another."""
    try:
        return {".wav": "WAV", ".flac": "FLAC"}[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path} must end in .wav or .flac.") from None


def write(
    sound: Source, timeline: Timeline, lengths: tuple[float, float], path: Path, progress: Callable[[float], None]
) -> Rendering:
    """Write sound to a 24-bit file.

    The file takes its name once it is whole; until then what was there stays. An interruption (KeyboardInterrupt) makes
    a whole file of what there is, and is no error: the result then says it is not complete.

    Parameters
    ----------
    sound : Source
    timeline : Timeline
        Tells the rate and the channels.
    lengths : (float, float)
        Seconds of sound, if there are so many, and of the fade at their end.
    path : Path
        Ends in ``.wav`` or ``.flac``.
    progress : callable
        Told the seconds written so far.

    Raises
    ------
    UsageError
        If it ends in something else or there is nothing to render.
    AudioFileError
        If the file cannot be written.
    """
    total, fade_frames = (round(seconds * timeline.rate) for seconds in lengths)
    if total < 1:
        raise UsageError("There is nothing to render: give a length above 0 seconds.")
    kind = file_kind(path)
    part = path.with_name(f".{path.name}.part")
    writing = _Writing(sound, timeline, total, min(total, fade_frames))
    try:
        _check_room(path, kind, total * timeline.channels)
        with _open(part, path, kind, timeline, total) as file:
            writing.run(file, progress)
        if writing.frames:
            part.replace(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise _refusal(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return writing.result()


class _Writing:
    """One run from the timeline to an open file, measured on the way."""

    def __init__(self, sound: Source, timeline: Timeline, total: int, fade_frames: int) -> None:
        self.frames = 0
        self._total = total
        self._rate = timeline.rate
        self._fade_frames = fade_frames
        self._sound = sound
        self._meter = Meter(timeline.rate, timeline.channels)
        self._complete = True

    def run(self, file: soundfile.SoundFile, progress: Callable[[float], None]) -> None:
        try:
            for block in self._sound:
                wanted = block[: self._total - self.frames]
                part = fade_out(wanted, self.frames - (self._total - self._fade_frames), self._fade_frames)
                file.write(part)
                self._meter.add(part)
                self.frames += len(part)
                progress(self.frames / self._rate)
                if self.frames >= self._total:
                    return
        except KeyboardInterrupt:
            self._complete = False

    def result(self) -> Rendering:
        sound, seconds = self._sound, self.frames / self._rate
        return Rendering(
            seconds=seconds,
            integrated_lufs=self._meter.integrated_lufs(),
            true_peak_dbtp=self._meter.true_peak_dbtp,
            realtime_factor=sound.seconds_made / sound.seconds_spent if sound.seconds_spent else 0.0,
            pieces=sound.pieces(seconds),
            complete=self._complete,
        )


class Excerpted:
    """Iterates for ever over the blocks of an excerpt, with volume and the first fade; times the engine alone."""

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
        start_s, hop_s = self._excerpt.start_s, self._timeline.hop_s
        notes = [
            PieceNote(number, round(hop * hop_s - start_s, 3), pattern)
            for number, (hop, pattern) in self._starts.items()
        ]
        return heard_within(notes, seconds, self._timeline.handover_hops * hop_s)


def heard_within(notes: Sequence[PieceNote], seconds: float, over_s: float) -> tuple[PieceNote, ...]:
    """Leave of consecutive pieces those heard in so many seconds; one goes on under the next for ``over_s``."""
    ends = [later.start_s + over_s for later in notes[1:]] + [float("inf")]
    return tuple(note for note, end in zip(notes, ends, strict=True) if note.start_s < seconds and end > 0.0)


def _check_room(path: Path, kind: str, samples: int) -> None:
    """Refuse at once what cannot end well: FLAC makes music about half as long as WAV, seldom a third."""
    least = samples * 3 * (1.0 if kind == "WAV" else 0.3)
    free = shutil.disk_usage(path.parent).free
    if least > free:
        need, left = least / 1e9, free / 1e9
        raise AudioFileError(f"{path} needs {need:.1f} GB or more and {left:.1f} are left: make room or render less.")


def _open(part: Path, path: Path, kind: str, timeline: Timeline, frames: int) -> soundfile.SoundFile:
    if kind == "WAV" and frames * timeline.channels * 3 > _WAV_LIMIT_BYTES:
        kind = "RF64"
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    # libsndfile does not say why it cannot open a file; Python does.
    part.touch()
    return soundfile.SoundFile(part, "w", timeline.rate, timeline.channels, "PCM_24", format=kind)


def _refusal(path: Path, error: Exception) -> AudioFileError:
    """Say why a file could not be written; libsndfile has no word for a full disk."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < _FULL_BYTES:
            return AudioFileError(f"{path} could not be written because the disk is full: make room or choose another.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(" .")
    return AudioFileError(f"{path} cannot be written ({reason}): choose a folder that exists and may be written to.")
