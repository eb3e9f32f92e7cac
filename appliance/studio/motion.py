"""What the engine must know about moving in a latent space: axes, trait directions, and how fast is slow.

All of it is measured on the decoder that ships, so ``decode`` is a function of numpy latents.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from appliance.spectrum import traits
from appliance.spectrum.codec import FLOOR_DB, Floats

__all__ = ["WIGGLE_DB_PER_S", "direction", "directions", "helix", "principal_axes", "trait_values", "wiggle_speed"]

Decode = Callable[[Floats], Floats]
WIGGLE_DB_PER_S = 1.5
_TRAITS: dict[str, Callable[[Floats], Floats]] = {
    "pitch": traits.pitch,
    "level": traits.level,
    "tonality": traits.tonality,
}
_HELICES = 96
_TURN_S = (15.0, 45.0)


def trait_values(latents: Floats, spectra: Floats) -> dict[str, Floats]:
    """The traits of decoded places, weirdness included: name to (n,)."""
    return {**{name: of(spectra) for name, of in _TRAITS.items()}, "weirdness": traits.weirdness(latents)}


def principal_axes(latents: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Axes (32, 32), one a row, longest first, and the standard deviation along each (32,)."""
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    return axes, singular / np.sqrt(len(latents))


def directions(latents: Floats, spectra: Floats, decode: Decode) -> dict[str, Floats]:
    """For pitch, level and tonality, the step that raises the trait by one standard deviation of the atlas."""
    return {name: direction(latents, of(spectra), _measured(of, decode)) for name, of in _TRAITS.items()}


def direction(latents: Floats, values: Floats, measure: Callable[[Floats], Floats]) -> Floats:
    """The step (32,) that raises a trait by one standard deviation, by regression and then by trial.

    Regression over the atlas gives the way; how far to go is found by decoding, because the trait of a
    decoded point rises less, or more, than the plane through the places says.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    wanted = float(values.std())
    # A ridge of a hundredth of the variance: without it the way leaves the cloud along axes that hold nothing.
    ridge = 0.01 * len(latents) * centred.var() * np.eye(latents.shape[1])
    slope = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (values - values.mean()))
    way = slope / np.linalg.norm(slope)
    start = latents[:: max(1, len(latents) // 256)]
    from_there = measure(start)

    def rise(length: float) -> float:
        return float((measure((start + length * way).astype(np.float32)) - from_there).mean())

    lengths = np.linspace(0.0, 3.0 * float(np.linalg.norm(centred, axis=1).mean()) / 2.0, 25)
    rises = np.maximum.accumulate([rise(length) for length in lengths])
    length = float(np.interp(wanted, rises, lengths)) if rises[-1] > 0.0 else lengths[1]
    return np.asarray(way * length, dtype=np.float32)


def helix(
    speed: float, latents: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Points of the wiggler's circles around many places, and where each is a second later; (n, 32) both.

    The circle is ``place + speed * T / (2 pi) * (one cos(2 pi t / T) + two sin(2 pi t / T))`` with two
    orthonormal vectors of the whitened space, and T of 15 to 45 s.
    """
    rng = np.random.default_rng(1)
    points: tuple[list[npt.NDArray[np.float64]], ...] = ([], [])
    for place in latents[rng.choice(len(latents), _HELICES)]:
        pair, _ = np.linalg.qr(rng.standard_normal((len(scale), 2)))
        one, two = ((vector * scale) @ axes for vector in pair.T)
        turn_s, at_s = rng.uniform(*_TURN_S), rng.uniform(0.0, 45.0)
        radius = speed * turn_s / (2.0 * np.pi)
        for late_s, kept in enumerate(points):
            angle = 2.0 * np.pi * (at_s + late_s) / turn_s
            kept.append(place + radius * (one * np.cos(angle) + two * np.sin(angle)))
    here, there = (np.asarray(kept, dtype=np.float32) for kept in points)
    return here, there


def wiggle_speed(
    latents: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], decode: Decode
) -> float:
    """Speed, in standard deviations a second, at which the spectrum changes by 1.5 dB RMS a second; by bisection."""
    slow, fast = 0.0, 2.0
    for _ in range(14):
        speed = (slow + fast) / 2.0
        here, there = helix(speed, latents, axes, scale)
        change = np.subtract(decode(there), decode(here))  # (n, 1233)
        if float(np.sqrt(np.square(change).mean(axis=1)).mean()) * -FLOOR_DB < WIGGLE_DB_PER_S:
            slow = speed
        else:
            fast = speed
    return (slow + fast) / 2.0


def _measured(of: Callable[[Floats], Floats], decode: Decode) -> Callable[[Floats], Floats]:
    return lambda latents: of(decode(latents))
