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
    """Parts spectra, up to ``rows`` at a time, into tones below ``top_hz`` and noise; holds tables and working room."""

    def __init__(self, top_hz: float, rows: int) -> None:
        hz = bin_hz()
        reach = np.maximum(_LOBE_BINS, np.ceil(_LOBE_HZ / (hz * (2.0 ** (1.0 / BINS_PER_OCTAVE) - 1.0)))).astype(
            np.intp
        )
        steadiest = _STEADIEST * np.clip(1.0 - np.log2(hz / _TONES_BELOW_HZ), 0.0, 1.0)
        # A lobe's centre of mass may lie above its summit.
        steadiest[hz * 2.0 ** ((_LOBE_BINS + 1) / BINS_PER_OCTAVE) > top_hz] = 0.0
        # The spectra lie in one line, with room on both sides of each for what reaches beyond its ends: what numpy
        # does to one of them costs as much as what it does to two.
        self._margin = max(_SURROUNDINGS_BINS, int(reach.max())) + 1
        self._stride = BINS + 2 * self._margin
        self._inside = slice(self._margin, self._margin + BINS)
        self._power = np.zeros((rows, self._stride), dtype=np.float32)
        self._level = np.zeros_like(self._power)
        index = np.arange(BINS)
        within = np.minimum(index, _SURROUNDINGS_BINS) + np.minimum(index[::-1], _SURROUNDINGS_BINS) + 1
        self._per_bin = self._in_line((1.0 / within).astype(np.float32), rows)
        self._reach = self._in_line(reach, rows)
        self._steadiest = self._in_line(steadiest.astype(np.float32), rows)
        self._column = np.tile(np.arange(self._stride, dtype=np.float32), rows)
        # Summits are at least so far apart that no other can overshadow those above this place.
        self._crowded = self._margin + np.count_nonzero(reach > _LOBE_BINS) + int(reach.max())

    def split(self, bin_power: Floats) -> list[SinesPlusNoise]:
        """Take the tones out of spectra, each on its own.

        Parameters
        ----------
        bin_power : (n, 1233) float32
            Mean-square power per bin; n is at most ``rows``.
        """
        self._power[: len(bin_power), self._inside] = bin_power
        power = self._power[: len(bin_power)].ravel()
        at, share = self._summits(bin_power)
        left, right = self._lobes(at)
        # Sums over the lobes and over what lies between them.
        bounds = np.stack([left, right], axis=1).ravel()
        mass = _sums(power, bounds)
        moment = _sums(power * self._column[: len(power)], bounds)
        kept = np.ones(len(bounds) + 1, dtype=np.float32)
        kept[1::2] -= share
        noise = power * np.repeat(kept, np.diff(bounds, prepend=0, append=len(power)))
        placed = np.ceil(moment / mass - np.float32(_CELL_TOP)).astype(np.intp) + at - at % self._stride
        tones = np.bincount(placed, weights=mass * share, minlength=1)
        found = np.flatnonzero(tones > 0.0)
        ends = np.searchsorted(found, self._stride * np.arange(1, len(bin_power)))
        bins = np.split(found % self._stride - self._margin, ends)
        powers = np.split(tones[found].astype(np.float32), ends)
        rests = noise.reshape(len(bin_power), -1)[:, self._inside]
        return [SinesPlusNoise(*each) for each in zip(bins, powers, rests, strict=True)]

    def _summits(self, bin_power: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
        """Give the places of tones in the line, and how much of each is tone, both (n,)."""
        rows = len(bin_power)
        self._level[:rows, self._inside] = np.log10(bin_power + np.float32(1e-12)) * np.float32(10.0)
        # One tone to a lobe: two that are closer would beat where the sound that was measured did not.
        at = _peaks(self._power[:rows].ravel(), _LOBE_BINS)
        at = at[self._steadiest[at] > 0.0]
        level = self._level[:rows].ravel()
        around = np.stack([at - _SURROUNDINGS_BINS, at + _SURROUNDINGS_BINS + 1], axis=1).ravel()
        level, prominence = level[at], level[at] - _sums(level, around) * self._per_bin[at]
        high = prominence > _PROMINENCE_DB
        at, level, prominence = at[high], level[high], prominence[high]
        clear = ~self._overshadowed(at, level)
        at, prominence = at[clear], prominence[clear]
        return at, np.minimum(prominence / np.float32(_PROMINENCE_DB) - np.float32(1.0), self._steadiest[at])

    def _in_line(self, row: npt.NDArray[Number], rows: int) -> npt.NDArray[Number]:
        """Lay 1233 values in one line, so many times, zeros around each."""
        return np.tile(np.pad(row, self._margin), rows)

    def _overshadowed(self, at: npt.NDArray[np.intp], level: Floats) -> npt.NDArray[np.bool_]:
        """Whether a louder tone is within reach, shape (n,)."""
        overshadowed = np.zeros(len(at), dtype=np.bool_)
        low = np.flatnonzero(at % self._stride < self._crowded)
        at, level = at[low], level[low]
        reach, found = self._reach[at], np.zeros(len(at), dtype=np.bool_)
        # Each with its neighbour, with the one after that, and so on until all are too far apart.
        for apart in range(1, len(at)):
            gap, before, after = at[apart:] - at[:-apart], level[:-apart], level[apart:]
            if gap.min() > self._margin:
                break
            found[:-apart] |= (gap <= reach[apart:]) & (before < after)
            found[apart:] |= (gap <= reach[:-apart]) & (after < before)
        overshadowed[low] = found
        return overshadowed

    def _lobes(self, at: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """First place and one past the last of each peak's lobe; neighbours meet half way."""
        reach = self._reach[at]
        left, right = at - reach, at + reach + 1
        middle = (at[1:] + at[:-1] + 1) // 2
        np.maximum(left[1:], middle, out=left[1:])
        np.minimum(right[:-1], middle, out=right[:-1])
        return left, right


def _sums(line: Floats, bounds: npt.NDArray[np.intp]) -> Floats:
    """Sum from the first to the second of the bounds, from the third to the fourth, and so on."""
    return np.add.reduceat(line, bounds)[::2] if len(bounds) else np.zeros(0, dtype=np.float32)


def _peaks(line: Floats, reach: int) -> npt.NDArray[np.intp]:
    """Places of values above 0 that none within reach exceeds; the first and last ``reach`` of the line are none."""
    highest, span = line, 1
    while span < 2 * reach + 1:
        step = min(span, 2 * reach + 1 - span)
        highest = np.maximum(highest[:-step], highest[step:])
        span += step
    inner = line[reach : len(line) - reach]
    return np.flatnonzero((inner == highest) & (inner > 0.0)) + reach
