"""Resonators that ring in modes of their own: struck bars and plates, rubbed glasses, bells and bowls.

Ratios of the modes to the first:

- Bars, tuned bars, wine glasses and singing bowls: ``BandedWG`` of P. Cook and G. Scavone's Synthesis ToolKit; see G.
  Essl and P. Cook, "Measurements and efficient simulations of bowed bars", JASA 108 (2000), and G. Essl et al.,
  "Musical applications of banded waveguides", Computer Music Journal 28 (2004).
- Free circular plate, tubes (the free bar from its fourth mode on) and church bell: N. Fletcher and T. Rossing, "The
  physics of musical instruments" (2nd ed., 1998), chapters 3, 19 and 21.
"""

import numpy as np

from appliance.studio.sources.textures_bank import GRID_HZ, Doubles, Sound, balance, between, resonances, slope, tones
from appliance.studio.sources.textures_envelopes import Motion, rolled, steady

__all__ = ["bells", "bowls", "glass", "struck"]

# How far instruments of a kind differ, in octaves (sd): 4 cents. Real ones differ by ten times as much, but then each
# is a kind of its own: what was learned from some says nothing of the next, and no two go together.
_APART = 0.003
_FREE_BAR = np.array((1.0, 2.756, 5.404, 8.933, 13.34))
_MARIMBA = np.array((1.0, 4.0198, 10.7185, 18.0697))
_XYLOPHONE = np.array((1.0, 3.0, 6.2, 10.1))
_PLATE = np.array((1.0, 1.73, 2.328, 3.91, 4.11, 6.30, 6.71))
_TUBE = np.array((9.0, 11.0, 13.0, 15.0, 17.0, 19.0)) ** 2 / 81.0
_STRUCK = (_FREE_BAR, _MARIMBA, _XYLOPHONE, _PLATE, _TUBE)
_GLASS = np.array((1.0, 2.32, 4.25, 6.63, 9.38, 12.22))
_BOWL = np.array((1.0, 2.986, 5.704, 9.007, 12.82, 17.281))
# Hum, prime, tierce, quint, nominal, and what lies above; the ear takes the prime for the note.
_BELL = np.array((0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.667, 3.0, 4.0, 5.33, 6.67, 8.0))
_BELL_DB = np.array((-4.0, 0.0, -3.0, -9.0, -5.0, -16.0, -18.0, -13.0, -20.0, -25.0, -28.0, -31.0))


def struck(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Bars, plates and tubes, rolled with mallets from felt to wood."""
    modes = _STRUCK[int(character.integers(len(_STRUCK)))]
    modes = modes * 2.0 ** (character.normal(0.0, _APART, size=len(modes)) * (modes > 1.0))
    heights = 10.0 ** (character.normal(0.0, 4.0, size=len(modes)) / 20.0) * modes ** -character.uniform(0.5, 1.6)
    mallet_hz = between(character, 500.0, 4500.0)
    strokes_hz, ring_s = between(character, 5.0, 14.0), between(character, 1.5, 7.0)
    damping, noise_db = character.uniform(0.4, 1.0), character.uniform(-62.0, -38.0)
    partials = tones(hz, balance(hz, rng), modes, heights * _mallet(hz, modes, mallet_hz))
    decay_s = ring_s * (200.0 / np.maximum(partials.hz, 60.0)) ** (0.5 * damping)
    noise = slope(-6.0, mallet_hz) * slope(-12.0, 4.0 * mallet_hz) + resonances(hz, 8.0, 2.0)
    return Sound(partials, rolled(partials, decay_s, strokes_hz, rng), noise, noise_db, width=0.6)


def glass(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Rubbed glasses: the finger locks the first mode and its harmonics, the others ring along, and it rustles."""
    modes = 1.0 + (_GLASS - 1.0) * 2.0 ** character.normal(0.0, _APART, size=len(_GLASS))
    heights = 10.0 ** ((character.uniform(-34.0, -8.0) + character.normal(0.0, 6.0, size=len(_GLASS))) / 20.0)
    heights = heights / modes ** character.uniform(0.0, 0.8)
    heights[0] = 1.0
    harmonics = np.arange(2.0, 9.0)
    locked = harmonics ** -character.uniform(1.6, 3.6) * 10.0 ** (character.normal(0.0, 4.0, size=7) / 20.0)
    beat_hz, beat = between(character, 0.8, 5.0), character.uniform(0.0, 0.6)
    noise_db, quality = character.uniform(-50.0, -26.0), between(character, 8.0, 120.0)
    motion = Motion(
        character.uniform(0.0, 6.0),
        character.uniform(3.0, 6.5),
        character.uniform(0.4, 3.0),
        character.uniform(0.3, 1.5),
        character.uniform(0.3, 1.5),
    )
    # No two glasses of a set are ground alike.
    own = np.concatenate([[0.0], np.full(len(modes) - 1, _APART)])
    # Every mode of a glass comes in two, a little apart, for no glass is quite round.
    ratios = np.concatenate([modes, harmonics])[np.newaxis] * np.ones((len(hz), 1))
    ratios[:, : len(modes)] *= 2.0 ** (own * rng.normal(size=(len(hz), len(modes))))
    pair = 1.0 + beat_hz * rng.uniform(0.8, 1.25, size=(len(hz), 1)) / hz[:, np.newaxis]
    level = np.concatenate([heights, locked])
    ratios = np.hstack([ratios, pair, ratios[:, 1:2] * pair])
    partials = tones(hz, balance(hz, rng), ratios, np.append(level, (beat, beat * level[1])))
    rustle = resonances(np.concatenate([hz, hz * modes[1], hz * modes[2]]), quality) + 0.02 * slope(-6.0, 1500.0)
    return Sound(partials, steady(partials, motion, rng), rustle * slope(-12.0, 5000.0), noise_db)


def bells(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Church bells, and smaller ones, struck softly one after another; partials in pairs that warble."""
    modes = _BELL * 2.0 ** (character.normal(0.0, _APART, size=len(_BELL)) * (np.arange(len(_BELL)) != 1))
    # The tierce of a bell with a major third stands at 1.25.
    modes[2] *= 1.25 / 1.2 if character.random() < 0.25 else 1.0
    heights = 10.0 ** ((_BELL_DB + character.normal(0.0, 6.0, size=len(_BELL))) / 20.0)
    heights[1] = max(heights[1], 0.6)
    clapper_hz = between(character, 700.0, 6000.0)
    strokes_hz, ring_s = between(character, 2.0, 7.0), between(character, 4.0, 14.0)
    warble_hz, noise_db = between(character, 0.6, 3.0), character.uniform(-66.0, -44.0)
    apart = 1.0 + warble_hz * rng.uniform(0.5, 1.5, size=(len(hz), len(modes))) / (hz[:, np.newaxis] * modes)
    ratios = np.hstack([np.broadcast_to(modes, apart.shape), modes * apart])
    both = heights * _mallet(hz, modes, clapper_hz)
    share = character.uniform(0.2, 0.8, size=len(modes))
    partials = tones(hz, balance(hz, rng), ratios, np.hstack([both, both * share]))
    decay_s = ring_s * np.minimum((300.0 / partials.hz) ** 0.7, 2.0)
    return Sound(partials, rolled(partials, decay_s, strokes_hz, rng), slope(-9.0, 700.0), noise_db, width=0.8)


def bowls(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Singing bowls, rubbed or rung so long that they hardly fall: few modes, each a pair that beats."""
    modes = 1.0 + (_BOWL - 1.0) * 2.0 ** character.normal(0.0, _APART, size=len(_BOWL))
    heights = 10.0 ** (character.normal(0.0, 5.0, size=len(_BOWL)) / 20.0) * modes ** -character.uniform(0.5, 1.8)
    heights[0] = max(heights[0], 0.7)
    felt_hz, beat_hz = between(character, 500.0, 3500.0), between(character, 1.0, 6.0)
    share = character.uniform(0.15, 0.9, size=len(modes))
    noise_db = character.uniform(-62.0, -36.0)
    motion = Motion(0.0, 5.0, character.uniform(0.1, 1.0), character.uniform(0.2, 1.2), character.uniform(0.2, 1.0))
    apart = 1.0 + beat_hz * rng.uniform(0.6, 1.6, size=(len(hz), len(modes))) / (hz[:, np.newaxis] * modes)
    ratios = np.hstack([np.broadcast_to(modes, apart.shape), modes * apart])
    both = heights * _mallet(hz, modes, felt_hz)
    partials = tones(hz, balance(hz, rng), ratios, np.hstack([both, both * share]))
    rub = resonances(np.concatenate([hz, modes[1] * hz]), 30.0) + 0.01 * (500.0 / np.maximum(GRID_HZ, 100.0))
    return Sound(partials, steady(partials, motion, rng), rub * slope(-9.0, 3000.0), noise_db)


def _mallet(hz: Doubles, modes: Doubles, knee_hz: float) -> Doubles:
    """How far a mallet's softness holds each mode back, (n, m); it never quite kills a first mode."""
    height = 1.0 / (1.0 + (np.outer(hz, modes) / knee_hz) ** 2)
    return np.asarray(np.where(modes <= 1.0, np.maximum(height, 0.2), height))
