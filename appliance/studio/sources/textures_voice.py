"""What is sung, blown, bowed or held on a keyboard: harmonic voices, many at a time, through formants.

The cascade of formants is G. Fant's ("Acoustic theory of speech production", 1960); the vowels are the mean formants
of men and women in G. Peterson and H. Barney, "Control methods used in a study of the vowels", JASA 24 (1952).
"""

import numpy as np

from appliance.studio.sources.textures_bank import (
    GRID_HZ,
    Doubles,
    Sound,
    balance,
    between,
    players,
    resonances,
    slope,
    tones,
)
from appliance.studio.sources.textures_envelopes import Motion, steady

__all__ = ["bowed", "choir", "pad", "pipes", "strings"]

_MOST = 60
_ORDER = np.arange(1.0, _MOST + 1.0)
# (vowel, [men, women], formant): the vowels of heed, hid, head, had, hod, hawed, hood, who'd and hud.
_VOWELS_HZ = np.array((
    ((270, 2290, 3010), (310, 2790, 3310)), ((390, 1990, 2550), (430, 2480, 3070)),
    ((530, 1840, 2480), (610, 2330, 2990)), ((660, 1720, 2410), (860, 2050, 2850)),
    ((730, 1090, 2440), (850, 1220, 2810)), ((570, 840, 2410), (590, 920, 2710)),
    ((440, 1020, 2240), (470, 1160, 2680)), ((300, 870, 2240), (370, 950, 2670)),
    ((640, 1190, 2390), (760, 1400, 2780)),
), dtype=np.float64)  # fmt: skip
# Choirs sing open and round vowels far more often than others.
_SUNG = np.array((0.06, 0.04, 0.06, 0.05, 0.22, 0.18, 0.09, 0.2, 0.1))
# Above the third the tract is a plain tube, closed at one end.
_UPPER_HZ = np.arange(3500.0, 10_000.0, 1000.0)
_WIDTHS_HZ = np.array((60.0, 80.0, 130.0, 200.0, 280.0, 350.0, 450.0, 550.0, 650.0, 750.0))
# The octaves and fifths above a rank of eight feet, and how much they are liked.
_RANKS = np.array((0.5, 1.0, 2.0, 3.0, 4.0, 6.0))
_LIKED = np.array((0.35, 1.0, 0.6, 0.2, 0.4, 0.12))


def choir(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Several singers to a note, men below and women above, on a vowel between two."""
    one, two = character.choice(len(_VOWELS_HZ), size=2, p=_SUNG)
    vowel = _VOWELS_HZ[one] + character.random() * (_VOWELS_HZ[two] - _VOWELS_HZ[one])
    tract, effort = character.uniform(0.93, 1.1), character.uniform(0.7, 1.7)
    widths_hz = _WIDTHS_HZ * between(character, 0.7, 1.6)
    singers, cents = int(character.integers(2, 6)), character.uniform(3.0, 11.0)
    breath_db, knee_hz = character.uniform(-46.0, -24.0), between(character, 3000.0, 9000.0)
    motion = Motion(character.uniform(4.0, 34.0), character.uniform(4.8, 6.2), character.uniform(3.0, 9.0), 1.2, 0.8)
    sung_hz, level = players(hz, balance(hz, rng), singers, cents, rng)
    size = tract * rng.uniform(0.97, 1.03, size=len(sung_hz))
    woman = 1.0 / (1.0 + (230.0 / sung_hz) ** 6)
    formants = (1.0 - woman[:, np.newaxis]) * vowel[0] + woman[:, np.newaxis] * vowel[1]
    upper = _UPPER_HZ * (1.0 + 0.12 * woman[:, np.newaxis])
    formants = np.hstack([formants, upper]) * size[:, np.newaxis]
    # A singer opens the mouth until the first formant is no lower than the note.
    formants[:, 0] = np.maximum(formants[:, 0], 1.05 * sung_hz)
    places = sung_hz[:, np.newaxis] * _ORDER
    tube = _cascade(places, formants, widths_hz)
    # By the loudest harmonic, so that a note between two formants is no quieter than one upon them.
    heights = tube * _ORDER**-effort / np.sqrt(1.0 + (places / knee_hz) ** 4)
    heights /= heights.max(axis=1, keepdims=True) ** 0.7
    partials = tones(sung_hz, level, _ORDER, heights)
    middle = formants.mean(axis=0, keepdims=True)
    breath = _cascade(GRID_HZ[np.newaxis], middle, 1.5 * widths_hz)[0] ** 2 * slope(-12.0, knee_hz)
    return Sound(partials, steady(partials, motion, rng), breath, breath_db, width=0.8)


def pipes(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Ranks of organ pipes, stopped, open, narrow or with a reed, each a little out of tune with the others."""
    drawn = character.random(len(_RANKS)) < _LIKED
    slopes = character.uniform(1.0, 3.2, size=len(_RANKS))
    stopped = character.random(len(_RANKS)) < 0.3
    loud = np.where(drawn, 10.0 ** (character.uniform(-14.0, 0.0, size=len(_RANKS)) / 20.0), 0.0)
    loud[1] = 1.0
    voicing = 10.0 ** (character.normal(0.0, 3.0, size=_MOST) / 20.0)
    knee_hz, reed_hz = between(character, 900.0, 4000.0), between(character, 400.0, 1600.0)
    reed = character.uniform(1.0, 5.0) if character.random() < 0.3 else 0.0
    chiff_db, tremulant = character.uniform(-54.0, -34.0), character.uniform(0.0, 7.0) * (character.random() < 0.3)
    motion = Motion(
        tremulant, character.uniform(4.5, 6.5), character.uniform(0.2, 1.2), 0.3, character.uniform(0.2, 0.8)
    )
    used = np.flatnonzero(loud)
    blown_hz = (hz[:, np.newaxis] * _RANKS[used] * 2.0 ** rng.normal(0.0, 0.0016, size=(len(hz), len(used)))).ravel()
    level = (balance(hz, rng)[:, np.newaxis] * loud[used]).ravel()
    heights = voicing * _ORDER ** -slopes[used][:, np.newaxis]
    heights[:, 1::2] *= np.where(stopped[used], 0.08, 1.0)[:, np.newaxis]
    places = blown_hz[:, np.newaxis] * _ORDER
    tone = (1.0 + reed * np.exp(-(np.log2(places / reed_hz) ** 2))) / (1.0 + (places / knee_hz) ** 2)
    partials = tones(blown_hz, level, _ORDER, np.tile(heights, (len(hz), 1)) * tone)
    wind = resonances(np.concatenate([hz, 2.0 * hz, 3.0 * hz]), 12.0) + 0.03 * slope(-6.0, 600.0)
    return Sound(partials, steady(partials, motion, rng), wind * slope(-12.0, 3500.0), chiff_db, width=0.9)


def strings(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """A section of bowed strings with one body's resonances."""
    body, noise, knee_hz = _body(character)
    seats, cents = int(character.integers(3, 7)), character.uniform(3.0, 11.0)
    fall, noise_db = character.uniform(0.9, 1.5), character.uniform(-50.0, -30.0)
    motion = Motion(character.uniform(2.0, 18.0), character.uniform(4.8, 6.4), character.uniform(2.0, 7.0), 1.0, 1.0)
    played_hz, level = players(hz, balance(hz, rng), seats, cents, rng)
    places = played_hz[:, np.newaxis] * _ORDER
    heights = _ORDER**-fall * _at(body, places) / (1.0 + (places / knee_hz) ** 2)
    partials = tones(played_hz, level, _ORDER, heights)
    return Sound(partials, steady(partials, motion, rng), noise, noise_db, width=0.9)


def bowed(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """One bow on one resonator: the harmonics that the bow forces, drawn by a body and by modes of its own.

    Where the bow touches, at a share of the length, harmonics with a node there are missing.
    """
    body, noise, knee_hz = _body(character)
    touch, fall = character.uniform(0.06, 0.4), character.uniform(0.8, 2.2)
    modes = np.cumsum(character.uniform(0.7, 3.5, size=5)) + 1.0
    ringing, own = between(character, 0.01, 0.5), between(character, 0.03, 3.0)
    noise_db = character.uniform(-48.0, -26.0)
    depth = character.uniform(0.0, 14.0)
    motion = Motion(depth, character.uniform(4.5, 6.5), character.uniform(0.6, 3.0), 1.0, character.uniform(0.3, 1.2))
    drawn = 1.0 + own * np.exp(-((_ORDER[:, np.newaxis] - modes) ** 2) / 0.1).sum(axis=1)
    heights = _ORDER**-fall * (0.1 + np.abs(np.sin(np.pi * touch * _ORDER))) * drawn
    heights[0] = max(heights[0], 0.4)
    ratios = np.concatenate([_ORDER, modes])
    places = hz[:, np.newaxis] * ratios
    heights = np.concatenate([heights, ringing / modes]) * _at(body, places) / (1.0 + (places / knee_hz) ** 2)
    partials = tones(hz, balance(hz, rng), ratios, heights)
    return Sound(partials, steady(partials, motion, rng), noise + 0.3 * resonances(hz, 20.0), noise_db, width=0.7)


def pad(character: np.random.Generator, hz: Doubles, rng: np.random.Generator) -> Sound:
    """Detuned oscillators (saw, pulse and between) and an octave below, through a low-pass that resonates."""
    width, fall = character.uniform(0.08, 0.5), character.uniform(1.0, 2.0)
    saw = character.random() if character.random() < 0.6 else 1.0
    cutoff, follow = between(character, 250.0, 2600.0), character.uniform(0.0, 0.8)
    resonance, order = between(character, 0.6, 4.0), int(character.integers(1, 3))
    count, cents = int(character.integers(2, 6)), between(character, 1.5, 12.0)
    sub, noise_db = character.uniform(0.0, 0.7) * (character.random() < 0.4), character.uniform(-64.0, -36.0)
    motion = Motion(character.uniform(0.0, 5.0), character.uniform(0.4, 5.0), character.uniform(0.2, 2.5), 0.6, 0.6)
    played_hz, level = players(hz, balance(hz, rng), count, cents, rng)
    ratios = np.append(_ORDER, 0.5)
    wave = np.append(_ORDER**-fall * (saw + (1.0 - saw) * np.abs(np.sin(np.pi * width * _ORDER))), sub)
    corner_hz = cutoff * (played_hz[:, np.newaxis] / 220.0) ** follow
    over = played_hz[:, np.newaxis] * ratios / corner_hz
    filtered = 1.0 / np.sqrt((1.0 - over**2) ** 2 + (over / resonance) ** 2) / (1.0 + over**2) ** (order - 1)
    partials = tones(played_hz, level, ratios, wave * np.minimum(filtered, 4.0))
    hiss = slope(-6.0, 300.0) * slope(-12.0, 4.0 * cutoff)
    return Sound(partials, steady(partials, motion, rng), hiss, noise_db, 1.0)


def _body(character: np.random.Generator) -> tuple[Doubles, Doubles, float]:
    """A wooden body: amplitude and bow noise over ``GRID_HZ``, (2480,) each, and where its sound falls off."""
    lowest_hz = between(character, 90.0, 300.0)
    places_hz = lowest_hz * np.cumprod(np.concatenate([[1.0], character.uniform(1.2, 1.7, size=9)]))
    qualities = np.exp(character.uniform(np.log(4.0), np.log(25.0), size=10))
    gains = 10.0 ** (character.normal(6.0, 4.0, size=10) / 20.0)
    knee_hz = between(character, 1000.0, 3500.0)
    body = np.sqrt(0.3 + resonances(places_hz, qualities, gains))
    return body, body**2 * slope(-6.0, 800.0) * slope(-12.0, 1.5 * knee_hz), knee_hz


def _at(body: Doubles, places_hz: Doubles) -> Doubles:
    """Read a curve over ``GRID_HZ`` at any frequencies, of their shape."""
    return np.asarray(np.interp(np.log2(places_hz), np.log2(GRID_HZ), body))


def _cascade(places_hz: Doubles, formants_hz: Doubles, widths_hz: Doubles) -> Doubles:
    """Amplitude of n tubes with k formants each at m frequencies: (n, m), (n, k), (k,) to (n, m)."""
    result = np.ones(np.broadcast_shapes(places_hz.shape, (len(formants_hz), 1)))
    for formant_hz, half_hz in zip(formants_hz.T[:, :, np.newaxis], widths_hz / 2.0, strict=True):
        below, above = (places_hz - formant_hz) ** 2 + half_hz**2, (places_hz + formant_hz) ** 2 + half_hz**2
        result *= (formant_hz**2 + half_hz**2) / np.sqrt(below * above)
    return result
