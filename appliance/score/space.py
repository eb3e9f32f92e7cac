"""What the score needs to know of a model: where its sounds are and how it decodes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from appliance.spectrum.codec import Floats

__all__ = ["DRAW_SPREAD", "Space"]

# Draws as wide as the atlas are in part louder or stranger than any sound it holds: of those of the model `choir` 3 %,
# and of these half as many. Still narrower, their peaks would sink.
DRAW_SPREAD = 0.9


@dataclass(frozen=True, eq=False)
class Space:
    """A timbre space.

    Attributes
    ----------
    decode : callable
        (n, 32) float32 latents to (n, 1233) float32 spectra.
    atlas : (places, 32) float32
        Encoded training sounds.
    axes : (32, 32) float32
        Rows are the principal axes of the atlas.
    scale : (32,) float32
        Standard deviation of the atlas along each axis.
    directions : mapping
        Per trait a (32,) float32 vector along which it rises by one standard deviation.
    mean, sd : mapping
        Of each trait over the atlas.
    wiggle_speed : float
        Speed in standard deviations a second at which the spectrum changes by 1.5 dB RMS a second.
    """

    decode: Callable[[Floats], Floats]
    atlas: Floats
    axes: Floats
    scale: Floats
    directions: Mapping[str, Floats]
    mean: Mapping[str, float]
    sd: Mapping[str, float]
    wiggle_speed: float

    def unwhiten(self, steps: Floats) -> Floats:
        """Steps in standard deviations along the axes, (n, 32), to latent vectors, (n, 32)."""
        return np.asarray((steps * self.scale) @ self.axes, dtype=np.float32)

    def draws(self, count: int, rng: np.random.Generator) -> Floats:
        """Latents that nobody recorded, (count, 32): normal around the middle of the atlas, nearly as wide as it."""
        steps = rng.normal(0.0, DRAW_SPREAD, (count, len(self.scale))).astype(np.float32)
        return np.asarray(self.atlas.mean(axis=0) + self.unwhiten(steps), dtype=np.float32)
