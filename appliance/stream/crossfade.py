"""How far the player is from fresh sound into the hold, and the gains of both."""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Crossfade"]

Floats = npt.NDArray[np.float32]

# A little more than needed, lest rounding leave a fade open by a hair.
_SURPLUS: Final = 1.0 + 1e-9


class Crossfade:
    """Goes to and fro between fresh sound and the hold, with equal power; begins in the hold.

    Parameters
    ----------
    rate : int
        Frames per second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._away = 1.0
        self._target = 1.0
        self._step = 1.0

    @property
    def resting(self) -> bool:
        """Whether nothing but the hold is heard, and is to be."""
        return self._away == self._target == 1.0

    @property
    def fresh(self) -> bool:
        """Whether nothing but fresh sound is heard, and is to be."""
        return self._away == self._target == 0.0

    @property
    def leaving(self) -> bool:
        """Whether the hold is where it goes."""
        return self._target == 1.0

    def leave(self, seconds: float) -> None:
        """Go to the hold; the whole way takes this long, or less if that was said before."""
        step = _SURPLUS / (seconds * self._rate)
        self._step = max(step, self._step) if self.leaving else step
        self._target = 1.0

    def leave_within(self, frames: int) -> None:
        """Go to the hold before so many frames are over."""
        self._target = 1.0
        self._step = max(_SURPLUS * (1.0 - self._away) / frames, 1e-12)

    def come_back(self, seconds: float) -> None:
        """Go to fresh sound; the whole way takes this long."""
        self._target = 0.0
        self._step = _SURPLUS / (seconds * self._rate)

    def walk(self, frames: int) -> tuple[Floats, Floats]:
        """Give the gains of fresh sound and of the hold for the next frames, (frames, 1) float32 each."""
        if self._away < self._target:
            away = np.minimum(self._away + self._step * np.arange(1, frames + 1), 1.0)
        else:
            away = np.maximum(self._away - self._step * np.arange(1, frames + 1), self._target)
        self._away = float(away[-1])
        turns = (np.pi / 2.0) * away[:, np.newaxis]
        return np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32)
