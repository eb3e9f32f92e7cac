"""A reading of music by measure: key, dissonance, tilt, coherence, movement, as small classes and functions.

Some take sound clip by clip and keep little (`LongTerm`, `Swells`), the others take a stack of the codec's spectra,
one for every 2 s, shape (n, 1233). Sound is float32 of shape (frames, channels), full scale +-1.0. Each gives None
where there is too little sound to tell. ``test_musical.py`` proves each on sound with the property and on sound
without; ``bench/listen.py`` prints them all, with those of ``levels.py`` and ``whistles.py``.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, signal

from appliance.spectrum import codec, traits
from appliance.spectrum.codec import Floats
from appliance.weighting import k_gain

__all__ = [
    "SILENT_POWER",
    "STEP_S",
    "KeyShare",
    "Likeness",
    "LongTerm",
    "SwellShares",
    "Swells",
    "change_db",
    "dissonance_percentile",
    "key_share",
    "likeness_db",
    "pooled_power",
    "steady_spectra",
]

Doubles = npt.NDArray[np.float64]

STEP_S = 0.5
SILENT_POWER = 1e-9
_WINDOWS_PER_STEP = 3
_TONE_DB = 7.0
_KEY_HZ = (60.0, 4000.0)
_TONES = 40
_STRETCH_CLIPS = 30
_FEWEST_TONAL_CLIPS = 5
_PENTATONIC_SEMITONES = (0, 2, 4, 7, 9)
_NEAR_BINS = 3
_SEMITONE_BINS = 10
_KEY_DRAWS = 20
_TRANSPOSITIONS = 60
_SWELL_DB = 4.0
_SWELL_S = (5.0, 20.0)
_RISE_S, _FALL_S = 5.0, 15.0
_SWELL_SMOOTH_S = 2.5
_SWELL_HEARD_DB = -30.0
_POOLED_BINS = 20
_CHANGE_RANGE_DB = 60.0
_LIKENESS_CLIPS = 150
_TWO_HOURS_STRETCHES = 24


class KeyShare(NamedTuple):
    """Shares 0..1 that a pentatonic catches: of the tones, on average over rotations, of the tones scattered."""

    caught: float
    any_rotation: float
    scattered: float


def key_share(spectra: Floats, rng: np.random.Generator) -> KeyShare | None:
    """How much of the prominent tones' power lies in one major pentatonic, the median over stretches of a minute.

    Prominent tones stand 7 dB over their local median, between 60 Hz and 4 kHz; each 2 s weighs the same. For each
    minute the best of 120 rotations counts, so that it needs no standard pitch. Five tones of +-30 cents cover 35 of
    the 120 bins: a rotation by chance catches exactly 29 % on average. The best of 120 catches more of anything. How
    much more, ``scattered`` tells: the same tones, each (a semitone of the spectrum, all through the minute)
    moved by a chance interval, the mean over 20 draws.
    """
    around = (np.arange(120) + _NEAR_BINS) % 120
    near = [(around - _SEMITONE_BINS * tone) % 120 <= 2 * _NEAR_BINS for tone in _PENTATONIC_SEMITONES]
    template = np.any(near, axis=0)
    rotations = np.stack([np.roll(template, turn) for turn in range(120)]).astype(np.float64)
    rows = []
    for first in range(0, len(spectra) - _STRETCH_CLIPS + 1, _STRETCH_CLIPS):
        tones, weight = (each.ravel() for each in _prominent_tones(spectra[first : first + _STRETCH_CLIPS]))
        if weight.sum() < _FEWEST_TONAL_CLIPS:
            continue
        weight = weight / weight.sum()
        shares = rotations @ np.bincount(tones % 120, weight, 120)
        moved = rng.integers(0, 120, (_KEY_DRAWS, codec.BINS // _SEMITONE_BINS + 1))[:, tones // _SEMITONE_BINS]
        scattered = [float((rotations @ np.bincount((tones + by) % 120, weight, 120)).max()) for by in moved]
        rows.append((shares.max(), shares.mean(), np.mean(scattered)))
    return KeyShare(*(float(value) for value in np.median(rows, axis=0))) if rows else None


def _prominent_tones(spectra: Floats) -> tuple[npt.NDArray[np.intp], Doubles]:
    """Bins of the loudest prominent tones and their parts of the tones' power, (n, 40) each; without any, all 0."""
    low, high = np.searchsorted(codec.bin_hz(), _KEY_HZ)
    bins, level_db = traits.peaks(spectra[:, low:high], _TONES)
    bins += low
    ground = np.take_along_axis(traits.local_median_db(spectra), bins, axis=1)
    power = np.where(level_db - ground >= _TONE_DB, 10.0 ** (level_db.astype(np.float64) / 10.0), 0.0)
    return bins, power / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)


def dissonance_percentile(spectra: Floats, lag_clips: int, rng: np.random.Generator) -> float | None:
    """How well sounds ``lag_clips`` clips apart go together: per cent of transpositions that are less dissonant.

    Each pair is compared with itself at 60 chance transpositions of the later sound, whole bins within an octave up or
    down; equal ones count half. The median over pairs: 0 goes together as well as can be, 50 is chance. Chance is above
    50 for sounds that fill the same few octaves, for a transposition takes them out of each other's way. Dissonance is
    that of `traits.dissonance`. Pairs with a silent clip do not count.
    """
    others = np.concatenate([np.arange(-120, 0), np.arange(1, 121)])
    sounding = spectra.max(axis=1) > 0.0
    found = []
    for first in np.flatnonzero(sounding[:-lag_clips] & sounding[lag_clips:]):
        shifts = np.concatenate([[0], rng.choice(others, _TRANSPOSITIONS, replace=False)])
        later = first + lag_clips
        actual, *moved = traits.dissonance(spectra[first : first + 1], spectra[later : later + 1], shifts)[0, 0]
        found.append(100.0 * (np.mean(moved < actual) + 0.5 * np.mean(moved == actual)))
    return float(np.median(found)) if found else None


class LongTerm:
    """The power spectral density of all sound so far and, of two channels, the cross-spectrum; segments of a second."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._hz = fft.rfftfreq(rate, 1.0 / rate)
        self._own = np.zeros((channels, len(self._hz)))
        self._cross = np.zeros(len(self._hz))
        self._window = signal.windows.hann(rate, sym=False).astype(np.float32)

    def add(self, clip: Floats) -> None:
        """Take whole seconds of sound, (frames, channels); what is left over is left out."""
        for start in range(0, len(clip) - self._rate + 1, self._rate):
            lines = fft.rfft(clip[start : start + self._rate].T * self._window, axis=1)
            self._own += lines.real**2 + lines.imag**2
            if len(lines) == 2:
                self._cross += (lines[0] * lines[1].conj()).real

    def tilt_db_per_octave(self) -> float | None:
        """Slope of the density per Hz from 200 Hz to 8 kHz: the straight line through its 17 third-octaves in dB.

        White noise has 0, pink -3, brown -6. None where the rate does not reach so high, and for silence.
        """
        centres = 1000.0 * 2.0 ** (np.arange(-7, 10) / 3.0)
        edges = np.searchsorted(self._hz, centres[:, np.newaxis] * 2.0 ** np.array([-1 / 6, 1 / 6]))
        density = self._own.mean(axis=0)
        if edges.max() >= len(density) or density.sum() == 0.0:
            return None
        level_db = [10.0 * np.log10(max(float(density[low:high].mean()), 1e-20)) for low, high in edges]
        return float(np.polyfit(np.log2(centres), level_db, 1)[0])

    def coherence(self, low_hz: float, high_hz: float) -> float | None:
        """Correlation coefficient of two channels in a band, -1..1, each moment weighing as much as its power.

        None unless there are two channels with sound there.
        """
        if len(self._own) != 2:
            return None
        band = (self._hz >= low_hz) & (self._hz < high_hz)
        scale = float(np.sqrt(np.prod(self._own[:, band].sum(axis=1))))
        return float(self._cross[band].sum()) / scale if scale > 1e-6 else None


def steady_spectra(clip: Floats, rate: int) -> Doubles:
    """Power spectra of half seconds, (frames, channels) to (steps, lines): lines of 4 Hz add up to the mean square.

    The mean of three Hann windows of a quarter of a second, half overlapped, and of the channels.
    """
    length, step = round(rate / 4), round(rate * STEP_S)
    window = signal.windows.hann(length, sym=False).astype(np.float32)
    starts = np.add.outer(np.arange(len(clip) // step) * step, np.arange(_WINDOWS_PER_STEP) * (length // 2))
    pieces = np.lib.stride_tricks.sliding_window_view(clip, length, axis=0)[np.minimum(starts, len(clip) - length)]
    lines = fft.rfft(pieces * window, axis=-1)
    power = (lines.real**2 + lines.imag**2).mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(power * 2.0 / (length * float(np.sum(window.astype(np.float64) ** 2))))


class SwellShares(NamedTuple):
    """Parts of the time, 0..1: in which any octave swells, and in which one does on average over the octaves."""

    any_octave: float
    mean_octave: float


class Swells:
    """A proxy for a figure over a ground: the share of time in which an octave swells and goes again.

    A swell rises by 4 dB within 5 s to a peak, falls by 4 dB within 15 s after it, and lasts 5 to 20 s between the two;
    octaves from 63 Hz to 8 kHz, smoothed over 2.5 s; those 30 dB under the whole (K-weighted) do not count. It cannot
    tell a melody from a wave of the sea or from a partial that flutters slowly, and it misses figures that are as loud
    as their ground: for music of our own the score knows better.
    """

    def __init__(self, rate: int) -> None:
        hz = fft.rfftfreq(round(rate / 4), 1.0 / rate)
        edges = [edge for edge in 1000.0 * 2.0 ** (np.arange(-4, 5) - 0.5) if edge < rate / 2]
        self._starts = np.searchsorted(hz, edges)
        self._gain = k_gain(hz)
        self._rows: list[Doubles] = []

    def add(self, power: Doubles) -> None:
        """Take `steady_spectra`."""
        self._rows.extend(np.add.reduceat(power * self._gain, self._starts, axis=1)[:, :-1])

    def shares(self) -> SwellShares | None:
        """Give the parts of the time; None for less than half a minute."""
        if len(self._rows) * STEP_S < 2.0 * _FALL_S:
            return None
        octaves = ndimage.uniform_filter1d(np.array(self._rows), round(_SWELL_SMOOTH_S / STEP_S), axis=0)
        heard = octaves > np.maximum(SILENT_POWER, octaves.sum(axis=1, keepdims=True) * 10 ** (_SWELL_HEARD_DB / 10))
        swelling = np.zeros(octaves.T.shape, dtype=bool)
        for octave, level_db, loud in zip(
            swelling, 10.0 * np.log10(np.maximum(octaves.T, 1e-12)), heard.T, strict=True
        ):
            for start, end in self._events(level_db, loud):
                octave[start:end] = True
        return SwellShares(float(swelling.any(axis=0).mean()), float(swelling.mean()))

    @staticmethod
    def _events(level_db: Doubles, loud: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        peaks, found = signal.find_peaks(level_db, prominence=_SWELL_DB)
        bases = (np.full(len(peaks), _SWELL_DB), found["left_bases"], found["right_bases"])
        _, _, left, right = signal.peak_widths(level_db, peaks, rel_height=1.0, prominence_data=bases)
        for peak, start, end in zip(peaks, left, right, strict=True):
            lasts = _SWELL_S[0] <= (end - start) * STEP_S <= _SWELL_S[1]
            if lasts and loud[peak] and (peak - start) * STEP_S <= _RISE_S and (end - peak) * STEP_S <= _FALL_S:
                yield round(start), round(end) + 1


def pooled_power(spectra: Floats) -> Doubles:
    """Power in sixths of an octave, (n, 1233) to (n, 61): a line alone flutters by 5.6 dB and would bury a change."""
    power = codec.power(spectra[:, codec.BINS % _POOLED_BINS :]).astype(np.float64)
    return np.asarray(power.reshape(len(spectra), codec.BINS // _POOLED_BINS, _POOLED_BINS).sum(axis=2))


def change_db(before: Doubles, after: Doubles) -> float | None:
    """RMS difference in dB between pairs of pooled powers, (n, 61) each, over all pairs; None without any.

    What lies 60 dB below the loudest part of a pair does not count (as `listening.spectral_change_db`).
    """
    differences = _differences_db(before, after)
    return float(np.sqrt(np.nanmean(differences**2))) if len(differences) else None


def _differences_db(before: Doubles, after: Doubles) -> Doubles:
    """Difference in dB by pair and part; NaN where it does not count."""
    one, two = (10.0 * np.log10(np.maximum(power, 1e-10)) for power in (before, after))
    loudest = np.maximum(one, two)
    return np.where(loudest > loudest.max(axis=-1, keepdims=True) - _CHANGE_RANGE_DB, one - two, np.nan)


class Likeness(NamedTuple):
    """Mean RMS difference in dB between stretches of 5 minutes: neighbours, all pairs, those two hours apart."""

    neighbours_db: float
    all_pairs_db: float
    two_hours_db: float | None


def likeness_db(pooled: Doubles) -> Likeness | None:
    """How different stretches of 5 minutes are in their mean pooled power, (n, 61); None for less than 10 minutes."""
    count = len(pooled) // _LIKENESS_CLIPS
    if count < 2:
        return None
    means = pooled[: count * _LIKENESS_CLIPS].reshape(count, _LIKENESS_CLIPS, -1).mean(axis=1)
    first, second = np.triu_indices(count, 1)
    apart = np.sqrt(np.nanmean(_differences_db(means[first], means[second]) ** 2, axis=1))
    far = apart[second - first == _TWO_HOURS_STRETCHES]
    return Likeness(
        neighbours_db=float(apart[second - first == 1].mean()),
        all_pairs_db=float(apart.mean()),
        two_hours_db=float(far.mean()) if len(far) else None,
    )
