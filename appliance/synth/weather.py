"""The built-in nature sounds: wind, rain and waves, made from noise at start, for a box without recordings.

Each is painted as a picture of power over time and frequency, on a coarse grid, and then filled with noise:
short frames with random phases, overlapped by half with sine windows, whose powers add up to one. The last
frame overlaps with the first, so that the loop has no seam by construction.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import Floats, analyse, from_power, power
from appliance.synth.beds import Bed
from appliance.synth.loudness import loop_lufs
from appliance.synth.taming import low_cut

__all__ = ["WEATHER_LUFS", "weather"]

WEATHER_LUFS = -33.0
_FRAME_S = 0.085
_LOWEST_HZ = 35.0
_HIGHEST_HZ = 16_000.0
_GRID_PER_OCTAVE = 9
# Of 5 ms each, to half a frame: a rate well above twice what is cut away.
_RUMBLE_STEPS = 8
# Bass from everywhere, treble from all sides: what a wide sky sounds like, and what small speakers can bear.
_MONO_BELOW_HZ = 130.0
_WIDE_ABOVE_HZ = 300.0
_SHARED_TREBLE = 0.25
_INT16 = 32_767.0

Picture = npt.NDArray[np.floating]


def weather(rate: int, channels: int, rng: np.random.Generator) -> tuple[Bed, ...]:
    """Make two winds, two rains and two shores, together 104 s long (20 MB in stereo at 48 kHz).

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
    rng : numpy.random.Generator
        Decides everything: the same generator makes the same weather.

    Returns
    -------
    tuple of Bed
        Each at -36 LUFS, its loop (frames, channels) int16.
    """
    recipes: tuple[tuple[str, float, Callable[[_Canvas], Floats]], ...] = (
        ("wind over a hill", 18.0, _wind_over_a_hill),
        ("wind in the trees", 18.0, _wind_in_the_trees),
        ("soft rain", 14.0, _soft_rain),
        ("rain on leaves", 14.0, _rain_on_leaves),
        ("long swell", 20.0, _long_swell),
        ("small waves", 20.0, _small_waves),
    )
    return tuple(_bed(name, make(_Canvas(rate, channels, seconds, rng)), rate) for name, seconds, make in recipes)


def _bed(name: str, loop: Floats, rate: int) -> Bed:
    loop *= np.float32(10.0 ** ((WEATHER_LUFS - loop_lufs(loop, rate)) / 20.0))
    clip = min(2 * rate, len(loop))
    starts = np.linspace(0, len(loop) - clip, 3).astype(int)
    spectra = [power(analyse(loop[start : start + clip], rate)) for start in starts]
    # Half the memory, and quicker to read than float16; what rounding adds lies some 80 dB below.
    scale = float(np.abs(loop).max()) / _INT16
    whole = np.rint(loop / np.float32(scale)).astype(np.int16)
    return Bed(name, whole, from_power(np.mean(spectra, axis=0)), WEATHER_LUFS, scale)


@dataclass(frozen=True)
class _Canvas:
    """What a weather is painted on: a loop of so many seconds, at a rate, for so many channels.

    Pictures have shape (frames, grid): amplitude over time, in steps of half a frame, and frequency.
    """

    rate: int
    channels: int
    seconds: float
    rng: np.random.Generator

    @property
    def frame(self) -> int:
        step = round(_FRAME_S * self.rate / (2.0 * _RUMBLE_STEPS))
        return 2 * _RUMBLE_STEPS * fft.next_fast_len(step, real=True)

    @property
    def frames(self) -> int:
        return round(self.seconds * self.rate / (self.frame // 2))

    @property
    def time_s(self) -> Picture:
        """Times of the frames, as a column."""
        return (np.arange(self.frames) * (self.frame / 2.0 / self.rate))[:, np.newaxis]

    @property
    def length_s(self) -> float:
        return self.frames * self.frame / 2.0 / self.rate

    @property
    def hz(self) -> Picture:
        """Frequencies of the grid."""
        octaves = np.log2(min(_HIGHEST_HZ, 0.45 * self.rate) / _LOWEST_HZ)
        return np.asarray(_LOWEST_HZ * 2.0 ** np.linspace(0.0, octaves, round(octaves * _GRID_PER_OCTAVE)))

    def drift(self, fastest_s: float) -> Picture:
        """Slow random curve, as a column: mean 0, sd 1, periodic, no period shorter than ``fastest_s``.

        Chance is in the phases alone: where heights were random too, one great gust would give the loop away.
        """
        harmonics = np.arange(1, max(2, int(self.length_s / fastest_s) + 1))
        phases = 2.0 * np.pi * self.rng.random(len(harmonics))
        waves = np.cos(2.0 * np.pi * self.time_s / self.length_s * harmonics + phases) / np.sqrt(harmonics)
        curve = waves.sum(axis=1, keepdims=True)
        return np.asarray(curve / curve.std())

    def noise(self, picture: Picture) -> Floats:
        """Fill a picture with noise, (loop frames, channels) float32."""
        spacing = self.rate / self.frame
        line_hz = np.arange(self.frame // 2 + 1) * spacing
        place = np.interp(line_hz, self.hz, np.arange(len(self.hz)), left=-1.0, right=-1.0)
        onto = np.maximum(0.0, 1.0 - np.abs(place - np.arange(len(self.hz))[:, np.newaxis]))
        amplitude = picture.astype(np.float32) @ onto.astype(np.float32)
        share = np.interp(line_hz, [_MONO_BELOW_HZ, _WIDE_ABOVE_HZ], [1.0, _SHARED_TREBLE])
        common = self._phasors(amplitude.shape) * np.sqrt(share).astype(np.float32)
        own_gain = np.sqrt(1.0 - share).astype(np.float32)
        half = self.frame // 2
        window = np.sin(np.pi * (np.arange(self.frame) + 0.5) / self.frame).astype(np.float32)
        loop = np.empty((self.frames * half, self.channels), dtype=np.float32)
        rumble: Floats | None = None
        for channel in range(self.channels):
            lines = self._phasors(amplitude.shape)
            lines *= own_gain
            lines += common
            lines *= amplitude
            clips = fft.irfft(lines, n=self.frame, axis=1)
            clips *= window
            clips[:, :half] += np.roll(clips[:, half:], 1, axis=0)
            sound = clips[:, :half].ravel()
            # So deep, all channels are the same.
            rumble = _rumble(sound, self.rate, half // _RUMBLE_STEPS) if rumble is None else rumble
            np.subtract(sound, rumble, out=loop[:, channel])
        return loop

    def _phasors(self, shape: tuple[int, ...]) -> npt.NDArray[np.complex64]:
        # 256 directions are as random to the ear as any, and come straight from bytes.
        directions = np.exp(2j * np.pi * np.arange(256) / 256.0).astype(np.complex64)
        return np.asarray(directions[self.rng.integers(0, 256, shape, dtype=np.uint8)])

    def drops(self, loop: Floats, per_s: float, pitch_hz: tuple[float, float], level_db: float) -> None:
        """Let drops fall into a loop: each a short ring of its own size, place and moment, and no push (DC).

        ``level_db`` is the level of a middling drop relative to the RMS of the loop; small ones are many.
        """
        rms = float(np.sqrt(np.mean(loop**2)))
        time = np.arange(round(0.03 * self.rate)) / self.rate
        for _ in range(round(per_s * self.length_s)):
            size = float(self.rng.random())
            hz = pitch_hz[1] * (pitch_hz[0] / pitch_hz[1]) ** size * 2.0 ** (0.2 * float(self.rng.standard_normal()))
            hz = min(hz, 0.4 * self.rate)
            decay_s = 0.0012 + 0.0035 * size
            swell = (1.0 - np.exp(-time / 0.0006)) * np.exp(-time / decay_s)
            ring = swell * np.sin(2.0 * np.pi * hz * (time + 2.0 * time**2) + 2.0 * np.pi * self.rng.random())
            ring -= swell * (ring.sum() / swell.sum())
            loud_db = level_db + 5.0 * float(self.rng.standard_normal()) + 6.0 * (size - 0.5)
            ring *= rms * 10.0 ** (loud_db / 20.0)
            self._let_fall(loop, ring.astype(np.float32))

    def _let_fall(self, loop: Floats, ring: Floats) -> None:
        """Add a ring somewhere in the loop, between two neighbouring channels."""
        start = int(self.rng.integers(len(loop)))
        first = int(self.rng.integers(self.channels))
        angle = 0.5 * np.pi * float(self.rng.random())
        before = min(len(ring), len(loop) - start)
        for channel, gain in ((first, np.cos(angle)), ((first + 1) % self.channels, np.sin(angle))):
            loop[start : start + before, channel] += np.float32(gain) * ring[:before]
            loop[: len(ring) - before, channel] += np.float32(gain) * ring[before:]


def _rumble(sound: Floats, rate: int, step: int) -> Floats:
    """What of a loop of one channel is too deep to be heard; frames so short cannot but make some.

    Found at a rate ``step`` times lower, to which cubic B-splines lead and from which they lead back: transforms of
    whole loops would keep their tables in memory.
    """
    square = np.convolve(np.ones(step), np.ones(step))
    spline = np.append(np.convolve(square, square), np.zeros(3)).reshape(4, step).astype(np.float32) / step**4
    parts = sound.reshape(-1, step) @ spline.T
    slow = np.sum([np.roll(parts[:, place], -place) for place in range(4)], axis=0)
    hz = np.fft.rfftfreq(len(slow), step / rate)
    cut = (1.0 - low_cut(hz)) / np.sinc(hz * step / rate) ** 8
    slow = fft.irfft(fft.rfft(slow) * cut, n=len(slow)).astype(np.float32)
    around = np.stack([np.roll(slow, place) for place in range(4)], axis=1)
    return np.asarray((around @ (spline * np.float32(step))).ravel())


def _decibels(level_db: Picture) -> Picture:
    """Level to amplitude."""
    return np.asarray(10.0 ** (level_db / 20.0))


def _octaves(hz: Picture, reference_hz: Picture | float) -> Picture:
    return np.asarray(np.log2(hz / reference_hz))


def _low_pass(hz: Picture, corner_hz: Picture | float, db_per_octave: float) -> Picture:
    """Level in dB of a soft corner: flat below, falling above."""
    return np.asarray(-db_per_octave * np.logaddexp(0.0, 3.0 * _octaves(hz, corner_hz)) / 3.0)


def _high_pass(hz: Picture, corner_hz: Picture | float, db_per_octave: float) -> Picture:
    return _low_pass(1.0 / hz, 1.0 / np.asarray(corner_hz), db_per_octave)


def _resonance(hz: Picture, centre_hz: Picture, width_octaves: float) -> Picture:
    """Bell of 0..1 around a centre that may move."""
    return np.asarray(np.exp(-0.5 * (_octaves(hz, centre_hz) / width_octaves) ** 2))


def _wind_over_a_hill(canvas: _Canvas) -> Floats:
    hz, gust = canvas.hz, canvas.drift(3.5)
    level = -3.0 * _octaves(hz, 200.0) + _high_pass(hz, 80.0, 9.0)
    level = level + _low_pass(hz, 450.0 * 2.0 ** (0.55 * gust), 9.0) + 2.7 * gust
    for centre_hz in (240.0, 410.0, 690.0):
        moving = centre_hz * 2.0 ** (0.22 * canvas.drift(2.5) + 0.15 * gust)
        level = level + (7.0 + 2.0 * canvas.drift(2.0)) * _resonance(hz, moving, 0.14)
    return canvas.noise(_decibels(level))


def _wind_in_the_trees(canvas: _Canvas) -> Floats:
    hz, gust = canvas.hz, canvas.drift(3.5)
    trunk = -3.5 * _octaves(hz, 200.0) + _high_pass(hz, 90.0, 9.0) + _low_pass(hz, 700.0 * 2.0 ** (0.4 * gust), 8.0)
    for centre_hz in (330.0, 560.0):
        moving = centre_hz * 2.0 ** (0.2 * canvas.drift(2.5))
        trunk = trunk + 5.0 * _resonance(hz, moving, 0.2)
    rustle = 1.5 * gust + 1.0 * canvas.drift(0.6)
    leaves = -19.0 + _high_pass(hz, 1_500.0, 9.0) + _low_pass(hz, 3_200.0 * 2.0 ** (0.2 * gust), 7.0) + 1.5 * rustle
    return canvas.noise(np.hypot(_decibels(trunk + 2.0 * gust), _decibels(leaves)))


def _soft_rain(canvas: _Canvas) -> Floats:
    hz = canvas.hz
    hiss = _high_pass(hz, 900.0, 5.0) + _low_pass(hz, 2_400.0, 5.0) + _low_pass(hz, 8_000.0, 9.0)
    loop = canvas.noise(_decibels(hiss + 0.7 * canvas.drift(2.0) + 0.5 * canvas.drift(0.4)))
    canvas.drops(loop, 30.0, (1_500.0, 5_500.0), 8.0)
    return loop


def _rain_on_leaves(canvas: _Canvas) -> Floats:
    hz = canvas.hz
    hiss = _high_pass(hz, 350.0, 4.0) + _low_pass(hz, 1_300.0, 4.5) + _low_pass(hz, 7_000.0, 9.0)
    loop = canvas.noise(_decibels(hiss + 0.9 * canvas.drift(1.5) + 0.6 * canvas.drift(0.4)))
    canvas.drops(loop, 45.0, (420.0, 2_600.0), 8.0)
    return loop


def _long_swell(canvas: _Canvas) -> Floats:
    return _shore(canvas, moments=(0.12, 0.55), rise_s=2.6, wash_s=3.2, deep_hz=260.0)


def _small_waves(canvas: _Canvas) -> Floats:
    return _shore(canvas, moments=(0.04, 0.27, 0.55, 0.78), rise_s=1.3, wash_s=1.7, deep_hz=420.0)


def _shore(canvas: _Canvas, moments: tuple[float, ...], rise_s: float, wash_s: float, deep_hz: float) -> Floats:
    """Waves that break at given shares of the loop: each swells from the deep, brightens as it breaks, and drains."""
    hz, rng = canvas.hz, canvas.rng
    swell, foam = np.zeros_like(canvas.time_s), np.zeros_like(canvas.time_s)
    for moment in moments:
        height = 10.0 ** (0.075 * rng.standard_normal())
        breaks_s = (moment + 0.02 * rng.standard_normal()) * canvas.length_s
        since_s = (canvas.time_s - breaks_s + 0.5 * canvas.length_s) % canvas.length_s - 0.5 * canvas.length_s
        swell += height * np.where(since_s < 0.0, np.exp(-((since_s / rise_s) ** 2)), 1.0 / np.cosh(since_s / wash_s))
        late_s = since_s - 0.25 * rise_s
        foam += height * np.where(late_s < 0.0, np.exp(-((late_s / (0.45 * rise_s)) ** 2)), np.exp(-late_s / wash_s))
    deep = _high_pass(hz, 85.0, 9.0) - 4.0 * _octaves(hz, 200.0) + _low_pass(hz, deep_hz * (1.0 + swell), 7.0)
    wash = -13.0 + _high_pass(hz, 700.0, 6.0) + _low_pass(hz, 1_100.0 + 3_800.0 * foam, 5.0)
    wash = wash + _low_pass(hz, 7_000.0, 8.0)
    picture = np.hypot(_decibels(deep) * (0.3 + swell), _decibels(wash) * (0.06 + foam))
    return canvas.noise(picture * _decibels(0.8 * canvas.drift(0.6)))
