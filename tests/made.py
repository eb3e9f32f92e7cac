"""Sounds to measure: noise, tones and the clock they follow."""

import numpy as np
from scipy import fft

from appliance.spectrum.codec import Floats

__all__ = ["RATE", "clock", "noise", "tone"]

RATE = 24_000


def noise(seconds: float, slope_db: float = -3.0, seed: int = 1) -> Floats:
    """Two unrelated channels of noise at -26 dBFS whose density falls by so many dB an octave from 20 Hz."""
    frames = round(seconds * RATE)
    lines = fft.rfft(np.random.default_rng(seed).standard_normal((frames, 2)), axis=0)
    hz = np.maximum(fft.rfftfreq(frames, 1.0 / RATE), 20.0)[:, np.newaxis]
    audio = fft.irfft(lines * (hz / 1000.0) ** (slope_db / 20.0 / np.log10(2.0)), frames, axis=0)
    return np.asarray(0.05 * audio / np.sqrt(np.mean(audio**2)), dtype=np.float32)


def clock(audio: Floats) -> Floats:
    """Time of each frame in s, shape (frames, 1)."""
    return np.asarray(np.arange(len(audio))[:, np.newaxis] / RATE, dtype=np.float32)


def tone(hz: float, audio: Floats, level: float) -> Floats:
    """A sine as long as some sound, shape (frames, 1)."""
    turns = np.arange(len(audio)) * (hz / RATE)
    return np.asarray(level * np.sin(2.0 * np.pi * turns)[:, np.newaxis], dtype=np.float32)
