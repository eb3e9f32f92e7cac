"""What the engine must know about moving in a latent space: axes, trait directions, and how fast is slow.

All of it is measured on the decoder that ships, so ``decode`` is a function of numpy latents.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.spectrum import traits
from appliance.spectrum.codec import FLOOR_DB, Floats, bin_hz, decibels, power

__all__ = [
    "DRAW_SPREAD",
    "WIGGLE_DB_PER_S",
    "Movement",
    "axis_names",
    "directions",
    "draws",
    "helix",
    "movements",
    "principal_axes",
    "trait_values",
    "wiggle_speed",
]

# Draws as wide as the atlas are in part louder or stranger than any sound it holds: of those of the model `choir` 3 %,
# and of these half as many. Still narrower, their peaks would sink.
DRAW_SPREAD = 0.9
Decode = Callable[[Floats], Floats]
WIGGLE_DB_PER_S = 1.5
_TRAITS: dict[str, Callable[[Floats], Floats]] = {
    "pitch": traits.pitch,
    "level": traits.level,
    "tonality": traits.tonality,
}
_TRIALS = 4096
_STEP_SD = 0.5
_RIDGE = 1e-3
_CORRECTIONS, _CORRECTED = 12, 0.5
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
# An even rise would be 0.125 with each of eight parts.
_PLAINLY = 0.02
_PROBES = 1024
_SURE = 0.7
_HELICES = 96
_TURN_S = (15.0, 45.0)


def _share(spectra: Floats, low_hz: float, high_hz: float) -> Floats:
    """Power between two frequencies over all power, in dB, (n, 1233) to (n,)."""
    powers = power(spectra).astype(np.float64) + 1e-12
    inside = (bin_hz() >= low_hz) & (bin_hz() < high_hz)
    return np.asarray(10.0 * np.log10(powers[:, inside].sum(axis=1) / powers.sum(axis=1)), dtype=np.float32)


def _fullness(spectra: Floats) -> Floats:
    """Share of the bins within 60 dB of a full-scale sine, (n, 1233) to (n,)."""
    return np.asarray((decibels(spectra) > -60.0).mean(axis=1), dtype=np.float32)


_QUALITIES: dict[str, Callable[[Floats], Floats]] = {
    **_TRAITS,
    "bass": lambda spectra: _share(spectra, 0.0, 150.0),
    "body": lambda spectra: _share(spectra, 150.0, 600.0),
    "presence": lambda spectra: _share(spectra, 600.0, 2400.0),
    "brilliance": lambda spectra: _share(spectra, 2400.0, 24_000.0),
    "fullness": _fullness,
}


def trait_values(latents: Floats, spectra: Floats) -> dict[str, Floats]:
    """The traits of decoded places, weirdness included: name to (n,)."""
    return {**{name: of(spectra) for name, of in _TRAITS.items()}, "weirdness": traits.weirdness(latents)}


def principal_axes(latents: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Axes (k, 32), one a row, longest first, and the standard deviation along each (k,).

    k is 32, or as many as the latents extend along: a handful of places spans no more.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    held = singular > 1e-4 * singular[0]
    return axes[held], singular[held] / np.sqrt(len(latents))


def directions(
    latents: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], decode: Decode
) -> dict[str, Floats]:
    """For pitch, level and tonality, the step (32,) that raises the trait by one standard deviation of the atlas.

    Regression of what changes on how far one goes gives the shortest ways that move one trait and not the others. It
    tells of small steps; whole ones are then set right by what they do, a part at a time, and of each the best is
    kept: no trait is a plane, and some can hardly be raised. A step whose far end no longer rises is made shorter.
    """
    rng = np.random.default_rng(1)
    start = _around(latents, axes, scale, _TRIALS, rng)
    steps = rng.normal(0.0, _STEP_SD, (_TRIALS, len(scale)))  # in standard deviations along the axes
    before, after = decode(start), decode((start + (steps * scale) @ axes).astype(np.float32))
    spread = _spread(decode(latents))
    rises = np.stack([(of(after) - of(before)) / spread[name] for name, of in _TRAITS.items()], axis=1)
    slopes = np.linalg.lstsq(steps, rises, rcond=None)[0]  # (k, 3)
    tried: npt.NDArray[np.float64] = ((slopes @ np.linalg.pinv(slopes.T @ slopes, rcond=_RIDGE)).T * scale) @ axes
    probe = _around(latents, axes, scale, _PROBES, rng)
    wanted = np.eye(len(_TRAITS))
    ways, moved, off = tried, wanted, np.full(len(_TRAITS), np.inf)
    for turn in range(_CORRECTIONS):
        does = _moved(probe, tried, spread, decode)
        better = np.abs(does - wanted).sum(axis=1) < off
        off = np.where(better, np.abs(does - wanted).sum(axis=1), off)
        ways, moved = (np.where(better[:, np.newaxis], new, old) for new, old in ((tried, ways), (does, moved)))
        tried = ways + _CORRECTED * 0.9**turn * (np.linalg.pinv(moved, rcond=_RIDGE) - wanted) @ ways
    found = {name: way.astype(np.float32) for name, way in zip(_TRAITS, ways, strict=True)}
    return {name: _shortened(probe, name, way, decode) for name, way in found.items()}


def _shortened(start: Floats, name: str, way: Floats, decode: Decode) -> Floats:
    """As much of a way as moves its trait in one direction from end to end; all of it where no part does."""
    for share in _SHARES:
        if _steady(_along(start, share * way, decode), name, _PLAINLY):
            return np.asarray(share * way, dtype=np.float32)
    return way


def _along(start: Floats, way: Floats, decode: Decode) -> list[Floats]:
    """What sounds at nine points from one step back to one step forth."""
    return [decode((start + part * way).astype(np.float32)) for part in np.linspace(-1.0, 1.0, 9)]


def _steady(along: list[Floats], name: str, least: float = 0.0) -> bool:
    """Whether a trait, averaged over points, rises with each part of a way, by so much of the whole rise."""
    rises = np.diff([_TRAITS[name](spectra).mean() for spectra in along])
    return bool((rises > least * abs(rises.sum())).all())


def _around(
    latents: Floats,
    axes: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> Floats:
    """Points near places, (count, 32), as the wiggler meets them: a place itself has more detail than all around it."""
    near = rng.normal(0.0, _STEP_SD, (count, len(scale))) * scale
    return np.asarray(latents[rng.choice(len(latents), count)] + near @ axes, dtype=np.float32)


def _spread(spectra: Floats) -> dict[str, float]:
    """Standard deviation of each trait over the atlas."""
    return {name: max(float(of(spectra).std()), 1e-6) for name, of in _TRAITS.items()}


def _moved(
    start: Floats, ways: npt.NDArray[np.float64], spread: dict[str, float], decode: Decode
) -> npt.NDArray[np.float64]:
    """How far one step along each way moves each trait, in standard deviations of the atlas, (ways, traits)."""
    before = decode(start)
    along = [decode((start + way).astype(np.float32)) for way in ways]
    return np.array(
        [[float((of(after) - of(before)).mean()) / spread[name] for name, of in _TRAITS.items()] for after in along]
    )


@dataclass(frozen=True)
class Movement:
    """What going along a trait's direction does, from one step back to one step forth.

    Attributes
    ----------
    moved : dict of str to float
        By one step forth, on average over points near places, for each trait in standard deviations of the atlas.
    steady : bool
        Whether the trait, averaged over points, rises with each of eight parts of the way.
    rising : float
        Share of the points at which it is higher at the end than at the beginning.
    """

    moved: dict[str, float]
    steady: bool
    rising: float


def movements(
    latents: Floats,
    axes: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    ways: Mapping[str, Floats],
    decode: Decode,
) -> dict[str, Movement]:
    """Try every direction, at points that did not help to find it."""
    start = _around(latents, axes, scale, _PROBES, np.random.default_rng(2))
    spread = _spread(decode(latents))
    found = {}
    for name, way in ways.items():
        along = _along(start, way, decode)
        first, here, last = along[0], along[4], along[-1]
        moved = {each: float((of(last) - of(here)).mean() / spread[each]) for each, of in _TRAITS.items()}
        rising = float((_TRAITS[name](last) > _TRAITS[name](first)).mean())
        found[name] = Movement(moved, _steady(along, name), rising)
    return found


def axis_names(
    latents: Floats, axes: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], decode: Decode
) -> list[str]:
    """Say of each principal axis what it moves most: the quality of sound that changes most surely along it.

    Surely is the mean change from one standard deviation before to one after, at up to 256 places, over its standard
    deviation: 1 and more is heard nearly everywhere. An axis that moves nothing surely is called ``mixed``.
    """
    start = latents[:: -(-len(latents) // 256)]
    names = []
    for axis, wide in zip(axes, scale, strict=True):
        low, high = (decode((start + sign * wide * axis).astype(np.float32)) for sign in (-1.0, 1.0))
        surely = {}
        for name, of in _QUALITIES.items():
            change = (of(high) - of(low)).astype(np.float64)
            surely[name] = float(change.mean() / (change.std() + 1e-9))
        best = max(surely, key=lambda name: abs(surely[name]))
        names.append(f"{best} {surely[best]:+.1f}" if abs(surely[best]) >= _SURE else "mixed")
    return names


def draws(
    latents: Floats,
    axes: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    spread: float = DRAW_SPREAD,
) -> Floats:
    """Latents that nobody recorded, (count, 32): normal around the middle of these, nearly as wide as they are."""
    steps = rng.normal(0.0, spread, (count, len(scale))) * scale
    return np.asarray(latents.mean(axis=0) + steps @ axes, dtype=np.float32)


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
