"""Taming: what a loop of nature gives up to sound under music in a room.

Its bass is shared by all channels, for a small room and a sum to mono would lose bass that is not. What lies too deep
to be heard goes. And thunder is held down, slowly and ahead of time, so that it does not startle. All of it goes round
the loop, and leaves no seam.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import Floats
from appliance.weighting import LOUDNESS_OFFSET_LU, k_gain

__all__ = ["MOMENTARY_LUFS", "filtered", "low_cut", "tame"]

# Beds may be played 8 dB above what they are prepared at (nature 1, breath at its highest), and a room is startled by
# what is 8 LU above the -20 LUFS of the whole. Half a decibel is left for two beds that meet in a cross-fade.
MOMENTARY_LUFS = -20.5

_CUT_HZ = (35.0, 45.0)
_TOP_HZ = (19_000.0, 20_000.0)
_SHARED_BELOW_HZ = 122.0
_WIDE_ABOVE_HZ = 168.0
_BANDS_PER_OCTAVE = 3
# A band that the channels' sum has all but lost is mostly chance, not worth raising without end.
_MOST_RESTORED = 2.0

_STEPS_PER_S = 50
_WINDOW_STEPS = 20
# Faster would be heard as pumping, slower as a hole around the thunder.
_SLOWNESS_S = 0.8
_MOST_PASSES = 20
_CLOSE_DB = 0.05
_PIECE_STEPS = 10 * _STEPS_PER_S
_RINGING_S = 0.25

Doubles = npt.NDArray[np.float64]
Lines = npt.NDArray[np.complex64]


def low_cut(hz: npt.NDArray[np.floating]) -> Floats:
    """Gain at frequencies in Hz, same shape: 0 up to 35 Hz, 1 from 45 Hz on, a sine between."""
    rise = np.clip((hz - _CUT_HZ[0]) / (_CUT_HZ[1] - _CUT_HZ[0]), 0.0, 1.0)
    return np.asarray(np.sin(0.5 * np.pi * rise), dtype=np.float32)


def filtered(loop: Floats, rate: int) -> Floats:
    """Remove what lies under 35 Hz (with it DC) and above 20 kHz, and share the bass under 120 Hz, in place.

    Parameters
    ----------
    loop : (frames, channels) float32
    rate : int
        Frames per second.

    Returns
    -------
    (frames, channels) float32
        The loop; from 170 Hz on its channels differ as before.
    """
    spacing = rate / len(loop)
    hz = np.arange(math.ceil(_WIDE_ABOVE_HZ / spacing), dtype=np.float64) * spacing
    bass: Lines = np.stack([fft.rfft(channel)[: len(hz)].copy() for channel in loop.T])
    bass *= low_cut(hz)
    bass = _shared(bass, hz)
    top = int(_TOP_HZ[0] / spacing)
    for channel, own_bass in enumerate(bass):
        lines = fft.rfft(loop[:, channel])
        lines[: len(hz)] = own_bass
        top_hz = np.arange(top, len(lines)) * spacing
        fall = np.clip((_TOP_HZ[1] - top_hz) / (_TOP_HZ[1] - _TOP_HZ[0]), 0.0, 1.0)
        lines[top:] *= np.sin(0.5 * np.pi * fall).astype(np.float32)
        loop[:, channel] = fft.irfft(lines, n=len(loop))
    return loop


def _shared(bass: Lines, hz: Doubles) -> Lines:
    """Let the lowest lines of all channels, (channels, lines), give way to their sum below 120 Hz.

    Channels of the opposite polarity are turned round, or they would cancel. The sum comes in a quarter turn ahead:
    so it neither swells nor cancels where it meets a channel of any correlation to it.
    """
    if all(np.array_equal(bass[0], other) for other in bass[1:]):
        return bass
    low = bass[:, hz < _SHARED_BELOW_HZ]
    _, vectors = np.linalg.eigh((low @ low.conj().T).real)
    polarity = np.where(vectors[:, -1] < 0.0, -1.0, 1.0).astype(np.float32)
    together = (polarity if polarity.sum() >= 0.0 else -polarity) @ bass / np.float32(math.sqrt(len(bass)))
    together *= _restoring(np.mean(np.abs(bass) ** 2, axis=0), np.abs(together) ** 2, len(bass), hz)
    place = np.clip((hz - _SHARED_BELOW_HZ) / (_WIDE_ABOVE_HZ - _SHARED_BELOW_HZ), 0.0, 1.0)
    turn = 0.5 * np.pi * place
    return np.asarray(np.sin(turn) * bass + 1j * np.cos(turn) * together, dtype=np.complex64)


def _restoring(wanted: Floats, power: Floats, channels: int, hz: Doubles) -> Floats:
    """Smooth gain per line that brings each third of an octave to the power wanted there."""
    count = round(_BANDS_PER_OCTAVE * math.log2(_WIDE_ABOVE_HZ / _CUT_HZ[0]))
    edges_hz = np.geomspace(_CUT_HZ[0], _WIDE_ABOVE_HZ, count + 1)
    starts = np.minimum(np.searchsorted(hz, edges_hz[:-1]), len(hz) - 1)
    have = np.maximum(np.add.reduceat(power, starts), 1e-30)
    gains = np.sqrt(np.add.reduceat(wanted, starts) / have)
    gains = np.clip(gains, 1.0 / math.sqrt(channels), _MOST_RESTORED)
    middles = np.log(np.sqrt(edges_hz[:-1] * edges_hz[1:]))
    return np.interp(np.log(np.maximum(hz, 1.0)), middles, gains).astype(np.float32)


def tame(loop: Floats, rate: int) -> bool:
    """Turn a loop down, in place, around all 400 ms of it that are louder than `MOMENTARY_LUFS`.

    Parameters
    ----------
    loop : (frames, channels) float32
        At the level at which it will be kept.
    rate : int
        Frames per second.

    Returns
    -------
    bool
        Whether that was needed; if not, the loop is as it was.
    """
    edges = np.arange(round(len(loop) * _STEPS_PER_S / rate) + 1)
    edges = edges * len(loop) // edges[-1]
    pieces = [edges[first : first + _PIECE_STEPS + 1] for first in range(0, len(edges) - 1, _PIECE_STEPS)]
    cut_db = _cut_db(np.concatenate([_step_power(loop, rate, piece) for piece in pieces]))
    if not cut_db.any():
        return False
    middles = 0.5 * (edges[:-1] + edges[1:])
    for first in range(0, len(loop), 10 * rate):
        piece = loop[first : first + 10 * rate]
        down_db = np.interp(first + np.arange(len(piece)), middles, cut_db, period=len(loop))
        piece *= (10.0 ** (-down_db / 20.0)).astype(np.float32)[:, np.newaxis]
    return True


def _cut_db(power: Doubles) -> Doubles:
    """How far to turn down each step of a loop, given its power, shape (steps,) both; 0 where nothing is to be done.

    Only steps that are themselves too loud are turned down, and what is around them just by the slowness of it: the
    rain is to sink no earlier before thunder than it must. So it takes a few passes.
    """
    limit = 10.0 ** ((MOMENTARY_LUFS - LOUDNESS_OFFSET_LU) / 10.0)
    half = round(0.5 * _SLOWNESS_S * _STEPS_PER_S)
    bell = np.hanning(2 * half + 3)[1:-1]
    cut_db = np.zeros(len(power))
    for _ in range(_MOST_PASSES):
        now = power * 10.0 ** (-cut_db / 10.0)
        windows = np.convolve(np.pad(now, _WINDOW_STEPS - 1, "wrap"), np.ones(_WINDOW_STEPS) / _WINDOW_STEPS, "valid")
        excess_db = 10.0 * np.log10(np.maximum(windows / limit, 1.0))
        if excess_db.max() < _CLOSE_DB:
            break
        # A step counts in the 20 windows that end with it or later.
        wanted = np.where(now > limit, _highest(excess_db, _WINDOW_STEPS), 0.0)
        highest = _highest(np.pad(wanted, half, "wrap"), 2 * half + 1)
        cut_db += np.convolve(np.pad(highest, half, "wrap"), bell / bell.sum(), "valid")
    return cut_db


def _highest(values: Doubles, count: int) -> Doubles:
    """The highest of so many neighbours, shape (n,) to (n - count + 1,)."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, count).max(axis=1))


def _step_power(loop: Floats, rate: int, edges: npt.NDArray[np.int64]) -> Doubles:
    """Mean squares between edges, K-weighted (by FFT, with some sound on either side), all channels added."""
    margin, length = round(_RINGING_S * rate), int(edges[-1] - edges[0])
    piece = loop[np.arange(edges[0] - margin, edges[-1] + margin) % len(loop)]
    padded = fft.next_fast_len(len(piece), real=True)
    weighting = np.sqrt(k_gain(np.arange(padded // 2 + 1, dtype=np.float64) * (rate / padded))).astype(np.float32)
    power = np.zeros(length)
    for channel in piece.T:
        power += fft.irfft(fft.rfft(channel, padded) * weighting, padded)[margin : margin + length] ** 2
    return np.asarray(np.add.reduceat(power, edges[:-1] - edges[0]) / np.diff(edges))
