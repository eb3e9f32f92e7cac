"""Loudness and true peak of finished sound (ITU-R BS.1770-4, EBU R 128), block by block in little memory."""

from array import array

import numpy as np
import numpy.typing as npt
from scipy import fft

from appliance.spectrum.codec import Floats, bin_hz
from appliance.spectrum.traits import k_weighting
from appliance.synth.master import true_peak
from appliance.weighting import LOUDNESS_OFFSET_LU

__all__ = ["Meter", "loop_lufs"]

# The standard's windows are multiples of 100 ms: 400 ms blocks overlap by 75 %, short-term windows last 3 s.
_STEPS_PER_S = 10
_BLOCK_STEPS = 4
_SHORT_TERM_STEPS = 30
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0


class Meter:
    """Measures a stream of sound; what it keeps is one number for each 100 ms.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
        All weigh the same: speakers in a room stand around the visitor, so that the standard's surplus for
        the two behind does not apply. For mono and stereo this is the standard.

    Notes
    -----
    The K-weighting filters are pyloudnorm's, run here with their state carried from block to block. Samples
    that are not finite count as silence.
    """

    def __init__(self, rate: int, channels: int) -> None:
        # Both take the better part of a second to import, which the way to the first sound need not spend.
        from pyloudnorm.iirfilter import IIRfilter
        from scipy.signal import sosfilt

        stages = [
            IIRfilter(4.0, 1.0 / np.sqrt(2.0), 1500.0, rate, "high_shelf"),
            IIRfilter(0.0, 0.5, 38.0, rate, "high_pass"),
        ]
        self._sosfilt = sosfilt
        self._sections = np.array([[*stage.b, *stage.a] for stage in stages])
        self._state = np.zeros((len(stages), channels, 2))
        self._rate = rate
        self._frames = 0
        self._steps = array("d")
        self._open_step = 0.0
        self._finder = true_peak()
        self._highest = 0.0
        self._tail = np.zeros((2 * self._finder.reach_frames, channels), dtype=np.float32)

    def add(self, block: Floats) -> None:
        """Measure the next block, (n, channels) float32, of any length."""
        if len(block) == 0:
            return
        if not np.isfinite(block).all():
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._add_power(block)
        window = np.concatenate([self._tail, block])
        self._highest = self._peak_of(window)
        self._tail = window[-len(self._tail) :].copy()

    def _add_power(self, block: Floats) -> None:
        weighted, self._state = self._sosfilt(self._sections, block.T.astype(np.float64), axis=1, zi=self._state)
        power = np.einsum("cn,cn->n", weighted, weighted)
        first = len(self._steps) + 1
        last = (self._frames + len(power)) * _STEPS_PER_S // self._rate + 1
        ends = np.arange(first, last + 1) * self._rate // _STEPS_PER_S - self._frames
        start = 0
        for end in ends[ends <= len(power)]:
            self._steps.append(self._open_step + float(power[start:end].sum()))
            self._open_step, start = 0.0, int(end)
        self._open_step += float(power[start:].sum())
        self._frames += len(power)

    def _peak_of(self, window: Floats) -> float:
        """Give the highest true peak so far with the inner frames of a window, looking only where it may be."""
        height = float(max(window.max(), -window.min()))
        highest = max(self._highest, height)
        if height * self._finder.norm <= highest:
            return highest
        peaks = self._finder.over(window, highest)
        return highest if peaks is None else max(highest, float(peaks.max()))

    def integrated_lufs(self) -> float:
        """Give the gated loudness of all sound so far in LUFS; -inf for silence and for less than 0.4 s."""
        return _gated_lufs(self._windows(_BLOCK_STEPS))

    def short_term(self) -> list[float]:
        """List the loudness of the last 3 s at each full second from the third on, in LUFS; -inf where silent."""
        windows = self._windows(_SHORT_TERM_STEPS)[::_STEPS_PER_S]
        return [float(value) for value in _lufs(windows)]

    @property
    def true_peak_dbtp(self) -> float:
        """The highest true peak so far in dBTP; -inf for silence."""
        ahead = np.zeros((self._finder.reach_frames, self._tail.shape[1]), dtype=np.float32)
        highest = self._peak_of(np.concatenate([self._tail, ahead]))
        return float(20.0 * np.log10(highest)) if highest > 0.0 else float("-inf")

    def _windows(self, steps: int) -> npt.NDArray[np.float64]:
        """Mean squares, channels added, of all windows of so many steps, one beginning at each step."""
        if len(self._steps) < steps:
            return np.zeros(0)
        sliding = np.lib.stride_tricks.sliding_window_view(np.frombuffer(self._steps), steps)
        return np.asarray(sliding.sum(axis=1) / (steps * self._rate / _STEPS_PER_S))


def loop_lufs(loop: Floats, rate: int) -> float:
    """Integrated loudness of a loop without `Meter`'s slow imports: blocks of 400 ms are weighted by FFT.

    Parameters
    ----------
    loop : (frames, channels) float32
    rate : int
        Frames per second.

    Returns
    -------
    float
        LUFS; for steady sounds within 0.2 LU of `Meter`. -inf for silence and for less than 0.4 s.
    """
    frames = _BLOCK_STEPS * rate // _STEPS_PER_S
    count = len(loop) // frames
    weighting = np.interp(np.arange(frames // 2 + 1) * rate / frames, bin_hz(), k_weighting())
    weighting *= 2.0 / frames**2
    mean_square = np.zeros(count)
    for channel in range(loop.shape[1]):
        lines = fft.rfft(loop[: count * frames, channel].reshape(count, frames), axis=1)
        mean_square += (lines.real**2 + lines.imag**2) @ weighting
    return _gated_lufs(mean_square)


def _lufs(mean_square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean squares to LUFS, same shape; -inf for none."""
    with np.errstate(divide="ignore"):
        return np.asarray(LOUDNESS_OFFSET_LU + 10.0 * np.log10(mean_square))


def _gated_lufs(mean_square: npt.NDArray[np.float64]) -> float:
    """Mean of the blocks that pass both gates, in LUFS (BS.1770-4, annex 1, equations 5 to 7)."""
    loud = mean_square[_lufs(mean_square) > _ABSOLUTE_GATE_LUFS]
    if len(loud) == 0:
        return float("-inf")
    louder = loud[_lufs(loud) > _lufs(loud.mean()) + _RELATIVE_GATE_LU]
    return float(_lufs(louder.mean()))
