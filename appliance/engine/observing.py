"""What the engine observes of its own sound: how much it makes, and whether that is as loud as the score wanted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from appliance.errors import ModelError
from appliance.health.liveness import SHORTFALL_LU, Advance, EngineSeen, Lasting, shortfall_lu
from appliance.spectrum.codec import Floats
from appliance.stream.guard import Loudness

__all__ = ["Observing"]


class Observing:
    """Looks at every hop that is made.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    seen : EngineSeen
    """

    def __init__(self, rate: int, channels: int, clock: Callable[[], float]) -> None:
        self.seen = EngineSeen(True, 0.0, None, 0.0, True)
        self._loudness = Loudness(rate, channels)
        self._made = 0
        self._made_age = Advance(clock)
        self._short = Lasting(clock)

    def hop(self, hop: Floats, expected_lufs: float, first: bool) -> float:
        """See whether a hop is what the score wanted.

        Parameters
        ----------
        hop : (n, channels) float32
        first : bool
            Whether it begins with nothing, and so is softer than it should be.

        Returns
        -------
        float
            How loud its loudest part is, in LUFS.

        Raises
        ------
        ModelError
            If it is not finite.
        """
        self._made += len(hop)
        if not np.isfinite(hop).all():
            raise ModelError("The model gives sound that is not finite; export it anew, or play another.")
        whole_lufs, highest_lufs = self._loudness.of(hop)
        if not first:
            short_lu = shortfall_lu(expected_lufs, whole_lufs)
            short_s = self._short.seen(short_lu is not None and not short_lu <= SHORTFALL_LU)
            self.seen = replace(self.seen, shortfall_lu=short_lu, shortfall_s=short_s)
        return highest_lufs

    def turn(self, full: bool) -> None:
        """Note whether there is nothing to do."""
        self.seen = replace(self.seen, reserve_full=full, made_age_s=self._made_age.seen(self._made))
