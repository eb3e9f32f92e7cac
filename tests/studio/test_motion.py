"""Directions and the wiggler's speed, on a decoder whose answers are known."""

import numpy as np
import pytest

from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio.exporting import motion

_RNG = np.random.default_rng(4)
_LATENTS = (_RNG.normal(size=(600, 32)) * np.linspace(2.0, 0.5, 32)).astype(np.float32)


def _decode(z: Floats) -> Floats:
    """The first latent lifts every bin, the second tilts, the third raises the peaks; the others do nothing."""
    tilt, peaks = np.linspace(-1.0, 1.0, BINS), np.arange(BINS) % 100 == 50
    gain_db = 3.0 * z[:, :1] + 3.0 * z[:, 1:2] * tilt + (30.0 + 3.0 * z[:, 2:3]) * peaks
    return (0.3 + gain_db / -FLOOR_DB).astype(np.float32)


def _ways() -> dict[str, Floats]:
    return motion.directions(_LATENTS, *motion.principal_axes(_LATENTS), _decode)


def test_axes_are_orthonormal_and_scales_are_standard_deviations() -> None:
    axes, scale = motion.principal_axes(_LATENTS)
    assert np.allclose(axes @ axes.T, np.eye(32), atol=1e-6)
    assert np.all(np.diff(scale) <= 0.0)
    projected = (_LATENTS - _LATENTS.mean(axis=0)) @ axes.T
    assert np.allclose(projected.std(axis=0), scale, rtol=1e-4)


def test_a_handful_of_places_spans_fewer_axes() -> None:
    few = _LATENTS[:12]
    axes, scale = motion.principal_axes(few)
    assert axes.shape == (11, 32)
    assert scale.shape == (11,)
    assert np.allclose(axes @ axes.T, np.eye(11), atol=1e-6)
    assert scale.min() > 0.0
    assert np.allclose((few - few.mean(axis=0)) @ axes.T @ axes, few - few.mean(axis=0), atol=1e-4)
    ways = motion.directions(few, axes, scale, _decode)
    assert all(np.isfinite(way).all() for way in ways.values())
    assert len(motion.axis_names(few, axes, scale, _decode)) == 11
    assert np.isfinite(motion.wiggle_speed(few, axes, scale, _decode))


def test_a_step_along_a_direction_raises_its_trait_by_one_deviation_and_leaves_the_others() -> None:
    spectra = _decode(_LATENTS)
    ways = _ways()
    assert list(ways) == ["pitch", "level", "tonality"]
    before = motion.trait_values(_LATENTS, spectra)
    for name, way in ways.items():
        assert way.shape == (32,)
        after = motion.trait_values(_LATENTS, _decode(_LATENTS + way))
        for each in ways:
            moved = (after[each] - before[each]).mean() / before[each].std()
            assert abs(moved - (each == name)) < 0.15, (name, each)
    assert int(np.argmax(np.abs(ways["tonality"]))) == 2
    assert int(np.argmax(np.abs(ways["pitch"]))) == 1


def test_weirdness_is_a_trait_of_the_place_alone() -> None:
    values = motion.trait_values(_LATENTS, _decode(_LATENTS))
    assert np.allclose(values["weirdness"], np.linalg.norm(_LATENTS, axis=1))


def test_what_a_direction_does_is_told() -> None:
    told = motion.movements(_LATENTS, *motion.principal_axes(_LATENTS), _ways(), _decode)
    for name, one in told.items():
        assert one.steady
        assert one.rising > 0.95
        assert all(abs(moved - (each == name)) < 0.2 for each, moved in one.moved.items())


def test_a_direction_that_does_not_rise_is_noticed() -> None:
    ways = _ways()
    back = motion.movements(
        _LATENTS, *motion.principal_axes(_LATENTS), {name: -way for name, way in ways.items()}, _decode
    )
    idle = motion.movements(
        _LATENTS, *motion.principal_axes(_LATENTS), {name: np.eye(32, dtype=np.float32)[9] for name in ways}, _decode
    )
    wrong = motion.movements(_LATENTS, *motion.principal_axes(_LATENTS), {"pitch": ways["level"]}, _decode)["pitch"]
    for name in ways:
        assert not back[name].steady
        assert back[name].rising < 0.05
        assert back[name].moved[name] < -0.8
        assert not idle[name].steady
        assert idle[name].rising == idle[name].moved[name] == 0.0
    assert wrong.moved["level"] > 0.8
    assert wrong.moved["pitch"] < 0.2


def test_a_direction_that_dips_on_its_way_is_not_steady() -> None:
    def dipping(z: Floats) -> Floats:
        """Up, a little down, and up again along the first latent."""
        return _decode(np.column_stack([z[:, 0] + 1.5 * np.sin(3.0 * z[:, 0]), z[:, 1:]]).astype(np.float32))

    way = np.eye(32, dtype=np.float32)[0] * 2.5
    there = (_LATENTS * np.float32(0.1)).astype(np.float32)
    even, uneven = (
        motion.movements(there, *motion.principal_axes(there), {"level": way}, decode)["level"]
        for decode in (_decode, dipping)
    )
    assert even.steady
    assert not uneven.steady
    assert uneven.rising == even.rising == 1.0


def test_axes_are_named_by_what_they_move_and_which_way() -> None:
    axes, scale = np.eye(32), np.ones(32)
    names = motion.axis_names(_LATENTS, axes, scale, _decode)
    assert names[0].startswith("level +")
    assert names[1].split()[0] in ("pitch", "bass", "body", "presence", "brilliance")
    assert names[2].startswith("tonality +")
    assert set(names[3:]) == {"mixed"}
    assert motion.axis_names(_LATENTS, -axes, scale, _decode)[0].startswith("level -")


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


def test_draws_are_nearly_as_wide_as_what_they_are_drawn_around():
    axes, scale = motion.principal_axes(_LATENTS)
    drawn = motion.draws(_LATENTS, axes, scale, 4_000, np.random.default_rng(1))
    whitened = (drawn - _LATENTS.mean(axis=0)) @ axes.T / scale
    assert whitened.std(axis=0) == pytest.approx(motion.DRAW_SPREAD, abs=0.08)
    assert np.abs(whitened.mean(axis=0)).max() < 0.08
