"""K-weighting by frequency: how much of a power counts towards loudness. Lowest floor, for both processes ask."""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["LOUDNESS_OFFSET_LU", "k_gain"]

# So that a sine of 997 Hz at full scale in one channel measures -3.01 LUFS (ITU-R BS.1770-4).
LOUDNESS_OFFSET_LU: Final = -0.691


def k_gain(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Power gain of the K-weighting filter at some frequencies in Hz, same shape.

    The two biquads of ITU-R BS.1770-4 (annex 1, tables 1 and 2, given for 48 kHz), evaluated on the unit circle, so
    that loudness can be summed from a spectrum without filtering sound.
    """
    shelf = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
    high_pass = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
    # The tables' filters repeat above 24 kHz; what lies there counts as what lies at the top.
    turn = np.exp(-2j * np.pi * np.minimum(hz, 24_000.0) / 48_000.0)
    gain = np.ones(hz.shape)
    for numerator, denominator in (shelf, high_pass):
        gain *= np.abs(np.polyval(numerator[::-1], turn) / np.polyval(denominator[::-1], turn)) ** 2
    return gain
