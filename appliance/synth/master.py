"""The last stage before the ring: a true-peak ceiling, and the fades at the ends of a rendering.

Everything here is a pure function of a window of sound. The limiter remembers nothing: the gain of a frame
depends on the frames within `Limiter.reach_frames` of it and on nothing else, so an hour made in one go and
its last minute made alone agree bit by bit.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import Floats

__all__ = ["Limiter", "TruePeak", "fade_in", "fade_out", "true_peak"]

_PHASES = 8
_HALF_TAPS = 12
_KAISER_BETA = 5.5
_BLOCK_FRAMES = 256
_LOOKAHEAD_S = 0.016
_MARGIN_DB = 0.13
_UNITY = 1 << 24
_LOUDEST = 1000.0


class TruePeak:
    """Finds how high the sound rises between its samples (ITU-R BS.1770-4, annex 2), where that may matter.

    An eightfold windowed-sinc interpolation: with content up to 20 kHz at 48 kHz the highest of the points it
    looks at is at most ``-20 log10 cos(pi * 20 / (8 * 48)) = 0.12`` dB below the highest point of the curve,
    where the fourfold one of the recommendation may miss 0.47 dB. Two bounds, which hold for this
    interpolator and any sound, tell where nothing can pass a floor and nothing need be looked at:

    - ``|y| <= norm * max |x|``, with ``norm`` (2.33, 7.3 dB) the largest sum of absolute taps of a phase;
    - ``|y| <= max |x| + bend * max |second difference of x|``. The interpolator reproduces straight lines, so
      what it adds to linear interpolation is a filter of second differences; ``bend`` (0.43) is the largest
      sum of absolute taps of that filter. Sound whose treble is weak barely bends between samples.

    Attributes
    ----------
    reach_frames : int
        The peak of a frame depends on this many frames to either side.
    norm, bend : float
        The two constants above.
    """

    reach_frames = _HALF_TAPS

    def __init__(self) -> None:
        offsets = np.arange(1 - _HALF_TAPS, 1 + _HALF_TAPS)
        phases = np.arange(1, _PHASES)[:, np.newaxis] / _PHASES
        distance = offsets - phases
        shape = np.i0(_KAISER_BETA * np.sqrt(1.0 - (distance / _HALF_TAPS) ** 2))
        taps = np.sinc(distance) * shape
        # Straight lines come through as they are: taps add up to 1 and their first moment is nought.
        taps /= taps.sum(axis=1, keepdims=True)
        moment = (taps * distance).sum(axis=1, keepdims=True)
        lean = shape * (distance - (shape * distance).sum(axis=1, keepdims=True) / shape.sum(axis=1, keepdims=True))
        taps -= lean * moment / (lean * distance).sum(axis=1, keepdims=True)
        curve = taps.copy()
        curve[:, _HALF_TAPS - 1 : _HALF_TAPS + 1] -= np.hstack([1.0 - phases, phases])
        self.norm = float(np.abs(taps).sum(axis=1).max())
        self.bend = float(np.abs(np.cumsum(np.cumsum(curve, axis=1), axis=1)).sum(axis=1).max())
        self._taps = taps.astype(np.float32)

    def over(self, window: Floats, floor: float) -> Floats | None:
        """Find the peaks that pass a floor.

        Parameters
        ----------
        window : (2 * reach_frames + n, channels) float32, finite
        floor : float
            Linear; what stays under it is of no interest.

        Returns
        -------
        (n,) float32, or None where nothing can pass the floor
            For each frame, the highest magnitude of any channel between the frames before and after it; 0
            for blocks that cannot pass the floor.
        """
        count = len(window) - 2 * _HALF_TAPS
        starts = np.arange(0, count, _BLOCK_FRAMES)
        heights = _block_maxima(np.abs(window), starts)
        suspects = np.flatnonzero(heights * self.norm > floor)
        if len(suspects) == 0:
            return None
        first, last = int(suspects[0]), int(suspects[-1]) + 1
        region = window[first * _BLOCK_FRAMES : last * _BLOCK_FRAMES + 2 * _HALF_TAPS]
        bends = np.abs(region[2:] - 2.0 * region[1:-1] + region[:-2])
        bound = heights[first:last] + self.bend * _block_maxima(bends, starts[: last - first])
        peaks = None
        # The widening covers the rounding of float32.
        for block in first + np.flatnonzero(bound * (1.0 + 1e-5) > floor):
            start = int(block) * _BLOCK_FRAMES
            piece = window[start : start + _BLOCK_FRAMES + 2 * _HALF_TAPS]
            if peaks is None:
                peaks = np.zeros(count, dtype=np.float32)
            peaks[start : start + _BLOCK_FRAMES] = self._interpolate(piece)
        return peaks

    def _interpolate(self, window: Floats) -> Floats:
        """Give the peaks of the inner frames of a short window, shape (n,).

        Sums tap by tap with whole-array operations: the order of additions is the same for every frame, so
        that a frame gets the same bits wherever the window was cut (which a matrix product does not promise).
        """
        channels = window.shape[1]
        flat = np.ascontiguousarray(window).ravel()
        inner = len(window) - 2 * _HALF_TAPS
        wide = (inner + 1) * channels
        between = np.zeros((_PHASES - 1, wide), dtype=np.float32)
        term = np.empty_like(between)
        for tap in range(2 * _HALF_TAPS):
            np.multiply(self._taps[:, tap, np.newaxis], flat[tap * channels : tap * channels + wide], out=term)
            between += term
        gaps = np.abs(between, out=between).max(axis=0).reshape(-1, channels).max(axis=1)
        height = np.abs(window[_HALF_TAPS:-_HALF_TAPS]).max(axis=1)
        return np.asarray(np.maximum(np.maximum(gaps[:-1], gaps[1:]), height), dtype=np.float32)


@lru_cache(maxsize=1)
def true_peak() -> TruePeak:
    """Give the one peak finder, which is the same at every sample rate."""
    return TruePeak()


class Limiter:
    """Keeps the true peak under a ceiling, looking ahead, with no memory.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
        All share one gain, so that the image stays where it is.
    ceiling_dbtp : float
        In decibels relative to full scale, true peak. The limiter aims 0.13 dB lower: 0.12 dB for what hides
        between eightfold samples, the rest for the slope of the gain.

    Attributes
    ----------
    reach_frames : int
        Frames needed before and after those that are wanted (32 ms): a caller that works hop by hop runs
        this much late.

    Notes
    -----
    The gain a frame requires is ``ceiling / true peak``. It is held by a sliding minimum over +-16 ms, then
    smoothed by three box filters whose spans add up to the same +-16 ms (a quadratic B-spline, close to a
    Hann window). A smoothed value averages only minima that cover the frame itself, so it never exceeds what
    the frame requires; tones above 31 Hz meet a steady gain. The boxes run in integers, which add up to the
    same sum in any order: a frame gets the same gain wherever the window was cut.
    """

    def __init__(self, rate: int, channels: int, ceiling_dbtp: float = -1.0) -> None:
        if rate <= 0 or channels <= 0:
            raise ValueError("a limiter needs a positive rate and at least one channel")
        self._ceiling = 10.0 ** ((ceiling_dbtp - _MARGIN_DB) / 20.0)
        third = max(1, round(_LOOKAHEAD_S * rate / 3.0))
        self._box = 2 * third + 1
        self._hold = 6 * third + 1
        self._channels = channels
        self._peak = true_peak()
        self.reach_frames = 6 * third + self._peak.reach_frames

    def limit(self, window: Floats) -> Floats:
        """Limit the middle of a window.

        Parameters
        ----------
        window : (reach_frames + n + reach_frames, channels) float32
            Samples that are not finite become 0, and none passes +-1000, before anything else.

        Returns
        -------
        (n, channels) float32
            The frames ``window[reach_frames:-reach_frames]``, limited. Where nothing has to be limited this
            is a view of them, not a copy.

        Raises
        ------
        ValueError
            If the window has another number of channels or is no longer than twice the reach.
        """
        reach = self.reach_frames
        if window.ndim != 2 or window.shape[1] != self._channels or len(window) <= 2 * reach:
            raise ValueError(f"a window needs {self._channels} channels and more than {2 * reach} frames")
        height = float(max(window.max(), -window.min()))
        if height * self._peak.norm <= self._ceiling:
            return window[reach:-reach]
        if not height <= _LOUDEST:
            window = np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0).clip(-_LOUDEST, _LOUDEST)
        middle = window[reach:-reach]
        peaks = self._peak.over(window, self._ceiling)
        if peaks is None or float(peaks.max()) <= self._ceiling:
            return middle
        return middle * self._gain(peaks)[:, np.newaxis]

    def _gain(self, peaks: Floats) -> Floats:
        """Turn peaks, shape (n + hold - 1 + 3 * (box - 1),), into gains, shape (n,)."""
        required = self._ceiling / np.maximum(peaks.astype(np.float64), self._ceiling)
        sums = _sliding_minimum((required * _UNITY).astype(np.int64), self._hold)
        for _ in range(3):
            running = np.concatenate([[0], np.cumsum(sums)])
            sums = running[self._box :] - running[: -self._box]
        return (sums / (float(self._box) ** 3 * _UNITY)).astype(np.float32)


def _block_maxima(magnitude: Floats, starts: npt.NDArray[np.intp]) -> Floats:
    """Give the maximum of each block together with all frames that its peaks depend on, shape (blocks,)."""
    channels = magnitude.shape[1]
    # reduceat takes (start, stop, start, stop, ...); the last block reaches to the end.
    spans = np.stack([starts, starts + (_BLOCK_FRAMES + 2 * _HALF_TAPS)], axis=1).ravel()[:-1]
    return np.asarray(np.maximum.reduceat(magnitude.ravel(), np.minimum(spans, len(magnitude) - 1) * channels)[::2])


def _sliding_minimum(values: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Minimum of every ``width`` neighbours, shape (n,) to (n - width + 1,), by doubling the span."""
    span = 1
    while span < width:
        step = min(span, width - span)
        values = np.minimum(values[:-step], values[step:])
        span += step
    return values


def fade_in(hop: Floats, start_frame: int, fade_frames: int) -> Floats:
    """Fade a hop in by its place in the rendering, with half a cosine.

    Parameters
    ----------
    hop : (n, channels) float32
    start_frame : int
        Frames between the beginning of the fade and the first of the hop; may be negative (silence).
    fade_frames : int
        Length of the fade.

    Returns
    -------
    (n, channels) float32; the hop itself where the fade is over.
    """
    if start_frame >= fade_frames:
        return hop
    place = np.clip((np.arange(len(hop)) + (start_frame + 0.5)) / max(fade_frames, 1), 0.0, 1.0)
    return hop * (0.5 - 0.5 * np.cos(np.pi * place)).astype(np.float32)[:, np.newaxis]


def fade_out(hop: Floats, start_frame: int, fade_frames: int) -> Floats:
    """Fade a hop out by its place in the rendering, with half a cosine; `fade_in` in a mirror.

    Parameters
    ----------
    hop : (n, channels) float32
    start_frame : int
        Frames between the beginning of the fade and the first of the hop; negative while it has not begun.
    fade_frames : int
        Length of the fade; silence follows.

    Returns
    -------
    (n, channels) float32; the hop itself where the fade has not begun at its end.
    """
    if start_frame + len(hop) <= 0:
        return hop
    return fade_in(hop[::-1], fade_frames - start_frame - len(hop), fade_frames)[::-1]
