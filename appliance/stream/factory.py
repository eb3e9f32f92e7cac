"""The factory sound: a minute rendered at set-up, for a first boot on which the engine cannot start."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.hold import LEAST_S
from appliance.stream.survey import Recording, plausible

__all__ = ["load", "load_exact", "path"]

Floats = npt.NDArray[np.float32]

_NAME: Final = re.compile(r"factory-(\d{4,6})-(\d)\.npy")
_PIECE_FRAMES: Final = 1 << 15
# What is made to fit another card lies in memory, a minute of stereo of it.
_MOST_BYTES: Final = 12 << 20
# So many places are listened to; most must sound.
_PROBES, _PROBE_FRAMES = 16, 1024


def path(folder: Path, rate: int, channels: int) -> Path:
    """Name the file for a rate in Hz and a number of channels."""
    return folder / f"factory-{rate}-{channels}.npy"


def load(folder: Path, rate: int, channels: int) -> Recording | None:
    """Give the factory sound for a card.

    Where there is none of its format the nearest other one is made to fit, by straight lines between samples and with
    channels repeated or left out (one channel gets the mean of all): in need any sound is better than none.

    Returns
    -------
    (frames, channels) float16 or float32, or None
        A read-only memory map where the format is there; otherwise at most 12 MiB of memory. None where the folder
        holds nothing that can be used; damaged files are passed over.
    """
    for file, its_rate, its_channels in sorted(_files(folder), key=lambda each: _distance(each, rate, channels)):
        sound = load_exact(file, its_rate, its_channels)
        if sound is not None:
            same = (its_rate, its_channels) == (rate, channels)
            return sound if same else _adapted(sound, its_rate / rate, channels)
    return None


def load_exact(file: Path, rate: int, channels: int) -> Recording | None:
    """Map one file, (frames, channels) float16 or float32; None where it is missing, damaged or of another format."""
    try:
        sound = np.load(file, mmap_mode="r", allow_pickle=False)
    # Numpy raises nearly anything over a damaged header, and none of it may keep the player from playing.
    except Exception:
        return None
    if not isinstance(sound, np.ndarray) or sound.dtype not in (np.float16, np.float32) or sound.ndim != 2:
        return None
    if sound.shape[1] != channels or len(sound) < LEAST_S * rate:
        return None
    starts = np.linspace(0, len(sound) - _PROBE_FRAMES, _PROBES).astype(int)
    good = sum(plausible(np.array(sound[at : at + _PROBE_FRAMES], dtype=np.float32)) for at in starts)
    return sound if 2 * good > _PROBES else None


def _files(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """List what is named like a factory sound: path, rate, channels."""
    try:
        found = list(folder.iterdir())
    except OSError:
        return
    for file in found:
        name = _NAME.fullmatch(file.name)
        if name and int(name[1]) > 0 and int(name[2]) > 0:
            yield file, int(name[1]), int(name[2])


def _distance(each: tuple[Path, int, int], rate: int, channels: int) -> tuple[float, int, int]:
    _, its_rate, its_channels = each
    # Too many channels lose less than too few.
    return abs(float(np.log(its_rate / rate))), abs(its_channels - channels), its_channels < channels


def _adapted(sound: Recording, step: float, channels: int) -> Recording:
    """Read a sound at every ``step`` of its frames, with other channels."""
    frames = min(int(len(sound) / step), _MOST_BYTES // (2 * channels))
    adapted = np.empty((frames, channels), dtype=np.float16)
    for at in range(0, frames, _PIECE_FRAMES):
        places = np.arange(at, min(at + _PIECE_FRAMES, frames)) * step
        first = int(places[0])
        piece = _folded(np.array(sound[first : int(places[-1]) + 2], dtype=np.float32), channels)
        for channel in range(channels):
            between = np.interp(places - first, np.arange(len(piece)), piece[:, channel])
            adapted[at : at + len(places), channel] = between
    return adapted


def _folded(piece: Floats, channels: int) -> Floats:
    if channels == 1:
        return np.asarray(piece.mean(axis=1, keepdims=True), dtype=np.float32)
    return piece[:, np.arange(channels) % piece.shape[1]]
