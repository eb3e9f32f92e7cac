"""Colour: what hands do at once to the spectrum of all that sounds, beside moving it through the timbre space.

A turned knob is to be noticed within a second, in every piece. How far a step in the timbre space changes the sound
differs from place to place; what is done to the spectrum itself does not.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.mood import Mood
from appliance.score.harmony import template
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, BINS_PER_OCTAVE, Floats, bin_hz, decibels, from_power, transpose

__all__ = ["PLAIN", "Colour", "colour_of", "coloured", "outline_db"]

# By how much of their height over the ground peaks grow, or shrink, and how far at most.
_SHARPER, _BLUNTER = 0.42, 0.6
_MOST_SHARPER_DB = 15.0
# Played louder, most instruments are brighter.
_TILT_DB_PER_OCTAVE = 2.3
_TILT_HZ = (60.0, 700.0, 8_000.0)
# A second and a third voice, in bins and in power against the first: octaves, or ninths and sevenths.
_SMOOTH = ((BINS_PER_OCTAVE, 0.7), (-BINS_PER_OCTAVE, 0.35))
_ROUGH = ((BINS_PER_OCTAVE + 10, 1.0), (-BINS_PER_OCTAVE + 10, 0.5), (10, 0.5))
# What lies off the notes of the key is turned down, or what lies on them.
_OFF_KEY_DB, _ON_KEY_DB = 14.0, 10.0
# Thinned out, only what lies around the middle stays, in octaves.
_NARROWEST_OCTAVES = 0.6
# What tells a sound from the ordinary one of the model grows by so much, or shrinks.
_STRANGER, _PLAINER = 0.75, 0.8
_MOST_STRANGE_DB = 24.0
_THIRD_BINS = 40
_QUIET = 1e-12


@dataclass(frozen=True)
class Colour:
    """How far hands colour a clip, each -1..1 as in `Mood`.

    ``tonic`` is the chroma of the key, and 0 without consonance.
    """

    tonality: float = 0.0
    weirdness: float = 0.0
    level: float = 0.0
    consonance: float = 0.0
    density: float = 0.0
    tonic: int = 0


PLAIN = Colour()


def colour_of(mood: Mood, tonic: int) -> Colour:
    """Tell how a mood colours a piece."""
    thin = min(mood.density, 0.0)
    return Colour(mood.tonality, mood.weirdness, mood.level, mood.consonance, thin, tonic if mood.consonance else 0)


def coloured(powers: Floats, colour: Colour, ordinary_db: Floats) -> Floats:
    """Colour a power spectrum, (1233,); its K-weighted power stays. Plain, it is the same object.

    Parameters
    ----------
    powers : (1233,) float32
    ordinary_db : (1233,) float32
        The outline of the model's ordinary sound, see `outline_db`.
    """
    if colour == PLAIN:
        return powers
    loud = float(powers @ traits.k_weighting())
    if loud <= 0.0:
        return powers
    result = powers
    if colour.consonance:
        result = _tuned(result, colour.consonance, colour.tonic)
    if colour.weirdness:
        result = result * _gain(colour.weirdness * _strange_db(result, ordinary_db, colour.weirdness))
    if colour.tonality:
        result = _sharpened(result, colour.tonality)
    if colour.level:
        result = result * _gain(colour.level * _tilt_db())
    if colour.density:
        result = result * _focus(result, -colour.density)
    now = float(result @ traits.k_weighting())
    return np.asarray(result * np.float32(loud / max(now, _QUIET * loud)), dtype=np.float32)


def _tuned(powers: Floats, consonance: float, tonic: int) -> Floats:
    """Add voices that go together with what sounds, or clash, and let the key stand out or drown."""
    voices, share = (_SMOOTH, consonance) if consonance > 0.0 else (_ROUGH, -consonance)
    total = powers.copy()
    for bins, power in voices:
        # Squared, so that on the way back it is soon inaudible.
        total += transpose(powers, bins) * np.float32(share**2 * power)
    on_key = _on_key(tonic)
    depth_db = (1.0 - on_key) * _OFF_KEY_DB if consonance > 0.0 else on_key * _ON_KEY_DB
    return total * _gain(-share * depth_db)


def _sharpened(powers: Floats, tonality: float) -> Floats:
    """Let peaks stand out of the ground around them, or sink into it."""
    spectrum = from_power(powers / max(float(powers.max()), _QUIET))[np.newaxis]
    over_db = np.maximum(decibels(spectrum) - traits.local_median_db(spectrum), 0.0)[0]
    if tonality > 0.0:
        return powers * _gain(tonality * np.minimum(_SHARPER * over_db, _MOST_SHARPER_DB))
    return powers * _gain(tonality * _BLUNTER * over_db)


def outline_db(powers: Floats) -> Floats:
    """Levels of power spectra, (n, 1233), smoothed over third octaves, in dB."""
    sums = np.zeros((len(powers), BINS + 1))
    np.cumsum(powers, axis=1, out=sums[:, 1:])
    first = np.maximum(np.arange(BINS) - _THIRD_BINS // 2, 0)
    last = np.minimum(np.arange(BINS) + _THIRD_BINS // 2, BINS)
    return np.asarray(
        10.0 * np.log10(np.maximum((sums[:, last] - sums[:, first]) / (last - first), _QUIET)), np.float32
    )


def _strange_db(powers: Floats, ordinary_db: Floats, weirdness: float) -> Floats:
    """How a spectrum's outline differs from the ordinary one, cut, and weighed."""
    apart_db = outline_db(powers[np.newaxis])[0] - ordinary_db
    apart_db = apart_db - np.median(apart_db)
    weight = _STRANGER if weirdness > 0.0 else _PLAINER
    return np.asarray(np.float32(weight) * np.clip(apart_db, -_MOST_STRANGE_DB, _MOST_STRANGE_DB), dtype=np.float32)


def _focus(powers: Floats, share: float) -> Floats:
    """What is left when all but the surroundings of the middle is thinned out, (1233,)."""
    octaves = np.log2(bin_hz())
    middle = float(traits.pitch(from_power(powers / max(float(powers.max()), _QUIET))[np.newaxis])[0])
    return _gain(-share * 4.34 * 0.5 * ((octaves - middle) / _NARROWEST_OCTAVES) ** 2)


@lru_cache(maxsize=1)
def _tilt_db() -> Floats:
    low, middle, high = _TILT_HZ
    return np.asarray(_TILT_DB_PER_OCTAVE * np.log2(np.clip(bin_hz(), low, high) / middle), dtype=np.float32)


@lru_cache(maxsize=BINS_PER_OCTAVE)
def _on_key(tonic: int) -> Floats:
    """How much each bin lies on the notes of a key, (1233,), 0..1."""
    return np.asarray(np.roll(template(), tonic)[np.arange(BINS) % BINS_PER_OCTAVE] > 0.0, dtype=np.float32)


def _gain(level_db: npt.NDArray[np.floating]) -> Floats:
    return np.asarray(10.0 ** (0.1 * level_db), dtype=np.float32)
