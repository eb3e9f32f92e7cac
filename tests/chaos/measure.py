"""What is to be heard in a recording of a room, measured without a line of the product: numpy alone.

Audio is (frames, channels) float32 at 48 kHz, full scale +-1.0. `test_chaos.py` proves each measure on sound with the
fault and on sound without.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "CEILING_DB",
    "RATE",
    "Hole",
    "Natural",
    "band_change_frame",
    "click_ratio",
    "largest_step",
    "longest_hole",
    "loudness_lufs",
    "match",
    "natural",
    "peak_db",
    "rise_db",
]

Audio = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

RATE = 48_000
CEILING_DB = -1.0

# What is softer is a rest, or on its way there or back.
_REST_LU = 5.0
_HOLE_BELOW_DB = 45.0
_MILLISECOND = RATE // 1000
# Clicks are looked for beside so many milliseconds on either side.
_NEIGHBOURS = 50
# In the second difference: a click of this size alone is not heard beside music of this loudness.
_CLICK_FLOOR = 1e-4
_SHORT_TERM_S = 3.0
_SHORT_TERM_HOP_S = 0.5
_SPECTRUM_FRAMES = 2048
_SPECTRUM_HOP = 240
_BAND_RANGE_DB = 40.0


@dataclass(frozen=True)
class Natural:
    """What undisturbed music does by itself, over several minutes of it.

    Attributes
    ----------
    level : float
        RMS of a sample.
    step : float
        The largest step from a sample to the next.
    click : float
        The largest `click_ratio`.
    lufs : tuple of float
        Lowest, middle and highest loudness of 3 s.
    """

    level: float
    step: float
    click: float
    lufs: tuple[float, float, float]


def natural(audio: Audio) -> Natural:
    """Measure undisturbed music, but for its first second: what is faded in stands out of what was before.

    Nor do its rests count, lest a room that has fallen silent be taken for one at rest: none is open for so long
    that it comes to its first.
    """
    audio = audio[RATE:]
    windows = loudness_lufs(audio)
    windows = windows[windows > np.median(windows) - _REST_LU]
    return Natural(
        level=float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))),
        step=largest_step(audio),
        click=click_ratio(audio),
        lufs=(float(windows.min()), float(np.median(windows)), float(windows.max())),
    )


@dataclass(frozen=True)
class Hole:
    """A run of frames without sound: where it begins, and how long it is."""

    frame: int
    seconds: float


def longest_hole(audio: Audio, level: float) -> Hole:
    """Find the longest run of samples in which every channel is 45 dB below what music is on average.

    Music crosses zero, too, but not in two channels at once and for a thousandth of a second.

    Parameters
    ----------
    level : float
        RMS of a sample of undisturbed music.
    """
    quiet = np.abs(audio).max(axis=1) < level * 10.0 ** (-_HOLE_BELOW_DB / 20.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    if not len(edges):
        return Hole(0, 0.0)
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return Hole(int(edges[2 * longest]), float(lengths[longest]) / RATE)


def rise_db(audio: Audio, hole: Hole, level: float) -> float:
    """Tell how loud the first 50 ms after a hole are against music on average; what is faded in is soft at first."""
    begin = hole.frame + round(hole.seconds * RATE)
    first = audio[begin : begin + RATE // 20].astype(np.float64)
    if not len(first):
        # Nothing follows: what is last is no hole that anything came back from.
        return -np.inf
    return 20.0 * float(np.log10(max(np.sqrt(np.mean(first**2)), 1e-9) / level))


def largest_step(audio: Audio) -> float:
    """Give the largest change from a sample to the next, in any channel."""
    return float(np.abs(np.diff(audio, axis=0)).max())


def click_ratio(audio: Audio) -> float:
    """Tell how far the worst click stands out: the second difference in 1 ms against the median of the 100 ms around.

    The second difference weighs a frequency by its square, so a corner or a step of little size stands out of music
    that is mostly low.
    """
    sharp = np.abs(np.diff(audio, n=2, axis=0)).max(axis=1)
    blocks = sharp[: len(sharp) // _MILLISECOND * _MILLISECOND].reshape(-1, _MILLISECOND).max(axis=1)
    padded = np.pad(blocks, _NEIGHBOURS, mode="reflect")
    worst = 0.0
    for at in range(0, len(blocks), 20_000):
        part = padded[at : at + 20_000 + 2 * _NEIGHBOURS]
        around = np.median(np.lib.stride_tricks.sliding_window_view(part, 2 * _NEIGHBOURS + 1), axis=1)
        worst = max(worst, float((blocks[at : at + 20_000] / (around + _CLICK_FLOOR)).max()))
    return worst


def peak_db(audio: Audio) -> float:
    """Give the highest sample in dBFS; infinity where one is not finite."""
    highest = float(np.abs(audio).max())
    return 20.0 * float(np.log10(max(highest, 1e-9))) if np.isfinite(highest) else float("inf")


def loudness_lufs(audio: Audio) -> Doubles:
    """Give short-term loudness (ITU-R BS.1770-4, EBU Tech 3341: 3 s, ungated) every half second."""
    frames, hop = round(_SHORT_TERM_S * RATE), round(_SHORT_TERM_HOP_S * RATE)
    weights = _k_weights(frames)
    powers = []
    for at in range(0, len(audio) - frames + 1, hop):
        lines = np.fft.rfft(audio[at : at + frames].astype(np.float64), axis=0)
        powers.append(float(weights @ (np.abs(lines) ** 2).sum(axis=1)))
    return -0.691 + 10.0 * np.log10(np.maximum(powers, 1e-12))


def match(audio: Audio, reference: Audio) -> int:
    """Give the frame of the reference at which the audio begins that is a part of it, by cross-correlation."""
    size = 1 << (len(audio) + len(reference) - 1).bit_length()
    spectrum = np.fft.rfft(reference.mean(axis=1), size) * np.conj(np.fft.rfft(audio.mean(axis=1), size))
    likeness = np.fft.irfft(spectrum, size)
    return int(likeness[: len(reference) - len(audio) + 1].argmax())


def band_change_frame(turned: Audio, unturned: Audio, least_db: float = 1.0) -> int | None:
    """Find by when a third of an octave has changed by so many decibels.

    Both are of one length and begin alike. Spectra of 43 ms, every 5 ms; bands from 200 Hz to 16 kHz that are within
    40 dB of the loudest one.

    Returns
    -------
    int or None
        The end of the first stretch of 43 ms in which it has; None where nothing does.
    """
    edges = 1000.0 * 2.0 ** ((np.arange(-7, 14) - 0.5) / 3.0)
    bins = np.searchsorted(np.fft.rfftfreq(_SPECTRUM_FRAMES, 1.0 / RATE), edges)
    window = np.hanning(_SPECTRUM_FRAMES)[:, np.newaxis]
    for at in range(0, len(turned) - _SPECTRUM_FRAMES + 1, _SPECTRUM_HOP):
        levels = []
        for audio in (turned, unturned):
            lines = np.abs(np.fft.rfft(audio[at : at + _SPECTRUM_FRAMES] * window, axis=0)) ** 2
            bands = np.add.reduceat(lines.sum(axis=1), bins)[:-1]
            levels.append(10.0 * np.log10(bands + 1e-12))
        loud = levels[1] > levels[1].max() - _BAND_RANGE_DB
        if (np.abs(levels[0] - levels[1])[loud] >= least_db).any():
            return at + _SPECTRUM_FRAMES
    return None


def _k_weights(frames: int) -> Doubles:
    """Give what each line of a spectrum adds to the mean square after the two filters of BS.1770-4, table 1 and 2."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(frames))
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], z) / np.polyval(
        [0.73248077421585, -1.69065929318241, 1.0], z
    )
    high = np.polyval([1.0, -2.0, 1.0], z) / np.polyval([0.99007225036621, -1.99004745483398, 1.0], z)
    weights = np.abs(shelf * high) ** 2 * 2.0 / frames**2
    weights[0] /= 2.0
    return weights
