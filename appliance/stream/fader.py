"""The fader: volume, the opening hours and the fades at both ends, as one gain that never jumps."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.fades import raised_cosine
from appliance.stream.state import Gains

__all__ = ["CLOSING_S", "FADE_IN_S", "FADE_OUT_S", "OPENING_S", "SHUTTING_S", "Curtain", "Fader"]

Floats = npt.NDArray[np.float32]

FADE_IN_S: Final = 0.5
FADE_OUT_S: Final = 1.0
# Over the last minute before the room closes it falls by 20 dB; then it falls silent.
CLOSING_S: Final = 60.0
SHUTTING_S: Final = 5.0
OPENING_S: Final = 30.0
# The whole way of the ceiling, of which quiet hours take a part.
_CEILING_S: Final = 15.0
_SHORTEST_GLIDE_S: Final = 0.01


@dataclass(frozen=True)
class Curtain:
    """What opening hours want of the fader at a moment.

    Attributes
    ----------
    is_open : bool
    fallen : float
        How much of the last minute before it closes is over, 0..1.
    ceiling : float
        What the volume is kept below, 0..1, amplitude.
    """

    is_open: bool = True
    fallen: float = 0.0
    ceiling: float = 1.0


_OPEN: Final = Curtain()


class Fader:
    """Gives the gain of each block; the player's thread.

    Parameters
    ----------
    rate : int
        Frames per second.

    Notes
    -----
    Begins silent and fades in. Volume and curtain begin where they are told to be first, without a glide.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._volume = _Ramp(1.0)
        self._ceiling = _Ramp(1.0)
        self._fallen = _Ramp(0.0)
        self._curtain = _Ramp(1.0)
        self._fade = _Ramp(0.0)
        self._fade.go(1.0, self._step(FADE_IN_S))
        self._told = False

    @property
    def wanted(self) -> float:
        """Gain that it is at or on its way to while the room is open, 0..1."""
        return min(self._volume.target, self._ceiling.target) * self._fade.target

    @property
    def shut(self) -> bool:
        """Whether the room is closed, and silent already."""
        return self._curtain.value == self._curtain.target == 0.0

    @property
    def silent(self) -> bool:
        """Whether the fade out has come to its end."""
        return self._fade.target == 0.0 and self._fade.steady

    def tell(self, gains: Gains, curtain: Curtain = _OPEN) -> None:
        """Follow the engine's gains and the opening hours; to be called often."""
        self._volume.go(gains.volume, self._step(gains.glide_s))
        self._ceiling.go(curtain.ceiling, self._step(_CEILING_S))
        self._curtain.go(float(curtain.is_open), self._step(OPENING_S if curtain.is_open else SHUTTING_S))
        if self.shut:
            # It rises as it does every morning.
            self._fallen.stand(0.0)
        elif curtain.is_open:
            falls = curtain.fallen > 0.0
            self._fallen.go(float(falls), self._step(CLOSING_S if falls else OPENING_S))
        if not self._told:
            for ramp in (self._volume, self._ceiling, self._curtain):
                ramp.stand(ramp.target)
            self._fallen.value = curtain.fallen * curtain.is_open
            self._told = True

    def fade_out(self) -> None:
        """Begin to fade to silence for good."""
        self._fade.go(0.0, self._step(FADE_OUT_S))

    def gain(self, frames: int) -> Floats | float:
        """Gain of the next frames: (frames, 1) float32, or one number while nothing moves."""
        ramps = (self._volume, self._ceiling, self._fallen, self._curtain, self._fade)
        if all(ramp.steady for ramp in ramps):
            volume, ceiling, fallen, curtain, fade = (ramp.value for ramp in ramps)
            gain: float = min(volume, ceiling) * 10.0**-fallen * curtain * fade
            return gain
        walks = [ramp.walk(frames) for ramp in ramps]
        moving = np.minimum(walks[0], walks[1]) * 10.0 ** -walks[2] * raised_cosine(walks[3]) * raised_cosine(walks[4])
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

    def stand(self, value: float) -> None:
        self.value = self.target = value

    def walk(self, frames: int) -> npt.NDArray[np.float64]:
        if self.steady:
            return np.full(frames, self.value)
        way = self.target - self.value
        walked = self.value + np.copysign(self._step, way) * np.arange(1, frames + 1)
        values: npt.NDArray[np.float64] = np.clip(walked, min(self.value, self.target), max(self.value, self.target))
        self.value = float(values[-1])
        return values
