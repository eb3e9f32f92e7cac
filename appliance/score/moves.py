"""Moves: what hands do at once to a place in the timbre space."""

import numpy as np

from appliance.mood import Mood, Place
from appliance.score.space import Space
from appliance.spectrum.codec import Floats

__all__ = ["DRAWN_SHARE", "drawn", "moved", "unshifted"]

# However strongly a target draws, the sounds of a piece keep so much of what tells them apart.
DRAWN_SHARE = 0.85
_RADIUS_SHARE = 0.5


def drawn(space: Space, latents: Floats, place: Place) -> Floats:
    """Draw latents, (n, 32), towards the target of a place, and shift them along the axes."""
    if place.target and place.draw:
        target = space.middle + space.unwhiten(np.array(place.target, dtype=np.float32))
        latents = latents + np.float32(DRAWN_SHARE * place.draw) * (target - latents)
    return latents + _shift(space, place) if any(place.shift) else latents


def unshifted(space: Space, latent: bytes, place: Place) -> bytes:
    """Take the shift along the axes out of a latent that was moved; float32 as bytes."""
    if not any(place.shift):
        return latent
    return np.asarray(np.frombuffer(latent, dtype=np.float32) - _shift(space, place)).tobytes()


def moved(space: Space, latent: Floats, mood: Mood) -> bytes:
    """Apply to a latent, (32,), what the mood does at once, and keep it away from what was banned; float32 as bytes."""
    for trait in ("pitch", "tonality"):
        weight = getattr(mood, trait)
        if weight and trait in space.directions:
            latent = latent + np.float32(weight) * space.directions[trait]
    if mood.weirdness:
        latent = latent * np.float32(1.0 + _RADIUS_SHARE * mood.weirdness)
    return space.allowed(drawn(space, latent, mood.place)).tobytes()


def _shift(space: Space, place: Place) -> Floats:
    steps = np.zeros(len(space.scale), dtype=np.float32)
    steps[: len(place.shift)] = place.shift
    return space.unwhiten(steps)
