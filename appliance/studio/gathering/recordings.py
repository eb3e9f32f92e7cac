"""Recordings of any kind, read a stretch at a time: what soundfile cannot read, ffmpeg does."""

import json
import math
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from appliance.errors import StudioError
from appliance.folders import shown
from appliance.spectrum.codec import Floats

__all__ = ["Found", "Recording", "UnreadableError", "find", "require_ffmpeg"]

_BY_SOUNDFILE = re.compile(
    r".\.(aifc|aiff?|au|bwf|caf|flac|mp3|oga|ogg|opus|rf64|snd|sph|voc|w64|wave?)\Z", re.IGNORECASE | re.DOTALL
)
_BY_FFMPEG = re.compile(
    r".\.(3gp|aac|ac3|amr|ape|asf|avi|dff|dsf|dts|eac3|m4[abr]|mka|mkv|mov|mp2|mp4|mpc|ra|spx|tak|tta|webm|wma|wmv|wv)\Z",
    re.IGNORECASE | re.DOTALL,
)
_RATES = (4_000, 400_000)
# As many as an ambisonic recording of fourth order has, with room for a bed.
_MOST_CHANNELS = 32
# ffmpeg reads a stretch in a tenth of a second; what takes it so long on a busy machine will never end.
_PATIENCE_S = 60.0
_LONGEST_S = 1e6
_stderr = threading.Lock()


class UnreadableError(StudioError):
    """A file that cannot be read.

    Attributes
    ----------
    for_now : bool
        The file may be well: a disk, a right or a name stands in the way.
    """

    def __init__(self, message: str, for_now: bool = False) -> None:
        super().__init__(message)
        self.for_now = for_now

    def __reduce__(self) -> tuple[type["UnreadableError"], tuple[str, bool]]:
        return type(self), (str(self), self.for_now)


class Recording:
    """A sound file, opened anew for each stretch that is read, so that nothing is to be closed.

    Attributes
    ----------
    path : Path
    rate : int
        Frames per second.
    channels : int
    seconds : float
        As its header has it; of some MP3 and AAC files an estimate.

    Raises
    ------
    UnreadableError
        If it cannot be read as sound.
    StudioError
        If it takes ffmpeg to read it, and that is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                if not file.read(1):
                    raise UnreadableError(f"{shown(path.name)} is empty; leave it out or copy it here again.")
        except OSError as error:
            raise UnreadableError(
                f"{shown(path.name)} cannot be opened ({error.strerror}); mend that and gather again.", for_now=True
            ) from error
        self._by_ffmpeg = _BY_FFMPEG.search(path.name) is not None or not self._open()
        if self._by_ffmpeg:
            self.rate, self.channels, self.seconds = _probed(path)
        if not _RATES[0] <= self.rate <= _RATES[1] or not 1 <= self.channels <= _MOST_CHANNELS:
            raise UnreadableError(
                f"{shown(path.name)} has {self.channels} channels at {self.rate} Hz; convert it to fewer than "
                f"{_MOST_CHANNELS} at 48000 Hz."
            )

    def _open(self) -> bool:
        """Ask soundfile; False where it cannot read this."""
        try:
            with _quietly(self.path), soundfile.SoundFile(os.fsencode(self.path)) as file:
                self.rate, self.channels = int(file.samplerate), int(file.channels)
                self.seconds = file.frames / file.samplerate
                # FLAC that was streamed does not know its length.
                if self.seconds > _LONGEST_S:
                    self.seconds = sum(len(block) for block in file.blocks(1 << 16)) / file.samplerate
        except (soundfile.SoundFileError, ValueError, ZeroDivisionError):
            return False
        return True

    def read(self, start_s: float, seconds: float) -> Floats:
        """Read a stretch.

        Parameters
        ----------
        start_s, seconds : float

        Returns
        -------
        (frames, channels) float32
            Full scale is +-1. Fewer frames, down to none, where the recording is damaged or ends sooner than its
            header has it.

        Raises
        ------
        UnreadableError
            If reading it does not end.
        """
        frames = round(seconds * self.rate)
        if self._by_ffmpeg:
            # Some formats lose the packet at which reading begins.
            return _decoded(self, start_s, seconds + 0.25)[:frames]
        try:
            with _quietly(self.path), soundfile.SoundFile(os.fsencode(self.path)) as file:
                file.seek(round(start_s * self.rate))
                return np.asarray(file.read(frames, dtype="float32", always_2d=True), dtype=np.float32)
        except soundfile.SoundFileError:
            return np.zeros((0, self.channels), dtype=np.float32)


@dataclass(frozen=True)
class Found:
    """What lies in a folder: audio files in order of their names, how many others, and folders that stay closed."""

    files: list[Path] = field(default_factory=list)
    others: int = 0
    closed: list[Path] = field(default_factory=list)


def find(folder: Path) -> Found:
    """Look for audio files, known by the ends of their names, in a folder and all folders within.

    Hidden files are left out; a folder that links lead to several times is entered once.

    Raises
    ------
    StudioError
        If the folder cannot be read.
    """
    if not folder.is_dir():
        raise StudioError(f"There is no folder {shown(folder)}; name one that holds recordings.")
    files, closed, others = [], [], 0
    for path, known in _walked(folder, set()):
        if known is None:
            closed.append(path)
        elif known:
            files.append(path)
        else:
            others += 1
    if folder in closed:
        raise StudioError(f"The folder {shown(folder)} cannot be read; give yourself the right to, or name another.")
    return Found(sorted(files), others, sorted(closed))


def require_ffmpeg(paths: Iterable[Path]) -> None:
    """Raise StudioError where some of these files can be read by ffmpeg alone, and it is not installed."""
    needing = [path for path in paths if _BY_FFMPEG.search(path.name)]
    if needing and not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        more = f" and {len(needing) - 1} more" if len(needing) > 1 else ""
        raise StudioError(f"{shown(needing[0].name)}{more} cannot be read without ffmpeg; {_INSTALL}.")


_INSTALL = "install it with 'sudo apt install ffmpeg' (on a Mac 'brew install ffmpeg')"


def _walked(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, bool | None]]:
    """All files below a folder and whether they are audio; None for a folder that cannot be read."""
    try:
        there = folder.stat()
        inside = sorted(folder.iterdir())
    except OSError:
        yield folder, None
        return
    if (there.st_dev, there.st_ino) in seen:
        return
    seen.add((there.st_dev, there.st_ino))
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walked(path, seen)
        else:
            # A pipe would be waited for until somebody writes to it.
            yield path, path.is_file() and _is_audio(path)


def _is_audio(path: Path) -> bool:
    return bool(_BY_SOUNDFILE.search(path.name) or _BY_FFMPEG.search(path.name))


@contextmanager
def _quietly(path: Path) -> Iterator[None]:
    """Keep the MP3 decoder from complaining on the terminal, past all of Python, about files that it can play."""
    if path.suffix.lower() != ".mp3":
        yield
        return
    with _stderr:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _run(path: Path, command: list[str]) -> bytes:
    """Output of ffmpeg or ffprobe, empty where they refuse the file."""
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False
        ).stdout
    except FileNotFoundError as error:
        raise StudioError(f"{shown(path.name)} cannot be read without ffmpeg; {_INSTALL}.") from error
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(
            f"{shown(path.name)} keeps ffmpeg busy without end; leave it out or convert it to WAV."
        ) from error


def _named(path: Path) -> list[str]:
    # 'file:' keeps a name from being taken for an option or an address; nor may a playlist reach for the network.
    return ["-protocol_whitelist", "file", "-i", f"file:{path}"]


def _probed(path: Path) -> tuple[int, int, float]:
    """Rate, channels and seconds as ffprobe has them."""
    if not _BY_FFMPEG.search(path.name) and not shutil.which("ffprobe"):
        raise UnreadableError(_no_sound(path))
    asked = "stream=sample_rate,channels,duration:format=duration"
    answer = _run(
        path, ["ffprobe", "-v", "error", *_named(path), "-select_streams", "a:0", "-show_entries", asked, "-of", "json"]
    )
    try:
        told = json.loads(answer or b"{}")
        stream = told["streams"][0]
        seconds = stream.get("duration") or told["format"].get("duration")
        return int(stream["sample_rate"]), int(stream["channels"]), _seconds(path, seconds)
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableError(_no_sound(path)) from error


def _seconds(path: Path, told: str | None) -> float:
    """Length as the header has it; where it does not, as the last packet ends: browsers record without a length."""
    if told is None:
        shows = ["-select_streams", "a:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"]
        times = _run(path, ["ffprobe", "-v", "error", *_named(path), *shows]).decode().replace(",", " ").split()
        told = times[-1] if times else "none"
    seconds = float(told)
    if not math.isfinite(seconds):
        raise ValueError("no length")
    return seconds


def _no_sound(path: Path) -> str:
    return f"{shown(path.name)} holds no sound that can be read; leave it out or convert it to WAV."


def _decoded(recording: Recording, start_s: float, seconds: float) -> Floats:
    stretch = ["-ss", f"{start_s:.6f}", "-t", f"{seconds:.6f}"]
    plain = ["-map", "0:a:0", "-ac", str(recording.channels), "-ar", str(recording.rate), "-f", "f32le", "pipe:1"]
    first = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]
    raw = _run(recording.path, [*first, *stretch, *_named(recording.path), *plain])
    whole = len(raw) // (4 * recording.channels) * recording.channels
    return np.frombuffer(raw, dtype="<f4", count=whole).reshape(-1, recording.channels).astype(np.float32)
