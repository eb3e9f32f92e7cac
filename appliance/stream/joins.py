"""What makes a cross-fade between two places of a recording even: their phase, and gains that know what they share."""

from collections.abc import Generator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.stream.survey import Survey

__all__ = ["in_phase", "steady_gains"]

Floats = npt.NDArray[np.float32]

# Half a period of 23 Hz: more would find nothing new.
_REACH_CELLS: Final = 0.125
_SMOOTH_POINTS: Final = 7
# Against cancellation a gain rises by 3 dB at most.
_MOST_POWER_GAIN: Final = 2.0
_POINTS_AT_ONCE: Final = 2


def in_phase(survey: Survey, reference: int, at: int, frames: int) -> int:
    """Move a place by up to a fiftieth of a second so that its waves fall together with those of another.

    Parameters
    ----------
    reference, at : int
        Where the frames begin that shall agree; ``at`` lies at least a cell behind the beginning.
    frames : int
        How many they are, at most half a cell.

    Returns
    -------
    int
        The place that correlates best with the reference.
    """
    reach = int(_REACH_CELLS * survey.cell_frames)
    size = survey.cell_frames
    there = np.fft.fft(_paired(survey.clean(at - reach, frames + 2 * reach)), size)
    here = np.fft.fft(_paired(survey.clean(reference, frames)), size)
    correlation = np.fft.ifft(there * here.conj(), size).real[: 2 * reach + 1]
    return at - reach + int(correlation.argmax())


def _paired(block: Floats) -> npt.NDArray[np.complex64]:
    """Two channels as one of complex numbers: the real part of its correlation is the sum of theirs."""
    return block[:, 0] + np.complex64(1j) * block[:, -1]


def steady_gains(survey: Survey, leave: int, entry: int, fade: int) -> Generator[None, None, Floats]:
    """Measure, in slices, what keeps the power of an equal-power fade from bulging or sagging.

    With the powers P and Q of the two sounds and their correlation R (the mean of their product), the fade cos, sin has
    the power ``cos^2 P + sin^2 Q + 2 cos sin R``; both gains are divided by the root of what that is of the first two.
    Uncorrelated sounds so get equal power, equal ones equal gain, and anything between what is right for it.

    Parameters
    ----------
    leave, entry : int
        Where the two begin that are faded into each other.
    fade : int
        Frames.

    Returns
    -------
    (points,) float32
        At evenly spaced places of the fade from its beginning to its end; multiplies both cosine and sine.
    """
    points = max(round(2 * fade / survey.cell_frames), 2) + 1
    apart = fade / (points - 1)
    sums = np.zeros((3, points))
    for point in range(points):
        first, last = max(round((point - 0.5) * apart), 0), min(round((point + 0.5) * apart), fade)
        one, other = survey.clean(leave + first, last - first), survey.clean(entry + first, last - first)
        sums[:, point] = np.vdot(one, one), np.vdot(other, other), np.vdot(one, other)
        if point % _POINTS_AT_ONCE == 0:
            yield
    return _corrections(_smoothed(sums))


def _smoothed(sums: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    points = sums.shape[1]
    kernel = np.hanning(_SMOOTH_POINTS + 2)[1:-1]
    padded = np.pad(sums, ((0, 0), (_SMOOTH_POINTS // 2, _SMOOTH_POINTS // 2)), mode="edge")
    return np.stack([np.convolve(row, kernel, mode="valid")[:points] for row in padded])


def _corrections(sums: npt.NDArray[Any]) -> Floats:
    """Sums of squares and of products at places along a fade, (3, points), to gains there, (points,)."""
    points = sums.shape[1]
    turns = np.linspace(0.0, np.pi / 2.0, points)
    wanted = np.cos(turns) ** 2 * sums[0] + np.sin(turns) ** 2 * sums[1]
    shared = np.sin(2.0 * turns) * sums[2]
    # Of silence nothing can be said.
    wanted = np.where(wanted > 0.0, wanted, 1.0)
    power = wanted / np.maximum(wanted + shared, wanted / _MOST_POWER_GAIN)
    # Where only one is heard nothing is to be corrected.
    power[[0, -1]] = 1.0
    return np.asarray(np.sqrt(power), dtype=np.float32)
