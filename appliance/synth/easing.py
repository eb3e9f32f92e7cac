"""Easing the ear: what is high and narrow is given some breath, for a lasting whistle tires like nothing else.

A tone stands out of its critical band by its ratio to the rest of what lies there (*tone-to-noise ratio*; ECMA-74,
annex D, calls it prominent from 8 dB upwards). Every bin above 1.5 kHz gives an eighth of its power to the critical
band around it: a lone tone keeps its place and its loudness, and stands no more than 9 dB over what is around it.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import BINS, Floats, bin_hz

__all__ = ["eased"]

_FULLY_ABOVE_HZ = 1_450.0
_NOT_BELOW_HZ = 1_250.0
_BREATH = 0.135


def eased(bin_power: Floats) -> Floats:
    """Spread part of the power above 1.5 kHz over the critical bands it lies in.

    Parameters
    ----------
    bin_power : (n, 1233) float32
        Mean-square power per bin.

    Returns
    -------
    (n, 1233) float32
        Of the same power in all; each row follows from its own alone.
    """
    first, share, low, high, spread = _tables()
    given = bin_power[:, first:] * share
    sums = np.zeros((len(bin_power), given.shape[1] + 1), dtype=np.float64)
    np.cumsum(given * spread, axis=1, out=sums[:, 1:])
    result = bin_power.copy()
    result[:, first:] += (sums[:, high] - sums[:, low]).astype(np.float32) - given
    return result


@lru_cache(maxsize=1)
def _tables() -> tuple[int, Floats, npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """The first bin concerned; for each from there on what it gives, from and to where it gets, one over how many.

    Critical bandwidth as in E. Zwicker and E. Terhardt, "Analytical expressions for critical-band rate and critical
    bandwidth as a function of frequency", JASA 68 (1980): 25 + 75 (1 + 1.4 f^2)^0.69 Hz with f in kHz.
    """
    hz = bin_hz()
    first = int(np.searchsorted(hz, _NOT_BELOW_HZ))
    high_hz = hz[first:]
    share = _BREATH * np.clip((high_hz - _NOT_BELOW_HZ) / (_FULLY_ABOVE_HZ - _NOT_BELOW_HZ), 0.0, 1.0)
    band_hz = 25.0 + 75.0 * (1.0 + 1.4 * (high_hz / 1000.0) ** 2) ** 0.69
    reach = np.rint(band_hz / 2.0 / (high_hz * np.log(2.0) / 120.0)).astype(np.intp)
    at = np.arange(BINS - first)
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, BINS - first)
    # A bin gets from its neighbours what they give, divided by how many each gives to.
    return first, share.astype(np.float32), low, high, (1.0 / (high - low)).astype(np.float32)
