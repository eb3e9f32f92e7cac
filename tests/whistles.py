"""Whistles by measure: narrow high peaks that stand out of sound and go on. ``test_whistles.py`` proves them.

Takes `musical.steady_spectra`, a spectrum for every half second.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from musical import SILENT_POWER, STEP_S
from scipy import fft, ndimage

from appliance.weighting import k_gain

__all__ = [
    "Tracks",
    "Whistles",
]

Doubles = npt.NDArray[np.float64]

_SHRILL_HZ = 1500.0
_TONE_REACH_LINES = 6
_HEARD_DB = -45.0
_PROMINENT_DB = 10.0
_OUTDONE = 4.0
_SAME_CENTS = 30.0
_LONG_S = 8.0


class Tracks(NamedTuple):
    """Narrow peaks that go on: the longest in s, how many last above 8 s, and the highest ratio in dB at any time."""

    longest_s: float
    long_ones: int
    highest_db: float | None


class _Tracker:
    """Follows peaks through time: the same peak lies within 30 cents of where it began, and one step may miss it."""

    def __init__(self) -> None:
        self._highest_db: float | None = None
        self._open = np.zeros((0, 3))
        self._longest, self._long_ones = 0, 0

    def add(self, step: int, hz: Doubles, ratio_db: Doubles) -> None:
        """Take the peaks of the next step."""
        highest_db = float(ratio_db.max(initial=-np.inf))
        if np.isfinite(highest_db):
            self._highest_db = max(highest_db, self._highest_db or highest_db)
        self._close(self._open[:, 2] < step - 2)
        found = hz[ratio_db > _PROMINENT_DB]
        same = np.abs(1200.0 * np.log2(found[:, np.newaxis] / self._open[:, 0])) <= _SAME_CENTS
        self._open[same.any(axis=0), 2] = step
        begun = [[each, step, step] for each in found[~same.any(axis=1)]]
        self._open = np.concatenate([self._open, np.reshape(begun, (-1, 3))])

    def _close(self, over: npt.NDArray[np.bool_]) -> None:
        steps = self._open[over, 2] - self._open[over, 1] + 1
        self._longest = max(self._longest, int(steps.max(initial=0)))
        self._long_ones += int(np.sum(steps * STEP_S > _LONG_S))
        self._open = self._open[~over]

    def result(self) -> Tracks:
        """End all that is open and tell."""
        self._close(np.ones(len(self._open), dtype=bool))
        return Tracks(self._longest * STEP_S, self._long_ones, self._highest_db)


class Whistles:
    """Narrow peaks above 1.5 kHz that stand over their critical band, and how long they go on.

    Two ratios in dB (ECMA-74, annex D, which calls a tone prominent from 8 and 9 dB on): *tone to noise*, the power
    within 24 Hz of a peak (1.5 main lobes) over that of the rest of the critical band around it, as if the rest filled
    the band; and *prominence*, the power of that band over the mean of its two neighbours, which also finds tones that
    are several, or wide (a peak 6 dB below another of its band does not count). Critical bands are as wide as in
    Zwicker and Terhardt, JASA 68 (1980). Only what can be heard counts: K-weighted, the peak must lie
    within 45 dB of the whole sound of that half second.
    """

    def __init__(self, rate: int) -> None:
        length = round(rate / 4)
        self._hz = fft.rfftfreq(length, 1.0 / rate)
        self._gain = k_gain(self._hz)
        self._band_lines = _critical_band_hz(self._hz) / self._hz[1]
        fits = np.arange(len(self._hz)) + self._band_lines / 2.0 < len(self._hz) - 1
        self._looked_at = (self._hz > _SHRILL_HZ) & fits
        self._step = 0
        self._tone_to_noise, self._prominence = _Tracker(), _Tracker()

    def add(self, power: Doubles) -> None:
        """Take `steady_spectra`."""
        for spectrum in power:
            lines = self._peaks(spectrum)
            tone_db, prominence_db = self._ratios_db(spectrum, lines)
            self._tone_to_noise.add(self._step, self._hz[lines], tone_db)
            self._prominence.add(self._step, self._hz[lines], prominence_db)
            self._step += 1

    def results(self) -> tuple[Tracks, Tracks]:
        """By tone to noise, and by prominence."""
        return self._tone_to_noise.result(), self._prominence.result()

    def _peaks(self, spectrum: Doubles) -> npt.NDArray[np.intp]:
        weighted = spectrum * self._gain
        highest = spectrum >= ndimage.maximum_filter1d(spectrum, 2 * _TONE_REACH_LINES + 1)
        tone = ndimage.uniform_filter1d(weighted, 2 * _TONE_REACH_LINES + 1) * (2 * _TONE_REACH_LINES + 1)
        heard = tone > max(SILENT_POWER, float(weighted.sum()) * 10.0 ** (_HEARD_DB / 10.0))
        return np.flatnonzero(highest & heard & self._looked_at)

    def _ratios_db(self, spectrum: Doubles, lines: npt.NDArray[np.intp]) -> tuple[Doubles, Doubles]:
        edges = np.arange(len(spectrum) + 1) - 0.5
        summed = np.concatenate([[0.0], np.cumsum(spectrum)])

        def between(low: npt.NDArray[np.floating], high: npt.NDArray[np.floating]) -> Doubles:
            return np.asarray(np.interp(high, edges, summed) - np.interp(low, edges, summed))

        width, reach = self._band_lines[lines], _TONE_REACH_LINES + 0.5
        low, high = lines - width / 2.0, lines + width / 2.0
        band, tone = between(low, high), between(lines - reach, lines + reach)
        noise = (band - tone) * width / (width - 2.0 * reach)
        at = np.arange(len(self._hz))
        beside_low = low - np.interp(lines - width, at, self._band_lines)
        beside_high = high + np.interp(lines + width, at, self._band_lines)
        beside = (between(beside_low, low) + between(high, beside_high)) / 2.0
        # Beside a tone every ripple of the noise has the tone in its band: only those near the highest count.
        near = np.abs(lines[:, np.newaxis] - lines) < width[:, np.newaxis] / 2.0
        outdone = np.any(near & (spectrum[lines] > _OUTDONE * spectrum[lines][:, np.newaxis]), axis=1)
        beside[outdone | (beside_high > len(spectrum) - 1)] = np.inf
        with np.errstate(divide="ignore"):
            return 10.0 * np.log10(tone / np.maximum(noise, 1e-20)), 10.0 * np.log10(band / np.maximum(beside, 1e-20))


def _critical_band_hz(hz: Doubles) -> Doubles:
    """Width of the critical band around some frequencies in Hz: Zwicker and Terhardt, JASA 68 (1980)."""
    return np.asarray(25.0 + 75.0 * (1.0 + 1.4 * (hz / 1000.0) ** 2) ** 0.69)
