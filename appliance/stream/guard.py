"""The last guard's ears: how loud sound is, and whether it can be what the ring announces."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.layout import BLOCK_FRAMES
from appliance.weighting import LOUDNESS_OFFSET_LU, k_gain

__all__ = ["SILENCE_LUFS", "Guard", "Loudness"]

Floats = npt.NDArray[np.float32]

SILENCE_LUFS: Final = -120.0

# A block lasts a hundredth of a second. Over all moods, music was seen to stray from what is announced by -15 to +16 dB
# in one, its differences from sample to sample by no more than -2 dB, and 16 blocks by -7 to +3 LU.
_WINDOW_BLOCKS: Final = 16
# A day of random moods went a little further still.
_BLOCK_ABOVE_DB: Final = 26.0
_BLOCK_BELOW_DB: Final = 30.0
# Those of noise are 3 dB above itself, so that noise as loud as music from a broken writer is told at once.
_STEPS_ABOVE_DB: Final = 14.0
_WINDOW_ABOVE_LU: Final = 9.0
_WINDOW_BELOW_LU: Final = 16.0
# Announced rests are no reason to refuse what is not loud anyway, nor is silence where a rest is announced.
_NEVER_LOUD_LUFS: Final = -26.0
_REST_LUFS: Final = -60.0


class Loudness:
    """K-weighted loudness (ITU-R BS.1770-4, ungated) of each 16 blocks, by FFT; a thread of its caller's.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int

    Attributes
    ----------
    lufs : float
        Of the last 16 blocks that are complete; -120 for silence, and before there were so many.
    """

    def __init__(self, rate: int, channels: int) -> None:
        frames = _WINDOW_BLOCKS * BLOCK_FRAMES
        weights = k_gain(np.fft.rfftfreq(frames, 1.0 / rate).astype(np.float64))
        weights[1:-1] *= 2.0
        self._weights = weights / frames**2
        self._window: Floats = np.zeros((frames, channels), dtype=np.float32)
        self._blocks = 0
        self.lufs = SILENCE_LUFS

    def add(self, block: Floats) -> bool:
        """Take a block; whether it completed a window, so that `lufs` is new."""
        self._window[self._blocks * BLOCK_FRAMES : (self._blocks + 1) * BLOCK_FRAMES] = block
        self._blocks = (self._blocks + 1) % _WINDOW_BLOCKS
        if self._blocks:
            return False
        self.lufs = float(self._lufs(self._window[np.newaxis])[0])
        return True

    def of(self, sound: Floats) -> tuple[float, float]:
        """Give the loudness of a sound, and that of its loudest window, in LUFS; what fills no window is left out."""
        # At 8,000 frames a second a hop is a little shorter than a window.
        short = max(len(self._window) - len(sound), 0)
        sound = np.pad(sound, ((0, short), (0, 0))) if short else sound
        windows = sound[: len(sound) // len(self._window) * len(self._window)].reshape(-1, *self._window.shape)
        lufs = self._lufs(windows)
        return float(10.0 * np.log10(np.mean(10.0 ** (lufs / 10.0)))), float(lufs.max())

    def _lufs(self, windows: Floats) -> npt.NDArray[np.float64]:
        lines = np.fft.rfft(windows, axis=1)
        power = (lines.real**2 + lines.imag**2).sum(axis=2) @ self._weights
        return np.asarray(LOUDNESS_OFFSET_LU + 10.0 * np.log10(np.maximum(power, 1e-12)))

    def restart(self) -> None:
        """Begin a new window."""
        self._blocks = 0


class Guard:
    """Tells whether blocks can be what the ring announces: finite, within full scale, not far too loud or quiet.

    Parameters
    ----------
    rate : int
    channels : int

    Attributes
    ----------
    bad_samples : int
        Samples seen that were not finite.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.bad_samples = 0
        self._loudness = Loudness(rate, channels)

    def accepts(self, block: Floats, announced_lufs: tuple[float, float]) -> bool:
        """Judge a block, (512, channels) float32, by the lowest and the highest loudness announced around it."""
        if not (self._sane(block) and self._near(block, *announced_lufs)):
            self._loudness.restart()
            return False
        return True

    def _sane(self, block: Floats) -> bool:
        # A NaN passes no comparison, so that one look finds all three.
        if float(np.abs(block).max()) <= 1.0:
            return True
        self.bad_samples += int(block.size - np.count_nonzero(np.isfinite(block)))
        return False

    def _near(self, block: Floats, lowest_lufs: float, highest_lufs: float) -> bool:
        if not SILENCE_LUFS <= lowest_lufs <= highest_lufs <= 0.0:
            return False
        most = max(highest_lufs, _NEVER_LOUD_LUFS)
        rest = lowest_lufs <= _REST_LUFS
        level_db = _level_db(block)
        if level_db > most + _BLOCK_ABOVE_DB or (level_db < lowest_lufs - _BLOCK_BELOW_DB and not rest):
            return False
        if _level_db(block[1:] - block[:-1]) > most + _STEPS_ABOVE_DB:
            return False
        if not self._loudness.add(block):
            return True
        lufs = self._loudness.lufs
        return lufs <= most + _WINDOW_ABOVE_LU and (rest or lufs >= lowest_lufs - _WINDOW_BELOW_LU)


def _level_db(block: Floats) -> float:
    """Mean power of a frame, all channels together, in dB."""
    flat = block.reshape(-1)
    return 10.0 * math.log10(max(float(flat @ flat) / len(block), 1e-12))
