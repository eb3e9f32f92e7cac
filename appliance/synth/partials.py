"""Telling tones from noise in a spectrum, so that each can be given the phases it needs.

A narrow spectral peak rebuilt from many lines of random phase is a band of noise: it trembles. A peak is
therefore taken out of the spectrum and handed over as one tone (a *partial*) that the voice keeps turning
steadily; what is left is noise and may have random phases.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, Floats, bin_hz

__all__ = ["PartialFinder", "Partials"]

# A peak this far above its surroundings begins to count as a tone, and wholly counts at twice the height.
_PROMINENCE_DB = 7.0
# Nothing played by breath or bow is quite steady. What is left to noise around each tone lets it flutter by a decibel
# or so; without it, the evenness between clips would be the one regular thing in the sound.
_STEADIEST = 0.95
_SURROUNDINGS_BINS = 30
_LOBE_BINS = 4
# Low tones closer than this beat slowly against each other, and that is mud; the analysis smears them by 1 Hz anyway.
_LOBE_HZ = 3.0
# A tone keeps its frequency, and so its phase, while its measured place wavers within a cell one bin wide. Cells meet
# this far above a bin's centre, where tones are rarest: notes tuned to 440 Hz lie a third of a bin above a centre and
# their third harmonics half a bin.
_CELL_TOP = 0.72


@dataclass(frozen=True)
class Partials:
    """The tones of one spectrum.

    Attributes
    ----------
    bins : (n,) int
        The bins at whose centre frequencies they sound, rising, no two the same.
    power : (n,) float32
        Mean-square power of each.
    """

    bins: npt.NDArray[np.intp]
    power: Floats


class PartialFinder:
    """Splits spectra into tones below ``top_hz`` and noise."""

    def __init__(self, top_hz: float) -> None:
        width_hz = bin_hz() * (2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0)
        self._reach = np.maximum(_LOBE_BINS, np.ceil(_LOBE_HZ / width_hz)).astype(np.intp)
        # A lobe's centre of mass may lie above its summit.
        self._usable = np.flatnonzero(bin_hz() < top_hz)[-1] - _LOBE_BINS - 1
        last = BINS - 1
        index = np.arange(BINS)
        self._from = np.maximum(index - _SURROUNDINGS_BINS, 0)
        self._to = np.minimum(index + _SURROUNDINGS_BINS, last) + 1
        self._span = (self._to - self._from).astype(np.float32)
        self._ramp = index.astype(np.float32)

    def split(self, bin_power: Floats) -> tuple[Partials, Floats]:
        """Take the tones out of a spectrum.

        Parameters
        ----------
        bin_power : (1233,) float32
            Mean-square power per bin.

        Returns
        -------
        partials : Partials
        noise : (1233,) float32
            What is left; the two add up to what came in.
        """
        level = np.log10(bin_power + np.float32(1e-12)) * np.float32(10.0)
        running = np.concatenate([np.zeros(1, dtype=np.float32), np.cumsum(level)])
        ground = (running[self._to] - running[self._from]) / self._span
        prominence = level - ground
        # One tone to a lobe: two that are closer would beat where the sound that was measured did not.
        summit = (level == maximum_filter1d(level, 2 * _LOBE_BINS + 1)) & (prominence > _PROMINENCE_DB)
        bins = np.flatnonzero(summit[1 : self._usable]) + 1
        bins = bins[~self._overshadowed(bins, level[bins])]
        if not len(bins):
            return Partials(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32)), bin_power
        left, right = self._lobes(bins)
        share = np.minimum(prominence[bins] / np.float32(_PROMINENCE_DB) - np.float32(1.0), np.float32(_STEADIEST))
        mass = np.concatenate([np.zeros(1), np.cumsum(bin_power, dtype=np.float64)])
        moment = np.concatenate([np.zeros(1), np.cumsum(bin_power * self._ramp, dtype=np.float64)])
        lobe = np.maximum(mass[right] - mass[left], 1e-30)
        centre = (moment[right] - moment[left]) / lobe
        steps = np.zeros(BINS + 1, dtype=np.float32)
        steps[left] += share
        steps[right] -= share
        noise = bin_power * np.maximum(1.0 - np.cumsum(steps[:-1]), 0.0)
        return _placed(centre, (lobe * share).astype(np.float32)), noise.astype(np.float32)

    def _overshadowed(self, bins: npt.NDArray[np.intp], level: Floats) -> npt.NDArray[np.bool_]:
        """Whether a louder tone is within reach, shape (n,)."""
        near = np.abs(bins[:, np.newaxis] - bins) <= self._reach[bins]
        return np.asarray((near & (level[:, np.newaxis] < level)).any(axis=1))

    def _lobes(self, bins: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """First bin and one past the last of each peak's lobe; neighbours meet half way."""
        middle = (bins[1:] + bins[:-1] + 1) // 2
        reach = self._reach[bins]
        left = np.maximum(bins - reach, np.concatenate([[0], middle]))
        right = np.minimum(bins + reach + 1, np.concatenate([middle, [BINS]]))
        return left, right


def _placed(centre: npt.NDArray[np.float64], power: Floats) -> Partials:
    """Give tones the bins whose cells they are in; those that share one are joined."""
    joined = np.zeros(BINS)
    np.add.at(joined, np.ceil(centre - _CELL_TOP).astype(np.intp), power)
    bins = np.flatnonzero(joined)
    return Partials(bins, joined[bins].astype(np.float32))
