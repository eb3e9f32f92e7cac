"""Directions and the wiggler's speed, on a decoder whose answers are known."""

import numpy as np

from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio import motion

_RNG = np.random.default_rng(4)
_LATENTS = (_RNG.normal(size=(600, 32)) * np.linspace(2.0, 0.5, 32)).astype(np.float32)


def _decode(z: Floats) -> Floats:
    """The first latent lifts every bin, the second tilts, the third raises the peaks; the others do nothing."""
    tilt, peaks = np.linspace(-1.0, 1.0, BINS), np.arange(BINS) % 100 == 50
    gain_db = 3.0 * z[:, :1] + 3.0 * z[:, 1:2] * tilt + (30.0 + 3.0 * z[:, 2:3]) * peaks
    return (0.3 + gain_db / -FLOOR_DB).astype(np.float32)


def test_axes_are_orthonormal_and_scales_are_standard_deviations() -> None:
    axes, scale = motion.principal_axes(_LATENTS)
    assert np.allclose(axes @ axes.T, np.eye(32), atol=1e-6)
    assert np.all(np.diff(scale) <= 0.0)
    projected = (_LATENTS - _LATENTS.mean(axis=0)) @ axes.T
    assert np.allclose(projected.std(axis=0), scale, rtol=1e-4)


def test_a_step_along_a_direction_raises_its_trait_by_one_deviation() -> None:
    spectra = _decode(_LATENTS)
    ways = motion.directions(_LATENTS, spectra, _decode)
    assert set(ways) == {"pitch", "level", "tonality"}
    before = motion.trait_values(_LATENTS, spectra)
    for name in ways:
        after = motion.trait_values(_LATENTS, _decode(_LATENTS + ways[name]))[name]
        assert abs((after - before[name]).mean() / before[name].std() - 1.0) < 0.15
    assert int(np.argmax(np.abs(ways["tonality"]))) == 2


def test_the_wiggler_moves_the_spectrum_by_its_rate() -> None:
    axes, scale = motion.principal_axes(_LATENTS)
    speed = motion.wiggle_speed(_LATENTS, axes, scale, _decode)
    here, there = motion.helix(speed, _LATENTS, axes, scale)
    change_db = np.sqrt(np.square(np.subtract(_decode(there), _decode(here))).mean(axis=1)).mean() * -FLOOR_DB
    assert abs(change_db - motion.WIGGLE_DB_PER_S) < 0.02


def test_the_helix_is_a_circle_around_a_place() -> None:
    axes, scale = motion.principal_axes(_LATENTS)
    slow, fast = (motion.helix(speed, _LATENTS, axes, scale)[0] for speed in (0.1, 0.2))
    centre, _ = motion.helix(0.0, _LATENTS, axes, scale)
    assert np.allclose(fast - centre, 2.0 * (slow - centre), atol=1e-4)
    radius = np.linalg.norm(((slow - centre) @ axes.T) / scale, axis=1)
    assert np.all((radius > 0.1 * 15.0 / 6.2832 * 0.99) & (radius < 0.1 * 45.0 / 6.2832 * 1.01))
