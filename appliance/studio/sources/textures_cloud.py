"""Sounds of the computer's own: frequency modulation, clouds of grains, tuned noise and wind."""

import numpy as np
from scipy.special import jv

from appliance.studio.sources.textures_bank import (
    GRID_HZ,
    STEPS,
    Doubles,
    Partials,
    Sound,
    balance,
    between,
    players,
    resonances,
    slope,
    tones,
)
from appliance.studio.sources.textures_envelopes import Motion, clouded, steady

__all__ = ["fm", "granular", "noise", "wind"]

_RATIOS = (0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 1.5, 1.4142, 2.756, 3.5, 5.0)
_SIDE = 9
_ORDER = np.arange(1.0, 25.0)


def fm(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Give a carrier that two others modulate.

    Lines stand at ``1 + k a + m b`` times the note with the amplitudes ``J_k(A) J_m(B)`` (J. Chowning, "The
    synthesis of complex audio spectra by means of frequency modulation", JAES 21, 1973); what falls below zero is
    turned over.
    """
    first, second = (_RATIOS[int(character.integers(len(_RATIOS)))] for _ in range(2))
    first, second = first * 2.0 ** character.normal(0.0, 0.002), second * 2.0 ** character.normal(0.0, 0.002)
    strong, weak = between(character, 0.3, 3.0), between(character, 0.05, 1.0)
    plain, knee_hz = character.uniform(0.2, 0.9), between(character, 1200.0, 5000.0)
    count, cents = int(character.integers(1, 4)), between(character, 1.0, 9.0)
    noise_db = character.uniform(-64.0, -40.0)
    motion = Motion(character.uniform(0.0, 8.0), character.uniform(3.0, 6.0), character.uniform(0.1, 2.0), 0.6, 0.8)
    played_hz, level = players(hz, balance(hz, rng), count, cents, rng)
    side = np.arange(-_SIDE, _SIDE + 1)
    ratios = (1.0 + side[:, np.newaxis] * first + side[np.newaxis, 7:12] * second).ravel()
    # As on any such keyboard the index falls towards the treble, or high notes would scream.
    softer = np.minimum((220.0 / played_hz) ** 0.45, 1.5)[:, np.newaxis]
    heights = jv(side, strong * softer)[:, :, np.newaxis] * jv(side[7:12], weak * softer)[:, np.newaxis, :]
    heights = np.abs(heights).reshape(len(played_hz), -1)
    ratios, heights = np.append(ratios, 1.0), np.hstack([heights, np.full((len(played_hz), 1), plain)])
    heights = heights / (1.0 + (played_hz[:, np.newaxis] * np.abs(ratios) / knee_hz) ** 2)
    partials = tones(played_hz, level, np.abs(ratios), heights)
    return Sound(partials, steady(partials, motion, rng), slope(-6.0, 400.0) * slope(-12.0, 4000.0), noise_db, 0.9)


def granular(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Clouds of many short grains of a tone, some an octave off: the longer the grains, the clearer the pitch."""
    grain_s, grains_hz = between(character, 0.09, 0.8), between(character, 12.0, 60.0)
    scatter, fall = character.uniform(0.0, 14.0), character.uniform(1.0, 2.8)
    above, below = character.uniform(0.0, 0.6), character.uniform(0.0, 0.4)
    timbre = 10.0 ** (character.normal(0.0, 4.0, size=len(_ORDER)) / 20.0) * _ORDER**-fall
    knee_hz, noise_db = between(character, 900.0, 4000.0), character.uniform(-58.0, -34.0)
    streams_hz, level = players(hz, balance(hz, rng), 3, scatter, rng)
    pitch = np.array((1.0, 2.0, 0.5))
    ratios = np.outer(pitch, _ORDER).ravel()
    heights = np.outer((1.0, above, below), timbre).ravel()
    heights = heights / (1.0 + (streams_hz[:, np.newaxis] * ratios / knee_hz) ** 2)
    partials = tones(streams_hz, level, ratios, heights)
    dust = slope(-6.0, 500.0) * slope(-12.0, 4000.0)
    return Sound(partials, clouded(partials, grain_s, grains_hz, rng), dust, noise_db, 1.0)


def noise(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """White noise through resonators tuned to the notes and some of their harmonics."""
    quality, fall = between(character, 50.0, 2000.0), character.uniform(0.8, 2.6)
    colour = 10.0 ** (character.normal(0.0, 5.0, size=len(_ORDER)) / 20.0) * _ORDER**-fall
    colour[0] = max(colour[0], 0.7)
    colour[int(character.integers(1, 16)) :] = 0.0
    knee_hz, ground_db = between(character, 700.0, 3500.0), character.uniform(-58.0, -22.0)
    places_hz = np.outer(hz, _ORDER).ravel()
    loud = np.outer(balance(hz, rng), colour).ravel()
    keep = (loud > 1e-4) & (places_hz < 12_000.0)
    # The power of a resonator goes with its width; each is to be as loud as its colour says.
    gain = loud[keep] * np.sqrt(quality / places_hz[keep])
    tuned = resonances(places_hz[keep], quality, gain) * slope(-6.0, knee_hz)
    ground = slope(-6.0, 250.0) * slope(-12.0, 5000.0)
    return _only(tuned + ground * (10.0 ** (ground_db / 10.0) * _total(tuned) / _total(ground)))


def wind(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Wind about a house: a wide slope, a few broad hollows that belong to the place, and a whistle on the notes."""
    fall, knee_hz = character.uniform(-9.0, -3.5), between(character, 90.0, 500.0)
    places_hz = np.exp(character.uniform(np.log(120.0), np.log(2500.0), size=5))
    qualities = np.exp(character.uniform(np.log(2.0), np.log(14.0), size=5))
    gains = 10.0 ** (character.uniform(-4.0, 12.0, size=5) / 20.0)
    whistle, sharp = between(character, 0.5, 8.0), between(character, 8.0, 60.0)
    stirred_hz = places_hz * 2.0 ** rng.normal(0.0, 0.04, size=5)
    heard = 0.4 + resonances(stirred_hz, qualities, gains) + resonances(hz, sharp, whistle * balance(hz, rng))
    return _only(slope(fall, knee_hz) * slope(-12.0, 4500.0) * heard)


def _only(power: Doubles) -> Sound:
    """A sound of noise alone."""
    empty = np.zeros(0)
    nobody = Partials(empty, empty, np.zeros(0, dtype=np.intp))
    return Sound(nobody, np.zeros((0, STEPS), dtype=np.complex64), power, 0.0)


def _total(density: Doubles) -> float:
    """Power of a density over the grid, whose points are even in octaves, in no unit."""
    return float(np.sum(density * GRID_HZ))
