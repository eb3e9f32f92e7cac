"""The voice: a spectrum every hop becomes a clip two hops long; clips overlap into sound without a seam.

Noise gets fresh random phases in every clip and equal-power fades (what is uncorrelated adds in power).
Tones get phases that belong to their frequency and go on from clip to clip, so that a held note is steady
and does not beat with itself. Their frequencies are those of the codec's bins and not of FFT lines: on lines
half a hertz apart everything would repeat every two seconds. And since correlated sound would swell by 3 dB
in the middle of an equal-power fade, each carries a correction with it that makes the fade a straight line
(`_kernels`): a tone that grows from clip to clip grows evenly, which no curved fade would let it.

Channels are made from one middle signal and ``channels - 1`` side signals, mixed by orthogonal columns that add up to
nothing: for two channels that is left = middle - side and right = middle + side. The sum of all channels is thus the
middle alone, and mono loses nothing but width.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import BINS, Floats, LinearGrid, bin_hz, linear_grid
from appliance.synth.chance import draw
from appliance.synth.partials import PartialFinder, SinesPlusNoise

__all__ = ["PAIR", "SPLIT_TOGETHER", "Clips", "Texture", "Voice"]

# Clips are transformed two at a time: with two channels that fills the FFT's vector lanes, which halves its
# cost. The lanes never mix, so what a clip sounds like does not depend on its partner.
PAIR = 2
# Spectra are decoded and split so many at a time, for half the price of one after the other; neither do these mix.
SPLIT_TOGETHER = 32

_PHASORS = 1 << 20
_TOP_HZ = 20_000.0
# Loudspeakers share the bass, and out-of-phase bass costs level: one signal below, sides grow to full above.
_MONO_BELOW_HZ = 120.0
_WIDE_ABOVE_HZ = 170.0
# What lies lower is hardly heard from any loudspeaker, and takes headroom from the rest.
_SILENT_BELOW_HZ = 32.0
_WHOLE_ABOVE_HZ = 38.0
_KERNEL_STEPS = np.arange(-12, 13)
_DRIFT_RAD = 0.8
# A tone's side is a quarter turn from its middle, so that left and right differ in phase and not in level;
# swinging about that by this much moves it gently through the room.
_ROAM_RAD = 0.35

Complexes = npt.NDArray[np.complex64]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Texture:
    """What a clip is made of.

    Attributes
    ----------
    parted : SinesPlusNoise
        Mean-square power, in each channel, of its tones and its noise: see `Voice.split`.
    width : float
        0 all channels alike, 1 uncorrelated above the bass.
    seed, hop : int
        Where the random phases come from, and which clip this is (its phase origin).
    """

    parted: SinesPlusNoise
    width: float
    seed: int
    hop: int


@dataclass(frozen=True)
class Clips:
    """A clip as middle and sides, (hop_frames, channels) each, before its fades."""

    head: Floats
    tail: Floats


class Voice:
    """Renders clips at one rate for one number of channels; holds tables and room to work in. One thread at a time."""

    def __init__(self, rate: int, channels: int) -> None:
        self.grid: LinearGrid = linear_grid(rate)
        self.channels = channels
        self.hop_frames = self.grid.hop_frames
        self._finder = PartialFinder(min(_TOP_HZ, 0.49 * rate), SPLIT_TOGETHER)
        tables = np.random.default_rng(0x1A7E57)
        self._phasors = _unit_phasors(tables, _PHASORS)
        self._top_line = min(self.grid.lines, int(_TOP_HZ / self.grid.spacing_hz))
        side_share = _side_shape(np.arange(self.grid.lines) * self.grid.spacing_hz)
        self._bass_lines = int(np.searchsorted(side_share, 1.0))
        self._bass_twice = np.repeat(side_share[: self._bass_lines], 2)
        self._bass_lack = np.float32(1.0) - self._bass_twice**2
        self._mix = _mixing(channels)
        self._fade_in, self._fade_out = _fades(self.hop_frames, channels)
        self._faded = np.empty_like(self._fade_out)
        self._turns_a_hop = bin_hz() * self.hop_frames / rate
        self._bin_side = _side_shape(bin_hz())
        shape = (channels, BINS)
        still = tables.choice(np.array([-np.pi / 2, np.pi / 2]), shape)
        still[0] = tables.uniform(0.0, 2.0 * np.pi, BINS)
        sway = tables.uniform(0.0, 2.0 * np.pi, shape)
        self._motion = np.stack([still, sway, 2.0 * np.pi / tables.uniform(13.0, 37.0, shape)])
        self._swing = np.full((channels, 1), _ROAM_RAD)
        self._swing[0] = _DRIFT_RAD
        # A line of height h becomes a sine of mean square 2 h ** 2.
        rise = np.clip((bin_hz() - _SILENT_BELOW_HZ) / (_WHOLE_ABOVE_HZ - _SILENT_BELOW_HZ), 0.0, 1.0)
        scale = np.asarray(np.sin(rise * np.pi / 2.0) / np.sqrt(2.0), dtype=np.float32)
        self._noise_scale = scale**2
        self._nearest, kernels = _kernels(self.grid)
        self._kernels = kernels * scale[:, np.newaxis]
        self._spectra = np.zeros((PAIR, channels, self.grid.lines), dtype=np.complex64)

    def split(self, bin_power: Floats) -> list[SinesPlusNoise]:
        """Part up to 32 spectra, (n, 1233) mean-square power per bin, into tones and noise for textures."""
        return self._finder.split(bin_power)

    def clips(self, pair: tuple[Texture, Texture]) -> tuple[Clips, Clips]:
        """Render two clips; each depends on its own texture alone."""
        for lines, texture in zip(self._spectra, pair, strict=True):
            self._add_noise(lines, texture)
        self._add_tones(pair)
        sound = fft.irfft(self._spectra.transpose(0, 2, 1), n=self.grid.frames, axis=1, norm="forward")
        first, second = (Clips(clip[: self.hop_frames], clip[self.hop_frames :]) for clip in sound)
        return first, second

    def join(self, before: Clips | None, now: Clips, out: Floats) -> None:
        """Fade from the tail of one clip to the head of the next and write the channels, (hop_frames, channels)."""
        kind = self._faded.dtype
        mixed = out.view(kind)
        np.multiply(now.head.view(kind), self._fade_in, out=mixed)
        if before is not None:
            np.multiply(before.tail.view(kind), self._fade_out, out=self._faded)
            np.add(mixed, self._faded, out=mixed)
        if self.channels > 2:
            out[:] = out @ self._mix.T

    def _add_noise(self, lines: Complexes, texture: Texture) -> None:
        """Write one clip's middle and side noise, (channels, lines)."""
        middle, side = self._shares(texture.width)
        heights = self.grid.amplitudes_twice(texture.parted.noise * (self._noise_scale * np.float32(middle**2)))
        for channel, offset in enumerate(self._offsets(texture)):
            phasors = self._phasors[offset : offset + self._top_line].view(np.float32)
            row = lines[channel, : self._top_line].view(np.float32)
            np.multiply(phasors, heights[: 2 * self._top_line], out=row)
            if channel:
                row *= side / middle
                row[: 2 * self._bass_lines] *= self._bass_twice
            else:
                # What the sides lack in the bass the middle carries, so that power stays the same.
                row[: 2 * self._bass_lines] *= np.sqrt(1.0 + (side / middle) ** 2 * self._bass_lack)

    def _add_tones(self, pair: tuple[Texture, Texture]) -> None:
        """Add the tones of both clips, whose phases go on from clip to clip."""
        counts = [len(texture.parted.bins) for texture in pair]
        at = np.concatenate([texture.parted.bins for texture in pair])
        hops = np.repeat([float(texture.hop) for texture in pair], counts)
        still, sway, sway_rate = np.take(self._motion, at, axis=2)
        phase = still + self._swing * np.sin(sway_rate * hops + sway)
        # Turns are counted in double precision: after months there are a billion.
        phase[0] += 2.0 * np.pi * (self._turns_a_hop[at] * hops % 1.0)
        phase[1:] += phase[0]
        tones = np.exp(1j * phase) * np.sqrt(np.concatenate([texture.parted.tones for texture in pair]))
        side = self._bin_side[at] * np.repeat([self._shares(texture.width)[1] for texture in pair], counts)
        tones[0] *= np.sqrt(1.0 - side**2)
        tones[1:] *= side
        first = np.repeat(np.arange(PAIR) * self._spectra[0].size, counts)
        places = ((self._nearest[at] + first)[:, np.newaxis] + _KERNEL_STEPS).ravel()
        kernels = np.take(self._kernels, at, axis=0)
        for channel, each in enumerate(tones.astype(np.complex64)):
            lines = self._spectra.reshape(-1)[channel * self.grid.lines :]
            np.add.at(lines, places, (kernels * each[:, np.newaxis]).ravel())

    def _shares(self, width: float) -> tuple[float, float]:
        """Amplitudes of middle and each side signal; correlation between channels becomes 1 - width."""
        if self.channels == 1:
            return 1.0, 0.0
        spread = width * (self.channels - 1) / self.channels
        return float(np.sqrt(1.0 - spread)), float(np.sqrt(spread))

    def _offsets(self, texture: Texture) -> list[int]:
        """Where in the phasor table each signal begins: clips that sound together stay in regions of their own.

        A slice shifted against another by a few lines is correlated with it.
        """
        room = (_PHASORS - self._top_line) // (3 * self.channels)
        draws = [draw(texture.seed, texture.hop, channel) for channel in range(self.channels)]
        lane = (texture.hop % 3) * self.channels
        return [int((lane + channel + 0.9 * share) * room) for channel, share in enumerate(draws)]


def _side_shape(hz: npt.NDArray[np.floating]) -> Floats:
    """Amplitude of the sides at these frequencies: 0 in the bass, 1 above, a quarter of a sine between."""
    rise = np.clip((hz - _MONO_BELOW_HZ) / (_WIDE_ABOVE_HZ - _MONO_BELOW_HZ), 0.0, 1.0)
    return np.asarray(np.sin(rise * np.pi / 2.0), dtype=np.float32)


def _unit_phasors(rng: np.random.Generator, count: int) -> Complexes:
    return np.asarray(np.exp(2j * np.pi * rng.random(count)), dtype=np.complex64)


def _fades(frames: int, channels: int) -> tuple[Numbers, Numbers]:
    """Equal-power fades in and out to multiply signals by, as complex numbers (frames, 1) where there are two.

    Middle and side are then one complex number, m + i s, which 1 + i turns into (m - s) + i (m + s): mixed already.
    """
    turns = np.arange(frames, dtype=np.float64)[:, np.newaxis] / frames * (np.pi / 2.0)
    if channels == 2:
        return (np.sin(turns) * (1.0 + 1.0j)).astype(np.complex64), (np.cos(turns) * (1.0 + 1.0j)).astype(np.complex64)
    shape = (1, channels)
    return np.tile(np.sin(turns).astype(np.float32), shape), np.tile(np.cos(turns).astype(np.float32), shape)


def _mixing(channels: int) -> Floats:
    """Mixing matrix (channels, channels) for more than two: a column of ones for the middle, one for each side signal.

    The sides' columns are those of a discrete Hartley transform: orthogonal, adding up to nothing, and with the same
    power in every channel.
    """
    matrix = np.ones((channels, channels))
    angle = 2.0 * np.pi * np.outer(np.arange(channels), np.arange(1, channels)) / channels
    matrix[:, 1:] = (np.cos(angle) + np.sin(angle)) / np.sqrt(max(channels - 1, 1))
    return matrix.astype(np.float32)


def _kernels(grid: LinearGrid) -> tuple[npt.NDArray[np.intp], Complexes]:
    """For a tone at each bin's frequency the line nearest to it, (1233,), and its weights around that, (1233, 25).

    All lines are faded by half a period of a sine; a tone needs a triangle. Their quotient is smooth but for a corner
    in the middle, so its Fourier series c_n falls off quickly. Times a tone that lies x lines off its nearest one, line
    m gets the sum over n of c_n D(x - m + n) where D(y) = exp(i pi y) sinc(y) is the transform of a clip's length of
    tone. What is cut off beyond 12 lines matters where the fades are nearly zero.
    """
    place = (np.arange(grid.frames) + 0.5) / grid.frames
    shape = 2.0 * np.minimum(place, 1.0 - place) / np.sin(np.pi * place)
    series = (np.fft.rfft(shape) * np.exp(-1j * np.pi * np.arange(grid.lines) / grid.frames)).real / grid.frames
    nearest = np.rint(bin_hz() / grid.spacing_hz).astype(np.intp)
    off = (bin_hz() / grid.spacing_hz - nearest)[:, np.newaxis] - _KERNEL_STEPS
    weights = np.zeros(off.shape, dtype=np.complex128)
    for harmonic in _KERNEL_STEPS:
        apart = off + harmonic
        weights += series[abs(harmonic)] * np.exp(1j * np.pi * apart) * np.sinc(apart)
    return nearest, weights.astype(np.complex64)
