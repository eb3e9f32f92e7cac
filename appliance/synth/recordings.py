"""Nature recordings: a folder of sound files made into beds, once, and kept in a cache.

The road of a file: read, brought to the rate and the channels, stripped of its fades, closed into a loop whose
tail runs into its head, filtered, levelled and tamed. Filter and taming go round the closed loop, so that they
leave no seam either.
"""

import hashlib
import math
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from appliance.errors import AudioFileError
from appliance.folders import shown, write_whole
from appliance.spectrum.codec import BINS, Floats, analyse, from_power, power
from appliance.synth.beds import Bed
from appliance.synth.loudness import Meter
from appliance.synth.taming import filtered, tame

__all__ = ["RECORDING_LUFS", "prepare"]

RECORDING_LUFS = -30.0
# Raised whenever the preparation changes what it makes, so that what older versions cached is left aside.
_VERSION = 3
# Longer ones would take half a gigabyte while they are prepared, and a bed gives way after two minutes.
_LONGEST_S = 180.0
_SHORTEST_S = 3.0
_JOIN_S = 4.0
_SILENT_DB = -75.0
_PAUSE_DB = 40.0
_RATES = (4_000, 400_000)
_MOST_CHANNELS = 16
_SPECTRUM_CLIPS = 12
_MOST_ROUNDS = 8
_CLOSE_LU = 0.1
# Full scale is 1; powers of samples that are far above it overflow float32.
_HIGHEST_PEAK = 1000.0


def prepare(folder: Path, rate: int, channels: int, cache: Path, skipped: Callable[[str], None]) -> tuple[Bed, ...]:
    """Make beds of all recordings in a folder (not of those in folders within it).

    Parameters
    ----------
    folder : Path
    rate : int
        Frames per second of the beds.
    channels : int
        Channels of the beds; channels of a recording are repeated, or left out, to fill them. One channel
        gets the mean of all.
    cache : Path
        Folder for what was prepared, made where it is missing; a recording is known by its content. If it
        cannot be written, the beds stay in memory.
    skipped : callable
        Told in one sentence of each file that cannot be used, and of a cache that cannot be written.

    Returns
    -------
    tuple of Bed
        In the order of their names, at -30 LUFS and tame (see `taming`); loops are read-only memory maps,
        (frames, channels) float32.

    Raises
    ------
    AudioFileError
        If the folder is missing or holds no usable recording.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (OSError, ValueError) as error:
        raise AudioFileError(
            f"The folder of recordings {shown(folder)} cannot be read ({_reason(error)}): "
            "name a folder that holds sound files."
        ) from error
    store = _Store(cache, rate, channels, skipped)
    beds = []
    for path in paths:
        try:
            with _plainly(path):
                usable = path.is_file()
            if usable:
                beds.append(store.bed(path))
        except AudioFileError as error:
            skipped(str(error))
    if not beds:
        raise AudioFileError(
            f"The folder {shown(folder)} holds no usable recording: put wav, flac, ogg or mp3 files there."
        )
    return tuple(beds)


class _Store:
    """Prepared recordings on disk: ``KEY.npy`` is a loop, ``KEY.npz`` its checksum and its spectrum."""

    def __init__(self, folder: Path, rate: int, channels: int, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._rate = rate
        self._channels = channels
        self._tell = tell
        self._told = False

    def bed(self, path: Path) -> Bed:
        """Give a recording as a bed, from the cache where it is there. Raises AudioFileError."""
        with _plainly(path):
            key = self._key(path)
        kept = self._load(path.stem, key)
        if kept is not None:
            return kept
        with _plainly(path):
            sound = _read(path, self._rate, self._channels)
            loop = _levelled(filtered(_closed(_sustained(sound, self._rate), self._rate), self._rate), self._rate)
        bed = Bed(path.stem, loop, _spectrum(loop, self._rate), RECORDING_LUFS)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / f"{key}.npy", partial(np.save, arr=loop))
            checksum = np.array(_checksum(self._folder / f"{key}.npy"))
            write_whole(self._folder / f"{key}.npz", partial(np.savez, checksum=checksum, spectrum=bed.spectrum))
        except OSError:
            if not self._told:
                self._tell(
                    f"The cache {shown(self._folder)} cannot be written, so recordings are prepared anew at each "
                    "start: make it writable or free some space."
                )
            self._told = True
            return bed
        return self._load(path.stem, key) or bed

    def _key(self, path: Path) -> str:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{content[:32]}-{self._rate}-{self._channels}-{_VERSION}"

    def _load(self, name: str, key: str) -> Bed | None:
        """Open a kept bed; None where there is none or what is there is damaged."""
        path = self._folder / f"{key}.npy"
        try:
            with path.with_suffix(".npz").open("rb") as file, np.load(file) as known:
                checksum, spectrum = known["checksum"], known["spectrum"]
            if checksum != _checksum(path):
                return None
            loop = np.load(path, mmap_mode="r")
        # What a damaged file makes of numpy's and zipfile's readers is beyond listing, and it can be made again.
        except Exception:
            return None
        if loop.dtype != np.float32 or loop.shape[1:] != (self._channels,) or spectrum.shape != (BINS,):
            return None
        return Bed(name, loop, spectrum, RECORDING_LUFS)


def _checksum(path: Path) -> int:
    """CRC-32 of a file, read in blocks: pages of a map would count as our memory."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is no path"


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a file into one sentence that names it."""
    try:
        yield
    except AudioFileError as error:
        raise AudioFileError(f"{shown(path.name)} is left out: it {error}.") from error
    except OSError as error:
        raise AudioFileError(f"{shown(path.name)} is left out: it cannot be read ({_reason(error)}).") from error
    except (soundfile.SoundFileError, ValueError, TypeError, MemoryError) as error:
        raise AudioFileError(f"{shown(path.name)} is left out: it cannot be read as sound.") from error


def _read(path: Path, rate: int, channels: int) -> Floats:
    """Read a recording, not much more of it than will be kept, at our rate and channels.

    Raises AudioFileError whose message goes on after "it ...".
    """
    # As bytes, because a name need not be text.
    with soundfile.SoundFile(os.fsencode(path)) as file:
        if not _RATES[0] <= file.samplerate <= _RATES[1] or file.channels > _MOST_CHANNELS:
            raise AudioFileError(f"has {file.channels} channels at {file.samplerate} Hz, which is not supported")
        sound = file.read(round(1.25 * _LONGEST_S * file.samplerate), dtype="float32", always_2d=True)
        recorded_rate = file.samplerate
    if len(sound) < _SHORTEST_S * recorded_rate:
        raise AudioFileError(f"is shorter than {_SHORTEST_S:.0f} seconds")
    peak = max(float(sound.max()), -float(sound.min()))
    if not math.isfinite(peak):
        raise AudioFileError("holds samples that are not numbers")
    if peak > _HIGHEST_PEAK:
        raise AudioFileError(f"has samples more than {_HIGHEST_PEAK:.0f} times above full scale")
    if channels == 1:
        sound = sound.mean(axis=1, keepdims=True)
    if recorded_rate != rate:
        from scipy.signal import resample_poly

        common = math.gcd(recorded_rate, rate)
        sound = resample_poly(sound, rate // common, recorded_rate // common, axis=0)
    return np.asarray(sound[:, np.arange(channels) % sound.shape[1]], dtype=np.float32)


def _sustained(sound: Floats, rate: int) -> Floats:
    """Cut off the fades: what comes before the level first reaches its sustained height, and after it last does.

    Levels are of half a second each. Waves swing while rain does not, so the sustained height is just under
    the lower quarter of the levels, at most 3 dB under their median; pauses do not count. Raises AudioFileError
    for silence and where too little is left.
    """
    step = max(1, rate // 2)
    count = len(sound) // step
    power_each = np.square(sound[: count * step]).reshape(count, -1).mean(axis=1)
    level_db = 10.0 * np.log10(power_each + 1e-20)
    if level_db.max() < _SILENT_DB:
        raise AudioFileError("is silent")
    heard_db = level_db[level_db > level_db.max() - _PAUSE_DB]
    height_db = max(float(np.quantile(heard_db, 0.25)) - 1.0, float(np.median(heard_db)) - 3.0)
    steady = np.flatnonzero(level_db >= height_db)
    kept = sound[steady[0] * step : (steady[-1] + 1) * step]
    if len(kept) < _SHORTEST_S * rate:
        raise AudioFileError(f"sounds for less than {_SHORTEST_S:.0f} seconds")
    return kept[: round(_LONGEST_S * rate)]


def _closed(sound: Floats, rate: int) -> Floats:
    """Cross-fade the tail into the head, so that the end of the result runs into its beginning.

    The gains keep the power for any correlation ``c`` between the two: ``(cos, sin) / sqrt(1 + c sin 2a)``,
    which is the equal-power fade for strangers (c = 0) and the equal-gain fade for twins (c = 1).
    """
    join = min(round(_JOIN_S * rate), len(sound) // 3)
    frames = _smooth_at_most(len(sound) - join)
    head, tail = sound[:join], sound[frames : frames + join]
    product = float(np.vdot(head, tail)) / (float(np.linalg.norm(head) * np.linalg.norm(tail)) + 1e-20)
    angle = 0.5 * np.pi * (np.arange(join) + 0.5) / join
    even = np.sqrt(1.0 + min(max(product, 0.0), 1.0) * np.sin(2.0 * angle))
    loop = sound[:frames].copy()
    loop[:join] = head * (np.sin(angle) / even)[:, np.newaxis] + tail * (np.cos(angle) / even)[:, np.newaxis]
    return loop


def _smooth_at_most(most: int) -> int:
    """Give the highest even number up to ``most`` with no prime factor above 5, of which FFTs are quick."""
    half, best, fives = most // 2, 1, 1
    while fives <= half:
        threes = fives
        while threes <= half:
            best = max(best, threes << ((half // threes).bit_length() - 1))
            threes *= 3
        fives *= 5
    return 2 * best


def _levelled(loop: Floats, rate: int) -> Floats:
    """Bring a loop to -30 LUFS and tame it, in place, by turns, for each undoes a little of the other.

    In the end it is tame, and quieter if it cannot be both. Raises AudioFileError for silence.
    """
    tamed = False
    for _ in range(_MOST_ROUNDS):
        missing = RECORDING_LUFS - _integrated_lufs(loop, rate)
        if tamed and abs(missing) < _CLOSE_LU:
            break
        loop *= np.float32(10.0 ** (missing / 20.0))
        tamed = tame(loop, rate)
        if not tamed:
            break
    return loop


def _integrated_lufs(loop: Floats, rate: int) -> float:
    """Give a loop's loudness; raises AudioFileError for silence."""
    meter = Meter(rate, loop.shape[1])
    for start in range(0, len(loop), 10 * rate):
        meter.add(loop[start : start + 10 * rate])
    measured = meter.integrated_lufs()
    if measured == float("-inf"):
        raise AudioFileError("is silent")
    return measured


def _spectrum(loop: Floats, rate: int) -> Floats:
    """Mean power spectrum of clips spread over a loop, shape (1233,)."""
    clip = min(2 * rate, len(loop))
    starts = np.linspace(0, len(loop) - clip, _SPECTRUM_CLIPS).astype(int)
    return from_power(np.mean([power(analyse(loop[start : start + clip], rate)) for start in starts], axis=0))
