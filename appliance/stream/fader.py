"""The fader: volume, scheduled gain and the fades at both ends, as one gain that never jumps."""

from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.fades import raised_cosine
from appliance.stream.state import Gains

__all__ = ["FADE_IN_S", "FADE_OUT_S", "Fader"]

Floats = npt.NDArray[np.float32]

FADE_IN_S: Final = 0.5
FADE_OUT_S: Final = 1.0
_SHORTEST_GLIDE_S: Final = 0.01


class Fader:
    """Gives the gain of each block; the player's thread.

    Parameters
    ----------
    rate : int
        Frames per second.

    Notes
    -----
    Begins silent and fades in. Volume and schedule begin where they are told to be first, without a glide.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._volume = _Ramp(1.0)
        self._schedule = _Ramp(1.0)
        self._fade = _Ramp(0.0)
        self._fade.go(1.0, 1.0 / (FADE_IN_S * rate))
        self._told = False

    @property
    def wanted(self) -> float:
        """Gain that it is at or on its way to, 0..1."""
        return self._volume.target * self._schedule.target * self._fade.target

    @property
    def silent(self) -> bool:
        """Whether the fade out has come to its end."""
        return self._fade.target == 0.0 and self._fade.steady

    def tell(self, gains: Gains, now_ns: int) -> None:
        """Follow the engine's gains; to be called often, since scheduled changes become due."""
        self._volume.go(gains.volume, self._step(gains.glide_s))
        due = [change for change in gains.changes if change.at_ns <= now_ns]
        if due:
            last = max(due, key=lambda change: change.at_ns)
            self._schedule.go(last.gain, self._step(last.glide_s))
        if not self._told:
            self._volume.arrive()
            self._schedule.arrive()
            self._told = True

    def fade_out(self) -> None:
        """Begin to fade to silence for good."""
        self._fade.go(0.0, 1.0 / (FADE_OUT_S * self._rate))

    def gain(self, frames: int) -> Floats | float:
        """Gain of the next frames: (frames, 1) float32, or one number while nothing moves."""
        ramps = (self._volume, self._schedule)
        if self._fade.steady and all(ramp.steady for ramp in ramps):
            return self._volume.value * self._schedule.value * self._fade.value
        moving = self._volume.walk(frames) * self._schedule.walk(frames) * raised_cosine(self._fade.walk(frames))
        return moving.astype(np.float32)[:, np.newaxis]

    def _step(self, glide_s: float) -> float:
        # A NaN gives the shortest.
        return 1.0 / (max(_SHORTEST_GLIDE_S, glide_s) * self._rate)


class _Ramp:
    """A value that walks to its target in straight lines."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.target = value
        self._step = 1.0

    @property
    def steady(self) -> bool:
        return self.value == self.target

    def go(self, target: float, step: float) -> None:
        self.target = target
        self._step = step

    def arrive(self) -> None:
        self.value = self.target

    def walk(self, frames: int) -> npt.NDArray[np.float64]:
        if self.steady:
            return np.full(frames, self.value)
        way = self.target - self.value
        walked = self.value + np.copysign(self._step, way) * np.arange(1, frames + 1)
        values: npt.NDArray[np.float64] = np.clip(walked, min(self.value, self.target), max(self.value, self.target))
        self.value = float(values[-1])
        return values
