"""The yardsticks of the report."""

import numpy as np
import pytest
from judged import chords

from appliance.spectrum.codec import BINS, Floats
from appliance.studio.judging import geometry, judge

_TRAINING = chords(1500, 0)


def test_a_latent_that_does_not_move_is_not_active() -> None:
    means = np.random.default_rng(0).standard_normal((400, 4)) * np.array([1.0, 0.2, 0.05, 0.0]) + 3.0
    assert judge.active_dimensions(means.astype(np.float32)).tolist() == [True, True, False, False]


def test_the_divergence_is_that_of_gaussians() -> None:
    means = np.array([[0.0, 2.0, 0.0]], dtype=np.float32)
    log_variances = np.array([[0.0, 0.0, np.log(0.25)]], dtype=np.float32)
    wanted = [0.0, 2.0, 0.5 * (0.25 - 1.0 + np.log(4.0))]
    assert np.allclose(judge.divergences(means, log_variances), wanted)


def test_what_is_like_the_training_data_is_usable() -> None:
    own = judge.unusable(_TRAINING, _TRAINING)
    assert tuple(own) == judge.REASONS
    assert judge.share_unusable(own) <= 0.01
    assert judge.share_unusable(judge.unusable(chords(1000, 1), _TRAINING)) < 0.02


def test_loudness_alone_does_not_make_a_draw_unusable() -> None:
    softer = np.maximum(chords(300, 2) - np.float32(6.0 / 96.0), 0.0)
    assert judge.share_unusable(judge.unusable(softer, _TRAINING)) < 0.04


def test_each_reason_is_found() -> None:
    usual = judge.Usual.of(_TRAINING)
    fine = chords(50, 3)

    def found(draws: Floats) -> dict[str, float]:
        return {name: float(found.mean()) for name, found in usual.reasons(draws).items()}

    assert found(np.zeros((2, BINS), np.float32))["near silent"] == 1.0
    loud = fine.copy()
    loud[:, 400] = 1.0
    assert found(loud)["clipped"] == 1.0
    assert found(np.clip(fine + 0.3, 0.0, 0.999).astype(np.float32))["clipped"] == 1.0
    assert found(np.roll(fine, 500, axis=1))["pitch"] > 0.9
    assert found(np.full((2, BINS), 0.3, np.float32))["tonality"] == 1.0
    whistling = fine.copy()
    whistling[:, 1150:1200] += 0.3
    assert found(whistling)["bands"] == 1.0
    rough = fine + 0.15 * np.random.default_rng(1).standard_normal(fine.shape)
    assert found(np.clip(rough, 0.0, 0.99).astype(np.float32))["bins"] == 1.0
    assert not any(found(fine[:5]).values())


def test_the_posterior_is_held_against_the_prior() -> None:
    rng = np.random.default_rng(4)
    means = rng.standard_normal((3000, 32)).astype(np.float32) * 0.8
    means[:, 5] = 0.9 * means[:, 2]
    means[:, 7] = 0.0
    found = geometry.latents(means, np.full(means.shape, np.log(0.36), np.float32), rng)
    assert [at for at, active in enumerate(found.active) if not active] == [7]
    assert sorted(found.worst_pair) == [2, 5]
    assert found.worst_correlation == pytest.approx(1.0)
    assert np.allclose([found.spread[0], found.spread[7]], [1.0, 0.6], atol=0.05)
    widths = np.diff(found.edges)
    assert np.allclose(np.array(found.histogram) @ widths, 1.0, atol=0.01)
    assert abs(np.mean(found.radii) - 5.6) < 0.15


def test_neighbours_are_of_other_sources_and_alike_where_the_space_is_good() -> None:
    spectra = chords(120, 5)
    source = np.repeat(np.arange(40), 3)
    # By pitch, as a good space would have them, and by nothing at all.
    order = np.argmax(spectra[:, 240:600], axis=1)[:, np.newaxis].astype(np.float32)
    good = geometry.neighbours(order, spectra, source)
    bad = geometry.neighbours(np.random.default_rng(6).standard_normal((120, 4)).astype(np.float32), spectra, source)
    assert good.found > 0.8
    assert abs(bad.found) < 0.3
    assert good.near_bands_db < good.random_bands_db
    near = geometry.nearest(order, source, 2)
    assert (source[near] != source[:, np.newaxis]).all()
    alone = geometry.nearest(order, np.zeros(120, np.intp), 1)[:, 0]
    assert (alone != np.arange(120)).all()


def test_a_jump_on_a_straight_line_is_seen() -> None:
    places = np.random.default_rng(7).standard_normal((50, 32)).astype(np.float32)

    def even(z: Floats) -> Floats:
        return np.repeat(z[:, :1] * 0.01 + 0.5, BINS, axis=1)

    def stepped(z: Floats) -> Floats:
        return np.repeat(np.round(z[:, :1]) * 0.01 + 0.5, BINS, axis=1)

    rng = np.random.default_rng(8)
    assert np.allclose(geometry.lines(places, even, rng).unevenness, 1.0, atol=0.01)
    assert np.median(geometry.lines(places, stepped, rng).unevenness) > 5.0
