"""What the score needs to know of a model: where its sounds are, how it decodes them, and what is to be had of it."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from appliance.score.colour import outline_db
from appliance.score.gates import Gates, blended, gates_of
from appliance.score.taste import NO_TASTE, Taste, outside
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats, from_power, power

__all__ = ["Space"]

# While one sound gives way to another both may move this far towards each other through latent space.
_APPROACHES = (0.5, 0.25, 0.1)
_SAG_DB = 1.0
_SAG_PAIRS = 48
_USUAL_PAIRS = 2000
_SAMPLE = 512


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
    whitened : (places, 32) float32
        The atlas in standard deviations from its middle along each axis.
    gates : Gates
        What is never heard of it.
    ordinary_db : (1233,) float32
        Outline of its ordinary sound: the mean of all.
    taste : Taste
        What somebody kept or banned of it.
    approach : float
        How far two sounds may move towards each other while one gives way to the other, 0..1.
    """

    decode: Callable[[Floats], Floats]
    atlas: Floats
    axes: Floats
    scale: Floats
    directions: Mapping[str, Floats]
    mean: Mapping[str, float]
    sd: Mapping[str, float]
    wiggle_speed: float
    taste: Taste = NO_TASTE
    whitened: Floats = field(init=False)
    gates: Gates = field(init=False)
    ordinary_db: Floats = field(init=False)
    approach: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "whitened", self.whiten(self.atlas))
        heard = self.decode(self.atlas[:: max(1, len(self.atlas) // _SAMPLE)])
        object.__setattr__(self, "gates", gates_of(heard))
        object.__setattr__(self, "ordinary_db", outline_db(blended(power(heard))).mean(axis=0))
        object.__setattr__(self, "approach", self._farthest_approach())

    def unwhiten(self, steps: Floats) -> Floats:
        """Steps in standard deviations along the axes, (n, 32), to latent vectors, (n, 32)."""
        return np.asarray((steps * self.scale) @ self.axes, dtype=np.float32)

    def whiten(self, latents: Floats) -> Floats:
        """Latents, (n, 32), to standard deviations from the middle of the atlas along the axes, (n, 32)."""
        return np.asarray((latents - self.middle) @ self.axes.T / self.scale, dtype=np.float32)

    def tasting(self, taste: Taste) -> "Space":
        """Give the same space for another taste; nothing is measured again."""
        other = copy.copy(self)
        # A frozen value that nobody else has seen yet.
        object.__setattr__(other, "taste", taste)
        other.__dict__.pop("_banned", None)
        return other

    def allowed(self, latent: Floats) -> Floats:
        """Bring a latent, (32,), out of what was banned; any other stays as it is."""
        return outside(latent, *self._banned) if self.taste.banned else latent

    def is_banned(self, latents: Floats, margin: float) -> npt.NDArray[np.bool_]:
        """Whether latents, (n, 32), lie nearer than so many latent units to what was banned, (n,)."""
        if not self.taste.banned:
            return np.zeros(len(latents), dtype=np.bool_)
        centres, radii = self._banned
        apart = np.linalg.norm(latents[:, np.newaxis] - centres, axis=2)
        return np.asarray((apart < radii + margin).any(axis=1))

    @cached_property
    def usual(self) -> float:
        """How far two places of the atlas usually are apart, in latent units: the median of 2,000 pairs.

        Axes count by how much of the atlas lies along them, which in latent units they do by themselves.
        """
        one, two = self.atlas[np.random.default_rng(0).integers(len(self.atlas), size=(2, _USUAL_PAIRS))]
        return float(np.median(np.linalg.norm(one - two, axis=1)))

    @cached_property
    def _banned(self) -> tuple[Floats, Floats]:
        """Middles, (n, 32), and radii in latent units, (n,), of what was banned."""
        centres = np.stack([spot.place for spot in self.taste.banned])
        return centres, np.array([spot.radius * self.usual for spot in self.taste.banned], dtype=np.float32)

    @cached_property
    def middle(self) -> Floats:
        """The mean of the atlas, (32,)."""
        return np.asarray(self.atlas.mean(axis=0), dtype=np.float32)

    def sag_db(self, approach: float) -> float:
        """How far the peaks half way between two places lie below those of the two, in dB: the median of 48 pairs.

        Half way, each has half of the power and has moved ``approach / 2`` of the way to the other.
        """
        one, two, ends_db = self._pairs
        way = np.float32(approach / 2.0) * (two - one)
        met = self._levelled(one + way) + self._levelled(two - way)
        return float(np.median(ends_db - traits.tonality(from_power(met / np.float32(2.0)))))

    def _levelled(self, latents: Floats) -> Floats:
        return blended(power(self.decode(latents)))

    def _farthest_approach(self) -> float:
        """The farthest that costs no more than a decibel over a plain cross-fade in power."""
        plain = self.sag_db(0.0)
        return next((approach for approach in _APPROACHES if self.sag_db(approach) <= plain + _SAG_DB), 0.0)

    @cached_property
    def _pairs(self) -> tuple[Floats, Floats, Floats]:
        """Places by twos, (48, 32) each, and the mean height of their peaks, (48,)."""
        one, two = self.atlas[np.random.default_rng(0x5A6).integers(len(self.atlas), size=(2, _SAG_PAIRS))]
        heights_db = [traits.tonality(from_power(self._levelled(latents))) for latents in (one, two)]
        return one, two, np.asarray((heights_db[0] + heights_db[1]) / np.float32(2.0))
