"""A reading of music by measure: rests, key, dissonance, tilt, whistling, movement, as small classes and functions.

Some take sound clip by clip and keep little (`Momentary`, `LongTerm`, `Whistles`, `Swells`), the others take a stack of
the codec's spectra, one for every 2 s, shape (n, 1233). Sound is float32 of shape (frames, channels), full scale +-1.0.
Each gives None where there is too little sound to tell. ``test_musical.py`` proves each on sound with the property and
on sound without; ``bench/listen.py`` prints them all.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, signal

from appliance.spectrum import codec, traits
from appliance.spectrum.codec import Floats
from appliance.synth.loudness import Meter
from appliance.weighting import LOUDNESS_OFFSET_LU, k_gain

__all__ = [
    "STEP_S",
    "KeyShare",
    "Likeness",
    "LongTerm",
    "Loudness",
    "Momentary",
    "Rests",
    "SwellShares",
    "Swells",
    "Tracks",
    "Whistles",
    "change_db",
    "dissonance_percentile",
    "key_share",
    "likeness_db",
    "loudness",
    "pooled_power",
    "rests",
    "steady_spectra",
]

Doubles = npt.NDArray[np.float64]

STEP_S = 0.5
_WINDOWS_PER_STEP = 3
_SILENT_POWER = 1e-9
_MOMENTARY_STEPS = 4
_MOMENTARY_STEP_S = 0.1
_REST_LU = -7.0
_REST_S = 5.0
_EXCURSION_S = 0.3
_TONE_DB = 7.0
_KEY_HZ = (60.0, 4000.0)
_TONES = 40
_STRETCH_CLIPS = 30
_FEWEST_TONAL_CLIPS = 5
_PENTATONIC_SEMITONES = (0, 2, 4, 7, 9)
_NEAR_BINS = 3
_SEMITONE_BINS = 10
_KEY_DRAWS = 20
_TRANSPOSITIONS = 60
_SHRILL_HZ = 1500.0
_TONE_REACH_LINES = 6
_HEARD_DB = -45.0
_PROMINENT_DB = 10.0
_OUTDONE = 4.0
_SAME_CENTS = 30.0
_LONG_S = 8.0
_SWELL_DB = 4.0
_SWELL_S = (5.0, 20.0)
_RISE_S, _FALL_S = 5.0, 15.0
_SWELL_SMOOTH_S = 2.5
_SWELL_HEARD_DB = -30.0
_POOLED_BINS = 20
_CHANGE_RANGE_DB = 60.0
_LIKENESS_CLIPS = 150
_TWO_HOURS_STRETCHES = 24


class Loudness(NamedTuple):
    """Integrated loudness in LUFS, loudness range in LU (EBU Tech 3342), true peak in dBTP if it was asked for."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float | None


def loudness(path: Path, start_s: float = 0.0, seconds: float | None = None, peak: bool = True) -> Loudness:
    """Measure a file, or a part of it, by ffmpeg's ``ebur128`` (EBU Tech 3341 and 3342, ITU-R BS.1770-4).

    The true peak takes twice as long as the rest. Raises RuntimeError where ffmpeg gives no figures.
    """
    part = ["-ss", f"{start_s:.3f}"] + ([] if seconds is None else ["-t", f"{seconds:.3f}"])
    meter = "ebur128=framelog=verbose" + (":peak=true" if peak else "")
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", *part, "-i", str(path), "-vn", "-af", meter]
    done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True, check=False)
    summary = done.stderr.partition("Summary:")[2]
    found = {name: re.search(rf"\b{name}:\s+(\S+) (?:LUFS|LU|dBFS)", summary) for name in ("I", "LRA", "Peak")}
    integrated, span, highest = found.values()
    if done.returncode or integrated is None or span is None or (peak and highest is None):
        raise RuntimeError(f"ffmpeg measured nothing in {path}: {done.stderr.strip()[-300:]}")
    return Loudness(float(integrated[1]), float(span[1]), float(highest[1]) if highest else None)


class Momentary(Meter):
    """The house's loudness meter, asked for its blocks of 400 ms."""

    def momentary_lufs(self) -> Doubles:
        """List the loudness of 400 ms from each 100 ms on, in LUFS; -inf where silent."""
        with np.errstate(divide="ignore"):
            return np.asarray(LOUDNESS_OFFSET_LU + 10.0 * np.log10(self._windows(_MOMENTARY_STEPS)))


class Rests(NamedTuple):
    """Rests: how many, how long, and the longest time without one (the ends of the sound count as rests), in s."""

    number: int
    total_s: float
    median_s: float | None
    longest_between_s: float


def rests(momentary_lufs: Doubles, integrated_lufs: float, tolerated_s: float = _EXCURSION_S) -> Rests | None:
    """Find the rests: 5 s or more in which the sound stays 7 LU under its integrated loudness.

    What rises above that for no longer than 0.3 s between two quiet parts (a crackle of the fire, a drop of rain) does
    not end a rest. A block of 400 ms that holds any of a crackle is loud, so the crackle is 300 ms shorter than its run
    of loud blocks.
    """
    blocks_more = _MOMENTARY_STEPS - 1
    if len(momentary_lufs) * _MOMENTARY_STEP_S < _REST_S or not np.isfinite(integrated_lufs):
        return None
    quiet = momentary_lufs <= integrated_lufs + _REST_LU
    for start, end in _runs(~quiet):
        inside = start > 0 and end < len(quiet)
        if inside and end - start <= round(tolerated_s / _MOMENTARY_STEP_S) + blocks_more:
            quiet[start:end] = True
    found = _runs(quiet)
    found = found[(found[:, 1] - found[:, 0] + blocks_more) * _MOMENTARY_STEP_S >= _REST_S - 1e-9]
    # A block reaches over what follows it: a rest ends where its last block does.
    starts, ends = found[:, 0], found[:, 1] + blocks_more
    whole = len(quiet) + blocks_more
    between = np.append(starts, whole) - np.append(0, ends)
    lengths_s = (ends - starts) * _MOMENTARY_STEP_S
    median_s = float(np.median(lengths_s)) if len(found) else None
    return Rests(len(found), float(lengths_s.sum()), median_s, float(between.max()) * _MOMENTARY_STEP_S)


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """First and one past last index of each run of true values, shape (runs, 2)."""
    return np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))).reshape(-1, 2)


class KeyShare(NamedTuple):
    """Shares 0..1 that a pentatonic catches: of the tones, on average over rotations, of the tones scattered."""

    caught: float
    any_rotation: float
    scattered: float


def key_share(spectra: Floats, rng: np.random.Generator) -> KeyShare | None:
    """How much of the prominent tones' power lies in one major pentatonic, the median over stretches of a minute.

    Prominent tones stand 7 dB over their local median, between 60 Hz and 4 kHz; each 2 s weighs the same. For each
    minute the best of 120 rotations counts, so that it needs no standard pitch. Five tones of +-30 cents cover 35 of
    the 120 bins: a rotation by chance catches exactly 29 % on average. The best of 120 catches more of anything. How
    much more, ``scattered`` tells: the same tones, each (a semitone of the spectrum, all through the minute)
    moved by a chance interval, the mean over 20 draws.
    """
    around = (np.arange(120) + _NEAR_BINS) % 120
    near = [(around - _SEMITONE_BINS * tone) % 120 <= 2 * _NEAR_BINS for tone in _PENTATONIC_SEMITONES]
    template = np.any(near, axis=0)
    rotations = np.stack([np.roll(template, turn) for turn in range(120)]).astype(np.float64)
    rows = []
    for first in range(0, len(spectra) - _STRETCH_CLIPS + 1, _STRETCH_CLIPS):
        tones, weight = (each.ravel() for each in _prominent_tones(spectra[first : first + _STRETCH_CLIPS]))
        if weight.sum() < _FEWEST_TONAL_CLIPS:
            continue
        weight = weight / weight.sum()
        shares = rotations @ np.bincount(tones % 120, weight, 120)
        moved = rng.integers(0, 120, (_KEY_DRAWS, codec.BINS // _SEMITONE_BINS + 1))[:, tones // _SEMITONE_BINS]
        scattered = [float((rotations @ np.bincount((tones + by) % 120, weight, 120)).max()) for by in moved]
        rows.append((shares.max(), shares.mean(), np.mean(scattered)))
    return KeyShare(*(float(value) for value in np.median(rows, axis=0))) if rows else None


def _prominent_tones(spectra: Floats) -> tuple[npt.NDArray[np.intp], Doubles]:
    """Bins of the loudest prominent tones and their parts of the tones' power, (n, 40) each; without any, all 0."""
    low, high = np.searchsorted(codec.bin_hz(), _KEY_HZ)
    bins, level_db = traits.peaks(spectra[:, low:high], _TONES)
    bins += low
    ground = np.take_along_axis(traits.local_median_db(spectra), bins, axis=1)
    power = np.where(level_db - ground >= _TONE_DB, 10.0 ** (level_db.astype(np.float64) / 10.0), 0.0)
    return bins, power / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)


def dissonance_percentile(spectra: Floats, lag_clips: int, rng: np.random.Generator) -> float | None:
    """How well sounds ``lag_clips`` clips apart go together: per cent of transpositions that are less dissonant.

    Each pair is compared with itself at 60 chance transpositions of the later sound, whole bins within an octave up or
    down; equal ones count half. The median over pairs: 0 goes together as well as can be, 50 is chance. Chance is above
    50 for sounds that fill the same few octaves, for a transposition takes them out of each other's way. Dissonance is
    that of `traits.dissonance`. Pairs with a silent clip do not count.
    """
    others = np.concatenate([np.arange(-120, 0), np.arange(1, 121)])
    sounding = spectra.max(axis=1) > 0.0
    found = []
    for first in np.flatnonzero(sounding[:-lag_clips] & sounding[lag_clips:]):
        shifts = np.concatenate([[0], rng.choice(others, _TRANSPOSITIONS, replace=False)])
        later = first + lag_clips
        actual, *moved = traits.dissonance(spectra[first : first + 1], spectra[later : later + 1], shifts)[0, 0]
        found.append(100.0 * (np.mean(moved < actual) + 0.5 * np.mean(moved == actual)))
    return float(np.median(found)) if found else None


class LongTerm:
    """The power spectral density of all sound so far and, of two channels, the cross-spectrum; segments of a second."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._hz = fft.rfftfreq(rate, 1.0 / rate)
        self._own = np.zeros((channels, len(self._hz)))
        self._cross = np.zeros(len(self._hz))
        self._window = signal.windows.hann(rate, sym=False).astype(np.float32)

    def add(self, clip: Floats) -> None:
        """Take whole seconds of sound, (frames, channels); what is left over is left out."""
        for start in range(0, len(clip) - self._rate + 1, self._rate):
            lines = fft.rfft(clip[start : start + self._rate].T * self._window, axis=1)
            self._own += lines.real**2 + lines.imag**2
            if len(lines) == 2:
                self._cross += (lines[0] * lines[1].conj()).real

    def tilt_db_per_octave(self) -> float | None:
        """Slope of the density per Hz from 200 Hz to 8 kHz: the straight line through its 17 third-octaves in dB.

        White noise has 0, pink -3, brown -6. None where the rate does not reach so high, and for silence.
        """
        centres = 1000.0 * 2.0 ** (np.arange(-7, 10) / 3.0)
        edges = np.searchsorted(self._hz, centres[:, np.newaxis] * 2.0 ** np.array([-1 / 6, 1 / 6]))
        density = self._own.mean(axis=0)
        if edges.max() >= len(density) or density.sum() == 0.0:
            return None
        level_db = [10.0 * np.log10(max(float(density[low:high].mean()), 1e-20)) for low, high in edges]
        return float(np.polyfit(np.log2(centres), level_db, 1)[0])

    def coherence(self, low_hz: float, high_hz: float) -> float | None:
        """Correlation coefficient of two channels in a band, -1..1, each moment weighing as much as its power.

        None unless there are two channels with sound there.
        """
        if len(self._own) != 2:
            return None
        band = (self._hz >= low_hz) & (self._hz < high_hz)
        scale = float(np.sqrt(np.prod(self._own[:, band].sum(axis=1))))
        return float(self._cross[band].sum()) / scale if scale > 1e-6 else None


def steady_spectra(clip: Floats, rate: int) -> Doubles:
    """Power spectra of half seconds, (frames, channels) to (steps, lines): lines of 4 Hz add up to the mean square.

    The mean of three Hann windows of a quarter of a second, half overlapped, and of the channels.
    """
    length, step = round(rate / 4), round(rate * STEP_S)
    window = signal.windows.hann(length, sym=False).astype(np.float32)
    starts = np.add.outer(np.arange(len(clip) // step) * step, np.arange(_WINDOWS_PER_STEP) * (length // 2))
    pieces = np.lib.stride_tricks.sliding_window_view(clip, length, axis=0)[np.minimum(starts, len(clip) - length)]
    lines = fft.rfft(pieces * window, axis=-1)
    power = (lines.real**2 + lines.imag**2).mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(power * 2.0 / (length * float(np.sum(window.astype(np.float64) ** 2))))


class Tracks(NamedTuple):
    """Narrow peaks that go on: the longest in s, how many last above 8 s, and the highest ratio in dB at any time."""

    longest_s: float
    long_ones: int
    highest_db: float | None


class _Tracker:
    """Follows peaks through time: the same peak lies within 30 cents of where it began, and one step may miss it."""

    def __init__(self) -> None:
        self._highest_db: float | None = None
        self._open = np.zeros((0, 3))
        self._longest, self._long_ones = 0, 0

    def add(self, step: int, hz: Doubles, ratio_db: Doubles) -> None:
        """Take the peaks of the next step."""
        highest_db = float(ratio_db.max(initial=-np.inf))
        if np.isfinite(highest_db):
            self._highest_db = max(highest_db, self._highest_db or highest_db)
        self._close(self._open[:, 2] < step - 2)
        found = hz[ratio_db > _PROMINENT_DB]
        same = np.abs(1200.0 * np.log2(found[:, np.newaxis] / self._open[:, 0])) <= _SAME_CENTS
        self._open[same.any(axis=0), 2] = step
        begun = [[each, step, step] for each in found[~same.any(axis=1)]]
        self._open = np.concatenate([self._open, np.reshape(begun, (-1, 3))])

    def _close(self, over: npt.NDArray[np.bool_]) -> None:
        steps = self._open[over, 2] - self._open[over, 1] + 1
        self._longest = max(self._longest, int(steps.max(initial=0)))
        self._long_ones += int(np.sum(steps * STEP_S > _LONG_S))
        self._open = self._open[~over]

    def result(self) -> Tracks:
        """End all that is open and tell."""
        self._close(np.ones(len(self._open), dtype=bool))
        return Tracks(self._longest * STEP_S, self._long_ones, self._highest_db)


class Whistles:
    """Narrow peaks above 1.5 kHz that stand over their critical band, and how long they go on.

    Two ratios in dB (ECMA-74, annex D, which calls a tone prominent from 8 and 9 dB on): *tone to noise*, the power
    within 24 Hz of a peak (1.5 main lobes) over that of the rest of the critical band around it, as if the rest filled
    the band; and *prominence*, the power of that band over the mean of its two neighbours, which also finds tones that
    are several, or wide (a peak 6 dB below another of its band does not count). Critical bands are as wide as in
    Zwicker and Terhardt, JASA 68 (1980). Only what can be heard counts: K-weighted, the peak must lie
    within 45 dB of the whole sound of that half second.
    """

    def __init__(self, rate: int) -> None:
        length = round(rate / 4)
        self._hz = fft.rfftfreq(length, 1.0 / rate)
        self._gain = k_gain(self._hz)
        self._band_lines = _critical_band_hz(self._hz) / self._hz[1]
        fits = np.arange(len(self._hz)) + self._band_lines / 2.0 < len(self._hz) - 1
        self._looked_at = (self._hz > _SHRILL_HZ) & fits
        self._step = 0
        self._tone_to_noise, self._prominence = _Tracker(), _Tracker()

    def add(self, power: Doubles) -> None:
        """Take `steady_spectra`."""
        for spectrum in power:
            lines = self._peaks(spectrum)
            tone_db, prominence_db = self._ratios_db(spectrum, lines)
            self._tone_to_noise.add(self._step, self._hz[lines], tone_db)
            self._prominence.add(self._step, self._hz[lines], prominence_db)
            self._step += 1

    def results(self) -> tuple[Tracks, Tracks]:
        """By tone to noise, and by prominence."""
        return self._tone_to_noise.result(), self._prominence.result()

    def _peaks(self, spectrum: Doubles) -> npt.NDArray[np.intp]:
        weighted = spectrum * self._gain
        highest = spectrum >= ndimage.maximum_filter1d(spectrum, 2 * _TONE_REACH_LINES + 1)
        tone = ndimage.uniform_filter1d(weighted, 2 * _TONE_REACH_LINES + 1) * (2 * _TONE_REACH_LINES + 1)
        heard = tone > max(_SILENT_POWER, float(weighted.sum()) * 10.0 ** (_HEARD_DB / 10.0))
        return np.flatnonzero(highest & heard & self._looked_at)

    def _ratios_db(self, spectrum: Doubles, lines: npt.NDArray[np.intp]) -> tuple[Doubles, Doubles]:
        edges = np.arange(len(spectrum) + 1) - 0.5
        summed = np.concatenate([[0.0], np.cumsum(spectrum)])

        def between(low: npt.NDArray[np.floating], high: npt.NDArray[np.floating]) -> Doubles:
            return np.asarray(np.interp(high, edges, summed) - np.interp(low, edges, summed))

        width, reach = self._band_lines[lines], _TONE_REACH_LINES + 0.5
        low, high = lines - width / 2.0, lines + width / 2.0
        band, tone = between(low, high), between(lines - reach, lines + reach)
        noise = (band - tone) * width / (width - 2.0 * reach)
        at = np.arange(len(self._hz))
        beside_low = low - np.interp(lines - width, at, self._band_lines)
        beside_high = high + np.interp(lines + width, at, self._band_lines)
        beside = (between(beside_low, low) + between(high, beside_high)) / 2.0
        # Beside a tone every ripple of the noise has the tone in its band: only those near the highest count.
        near = np.abs(lines[:, np.newaxis] - lines) < width[:, np.newaxis] / 2.0
        outdone = np.any(near & (spectrum[lines] > _OUTDONE * spectrum[lines][:, np.newaxis]), axis=1)
        beside[outdone | (beside_high > len(spectrum) - 1)] = np.inf
        with np.errstate(divide="ignore"):
            return 10.0 * np.log10(tone / np.maximum(noise, 1e-20)), 10.0 * np.log10(band / np.maximum(beside, 1e-20))


def _critical_band_hz(hz: Doubles) -> Doubles:
    """Width of the critical band around some frequencies in Hz: Zwicker and Terhardt, JASA 68 (1980)."""
    return np.asarray(25.0 + 75.0 * (1.0 + 1.4 * (hz / 1000.0) ** 2) ** 0.69)


class SwellShares(NamedTuple):
    """Parts of the time, 0..1: in which any octave swells, and in which one does on average over the octaves."""

    any_octave: float
    mean_octave: float


class Swells:
    """A proxy for a figure over a ground: the share of time in which an octave swells and goes again.

    A swell rises by 4 dB within 5 s to a peak, falls by 4 dB within 15 s after it, and lasts 5 to 20 s between the two;
    octaves from 63 Hz to 8 kHz, smoothed over 2.5 s; those 30 dB under the whole (K-weighted) do not count. It cannot
    tell a melody from a wave of the sea or from a partial that flutters slowly, and it misses figures that are as loud
    as their ground: for music of our own the score knows better.
    """

    def __init__(self, rate: int) -> None:
        hz = fft.rfftfreq(round(rate / 4), 1.0 / rate)
        edges = [edge for edge in 1000.0 * 2.0 ** (np.arange(-4, 5) - 0.5) if edge < rate / 2]
        self._starts = np.searchsorted(hz, edges)
        self._gain = k_gain(hz)
        self._rows: list[Doubles] = []

    def add(self, power: Doubles) -> None:
        """Take `steady_spectra`."""
        self._rows.extend(np.add.reduceat(power * self._gain, self._starts, axis=1)[:, :-1])

    def shares(self) -> SwellShares | None:
        """Give the parts of the time; None for less than half a minute."""
        if len(self._rows) * STEP_S < 2.0 * _FALL_S:
            return None
        octaves = ndimage.uniform_filter1d(np.array(self._rows), round(_SWELL_SMOOTH_S / STEP_S), axis=0)
        heard = octaves > np.maximum(_SILENT_POWER, octaves.sum(axis=1, keepdims=True) * 10 ** (_SWELL_HEARD_DB / 10))
        swelling = np.zeros(octaves.T.shape, dtype=bool)
        for octave, level_db, loud in zip(
            swelling, 10.0 * np.log10(np.maximum(octaves.T, 1e-12)), heard.T, strict=True
        ):
            for start, end in self._events(level_db, loud):
                octave[start:end] = True
        return SwellShares(float(swelling.any(axis=0).mean()), float(swelling.mean()))

    @staticmethod
    def _events(level_db: Doubles, loud: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        peaks, found = signal.find_peaks(level_db, prominence=_SWELL_DB)
        bases = (np.full(len(peaks), _SWELL_DB), found["left_bases"], found["right_bases"])
        _, _, left, right = signal.peak_widths(level_db, peaks, rel_height=1.0, prominence_data=bases)
        for peak, start, end in zip(peaks, left, right, strict=True):
            lasts = _SWELL_S[0] <= (end - start) * STEP_S <= _SWELL_S[1]
            if lasts and loud[peak] and (peak - start) * STEP_S <= _RISE_S and (end - peak) * STEP_S <= _FALL_S:
                yield round(start), round(end) + 1


def pooled_power(spectra: Floats) -> Doubles:
    """Power in sixths of an octave, (n, 1233) to (n, 61): a line alone flutters by 5.6 dB and would bury a change."""
    power = codec.power(spectra[:, codec.BINS % _POOLED_BINS :]).astype(np.float64)
    return np.asarray(power.reshape(len(spectra), codec.BINS // _POOLED_BINS, _POOLED_BINS).sum(axis=2))


def change_db(before: Doubles, after: Doubles) -> float | None:
    """RMS difference in dB between pairs of pooled powers, (n, 61) each, over all pairs; None without any.

    What lies 60 dB below the loudest part of a pair does not count (as `listening.spectral_change_db`).
    """
    differences = _differences_db(before, after)
    return float(np.sqrt(np.nanmean(differences**2))) if len(differences) else None


def _differences_db(before: Doubles, after: Doubles) -> Doubles:
    """Difference in dB by pair and part; NaN where it does not count."""
    one, two = (10.0 * np.log10(np.maximum(power, 1e-10)) for power in (before, after))
    loudest = np.maximum(one, two)
    return np.where(loudest > loudest.max(axis=-1, keepdims=True) - _CHANGE_RANGE_DB, one - two, np.nan)


class Likeness(NamedTuple):
    """Mean RMS difference in dB between stretches of 5 minutes: neighbours, all pairs, those two hours apart."""

    neighbours_db: float
    all_pairs_db: float
    two_hours_db: float | None


def likeness_db(pooled: Doubles) -> Likeness | None:
    """How different stretches of 5 minutes are in their mean pooled power, (n, 61); None for less than 10 minutes."""
    count = len(pooled) // _LIKENESS_CLIPS
    if count < 2:
        return None
    means = pooled[: count * _LIKENESS_CLIPS].reshape(count, _LIKENESS_CLIPS, -1).mean(axis=1)
    first, second = np.triu_indices(count, 1)
    apart = np.sqrt(np.nanmean(_differences_db(means[first], means[second]) ** 2, axis=1))
    far = apart[second - first == _TWO_HOURS_STRETCHES]
    return Likeness(
        neighbours_db=float(apart[second - first == 1].mean()),
        all_pairs_db=float(apart.mean()),
        two_hours_db=float(far.mean()) if len(far) else None,
    )
