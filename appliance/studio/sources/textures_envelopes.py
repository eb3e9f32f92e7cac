"""How partials live: held with a moving hand, struck again and again, or scattered in grains.

Each gives *envelopes*: 256 complex values for each partial, 128 a second, to be put on the partial's carrier.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import Floats
from appliance.studio.sources.textures_bank import CLIP_S, STEP_HZ, STEPS, Doubles, Envelopes, Partials, carrier

__all__ = ["Motion", "clouded", "rolled", "steady"]

# Faster than the mallet or the finger that makes it, no swell of a partial can be.
_ATTACK_HZ = 16.0


@dataclass(frozen=True)
class Motion:
    """How steadily a partial is held.

    Attributes
    ----------
    vibrato_cents, vibrato_hz : float
        Depth (peak) and rate, about the same for every voice and never in step.
    wander_cents : float
        Standard deviation of the pitch of a voice, which no hand holds quite still.
    swell_db, shiver_db : float
        Standard deviation of the level of a voice, and of each partial by itself.
    """

    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.0
    wander_cents: float = 0.0
    swell_db: float = 0.5
    shiver_db: float = 0.5


def steady(partials: Partials, motion: Motion, rng: np.random.Generator) -> Envelopes:
    """Envelopes of held tones, (p, 256), each of the power that its level says."""
    voices = int(partials.voice.max(initial=-1)) + 1
    time_s = np.arange(STEPS) / STEP_HZ
    rate_hz = motion.vibrato_hz * rng.uniform(0.9, 1.1, size=(voices, 1))
    turn = 2.0 * np.pi * (rate_hz * time_s + rng.random((voices, 1)))
    # Bend integrated over time: the extra periods of a tone of 1 Hz.
    cent = np.log(2.0) / 1200.0
    bent = -motion.vibrato_cents * cent * np.cos(turn) / (2.0 * np.pi * rate_hz)
    bent = bent + motion.wander_cents * cent * _slow(rng, voices, integrated=True)
    phase = 2.0 * np.pi * bent.astype(np.float32)[partials.voice] * partials.hz[:, np.newaxis].astype(np.float32)
    phase += (2.0 * np.pi * rng.random((len(partials.hz), 1))).astype(np.float32)
    swell_db = motion.swell_db * _slow(rng, voices)[partials.voice] + motion.shiver_db * _slow(rng, len(partials.hz))
    return _placed(partials, np.exp(np.float32(np.log(10.0) / 20.0) * swell_db) * _unit(phase))


def rolled(partials: Partials, decay_s: Doubles, strokes_hz: float, rng: np.random.Generator) -> Envelopes:
    """Envelopes of tones that are struck again and again and die away between, (p, 256).

    Parameters
    ----------
    partials : Partials
    decay_s : (p,) float64
        Time in which each falls by 60 dB.
    strokes_hz : float
        How often each voice is struck, a little unevenly.
    rng : numpy.random.Generator
    """
    pole = np.exp(-np.log(1000.0) / (decay_s * STEP_HZ))
    turn = np.exp(-2j * np.pi * fft.fftfreq(STEPS))
    response = 1.0 / (1.0 - pole[:, np.newaxis] * turn)
    return _strewn(partials, response, max(2, round(strokes_hz * CLIP_S)), 0.25, rng)


def clouded(partials: Partials, grain_s: float, grains_hz: float, rng: np.random.Generator) -> Envelopes:
    """Envelopes of clouds of short grains (a Hann window each) at random times, (p, 256)."""
    time_s = np.arange(STEPS) / STEP_HZ
    grain = np.where(time_s < grain_s, 0.5 - 0.5 * np.cos(2.0 * np.pi * time_s / grain_s), 0.0)
    response = np.broadcast_to(fft.fft(grain), (len(partials.hz), STEPS))
    return _strewn(partials, response, max(2, round(grains_hz * CLIP_S)), 1.0, rng)


def _placed(partials: Partials, shape: Envelopes) -> Envelopes:
    """Bring envelopes to their level and turn them by what is left between line and frequency."""
    rest_hz = partials.hz - carrier(partials) / CLIP_S
    turn = (2.0 * np.pi * rest_hz[:, np.newaxis] * np.arange(STEPS) / STEP_HZ).astype(np.float32)
    # Weighed like the analysis: what sounds at the ends of the clip hardly counts.
    weight = np.hanning(STEPS + 1)[:-1].astype(np.float32) ** 2
    power = (shape.real**2 + shape.imag**2) @ weight / weight.sum()
    scale = partials.level.astype(np.float32) / np.sqrt(np.maximum(power, np.float32(1e-20)))
    return np.asarray(shape * _unit(turn) * scale[:, np.newaxis], dtype=np.complex64)


def _strewn(
    partials: Partials, response: npt.NDArray[np.complex128], count: int, unevenness: float, rng: np.random.Generator
) -> Envelopes:
    """Strew ``count`` strokes over the clip for each voice and answer each with the response, (p, 256)."""
    voices = int(partials.voice.max(initial=-1)) + 1
    spread = (np.arange(count) + rng.random((voices, 1)) + unevenness * rng.normal(size=(voices, count))) / count
    when = (np.rint(spread * STEPS).astype(np.intp) % STEPS)[partials.voice]
    force = np.exp(0.3 * rng.normal(size=(voices, count)))[partials.voice]
    stroke = np.zeros((len(partials.hz), STEPS), dtype=np.complex64)
    phase = (2.0 * np.pi * rng.random((len(partials.hz), count))).astype(np.float32)
    np.add.at(stroke, (np.arange(len(stroke))[:, np.newaxis], when), force.astype(np.float32) * _unit(phase))
    soft = np.exp(-((fft.fftfreq(STEPS, 1.0 / STEP_HZ) / _ATTACK_HZ) ** 2))
    return _placed(partials, fft.ifft(fft.fft(stroke, axis=1) * (response * soft).astype(np.complex64), axis=1))


def _slow(rng: np.random.Generator, count: int, integrated: bool = False) -> Floats:
    """Smooth chance of standard deviation 1, (count, 256): below 6 Hz, the slower the stronger."""
    turns = np.arange(1, 13)
    weight = 1.0 / np.sqrt(turns)
    weight = weight * STEPS / np.sqrt(4.0 * np.sum(weight**2))
    heights = np.zeros((count, STEPS // 2 + 1), dtype=np.complex64)
    factor = weight / (2j * np.pi * turns / CLIP_S) if integrated else weight
    heights[:, 1:13] = rng.standard_normal((count, 12, 2), dtype=np.float32).view(np.complex64)[:, :, 0] * factor
    return np.asarray(fft.irfft(heights, n=STEPS, axis=1), dtype=np.float32)


def _unit(phase: Floats) -> Envelopes:
    """Give exp(i phase); by halves, which is quicker than a complex exponential."""
    result = np.empty(phase.shape, dtype=np.complex64)
    np.cos(phase, out=result.real)
    np.sin(phase, out=result.imag)
    return result
