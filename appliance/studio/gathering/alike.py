"""Near-duplicates: is this sound in the corpus already, perhaps from a copy in another format?

Two sounds are alike where their spectra agree between 40 Hz and 11 kHz (what narrow MP3 leaves out lies above), down
to 36 dB under the loudest of each (what MP3 and AAC leave out as inaudible mostly lies below).
"""

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, Floats, decibels, power
from appliance.studio.ledger import Ledger

__all__ = ["Known"]

_BANDS, _BAND_BINS = 60, 16
_HIGH = BINS - BINS_PER_OCTAVE
_LOW = _HIGH - _BANDS * _BAND_BINS
_DEPTH_DB = 36.0
# Of 31 textures in six other guises (MP3 at 128 and 64 kbit/s, AAC, another rate, quieter, cut at another place) 95 in
# 100 clips came within 2 dB in bands and within 3 dB in bins of one of the original's. Two stretches of one noise
# differ by 1.2 dB in bands and 4 in bins: sounds of a kind, but no copies. Chords of other notes differ by 6 and more.
_BANDS_DB = 2.0
_BINS_DB = 3.0


class Known:
    """All clips of a ledger, 60 bands each (11 MB for 45,000), compared with every one of them.

    Parameters
    ----------
    ledger : Ledger
        Asked for the whole spectra of those that come near.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._bands: Floats = np.zeros((1024, _BANDS), dtype=np.float32)
        self._squares: Floats = np.zeros(1024, dtype=np.float32)
        self._count = 0
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what was added to the ledger since."""
        spectra = self._ledger.spectra()
        for first in range(self._count, len(spectra), 1024):
            self._take(_bands(np.asarray(spectra[first : first + 1024])))

    def has(self, spectrum: Floats) -> bool:
        """Whether a clip of (about) this spectrum, (1233,), is known."""
        # As it will be read back, so that a run that goes on and one that never stopped decide alike.
        stored = np.asarray(spectrum, dtype=np.float16)[np.newaxis]
        bands = _bands(stored)[0]
        # |a - b|^2 = |a|^2 - 2ab + |b|^2: one pass over the memory.
        distance = self._squares[: self._count] - 2.0 * (self._bands[: self._count] @ bands) + np.dot(bands, bands)
        near = np.flatnonzero(distance < _BANDS * (_BANDS_DB + 0.01) ** 2)
        if not len(near):
            return False
        return bool((_apart_db(np.asarray(self._ledger.spectra()[near]), stored) < _BINS_DB).any())

    def _take(self, bands: Floats) -> None:
        while self._count + len(bands) > len(self._bands):
            self._bands = np.concatenate([self._bands, np.zeros_like(self._bands)])
            self._squares = np.concatenate([self._squares, np.zeros_like(self._squares)])
        self._bands[self._count : self._count + len(bands)] = bands
        self._squares[self._count : self._count + len(bands)] = np.square(bands).sum(axis=1)
        self._count += len(bands)


def _bands(spectra: npt.NDArray[np.float16]) -> Floats:
    """Level of each band over the floor in dB, (n, 1233) to (n, 60)."""
    powers = power(spectra[:, _LOW:_HIGH].astype(np.float32)).reshape(len(spectra), _BANDS, _BAND_BINS).sum(axis=2)
    return _over_floor(np.asarray(10.0 * np.log10(powers + 1e-12), dtype=np.float32))


def _apart_db(spectra: npt.NDArray[np.float16], one: npt.NDArray[np.float16]) -> Floats:
    """RMS difference over the bins in which either sounds, (n, 1233) and (1, 1233) to (n,)."""
    first, second = (_over_floor(decibels(each[:, _LOW:_HIGH].astype(np.float32))) for each in (spectra, one))
    sounding = np.maximum((first > 0.0) | (second > 0.0), 1e-9)
    return np.asarray(np.sqrt((np.square(first - second)).sum(axis=1) / sounding.sum(axis=1)), dtype=np.float32)


def _over_floor(level_db: Floats) -> Floats:
    floor = level_db.max(axis=1, keepdims=True) - np.float32(_DEPTH_DB)
    return np.asarray(np.maximum(level_db - floor, np.float32(0.0)), dtype=np.float32)
