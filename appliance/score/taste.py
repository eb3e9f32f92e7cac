"""Taste: places of a model that somebody wants to hear again, and places that nobody is to hear any more."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.spectrum.codec import Floats

__all__ = ["NO_TASTE", "RETURNS_EVERY", "Spot", "Taste", "outside"]

# A kept place joins the hand of one piece in so many: as seldom as any other place is dealt.
RETURNS_EVERY = 33

Doubles = npt.NDArray[np.float64]

_LATENT_BYTES = 4 * 32
_WIDEST = 4.0
_LARGEST = 1e4
_MOST_SPOTS = 1000
_PASSES = 12
# Whatever is rounded later stays outside.
_BEYOND = 1.0 + 1e-4


@dataclass(frozen=True)
class Spot:
    """A place, and what is around it.

    Attributes
    ----------
    latent : bytes
        Float32, (32,).
    radius : float
        Where 1 is as far as two places of the model's atlas usually are from each other.

    Raises
    ------
    ValueError
        On making one that cannot be.
    """

    latent: bytes
    radius: float

    def __post_init__(self) -> None:
        if len(self.latent) != _LATENT_BYTES or not bool((np.abs(self.place) <= _LARGEST).all()):
            raise ValueError("a spot has 32 finite float32")
        if not (math.isfinite(self.radius) and 0.0 < self.radius <= _WIDEST):
            raise ValueError(f"a radius is above 0 and at most {_WIDEST:g}, not {self.radius:g}")

    @property
    def place(self) -> Floats:
        """The latent, (32,) float32."""
        return np.frombuffer(self.latent, dtype=np.float32)


@dataclass(frozen=True)
class Taste:
    """What was kept and what was banned, at most a thousand of each. Raises ValueError on making one with more."""

    kept: tuple[Spot, ...] = ()
    banned: tuple[Spot, ...] = ()

    def __post_init__(self) -> None:
        if max(len(self.kept), len(self.banned)) > _MOST_SPOTS:
            raise ValueError(f"at most {_MOST_SPOTS} places are kept, and as many banned")

    def returning(self, number: int) -> Floats:
        """The kept places that the hand of a piece holds, (n, 32) float32."""
        there = [spot.latent for index, spot in enumerate(self.kept) if (number + index) % RETURNS_EVERY == 0]
        return np.frombuffer(b"".join(there), dtype=np.float32).reshape(-1, _LATENT_BYTES // 4)


NO_TASTE = Taste()


def outside(latent: Floats, centres: Floats, radii: Floats) -> Floats:
    """Bring a latent that lies within any of some balls to their surface, the nearest way; others stay as they are.

    Parameters
    ----------
    latent : (32,) float32
    centres : (n, 32) float32
    radii : (n,) float32
        In latent units.

    Returns
    -------
    (32,) float32
        Within none of them.
    """
    point = latent.astype(np.float64)
    for turn in range(_PASSES + 1):
        away = point - centres
        apart = np.linalg.norm(away, axis=1)
        deepest = int(np.argmax(radii - apart))
        if apart[deepest] >= radii[deepest]:
            return point.astype(np.float32) if turn else latent
        direction = away[deepest] / apart[deepest] if apart[deepest] > 0.0 else np.eye(len(latent))[0]
        point = centres[deepest] + direction * (_BEYOND * radii[deepest])
    return _straight_on(point, direction, centres, radii).astype(np.float32)


def _straight_on(point: Doubles, direction: Doubles, centres: Floats, radii: Floats) -> Doubles:
    """Go in a direction until the way is clear: where balls overlap, the nearest way out of one may lead into another.

    Each ball covers a stretch of the way; the first end of a stretch that no other covers is the place.
    """
    towards = (centres - point) @ direction
    reach = np.sqrt(np.maximum((_BEYOND * radii) ** 2 - np.sum((centres - point) ** 2, axis=1) + towards**2, 0.0))
    first, last = towards - reach, towards + reach
    clear = [end for end in np.sort(last[last > 0.0]) if not np.any((first < end) & (end < last))]
    return point + (clear[0] if clear else 0.0) * direction
