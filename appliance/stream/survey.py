"""A map of a recording: which of its parts may be heard, and what they sound like."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.weighting import k_gain

__all__ = ["Recording", "Survey", "difference_db", "hush", "plausible"]

Floats = npt.NDArray[np.float32]
Recording = npt.NDArray[np.floating[Any]]

_CELLS_PER_S: Final = 6.0
# A cell is what is copied at once: a megabyte at the highest rate with the most channels would be too much.
_LONGEST_CELL: Final = 1 << 14
# Mean power of a sample: music at -40 LUFS lies 20 dB above the one, full-scale noise above the other.
_SILENT_POWER: Final = 1e-7
_LOUD_POWER: Final = 0.25
# A hole must not hide between sound in the same cell.
_PARTS: Final = 4
_LOWEST_HZ, _FIRST_EDGE_HZ, _HIGHEST_HZ = 30.0, 80.0, 12_000.0
_BANDS_PER_OCTAVE: Final = 6
# Bands that lie 60 dB below the whole are not heard.
_FAINT: Final = 1e-6
_NOTHING: Final = 1e-20


def plausible(block: Floats) -> bool:
    """Whether frames are finite, within full scale, nowhere silent, and not as loud as noise at full scale."""
    # What is not a number fails either comparison.
    if not (block.min() >= -1.0 and block.max() <= 1.0):
        return False
    step = -(-len(block) // _PARTS)
    parts = [block[at : at + step] for at in range(0, len(block), step)]
    powers = [float(np.vdot(part, part)) / part.size for part in parts]
    return min(powers) >= _SILENT_POWER and max(powers) <= _LOUD_POWER


def hush(block: Floats) -> None:
    """Silence, in place, the samples that are not finite or beyond full scale."""
    if not (block.min() >= -1.0 and block.max() <= 1.0):
        np.copyto(block, 0.0, where=~(np.abs(block) <= 1.0))


class Survey:
    """Knows the newest frames of a circular recording, in cells of about a sixth of a second.

    Frames are counted from the oldest of those known, and cells as well. Nothing is known until it was looked at, and
    what was seen may be looked at again: another process can change the recording at any time.

    Parameters
    ----------
    source : (length, channels) float32 or float16
        Never copied whole; frame i in time is ``source[(start + i) % length]``.
    start : int
    frames : int
        How many frames, the newest ones, hold sound; at most length.
    rate : int
        Frames per second, 8000 or more.

    Attributes
    ----------
    frames : int
        Those of them that make whole cells.
    cell_frames, cells, channels : int

    Raises
    ------
    ValueError
        If the source has another shape or type, or fewer frames than said.
    """

    def __init__(self, source: Recording, start: int, frames: int, rate: int) -> None:
        if source.ndim != 2 or source.dtype not in (np.float16, np.float32):
            raise ValueError(f"a recording must be float32 or float16 (n, channels), not {source.dtype} {source.shape}")
        if not 0 <= frames <= len(source):
            raise ValueError(f"{frames} frames are said to be in a recording of {len(source)}")
        self.cell_frames: int = min(1 << round(np.log2(rate / _CELLS_PER_S)), _LONGEST_CELL)
        self.cells = frames // self.cell_frames
        self.frames = self.cells * self.cell_frames
        # A plain array: slices of a memory map are slower.
        self._source = np.asarray(source)
        self.channels = int(source.shape[1])
        self._base = (start - self.frames) % max(len(source), 1)
        self._bad = np.zeros(self.cells, dtype=np.bool_)
        self._known = np.zeros(self.cells, dtype=np.bool_)
        hz = np.fft.rfftfreq(self.cell_frames, 1.0 / rate).astype(np.float64)
        highest_hz = min(_HIGHEST_HZ, 0.45 * rate)
        octaves = np.arange(0.0, np.log2(highest_hz / _FIRST_EDGE_HZ), 1.0 / _BANDS_PER_OCTAVE)
        edges = np.searchsorted(hz, [_LOWEST_HZ, *_FIRST_EDGE_HZ * 2.0**octaves, highest_hz])
        self._edges = np.unique(edges)
        self._weights = (k_gain(hz) * 1e-3).astype(np.float32)
        self._window = np.hanning(self.cell_frames).astype(np.float32)
        self._power = np.zeros((self.cells, len(self._edges) - 1), dtype=np.float32)

    def take(self, at: int, frames: int) -> Floats:
        """Copy frames from ``at`` on, (frames, channels) float32, as they are at this moment."""
        first = (self._base + at) % len(self._source)
        head = self._source[first : first + frames]
        return np.concatenate([head, self._source[: frames - len(head)]], dtype=np.float32, casting="same_kind")

    def clean(self, at: int, frames: int) -> Floats:
        """As `take`, but finite and within full scale."""
        block = self.take(at, frames)
        hush(block)
        return block

    def look(self, cell: int) -> bool:
        """Look at a cell, at all of its frames; give whether it may be heard."""
        block = self.take(cell * self.cell_frames, self.cell_frames)
        good = plausible(block)
        self._known[cell] = good
        self._bad[cell] = not good
        if good:
            # One channel of each cell is enough, because stretches are made of many cells.
            lines = np.fft.rfft(block[:, cell % block.shape[1]] * self._window)
            power = (lines.real**2 + lines.imag**2) * self._weights
            self._power[cell] = np.add.reduceat(power[: self._edges[-1]], self._edges[:-1])
        return good

    def reject(self, at: int) -> None:
        """Mark the cell around a frame as one that must not be heard."""
        cell = min(max(at // self.cell_frames, 0), self.cells - 1)
        self._known[cell] = False
        self._bad[cell] = True

    def between(self, at: int, end: int) -> range:
        """Give the cells that hold the frames from ``at`` to before ``end``."""
        return range(max(at, 0) // self.cell_frames, min(-(-end // self.cell_frames), self.cells))

    def run(self, at: int) -> int:
        """Give how many frames follow from ``at`` on up to the end, or to the next cell known to be bad."""
        cell = at // self.cell_frames
        ahead = self._bad[cell:]
        stop = cell + (int(ahead.argmax()) if ahead.any() else self.cells - cell)
        return int(max(stop * self.cell_frames - at, 0))

    def runs(self) -> npt.NDArray[np.int64]:
        """Give `run` from the beginning of each cell on, (cells,)."""
        cells = np.arange(self.cells)
        stops = np.minimum.accumulate(np.where(self._bad, cells, self.cells)[::-1])[::-1]
        return np.asarray((stops - cells) * self.cell_frames, dtype=np.int64)

    def character(self, at: int, frames: int) -> Floats | None:
        """Give the mean K-weighted power in each band of the cells known between two frames; None where none is."""
        between = self.between(at, at + frames)
        cells = slice(between.start, between.stop)
        known = self._known[cells]
        return np.asarray(known @ self._power[cells] / known.sum(), dtype=np.float32) if known.any() else None


def difference_db(one: Floats, other: Floats) -> float:
    """How far apart two characters are: RMS over the bands, and the difference in loudness on top, in dB."""
    # Sound may lie below the lowest band, or above the highest.
    totals = max(float(one.sum()), _NOTHING), max(float(other.sum()), _NOTHING)
    floor = _FAINT * max(totals)
    bands = 10.0 * np.log10((one + floor) / (other + floor))
    return float(np.sqrt(np.mean(bands * bands)) + abs(10.0 * np.log10(totals[0] / totals[1])))
