"""The traits by which sounds are ranked: pitch, level, tonality, weirdness, and dissonance between two.

All take stacks of spectra and work on every row at once.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import BINS, Floats, bin_hz, decibels, power
from appliance.weighting import LOUDNESS_OFFSET_LU, k_gain

__all__ = [
    "PEAKS",
    "Peaks",
    "amplitudes",
    "dissonance",
    "dissonance_of_peaks",
    "k_weighting",
    "level",
    "local_median_db",
    "peaks",
    "pitch",
    "roughness",
    "tonality",
    "weighted_power",
    "weirdness",
]

PEAKS = 12
Peaks = tuple[npt.NDArray[np.intp], Floats]
_BLOCK = 60
_SILENT_LUFS = -120.0


def pitch(spectra: Floats) -> Floats:
    """Power-weighted mean of log2 frequency, in octaves (log2 Hz): 8.78 is the a of 440 Hz.

    Parameters
    ----------
    spectra : (n, 1233) float32

    Returns
    -------
    (n,) float32; of silence, the middle of the range.
    """
    weights = power(spectra).astype(np.float64) + 1e-15
    return np.asarray((weights @ np.log2(bin_hz())) / weights.sum(axis=1), dtype=np.float32)


@lru_cache(maxsize=1)
def k_weighting() -> Floats:
    """Power gain of the K-weighting filter at each bin, shape (1233,)."""
    return k_gain(bin_hz()).astype(np.float32)


def level(spectra: Floats) -> Floats:
    """Loudness of one channel with these spectra, in LUFS (ITU-R BS.1770-4, ungated), from the spectrum alone.

    Two channels that both carry it measure 3.01 LU more.

    Parameters
    ----------
    spectra : (n, 1233) float32

    Returns
    -------
    (n,) float32, not below -120.
    """
    weighted = power(spectra) @ k_weighting()
    return np.asarray(
        LOUDNESS_OFFSET_LU + 10.0 * np.log10(np.maximum(weighted, 10.0 ** (_SILENT_LUFS / 10.0))), dtype=np.float32
    )


def weirdness(latents: Floats) -> Floats:
    """Distance from the origin of latent space, shape (n, 32) to (n,): how far a sound is from the ordinary."""
    return np.asarray(np.linalg.norm(latents, axis=1), dtype=np.float32)


def weighted_power(lufs: float) -> float:
    """Give the K-weighted mean-square power, all channels together, that measures so many LUFS; `level` in reverse."""
    return float(10.0 ** ((lufs - LOUDNESS_OFFSET_LU) / 10.0))


def local_median_db(spectra: Floats) -> Floats:
    """Level of the ground around each bin in dB, shape (n, 1233).

    The median of blocks half an octave (60 bins) wide, a quarter of an octave apart, joined by straight lines.
    """
    levels = decibels(spectra)
    starts = np.linspace(0, BINS - _BLOCK, 2 * BINS // _BLOCK).astype(int)
    blocks = np.stack([levels[:, start : start + _BLOCK] for start in starts], axis=1)
    medians = np.median(blocks, axis=2)
    centres = starts + _BLOCK / 2.0
    place = np.clip(np.interp(np.arange(BINS), centres, np.arange(len(starts))), 0, len(starts) - 1.001)
    index = place.astype(int)
    fraction = (place - index).astype(np.float32)
    return np.asarray(medians[:, index] * (1.0 - fraction) + medians[:, index + 1] * fraction, dtype=np.float32)


def peaks(spectra: Floats, count: int = PEAKS) -> Peaks:
    """Find the highest spectral peaks: bins above both neighbours.

    Parameters
    ----------
    spectra : (n, 1233) float32
    count : int
        How many to give for each spectrum.

    Returns
    -------
    bins : (n, count) int
    level_db : (n, count) float32
        Level of each, loudest first; where a spectrum has fewer peaks, -inf.
    """
    levels = decibels(spectra)
    is_peak = np.zeros(levels.shape, dtype=bool)
    inner = levels[:, 1:-1]
    is_peak[:, 1:-1] = (inner > levels[:, :-2]) & (inner >= levels[:, 2:])
    candidates = np.where(is_peak, levels, -np.inf)
    bins = np.argpartition(-candidates, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(candidates, bins, axis=1), axis=1)
    bins = np.take_along_axis(bins, order, axis=1)
    return bins, np.take_along_axis(candidates, bins, axis=1).astype(np.float32)


def amplitudes(level_db: Floats) -> Floats:
    """Amplitudes of peaks, as `peaks` gives their levels, against the highest of each sound, same shape; 0 for none."""
    loudest = np.where(np.isfinite(level_db[:, :1]), level_db[:, :1], 0.0)
    return np.asarray(10.0 ** ((level_db - loudest) / 20.0), dtype=np.float32)


def tonality(spectra: Floats) -> Floats:
    """How peaky: the mean height in dB of the 12 highest peaks over the local median, shape (n, 1233) to (n,).

    Peaks that are missing count as 0.

    Filtered noise has about 3 to 10, a chord of clean partials 40.
    """
    bins, level_db = peaks(spectra)
    ground = np.take_along_axis(local_median_db(spectra), bins, axis=1)
    return np.asarray(np.where(np.isfinite(level_db), level_db - ground, 0.0).mean(axis=1), dtype=np.float32)


def dissonance(first: Floats, second: Floats, shift_bins: npt.NDArray[np.integer] | int = 0) -> Floats:
    """Sensory dissonance between the sounds of two stacks, every pair of them.

    Parameters
    ----------
    first : (n, 1233) float32
    second : (m, 1233) float32
    shift_bins : int or (k,) int
        Transposition of the second stack in bins of 10 cents.

    Returns
    -------
    (n, m) float32, or (n, m, k) for k shifts
        Roughness summed over all pairs of the 12 highest peaks, divided by the number that would arise if
        all pairs were as rough as can be: 0 smooth, 1 rough.

    Notes
    -----
    Plomp and Levelt's curve (1965) in Sethares's parametrisation: W. A. Sethares, "Local consonance and the
    relationship between timbre and scale", JASA 94 (1993); amplitudes weigh by the smaller of the two, as in
    his "Tuning, Timbre, Spectrum, Scale" (2nd ed., 2005), appendix E. Amplitudes are relative to the loudest
    peak of each sound, so that level does not count.
    """
    return dissonance_of_peaks(peaks(first), peaks(second), shift_bins)


def dissonance_of_peaks(first: Peaks, second: Peaks, shift_bins: npt.NDArray[np.integer] | int = 0) -> Floats:
    """`dissonance` of sounds whose peaks are known, as `peaks` gives them."""
    shifts = np.atleast_1d(np.asarray(shift_bins))
    one_hz, one_weight = _partials(*first)
    two_hz, two_weight = _partials(*second)
    two_hz = two_hz[:, np.newaxis, :] * (2.0 ** (shifts / 120.0)).astype(np.float32)[:, np.newaxis]
    result = _beating(
        one_hz[:, None, None, :, None],
        two_hz[None, :, :, None, :],
        np.minimum(one_weight[:, None, None, :, None], two_weight[None, :, None, None, :]),
        (3, 4),
    )
    return np.asarray(result[:, :, 0] if np.ndim(shift_bins) == 0 else result, dtype=np.float32)


def roughness(bins: npt.NDArray[np.intp], level_db: Floats) -> Floats:
    """Sensory dissonance of each sound with itself, as `dissonance` has it, over all pairs of its peaks, shape (n,).

    Parameters
    ----------
    bins : (n, count) int
    level_db : (n, count) float32
        As `peaks` gives them. A single tone has 0.
    """
    hz, weight = _partials(bins, level_db)
    one, two = np.triu_indices(hz.shape[1], 1)
    return _beating(hz[:, one], hz[:, two], np.minimum(weight[:, one], weight[:, two]), (1,))


def _beating(one_hz: Floats, two_hz: Floats, weight: Floats, pairs: tuple[int, ...]) -> Floats:
    """Weighted mean of Plomp and Levelt's curve over the axes along which the pairs of partials lie."""
    low, gap = np.minimum(one_hz, two_hz), np.abs(one_hz - two_hz)
    scaled = np.float32(0.24) / (np.float32(0.0207) * low + np.float32(18.96)) * gap
    # 5 exp(-3.51 x) - 5 exp(-5.75 x) is at most 0.8988, at x = 0.22.
    curve = np.exp(np.float32(-3.51) * scaled) - np.exp(np.float32(-5.75) * scaled)
    rough = (weight * curve).sum(axis=pairs) * np.float32(5.0 / 0.8988)
    return np.asarray(rough / np.maximum(weight.sum(axis=pairs), np.float32(1e-9)), dtype=np.float32)


def _partials(bins: npt.NDArray[np.intp], level_db: Floats) -> tuple[Floats, Floats]:
    """Frequencies in Hz of peaks, and their amplitudes against the highest, each (n, count)."""
    return bin_hz()[bins].astype(np.float32), amplitudes(level_db)
