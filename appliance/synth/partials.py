"""Telling tones from noise in a spectrum, so that each can be given the phases it needs.

A narrow spectral peak rebuilt from many lines of random phase is a band of noise: it trembles. A peak is
therefore taken out of the spectrum and handed over as one tone (a *partial*) that the voice keeps turning
steadily; what is left is noise and may have random phases. The model of sound as sines plus noise is that of X. Serra
and J. Smith, "Spectral modeling synthesis", Computer Music Journal 14 (1990), here without their tracking from frame to
frame: a tone's frequency is one of a fixed set.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, Floats, bin_hz

__all__ = ["PartialFinder", "SinesPlusNoise"]

Number = TypeVar("Number", bound=np.number)

# A peak this far above its surroundings begins to count as a tone, and wholly counts at twice the height.
_PROMINENCE_DB = 7.0
# Nothing played by breath or bow is quite steady. What is left to noise around each tone lets it flutter by a decibel
# or so; without it, the evenness between clips would be the one regular thing in the sound.
_STEADIEST = 0.96
# Higher up peaks no longer keep to one bin from clip to clip, and a tone that changes its frequency is faded out and in
# with a dip between; from here to an octave above, peaks are left to noise, whose fades keep the power.
_TONES_BELOW_HZ = 4000.0
_SURROUNDINGS_BINS = 30
_LOBE_BINS = 4
# Low tones closer than this beat slowly against each other, and that is mud; the analysis smears them by 1 Hz anyway.
_LOBE_HZ = 3.0
# A tone keeps its frequency, and so its phase, while its measured place wavers within a cell one bin wide. Cells meet
# this far above a bin's centre, where tones are rarest: notes tuned to 440 Hz lie a third of a bin above a centre and
# their third harmonics half a bin.
_CELL_TOP = 0.72


@dataclass(frozen=True)
class SinesPlusNoise:
    """A spectrum parted into tones and noise; they add up to what it was.

    Attributes
    ----------
    bins : (n,) int
        The bins at whose centre frequencies the tones sound; rising, no two the same.
    tones : (n,) float32
        Mean-square power of each tone.
    noise : (1233,) float32
        Mean-square power per bin of what is left.
    """

    bins: npt.NDArray[np.intp]
    tones: Floats
    noise: Floats


class PartialFinder:
    """Parts spectra, up to ``rows`` at a time, into tones below ``top_hz`` and noise; holds tables."""

    def __init__(self, top_hz: float, rows: int) -> None:
        hz = bin_hz()
        reach = np.maximum(_LOBE_BINS, np.ceil(_LOBE_HZ / (hz * (2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0)))).astype(
            np.intp
        )
        steadiest = _STEADIEST * np.clip(1.0 - np.log2(hz / _TONES_BELOW_HZ), 0.0, 1.0)
        # A lobe's centre of mass may lie above its summit.
        steadiest[hz * 2.0 ** ((_LOBE_BINS + 1) / BINS_PER_OCTAVE) > top_hz] = 0.0
        # The spectra lie in one line, with room between them for what reaches beyond their ends: what numpy does to
        # one of them costs as much as what it does to two.
        self._rows = rows
        self._stride = BINS + int(reach.max()) + 1
        index = np.arange(BINS)
        origin = self._stride * np.arange(rows)[:, np.newaxis]
        first = np.maximum(index - _SURROUNDINGS_BINS, 0)
        last = np.minimum(index + _SURROUNDINGS_BINS, BINS - 1) + 1
        self._from = self._in_line(first + origin)
        self._to = self._in_line(last + origin)
        self._span = np.maximum(self._to - self._from, 1).astype(np.float32)
        self._reach = self._in_line(np.tile(reach, (rows, 1)))
        self._widest = int(reach.max())
        self._steadiest = self._in_line(np.tile(steadiest.astype(np.float32), (rows, 1)))
        self._column = np.tile(np.arange(self._stride, dtype=np.float64), rows)

    def split(self, bin_power: Floats) -> list[SinesPlusNoise]:
        """Take the tones out of spectra, each on its own.

        Parameters
        ----------
        bin_power : (n, 1233) float32
            Mean-square power per bin; n is at most ``rows``.
        """
        power = self._in_line(bin_power)
        level = np.log10(power + np.float32(1e-12)) * np.float32(10.0)
        running = self._sums(level)
        prominence = level - (running[self._to] - running[self._from]) / self._span
        # One tone to a lobe: two that are closer would beat where the sound that was measured did not.
        summit = (level == maximum_filter1d(level, 2 * _LOBE_BINS + 1)) & (prominence > _PROMINENCE_DB)
        at = np.flatnonzero(summit & (self._steadiest > 0.0))
        at = at[~self._overshadowed(at, level[at])]
        left, right = self._lobes(at)
        share = np.minimum(prominence[at] / np.float32(_PROMINENCE_DB) - np.float32(1.0), self._steadiest[at])
        mass, moment = self._sums(power), self._sums(power * self._column)
        lobe = np.maximum(mass[right] - mass[left], 1e-30)
        steps = np.zeros(len(power), dtype=np.float32)
        steps[left] += share
        steps[right] -= share
        noise = power * np.maximum(1.0 - np.cumsum(steps.reshape(self._rows, -1), axis=1).ravel(), 0.0)
        placed = np.ceil((moment[right] - moment[left]) / lobe - _CELL_TOP).astype(np.intp) + self._origin(at)
        tones = np.bincount(placed, weights=lobe * share, minlength=1)
        found = np.flatnonzero(tones)
        ends = np.searchsorted(found, self._stride * np.arange(1, len(bin_power)))
        bins, powers = np.split(found % self._stride, ends), np.split(tones[found].astype(np.float32), ends)
        rests = noise.reshape(self._rows, -1)[: len(bin_power), :BINS]
        return [SinesPlusNoise(*each) for each in zip(bins, powers, rests, strict=True)]

    def _in_line(self, rows: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Lay up to ``rows`` times 1233 values in one line, zeros between."""
        line = np.zeros((self._rows, self._stride), dtype=rows.dtype)
        line[: len(rows), :BINS] = rows
        return line.ravel()

    def _overshadowed(self, at: npt.NDArray[np.intp], level: Floats) -> npt.NDArray[np.bool_]:
        """Whether a louder tone is within reach, shape (n,)."""
        reach, found = self._reach[at], np.zeros(len(at), dtype=np.bool_)
        # Each with its neighbour, with the one after that, and so on until all are too far apart.
        for apart in range(1, len(at)):
            gap, before, after = at[apart:] - at[:-apart], level[:-apart], level[apart:]
            if gap.min() > self._widest:
                break
            found[:-apart] |= (gap <= reach[apart:]) & (before < after)
            found[apart:] |= (gap <= reach[:-apart]) & (after < before)
        return found

    def _lobes(self, at: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """First place and one past the last of each peak's lobe; neighbours meet half way."""
        middle = (at[1:] + at[:-1] + 1) // 2
        reach = self._reach[at]
        left = np.maximum(np.maximum(at - reach, self._origin(at)), np.concatenate([[0], middle])[: len(at)])
        right = np.minimum(at + reach + 1, np.concatenate([middle, [len(self._column)]])[: len(at)])
        return left, right

    def _origin(self, at: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Where in the line the spectra begin that these places belong to."""
        return at - at % self._stride

    def _sums(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Sum of all values of a spectrum before each place; each spectrum's own, so that none sees its neighbour."""
        sums = np.zeros((self._rows, self._stride))
        np.cumsum(values.reshape(self._rows, -1)[:, :-1], axis=1, out=sums[:, 1:])
        return sums.ravel()
