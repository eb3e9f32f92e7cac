"""Steady stretches of a recording: rated, screened, chosen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from librosa import power_to_db
from librosa.feature import melspectrogram
from librosa.onset import onset_strength

from appliance.spectrum.codec import CLIP_S, Floats

__all__ = ["REASONS", "Limits", "Stretch", "choose", "common_reason", "rate_window"]

# All there are, in the order in which they are looked for.
REASONS = ("too short", "not finite", "silence", "clipping", "transients", "fading", "near-duplicate")
_TENTHS = round(10.0 * CLIP_S)
_HIGHEST_HZ = 11_025.0
_QUIETEST = 1e-12


@dataclass(frozen=True)
class Limits:
    """What is steady enough for two seconds of a texture. Figures are of sounds that the limits were tuned on.

    Attributes
    ----------
    silence_dbfs : float
        Mean level. What is quieter would bring the noise of 16 bits up to -62 dB.
    clipped : float
        Share of samples in flat runs at full scale. A pure sine of full scale in 16 bits, at 100 Hz or higher, has
        none; a chord driven 1 dB into the ceiling 0.01.
    onset_db : float
        Highest onset strength (mean rise over 128 mel bands from one 23 ms step to the next, see `rate_window`) over
        its median. Held notes, chords, noise and pads have 0.2 to 1.3, lines played legato 0.3 to 3, vibrato 1.2; a
        kick drum 10 dB over a pad 3, harp, guitar, piano, vibraphone played on 7 to 24, hi-hat, drum kits and speech
        14 to 40.
    drift_db : float
        Level of the second half over the first, either way. A bell that rings for ten seconds has 2, a harp left
        ringing 6, tubular bells of FluidR3 10.
    flutter_db : float
        Standard deviation of the level of tenths of a second. Noise has 0.1 to 1.5, two tones that beat once a second
        to a quarter of their amplitude 4.2, a tremolo of 10 dB 3.3, one of 20 dB 6.
    """

    silence_dbfs: float = -60.0
    clipped: float = 1e-3
    onset_db: float = 3.5
    drift_db: float = 6.0
    flutter_db: float = 4.5


@dataclass(frozen=True)
class Stretch:
    """Two seconds somewhere in a window, and how restless they are; ``reason`` is why not, or empty."""

    start_s: float
    unrest: float
    drift_db: float
    flutter_db: float
    reason: str


def rate_window(window: Floats, rate: int, limits: Limits) -> list[Stretch]:
    """Rate the two seconds that begin at each tenth of a second of a window.

    Parameters
    ----------
    window : (frames, channels) float32
        Two seconds or more.
    rate : int
        Frames per second.
    limits : Limits

    Returns
    -------
    list of Stretch
        In order of time, measured from the beginning of the window. ``unrest`` is 0 for the calm and 1 or more
        for what is at a limit.

    Notes
    -----
    The onset measure is `librosa.onset.onset_strength` on a mel spectrogram of 128 bands up to 11 kHz in dB, with
    windows of 93 ms and steps of a quarter of that whatever the rate, as are librosa's defaults at 22,050 Hz.
    """
    block = rate // 10
    if not np.isfinite(window).all():
        return [Stretch(0.0, 0.0, 0.0, 0.0, "not finite")]
    # Samples far above full scale, as in some files of floats, must not overflow.
    peak = max(float(np.abs(window).max()), _QUIETEST)
    centred = window / np.float32(peak)
    centred -= centred.mean(axis=0)
    tenths = len(window) // block
    power = np.mean(np.square(centred[: tenths * block]).reshape(tenths, -1), axis=1, dtype=np.float64)
    level_db = 10.0 * np.log10(power + _QUIETEST) + 20.0 * np.log10(peak)
    onsets = _onsets(_one_channel(centred), rate)
    flat = _flat(window)
    rated = []
    for at in range(tenths - _TENTHS + 1):
        start, end = at * block, (at + _TENTHS) * block
        measured = (onsets.over(start, end), float(flat[start:end].mean()))
        rated.append(_stretch(start / rate, level_db[at : at + _TENTHS], *measured, limits))
    return rated


def choose(stretches: Sequence[Stretch], count: int, apart_s: float) -> list[Stretch]:
    """As many as can be had, at least so far apart, that are calmest together; in order of time."""
    usable = sorted((one for one in stretches if not one.reason), key=lambda one: one.start_s)
    starts = np.array([one.start_s for one in usable])
    # How many of these may come before each.
    before = np.searchsorted(starts, starts - apart_s + 1e-9, side="right")
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())] * (len(usable) + 1)
    for taken in range(1, count + 1):
        # The best that ends at or before each, with one more than the last time.
        longer: list[tuple[float, tuple[int, ...]]] = [(np.inf, ())]
        for at, one in enumerate(usable):
            unrest, chosen = best[before[at] if taken > 1 else 0]
            longer.append(min(longer[-1], (unrest + one.unrest, (*chosen, at)), key=lambda each: each[0]))
        if not np.isfinite(longer[-1][0]):
            break
        best = longer
    return [usable[at] for at in best[-1][1]]


def common_reason(stretches: Sequence[Stretch]) -> str:
    """Why most of these may not be used; empty where one may."""
    reasons = [one.reason for one in stretches]
    return "" if "" in reasons else Counter(reasons).most_common(1)[0][0]


def _stretch(
    start_s: float, levels: npt.NDArray[np.float64], onset_db: float, clipped: float, limits: Limits
) -> Stretch:
    drift_db = float(levels[_TENTHS // 2 :].mean() - levels[: _TENTHS // 2].mean())
    flutter_db = float(levels.std())
    if 10.0 * np.log10(np.mean(10.0 ** (levels / 10.0))) < limits.silence_dbfs:
        reason = "silence"
    elif clipped > limits.clipped:
        reason = "clipping"
    elif onset_db > limits.onset_db:
        reason = "transients"
    elif abs(drift_db) > limits.drift_db:
        reason = "fading"
    else:
        # What pulses without an onset is no texture either.
        reason = "transients" if flutter_db > limits.flutter_db else ""
    unrest = onset_db / limits.onset_db + abs(drift_db) / limits.drift_db + flutter_db / limits.flutter_db
    return Stretch(start_s, unrest / 3.0, drift_db, flutter_db, reason)


def _one_channel(window: Floats) -> Floats:
    """The mean of the channels; where they cancel, the loudest of them."""
    mean = window.mean(axis=1)
    powers = np.mean(np.square(window), axis=0)
    return mean if np.mean(np.square(mean)) > 0.1 * powers.mean() else window[:, int(np.argmax(powers))].copy()


@dataclass(frozen=True)
class _Onsets:
    """Onset strength of each step, dB: step ``k`` compares what is heard from ``(k - 1) * hop`` with ``k * hop``."""

    strength_db: Floats
    frames: int
    hop: int

    def over(self, start: int, end: int) -> float:
        """Highest over median among the steps that hear nothing but these frames."""
        within = self.strength_db[-(-start // self.hop) + 1 : (end - self.frames) // self.hop + 1]
        return float(within.max() - np.median(within))


def _onsets(channel: Floats, rate: int) -> _Onsets:
    frames = 1 << round(np.log2(0.093 * rate))
    hop = frames // 4
    # Not centred: a window that reaches beyond the edge would hear the edge as an onset.
    bands = melspectrogram(
        y=channel, sr=rate, n_fft=frames, hop_length=hop, n_mels=128, fmax=min(_HIGHEST_HZ, rate / 2), center=False
    )
    strength = onset_strength(S=power_to_db(bands), sr=rate, center=False)
    return _Onsets(np.asarray(strength, dtype=np.float32), frames, hop)


def _flat(window: Floats) -> npt.NDArray[np.bool_]:
    """Frames at which any channel stays at full scale for four samples or more."""
    # The highest of 8 bits is 0.992: it is reached by every loud file and says nothing.
    same = (np.abs(window[1:]) > 0.995) & (np.abs(np.diff(window, axis=0)) < 2e-5)
    if not same.any():
        return np.zeros(len(window), dtype=np.bool_)
    runs = same[:-2] & same[1:-1] & same[2:]
    flat = np.zeros(window.shape, dtype=np.bool_)
    for shift in range(4):
        flat[shift : shift + len(runs)] |= runs
    return np.asarray(flat.any(axis=1))
