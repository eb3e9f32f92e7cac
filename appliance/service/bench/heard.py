"""When a change is heard: the first third of an octave that differs by a decibel."""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["CHANGE_DB", "WINDOW_S", "first_change"]

Floats = npt.NDArray[np.float32]
Powers = npt.NDArray[np.float64]

CHANGE_DB: Final = 1.0
# As long as the narrowest band asks for: 46 Hz wide at 200 Hz, as wide as a Hann window of this length sees.
WINDOW_S: Final = 0.085
_STEP_S: Final = 0.005
_LOWEST_HZ, _HIGHEST_HZ = 200.0, 16_000.0
# What lies so far below the strongest third is not heard beside it.
_MASKED_DB: Final = 20.0


def first_change(heard: Floats, unturned: Floats, rate: int) -> int | None:
    """Find where sound first differs audibly from what it would have been.

    Parameters
    ----------
    heard, unturned : (n, channels) float32
        The same frames of the stream.
    rate : int
        Frames per second.

    Returns
    -------
    int or None
        Frame behind the first 85 ms (Hann window) in which the power of some third of an octave from 200 Hz to 16 kHz,
        all channels together, differs by at least 1 dB; thirds more than 20 dB below the strongest do not count. The
        change may have begun up to 85 ms before. None where there is none.
    """
    window = round(WINDOW_S * rate)
    step = round(_STEP_S * rate)
    ours, theirs = (_thirds(sound, window, step, rate) for sound in (heard, unturned))
    if not len(ours):
        return None
    louder = np.maximum(ours, theirs)
    audible = louder >= louder.max(axis=1, keepdims=True) * 10.0 ** (-_MASKED_DB / 10.0)
    # Silence is no change to silence.
    audible &= louder > 0.0
    floor = np.finfo(np.float64).tiny
    change_db = np.abs(10.0 * np.log10(np.maximum(ours, floor) / np.maximum(theirs, floor)))
    found = np.flatnonzero((audible & (change_db >= CHANGE_DB)).any(axis=1))
    return int(found[0]) * step + window if len(found) else None


def _thirds(sound: Floats, window: int, step: int, rate: int) -> Powers:
    """Power of each window's thirds of an octave, shape (windows, thirds)."""
    if len(sound) < window:
        return np.zeros((0, 1))
    pieces = np.lib.stride_tricks.sliding_window_view(sound, window, axis=0)[::step]
    lines = np.abs(np.fft.rfft(pieces * np.hanning(window), axis=-1)) ** 2
    hz = np.fft.rfftfreq(window, 1.0 / rate)
    lowest, highest = (round(3.0 * np.log2(edge / 1000.0)) for edge in (_LOWEST_HZ, min(_HIGHEST_HZ, 0.4 * rate)))
    edges = 1000.0 * 2.0 ** ((np.arange(lowest, highest + 2) - 0.5) / 3.0)
    starts = np.searchsorted(hz, edges)
    return np.asarray(np.add.reduceat(lines.sum(axis=1), starts, axis=-1)[:, :-1], dtype=np.float64)
