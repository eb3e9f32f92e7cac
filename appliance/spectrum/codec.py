"""The codec: two seconds of sound to 1233 log-spaced magnitudes, and back.

A *spectrum* here is a float32 array of ``BINS`` values in 0..1. Bin ``i`` is centred on
``TOP_HZ * 2 ** ((i - 1232) / 120)`` Hz (10 cents a bin, 17.9 Hz to 22,050 Hz) and reaches half a bin
to either side. A value ``v`` stands for the power inside those edges in decibels, relative to a sine of
full scale: ``FLOOR_DB * (1 - v)``. ``FLOOR_DB`` (-96 dB, about the noise of 16-bit sound) and anything
below it is 0.0, a full-scale sine is 1.0.

Power is the currency both ways. The power of the linear FFT bins is treated as spread evenly over their
width and shared out by overlap, so the 273 bins below 87 Hz that are narrower than an FFT bin each get
their portion of it and nothing is counted twice.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = [
    "BINS",
    "BINS_PER_OCTAVE",
    "FLOOR_DB",
    "TOP_HZ",
    "Floats",
    "LinearGrid",
    "analyse",
    "bin_edges_hz",
    "bin_hz",
    "decibels",
    "from_decibels",
    "from_power",
    "linear_grid",
    "power",
    "synthesise",
    "transpose",
]

BINS = 1233
BINS_PER_OCTAVE = 120
TOP_HZ = 22_050.0
FLOOR_DB = -96.0
CLIP_S = 2.0

Floats = npt.NDArray[np.float32]


def bin_hz() -> npt.NDArray[np.float64]:
    """Centre frequencies in Hz, shape (1233,)."""
    return TOP_HZ * 2.0 ** ((np.arange(BINS) - (BINS - 1)) / BINS_PER_OCTAVE)


def bin_edges_hz() -> npt.NDArray[np.float64]:
    """The 1234 edges between bins in Hz; bin ``i`` lies between edges ``i`` and ``i + 1``."""
    return TOP_HZ * 2.0 ** ((np.arange(BINS + 1) - 0.5 - (BINS - 1)) / BINS_PER_OCTAVE)


def decibels(spectrum: npt.NDArray[np.floating]) -> Floats:
    """Values 0..1 to decibels relative to a full-scale sine, same shape."""
    return np.asarray(FLOOR_DB * (1.0 - spectrum), dtype=np.float32)


def from_decibels(level_db: npt.NDArray[np.floating]) -> Floats:
    """Decibels to values, clipped to 0..1, same shape."""
    return np.clip(1.0 - np.asarray(level_db) / FLOOR_DB, 0.0, 1.0).astype(np.float32)


def power(spectrum: npt.NDArray[np.floating]) -> Floats:
    """Values to mean-square power per bin, same shape. A full-scale sine has 0.5; a value of 0 or less has none."""
    # exp2 is the quickest of the exponentials in float32: 10 ** (db / 10) == 2 ** (db * log2(10) / 10)
    to_octaves = np.float32(-FLOOR_DB * np.log2(10.0) / 10.0)
    values = np.asarray(spectrum, dtype=np.float32)
    result: Floats = np.asarray(np.exp2(values * to_octaves - (to_octaves + np.float32(1.0))))
    result *= values > 0.0
    return result


def from_power(mean_square: npt.NDArray[np.floating]) -> Floats:
    """Mean-square power per bin to values 0..1, same shape."""
    floor = 0.5 * 10.0 ** (FLOOR_DB / 10.0)
    return from_decibels(10.0 * np.log10(2.0 * np.maximum(mean_square, floor)))


def analyse(clip: npt.NDArray[np.floating], rate: int) -> Floats:
    """Measure the spectrum of a clip; phase and stereo are thrown away.

    Parameters
    ----------
    clip : (frames,) or (frames, channels) array, full scale +-1.0
        About two seconds of a steady sound. The powers of the channels are averaged, so that sounds out
        of phase do not cancel.
    rate : int
        Frames per second.

    Returns
    -------
    (1233,) float32 in 0..1

    Raises
    ------
    ValueError
        If the clip is shorter than 16 frames, not finite, or the rate is not positive.

    Notes
    -----
    Hann window, real FFT, power normalised by Parseval's theorem so that the bins add up to the
    mean square of the (windowed) clip.
    """
    frames = np.asarray(clip, dtype=np.float32)
    if frames.ndim == 1:
        frames = frames[:, np.newaxis]
    count = frames.shape[0]
    if rate <= 0 or count < 16:
        raise ValueError("a clip needs at least 16 frames and a positive rate")
    if not np.isfinite(frames).all():
        raise ValueError("the clip holds values that are not finite")
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(count, dtype=np.float32) / np.float32(count))
    transform = fft.rfft(frames * window[:, np.newaxis].astype(np.float32), axis=0)
    line_power = np.mean(np.abs(transform.astype(np.complex128)) ** 2, axis=1)
    line_power *= 2.0 / (count * float(np.sum(window.astype(np.float64) ** 2)))
    line_power[0] *= 0.5
    if count % 2 == 0:
        line_power[-1] *= 0.5
    line_edges = (np.arange(len(line_power) + 1) - 0.5) * rate / count
    cumulative = np.concatenate([[0.0], np.cumsum(line_power)])
    return from_power(np.diff(np.interp(bin_edges_hz(), line_edges, cumulative)))


def transpose(bins: Floats, shift_bins: int) -> Floats:
    """Move a (1233,) spectrum or power up by ``shift_bins`` times 10 cents; what comes in at the edge is empty."""
    if shift_bins == 0:
        return bins
    moved = np.zeros_like(bins)
    if shift_bins > 0:
        moved[shift_bins:] = bins[:-shift_bins]
    else:
        moved[:shift_bins] = bins[-shift_bins:]
    return moved


class LinearGrid:
    """Where the 1233 bins lie among the lines of an inverse FFT.

    Low bins, narrower than two lines, are shared out over the lines by overlap; a higher bin spreads its
    power evenly over the lines inside its edges. Either way all of a bin's power arrives.

    Attributes
    ----------
    frames : int
        Length of a clip: the first even number of frames >= 2 s with no prime factor above 5, because
        FFTs of other lengths are several times slower (96,000 at 48 kHz, 90,000 at 44.1 kHz).
    hop_frames : int
        Half of that: clips overlap by half.
    lines : int
        ``frames // 2 + 1`` FFT lines.
    spacing_hz : float
        ``rate / frames``.
    """

    def __init__(self, rate: int) -> None:
        if rate <= 0:
            raise ValueError("the sample rate must be positive")
        self.rate = rate
        self.frames = _smooth_even(round(CLIP_S * rate))
        self.hop_frames = self.frames // 2
        self.lines = self.hop_frames + 1
        self.spacing_hz = rate / self.frames
        edges = bin_edges_hz()
        # The Nyquist line stays empty: its phase cannot turn.
        first_line = np.clip(np.ceil(edges / self.spacing_hz), 1, self.lines - 1).astype(int)
        wide = np.diff(edges) >= 2.0 * self.spacing_hz
        self._low_bins = int(np.argmax(wide)) if wide.any() else BINS
        low_lines = int(first_line[self._low_bins])
        # Of the many pairs of a line and a bin few overlap, line by line and without a gap from the first one on.
        overlap = _overlap_matrix(edges[: self._low_bins + 1], low_lines, self.spacing_hz)
        shared_lines, self._shared_bins = np.nonzero(overlap)
        self._shares = overlap[shared_lines, self._shared_bins]
        self._shares_of_line = np.flatnonzero(np.diff(shared_lines, prepend=-1))
        counts = np.diff(first_line[self._low_bins :])
        self._spread = np.sqrt(np.where(counts > 0, 1.0 / np.maximum(counts, 1), 0.0)).astype(np.float32)
        rest = self.lines - int(first_line[-1])
        used = len(self._shares_of_line)
        self._counts = np.concatenate([[low_lines - used], np.ones(used, dtype=int), counts, [rest]])

    def amplitudes(self, bin_power: Floats) -> Floats:
        """Spread (1233,) float32 mean-square power over (lines,) float32 roots of mean-square power."""
        return np.repeat(self._heights(bin_power), self._counts)

    def amplitudes_twice(self, bin_power: Floats) -> Floats:
        """Give `amplitudes` with each value doubled, (2 * lines,): they scale complex lines seen as floats."""
        # Pairs of values are copied as quickly as single ones.
        pairs = np.repeat(self._heights(bin_power), 2).view(np.complex64)
        return np.repeat(pairs, self._counts).view(np.float32)

    def _heights(self, bin_power: Floats) -> Floats:
        low = np.add.reduceat(bin_power[self._shared_bins] * self._shares, self._shares_of_line)
        nothing = np.zeros(1, dtype=np.float32)
        return np.concatenate([nothing, np.sqrt(low), np.sqrt(bin_power[self._low_bins :]) * self._spread, nothing])


@lru_cache(maxsize=8)
def linear_grid(rate: int) -> LinearGrid:
    """Give the (cached) grid for a sample rate; raises ValueError where the rate is not positive."""
    return LinearGrid(rate)


def synthesise(spectrum: npt.NDArray[np.floating], rate: int, rng: np.random.Generator) -> Floats:
    """Make two seconds of steady sound with this spectrum and random phases.

    Parameters
    ----------
    spectrum : (1233,) in 0..1
    rate : int
        Frames per second; bins above half of it are left out.
    rng : numpy.random.Generator
        Gives the phases.

    Returns
    -------
    (frames,) float32
        Periodic: the end runs into the beginning. ``linear_grid(rate).frames`` long.
    """
    grid = linear_grid(rate)
    amplitude = grid.amplitudes(power(spectrum))
    phase = rng.random(grid.lines, dtype=np.float32) * np.float32(2.0 * np.pi)
    lines = amplitude * np.exp(np.complex64(1j) * phase)
    # A line of complex height h becomes a sine of mean square 2 |h| ** 2 / frames ** 2.
    clip = fft.irfft(lines * np.float32(grid.frames / np.sqrt(2.0)), n=grid.frames)
    return np.asarray(clip, dtype=np.float32)


def _smooth_even(least: int) -> int:
    """Give the first even number >= ``least`` whose prime factors are 2, 3 and 5."""
    candidate = max(2, least + least % 2)
    while True:
        rest = candidate
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 2


def _overlap_matrix(edges: npt.NDArray[np.float64], lines: int, spacing_hz: float) -> Floats:
    """Share of each bin that falls on each line, shape (lines, bins); each column adds up to 1."""
    line_low = (np.arange(lines) - 0.5)[:, np.newaxis] * spacing_hz
    shared = np.maximum(np.minimum(line_low + spacing_hz, edges[1:]) - np.maximum(line_low, edges[:-1]), 0.0)
    shared[0] = 0.0
    return np.asarray(shared / np.maximum(shared.sum(axis=0), 1e-12), dtype=np.float32)
