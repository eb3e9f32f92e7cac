"""Harmony: the tonic of each piece, how far a sound has to move to fit it, and how well two sounds go together.

Chroma is a bin's place within its octave, 0..119 in steps of 10 cents: 120 bins are an octave.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, TOP_HZ, Floats

__all__ = ["REACH_BINS", "chroma", "in_key", "roughness_percentiles", "template", "tonic_bin", "tunings"]

# A sound moved farther than three semitones is not the sound any more that somebody recorded.
REACH_BINS = 30
# The major pentatonic scale, in semitones: no two of its notes are closer than a whole tone, and those a fifth apart
# share four of five.
_SCALE = (0, 2, 4, 7, 9)
_ROOTED = (1.0, 0.8, 0.9, 1.0, 0.8)
_SEMITONE_BINS = BINS_PER_OCTAVE // 12
# A third of a semitone to either side is in tune: a fifth harmonic lies 14 cents below its note.
_TOLERANCE_BINS = 4
_FIFTH_SEMITONES = 7
# In so many pieces the walk goes about so many fifths: each piece shares most of its notes with the one before, and an
# hour later hardly any are left. Five and twelve have no common divisor, so that it comes to every key.
_WAYPOINT_PIECES = 6
_WAYPOINT_FIFTHS = 5
_RANDOM_TRANSPOSITIONS = 24
_TRANSPOSED_BINS = 90
_LOWEST_BIN, _HIGHEST_BIN = 200, 960


def tonic_bin(seed: int, number: int, tuning_hz: float) -> int:
    """Chroma of a piece's tonic, 0..119, on the grid of semitones tuned to ``tuning_hz``, the a above middle C.

    From piece to piece it stays or moves by one fifth, and mostly goes on around the circle of fifths.
    """
    waypoint, within = divmod(number, _WAYPOINT_PIECES)
    begin = int(np.random.default_rng((seed, 8)).integers(12))
    here, there = (
        begin + _WAYPOINT_FIFTHS * place + int(np.random.default_rng((seed, 3, place)).integers(-1, 2))
        for place in (waypoint, waypoint + 1)
    )
    way = (there - here + 6) % 12 - 6
    fifths = here + round(way * within / _WAYPOINT_PIECES)
    reference = BINS - 1 + BINS_PER_OCTAVE * np.log2(tuning_hz / TOP_HZ)
    return round(float(reference) + _SEMITONE_BINS * (fifths * _FIFTH_SEMITONES % 12)) % BINS_PER_OCTAVE


def chroma(bins: npt.NDArray[np.intp], level_db: Floats) -> Floats:
    """Fold the amplitudes of peaks into one octave; rows add up to 1, or to 0 where nothing has a pitch.

    Peaks below 57 Hz, whose bins are finer than the analysis, and above 4.6 kHz, where no key is heard, do not count.

    Parameters
    ----------
    bins : (n, count) int
    level_db : (n, count) float32
        As `traits.peaks` gives them.

    Returns
    -------
    (n, 120) float32
    """
    weights = traits.amplitudes(level_db) * ((bins >= _LOWEST_BIN) & (bins <= _HIGHEST_BIN))
    places = np.arange(len(bins))[:, np.newaxis] * BINS_PER_OCTAVE + bins % BINS_PER_OCTAVE
    folded = np.bincount(places.ravel(), weights.ravel(), len(bins) * BINS_PER_OCTAVE).reshape(-1, BINS_PER_OCTAVE)
    return np.asarray(folded / np.maximum(folded.sum(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def in_key(chromas: Floats, tonic: int, shifts: npt.NDArray[np.intp]) -> Floats:
    """How much of each chroma, (n, 120), lies on the notes of a key, for each shift in bins: (n, k), 0..1."""
    # Moving the sound up is moving the key down.
    templates = np.stack([np.roll(template(), tonic - int(shift)) for shift in shifts])
    return np.asarray(chromas @ templates.T, dtype=np.float32)


def tunings(chromas: Floats, tonic: int, strictness: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Find for each sound the shift, at most `REACH_BINS`, that brings most of it onto the key.

    Parameters
    ----------
    chromas : (n, 120) float32
    tonic : int
    strictness : float
        1 at rest; 0 leaves every sound where it is.

    Returns
    -------
    shifts : (n,) int
    shares : (n,) float32
        What lies on the key then, 0..1.
    """
    shifts = np.arange(-REACH_BINS, REACH_BINS + 1)
    fit = in_key(chromas, tonic, shifts)
    # Of two that fit alike the nearer one.
    best = np.argmax(min(strictness, 1.0) * fit - np.float32(0.002) * np.abs(shifts), axis=1)
    return shifts[best], np.asarray(fit[np.arange(len(fit)), best])


def roughness_percentiles(sounds: Floats) -> Floats:
    """How rough each pair of sounds, (n, 1233), is among its own transpositions, (n, n), 0..100; itself with itself 0.

    One of a pair is moved to 24 places up to nine semitones away; the percentile is how many of those are smoother than
    the pair as it is, where those just as smooth count half. A bare figure of dissonance would favour dull sounds:
    whoever has no partials is never rough.
    """
    rng = np.random.default_rng(0x5E7)
    moves = np.concatenate([[0], rng.integers(-_TRANSPOSED_BINS, _TRANSPOSED_BINS + 1, _RANDOM_TRANSPOSITIONS)])
    found = np.zeros((len(sounds), len(sounds)), dtype=np.float32)
    bins, level_db = traits.peaks(sounds)
    for row in range(len(sounds) - 1):
        one, others = slice(row, row + 1), slice(row + 1, None)
        rough = traits.dissonance_of_peaks((bins[one], level_db[one]), (bins[others], level_db[others]), moves)[0]
        smoother, alike = rough[:, 1:] < rough[:, :1], rough[:, 1:] == rough[:, :1]
        found[row, row + 1 :] = 100.0 * np.mean(smoother + 0.5 * alike, axis=1)
    return found + found.T


@lru_cache(maxsize=1)
def template() -> Floats:
    """Weight of each chroma in the key whose tonic is chroma 0, (120,): a raised cosine around each note."""
    template = np.zeros(BINS_PER_OCTAVE, dtype=np.float32)
    for note, weight in zip(_SCALE, _ROOTED, strict=True):
        for off in range(-_TOLERANCE_BINS, _TOLERANCE_BINS + 1):
            place = (note * _SEMITONE_BINS + off) % BINS_PER_OCTAVE
            template[place] = weight * (0.5 + 0.5 * np.cos(np.pi * off / (_TOLERANCE_BINS + 1)))
    return template
