"""The yardsticks of the report."""

import numpy as np

from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio import judge


def _chords(count: int, seed: int) -> Floats:
    """Harmonic peaks over a sloping ground, brought to -24 LUFS."""
    rng = np.random.default_rng(seed)
    bins = np.arange(BINS)
    ground = 0.35 - 0.15 * bins / BINS + 0.02 * rng.standard_normal((count, BINS))
    roots = rng.integers(250, 550, count)
    for row, root in enumerate(roots):
        for number in range(1, 20):
            place = root + round(120 * np.log2(number))
            if place < BINS - 1:
                ground[row, place - 1 : place + 2] += 0.4 / number**0.5
    off = (traits.level(ground.astype(np.float32)) + 24.0)[:, np.newaxis] / -FLOOR_DB
    return np.clip(ground - off, 0.0, 1.0).astype(np.float32)


_TRAINING = _chords(1500, 0)


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
    assert judge.share_unusable(judge.unusable(_chords(1000, 1), _TRAINING)) < 0.02


def test_loudness_alone_does_not_make_a_draw_unusable() -> None:
    softer = np.maximum(_chords(300, 2) - np.float32(6.0 / 96.0), 0.0)
    assert judge.share_unusable(judge.unusable(softer, _TRAINING)) < 0.04


def test_each_reason_is_found() -> None:
    usual = judge.Usual.of(_TRAINING)
    fine = _chords(50, 3)

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
