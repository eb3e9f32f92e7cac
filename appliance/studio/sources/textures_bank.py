"""From partials and noise to two seconds of sound; the families of textures are written in these terms.

A partial is a carrier that stands on a line of one long inverse FFT, times a slow complex *envelope* that holds
its exact frequency, vibrato, swell and grain. Lines are half a hertz apart and an envelope reaches 64 Hz to either
side, so that a sound of a thousand moving partials costs two transforms. The clip is a period of its own: what does
not close after two seconds closes within the 64 Hz, which is no click.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import TOP_HZ, Floats

__all__ = [
    "CLIP_S",
    "FRAMES",
    "GRID_HZ",
    "RATE",
    "STEPS",
    "STEP_HZ",
    "Doubles",
    "Envelopes",
    "Partials",
    "Sound",
    "balance",
    "between",
    "carrier",
    "mix",
    "players",
    "resonances",
    "slope",
    "tones",
]

RATE = 44_100
FRAMES = 88_200
STEPS = 256  # of an envelope: 128 a second
CLIP_S = FRAMES / RATE
STEP_HZ = STEPS / CLIP_S
_LINES = FRAMES // 2 + 1
_MOST_PARTIALS = 900
_FAINTEST = 10.0 ** (-85.0 / 20.0)
_LEVEL = 0.1
_CEILING = 0.9
_MOST_DRIFT_DB = 1.5

Doubles = npt.NDArray[np.float64]
Envelopes = npt.NDArray[np.complex64]

# Where noise is described: half the width of a codec's bin, so that a resonance is never a staircase.
GRID_HZ: Doubles = TOP_HZ * 2.0 ** (np.arange(-2479, 1) / 240.0)


@dataclass(frozen=True)
class Partials:
    """Tones with their places.

    Attributes
    ----------
    hz : (p,) float64
    level : (p,) float64
        Amplitude.
    voice : (p,) int
        Partials of one voice bend and swell together and stand in one place between left and right.
    """

    hz: Doubles
    level: Doubles
    voice: npt.NDArray[np.intp]

    def audible(self) -> "Partials":
        """Leave out what lies outside 16 Hz .. 18 kHz, the very faint, and the faintest of too many."""
        loud = np.where((self.hz > 16.0) & (self.hz < 18_000.0), self.level, 0.0)
        keep = np.flatnonzero(loud > _FAINTEST * loud.max(initial=0.0))
        keep = np.sort(keep[np.argsort(-loud[keep], kind="stable")[:_MOST_PARTIALS]])
        return Partials(self.hz[keep], self.level[keep], self.voice[keep])


@dataclass(frozen=True)
class Sound:
    """Partials with their envelopes, and noise.

    Attributes
    ----------
    partials : Partials
    envelopes : (p, 256) complex64
        Factor on each partial's carrier, which stands on the line nearest to its frequency.
    noise : (2480,) float64
        Power per hertz at each frequency of ``GRID_HZ``, of any scale.
    noise_db : float
        Power of all the noise over that of all partials.
    width : float
        0 all voices in the middle, 1 anywhere between left and right.
    """

    partials: Partials
    envelopes: Envelopes
    noise: Doubles
    noise_db: float
    width: float = 0.7


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from between two positive numbers, each octave as likely as the next."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def balance(hz: Doubles, rng: np.random.Generator) -> Doubles:
    """Draw how loud each note is, (n,): high notes are held back, as they tire the ear over an afternoon."""
    return np.asarray((1.0 + (hz / 300.0) ** 2) ** -0.22 * 10.0 ** (rng.normal(0.0, 2.5, size=len(hz)) / 20.0))


def players(hz: Doubles, level: Doubles, count: int, cents: float, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
    """Have every note played by several, detuned by ``cents`` (deviation): frequencies and levels, (n * count,)."""
    detune = 2.0 ** (cents / 1200.0 * np.clip(rng.normal(size=(len(hz), count)), -2.0, 2.0))
    share = 10.0 ** (rng.normal(0.0, 1.5, size=(len(hz), count)) / 20.0) / np.sqrt(count)
    return (hz[:, np.newaxis] * detune).ravel(), (level[:, np.newaxis] * share).ravel()


def tones(hz: Doubles, level: Doubles, ratios: Doubles, heights: Doubles) -> Partials:
    """Partials of n voices: ``hz`` times ``ratios`` with ``level`` times ``heights``.

    Parameters
    ----------
    hz, level : (n,) float64
    ratios, heights : (m,) or (n, m) float64
    """
    places, levels = hz[:, np.newaxis] * ratios, level[:, np.newaxis] * heights
    voice = np.broadcast_to(np.arange(len(hz))[:, np.newaxis], places.shape)
    return Partials(places.ravel(), levels.ravel(), voice.ravel()).audible()


def resonances(hz: Doubles, quality: Doubles | float, gain: Doubles | float = 1.0) -> Doubles:
    """Power over ``GRID_HZ`` of noise through parallel resonators of two poles, (2480,) float64."""
    ratio = GRID_HZ / hz[:, np.newaxis]
    sharp = np.broadcast_to(quality, hz.shape)[:, np.newaxis]
    power = 1.0 / (1.0 + (sharp * (ratio - 1.0 / ratio)) ** 2)
    return np.asarray((np.broadcast_to(gain, hz.shape)[:, np.newaxis] ** 2 * power).sum(axis=0))


def slope(db_per_octave: float, knee_hz: float) -> Doubles:
    """Power over ``GRID_HZ``: flat below the knee and falling above it, (2480,) float64."""
    return np.asarray((1.0 + (GRID_HZ / knee_hz) ** 2) ** (db_per_octave / 20.0 / np.log10(2.0) / 2.0))


def mix(sound: Sound, rng: np.random.Generator) -> Floats:
    """Give the two seconds, (88200, 2) float32, of one level and nowhere over 0.9."""
    lines = _noise_lines(sound, rng)
    partials = sound.partials
    voices = int(partials.voice.max(initial=-1)) + 1
    angle = np.pi / 4.0 * (1.0 + sound.width * rng.uniform(-1.0, 1.0, size=voices))[partials.voice]
    pan = np.sqrt(2.0) * np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    spectra = fft.fftshift(fft.fft(sound.envelopes, axis=1), axes=1) * _rim()
    # Half an envelope of room below line 0: what a low partial sends there is next to nothing.
    starts = carrier(partials)
    for start, spectrum, sides in zip(starts.tolist(), spectra, pan, strict=True):
        lines[:, start : start + STEPS] += sides[:, np.newaxis] * spectrum
    lines = lines[:, STEPS // 2 : STEPS // 2 + _LINES]
    lines[:, 0] = 0.0
    clip = fft.irfft(lines * np.float32(FRAMES), n=FRAMES, axis=1)
    clip *= _ride(clip)
    gain = min(_LEVEL / float(np.sqrt(np.mean(clip**2))), _CEILING / float(np.abs(clip).max()))
    return np.ascontiguousarray((clip * np.float32(gain)).T)


def _ride(clip: Floats) -> Floats:
    """Gain that keeps a slow beat from drifting further than a hand on the fader would let it, (88200,)."""
    first, second = (float(np.mean(half**2)) for half in np.split(clip, 2, axis=1))
    drift_db = 10.0 * np.log10(max(second, 1e-30) / max(first, 1e-30))
    over_db = drift_db - float(np.clip(drift_db, -_MOST_DRIFT_DB, _MOST_DRIFT_DB))
    steps = np.linspace(over_db, -over_db, FRAMES, dtype=np.float32) * np.float32(np.log(10.0) / 20.0)
    return np.asarray(np.exp(steps), dtype=np.float32)


@lru_cache(maxsize=1)
def _rim() -> Floats:
    """Scale of an envelope's lines, (256,): faded at the rim, for a cut there would ring through any window."""
    place = np.abs(np.arange(STEPS) - STEPS // 2) / (STEPS // 2)
    fade = 0.5 + 0.5 * np.cos(np.pi * np.clip((place - 0.6) / 0.4, 0.0, 1.0))
    return np.asarray(fade / (2 * STEPS), dtype=np.float32)


def _noise_lines(sound: Sound, rng: np.random.Generator) -> Envelopes:
    """Lines of the noise, (2, lines with half an envelope of room at both ends)."""
    total = 0.5 * float(np.sum(sound.partials.level**2)) or 1.0
    index, fraction = _between()
    density = np.sqrt(sound.noise).astype(np.float32)
    height = density[index] + (density[index + 1] - density[index]) * fraction
    # A line of complex height h is a sine of mean square 2 |h| ** 2, and a normal pair has |h| ** 2 = 2.
    wanted = total * 10.0 ** (sound.noise_db / 10.0)
    height *= np.float32(np.sqrt(wanted / (4.0 * np.sum(height.astype(np.float64) ** 2))))
    lines = np.zeros((2, _LINES + STEPS), dtype=np.complex64)
    normal = rng.standard_normal((2, _LINES, 2), dtype=np.float32)
    lines[:, STEPS // 2 : STEPS // 2 + _LINES] = normal.view(np.complex64)[:, :, 0] * height
    return lines


@lru_cache(maxsize=1)
def _between() -> tuple[npt.NDArray[np.intp], Floats]:
    """Where each line lies on ``GRID_HZ``: index and fraction, each (lines,)."""
    place = np.interp(np.arange(_LINES) / CLIP_S, GRID_HZ, np.arange(len(GRID_HZ)))
    index = np.minimum(place.astype(np.intp), len(GRID_HZ) - 2)
    return index, (place - index).astype(np.float32)


def carrier(partials: Partials) -> npt.NDArray[np.intp]:
    """The line nearest to each partial, (p,)."""
    return np.asarray(np.rint(partials.hz * CLIP_S), dtype=np.intp)
