"""Listening by measure: what makes ambient sound fault-free, as plain functions over finished audio.

Audio is a float32 array of shape (frames, channels), full scale +-1.0. Each function states its unit and source;
``test_listening.py`` proves each on sound with the fault and on sound without.
"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, signal

from appliance.spectrum import codec
from appliance.spectrum.codec import Floats

__all__ = [
    "BandCorrelations",
    "SeamSteps",
    "band_correlations",
    "click_times_s",
    "clicks",
    "longest_hole_s",
    "loudness_by_ffmpeg",
    "modulation_line_db",
    "partial_steadiness_db",
    "seam_steps",
    "spectral_change_db",
]

Doubles = npt.NDArray[np.float64]

_SILENT_POWER = 1e-9
_SEGMENT_HOPS = 16
_ENVELOPES_PER_HOP = 32
_UNHEARD_MODULATION = 0.01
_FAINT = 1e-6
_SEAM_REACH = 2
_SEAM_DRAWS = 200
_HOLE_DB = -30.0
_HOLE_WINDOW_STEPS = 5
_HOLE_STEP_S = 0.01
_PARTIAL_BAND_HZ = 10.0
_MOST_PAIRS = 40
_BINS_POOLED = 20
_CHANGE_RANGE_DB = 60.0
_CLICK_Z = 7.0
_CLICK_FLOOR = 3e-4
_CLICK_BLOCK_S = 0.01


def modulation_line_db(audio: Floats, rate: int, hop_s: float) -> float:
    """How far pulsing at the hop rate, or at twice it, stands out of the sound's own fluctuation, in dB.

    Power envelopes of the octaves from 63 Hz (but for those 60 dB down) and of the whole, each divided by its mean;
    their modulation spectra (Welch's method, Hann segments of 16 hops, half overlapped, the median over them: a pulse
    goes on, a single swell does not); there the line over the median from half a hop rate below it to half above,
    averaged over bands and channels. A line is as wide as its segment, so the figure does not grow with the length of
    the sound. Where hardly anything fluctuates any trace would stand out; the surroundings count as no less than a line
    of 1 % modulation, which nobody hears at such rates (Fastl and Zwicker, "Psychoacoustics", 3rd ed., 2007, section
    10.2), so that a pulse of 2 % alone reads 6 dB.

    A modulation spectrum per octave: Houtgast and Steeneken, "A review of the MTF concept in room acoustics", JASA
    77 (1985). Raises ValueError for less than 32 hops of sound, or for silence.
    """
    segment = _SEGMENT_HOPS * _ENVELOPES_PER_HOP
    envelope = _octave_envelopes(audio, round(rate * hop_s / _ENVELOPES_PER_HOP), rate)
    # The last envelope windows reach past the end.
    if len(envelope) < 2 * segment - 2:
        raise ValueError(f"the modulation spectrum needs at least {2 * _SEGMENT_HOPS} hops of sound")
    level = envelope.mean(axis=0)
    if level.max() < _SILENT_POWER:
        raise ValueError("there is no modulation spectrum of silence")
    heard = level > max(_SILENT_POWER, _FAINT * level.max())
    _, density = signal.welch(envelope[:, heard] / level[heard], nperseg=segment, axis=0, average="median")
    # The height of a line in a Hann-windowed spectrum, whose noise bandwidth is 1.5 bins; power swings twice as far.
    unheard = (2.0 * _UNHEARD_MODULATION) ** 2 / 2.0 * segment / 1.5
    lines = []
    for line in (_SEGMENT_HOPS, 2 * _SEGMENT_HOPS):
        around = [line + offset for offset in range(-8, 9) if abs(offset) > 2]
        lines.append(float(np.mean(density[line] / np.maximum(np.median(density[around], axis=0), unheard))))
    return 10.0 * float(np.log10(max(lines)))


def _octave_envelopes(audio: Floats, step: int, rate: int) -> Doubles:
    """Power over time in octaves from 63 Hz and in all together, shape (times, bands * channels), a row each step."""
    window = signal.windows.hann(2 * step, sym=False).astype(np.float32)
    hz = fft.rfftfreq(2 * step, 1.0 / rate)
    edges = [edge for edge in 1000.0 * 2.0 ** (np.arange(-4, 6) - 0.5) if edge < rate / 2]
    starts = np.searchsorted(hz, edges)
    pieces = np.lib.stride_tricks.sliding_window_view(audio, 2 * step, axis=0)[::step]
    rows = []
    for first in range(0, len(pieces), 256):
        power = np.abs(fft.rfft(pieces[first : first + 256] * window, axis=-1)) ** 2 / np.sum(window) ** 2
        octaves = np.add.reduceat(power, starts, axis=-1)
        whole = octaves.sum(axis=-1, keepdims=True)
        rows.append(np.concatenate([octaves, whole], axis=-1).reshape(len(power), -1))
    return np.concatenate(rows).astype(np.float64)


class SeamSteps(NamedTuple):
    """Largest first and second differences at the seams, and what chance gives elsewhere, as parts of what is usual."""

    seam_step: float
    random_step: float
    seam_bend: float
    random_bend: float


def seam_steps(audio: Floats, hop_frames: int, rng: np.random.Generator) -> SeamSteps:
    """Compare the joints between hops with as many random places.

    A *step* is the difference of neighbouring samples, a *bend* the difference of neighbouring steps, which weighs
    high frequencies (+12 dB per octave) and so uncovers a corner without a jump. Each counts in multiples of their
    root mean square within 0.1 hop around, so that a joint in a quiet passage weighs as much as one in a loud
    passage, and within 2 samples of each place the largest counts. The figure for random places is the 99th percentile
    over 200 draws: sound without seams stays below it 99 times in 100. Raises ValueError where there is no seam.
    """
    seams = np.arange(hop_frames, len(audio) - 2 * _SEAM_REACH, hop_frames)
    if len(seams) == 0:
        raise ValueError("the sound must be longer than a hop")
    elsewhere = rng.integers(2 * _SEAM_REACH, len(audio) - 2 * _SEAM_REACH, (_SEAM_DRAWS, len(seams)))
    near = np.arange(-_SEAM_REACH, _SEAM_REACH + 1)
    figures = []
    for order in (1, 2):
        # Difference i lies between samples i and i + order: before the seam is order back.
        height = np.abs(np.diff(audio, n=order, axis=0)).max(axis=1).astype(np.float64)
        usual = np.sqrt(np.maximum(ndimage.uniform_filter1d(height**2, hop_frames // 5, mode="nearest"), 0.0))
        height /= np.maximum(usual, _FAINT)
        at_seams = height[seams[:, np.newaxis] - order + near]
        at_random = height[elsewhere[..., np.newaxis] - order + near]
        figures += [float(at_seams.max()), float(np.quantile(at_random.max(axis=(1, 2)), 0.99))]
    return SeamSteps(*figures)


def longest_hole_s(audio: Floats, rate: int) -> float:
    """Longest stretch in seconds, in any channel, that lies more than 30 dB below that channel's usual level.

    The level is that of 50 ms windows every 10 ms, usual means the median. A channel that is silent throughout is one
    hole. Exact to about 10 ms; dips shorter than 50 ms do not count.
    """
    step = round(rate * _HOLE_STEP_S)
    steps = len(audio) // step
    power = np.mean(np.square(audio[: steps * step].reshape(steps, step, -1), dtype=np.float64), axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(power, _HOLE_WINDOW_STEPS, axis=0).mean(axis=-1)
    usual = np.median(windows, axis=0)
    quiet = (windows < usual * 10.0 ** (_HOLE_DB / 10.0)) | (usual < _SILENT_POWER)
    longest = 0
    for channel in quiet.T:
        changes = np.flatnonzero(np.diff(np.concatenate([[0], channel.astype(np.int8), [0]])))
        runs = changes[1::2] - changes[::2]
        longest = max(longest, int(runs.max(initial=0)))
    return (longest + _HOLE_WINDOW_STEPS - 1) * step / rate if longest else 0.0


class BandCorrelations(NamedTuple):
    """Correlation of two channels: by third-octave, shapes (bands,), and in two halves; -1..1, and a loss in dB."""

    band_hz: Doubles
    by_band: Doubles
    below_120: float
    above_120: float
    mono_loss_db: float


def band_correlations(audio: Floats, rate: int) -> BandCorrelations:
    """Correlation coefficient (without delay) of two channels, from their cross-spectrum in segments of a second.

    Third-octaves lie around 1 kHz in steps of 2 ** (1 / 3), from 25 Hz; a band below -120 dBFS has NaN.
    ``mono_loss_db`` is how much power goes when both are mixed to one: 0 dB where they are the same, 3 dB where
    unrelated, unbounded where opposed. Raises ValueError unless there are two channels and a second of sound.
    """
    if audio.shape[1] != 2 or len(audio) < rate:
        raise ValueError("correlation needs two channels and at least a second of sound")
    left, right = audio.T.astype(np.float64)
    hz, cross = signal.csd(left, right, rate, nperseg=rate)
    own_left, own_right = (signal.welch(channel, rate, nperseg=rate)[1] for channel in (left, right))

    def between(low_hz: float, high_hz: float) -> float:
        band = (hz >= low_hz) & (hz < high_hz)
        scale = float(np.sqrt(own_left[band].sum() * own_right[band].sum()))
        return float(cross[band].sum().real) / scale if scale > 1e-12 else float("nan")

    centres = 1000.0 * 2.0 ** (np.arange(-16, 14) / 3.0)
    centres = centres[centres * 2.0 ** (1 / 6) < rate / 2]
    by_band = np.array([between(centre * 2.0 ** (-1 / 6), centre * 2.0 ** (1 / 6)) for centre in centres])
    mono = float(np.mean(np.square((left + right) / 2.0)))
    loss = 10.0 * np.log10(max(float(np.mean(np.square(audio, dtype=np.float64))), 1e-20) / max(mono, 1e-20))
    return BandCorrelations(centres, by_band, between(20.0, 120.0), between(120.0, rate), float(loss))


def partial_steadiness_db(audio: Floats, rate: int, hz: float) -> float:
    """Standard deviation in dB of the envelope of a band 10 Hz wide around a partial; of the worst channel.

    The band is moved to 0 Hz and smoothed by a Hann window of 0.2 s, whose response is 6 dB down 5 Hz to either side.
    A pure tone has 0, noise 5.6 dB whatever its level (Rayleigh's distribution: 10 pi / (ln 10 sqrt 6)).
    """
    length = round(2.0 * rate / _PARTIAL_BAND_HZ)
    smooth = signal.windows.hann(length, sym=False)
    turning = np.exp(-2j * np.pi * hz / rate * np.arange(len(audio)))
    worst = 0.0
    for channel in audio.T:
        low = signal.upfirdn(smooth / smooth.sum(), channel * turning, down=length // 8)
        # The first and last filter length see the edges of the sound.
        envelope = np.abs(low[8:-8])
        worst = max(worst, float(np.std(20.0 * np.log10(np.maximum(envelope, 1e-9)))))
    return worst


def spectral_change_db(audio: Floats, rate: int, lag_s: float) -> float:
    """RMS difference in dB between the spectra of two clips that begin ``lag_s`` apart, over up to 40 such pairs.

    Spectra are the codec's, two seconds each, their power pooled over sixths of an octave: a single line of noise
    fluctuates by 5.6 dB, which would bury every change. Pooled parts that lie 60 dB below the loudest in both clips do
    not count. Raises ValueError if the sound is too short for one pair.
    """
    clip, lag = round(codec.CLIP_S * rate), round(lag_s * rate)
    last = len(audio) - clip - lag
    if last < 0:
        raise ValueError(f"the sound must be longer than {codec.CLIP_S + lag_s:g} s")
    total, count = 0.0, 0
    for start in np.linspace(0, last, min(_MOST_PAIRS, 1 + 2 * last // clip)).astype(int):
        before = _pooled_db(audio[start : start + clip], rate)
        after = _pooled_db(audio[start + lag : start + lag + clip], rate)
        loudest = np.maximum(before, after)
        counted = loudest > loudest.max() - _CHANGE_RANGE_DB
        total += float(np.sum(np.square(before - after)[counted]))
        count += int(counted.sum())
    return float(np.sqrt(total / count))


def _pooled_db(clip: Floats, rate: int) -> Doubles:
    power = codec.power(codec.analyse(clip, rate)).astype(np.float64)
    pooled = power[codec.BINS % _BINS_POOLED :].reshape(-1, _BINS_POOLED).sum(axis=1)
    return np.asarray(10.0 * np.log10(np.maximum(pooled, 1e-10)))


def click_times_s(audio: Floats, rate: int) -> Doubles:
    """Where clicks are, in seconds, shape (clicks,): bends that stand out of their surroundings in any channel.

    A bend (second difference, high-passed by 12 dB per octave) counts where it exceeds 7 robust standard deviations
    (median absolute value over 0.6745, the highest of this block of 10 ms and its neighbours, so that the onset of a
    sound is no click) and 0.0003 of full scale. Those within 10 ms are one click.

    Outliers of a high-passed signal as clicks: Vaseghi and Rayner, "Detection and suppression of impulsive noise in
    speech communication systems", IEE Proc. 137 (1990); here with a fixed high-pass in place of linear prediction.
    """
    block = round(rate * _CLICK_BLOCK_S)
    bend = np.abs(np.diff(audio, n=2, axis=0))
    bend = bend[: len(bend) // block * block].reshape(-1, block, audio.shape[1])
    spread = np.median(bend, axis=1) / 0.6745
    padded = np.pad(spread, ((1, 1), (0, 0)), mode="edge")
    ground = np.maximum(np.maximum(padded[:-2], padded[2:]), spread)
    loud = bend > np.maximum(_CLICK_Z * ground, _CLICK_FLOOR)[:, np.newaxis]
    places = np.flatnonzero(loud.reshape(-1, audio.shape[1]).any(axis=1))
    apart = np.diff(places, prepend=-rate) > block
    return (places[apart] + 1) / rate


def clicks(audio: Floats, rate: int) -> float:
    """Clicks per minute, as `click_times_s` finds them."""
    return len(click_times_s(audio, rate)) * 60.0 * rate / len(audio)


def loudness_by_ffmpeg(path: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP of a file, by a meter that is not ours.

    ffmpeg's ``ebur128`` (EBU Tech 3341, ITU-R BS.1770-4). Raises RuntimeError where ffmpeg gives no figures.
    """
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-i", str(path)]
    command += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    summary = done.stderr.partition("Summary:")[2]
    loudness = re.search(r"I:\s+(\S+) LUFS", summary)
    peak = re.search(r"Peak:\s+(\S+) dBFS", summary)
    if done.returncode or loudness is None or peak is None:
        raise RuntimeError(f"ffmpeg measured nothing in {path}: {done.stderr.strip()[-300:]}")
    return float(loudness[1]), float(peak[1])
