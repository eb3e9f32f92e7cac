import dataclasses

import numpy as np
import pytest

from appliance.mood import Mood, Place
from appliance.score.moves import drawn, moved, unshifted
from appliance.score.skim import Composer
from appliance.score.territory import WIDE


@pytest.fixture
def target(shipped):
    """A place of the atlas, and where it is in standard deviations."""
    return shipped.atlas[5], tuple(float(value) for value in shipped.whitened[5])


def moved_to(space, latent, mood):
    return np.frombuffer(moved(space, latent, mood), dtype=np.float32)


def test_at_rest_nothing_moves(shipped):
    assert moved(shipped, shipped.atlas[0], Mood()) == shipped.atlas[0].tobytes()


def test_a_target_draws_but_sounds_stay_different(shipped, target):
    goal, place = target
    latents = shipped.atlas[20:60]
    found = drawn(shipped, latents, Place(place, 1.0))
    way = np.linalg.norm(found - goal, axis=1) / np.linalg.norm(latents - goal, axis=1)
    np.testing.assert_allclose(way, 0.15, atol=0.01)
    half = drawn(shipped, latents, Place(place, 0.5))
    np.testing.assert_allclose(half, (latents + found) / 2.0, atol=1e-3)


def test_a_shift_moves_along_the_axes_and_can_be_taken_out(shipped):
    place = Place(shift=(0.0, 2.0))
    found = moved_to(shipped, shipped.atlas[9], Mood(place=place))
    steps = shipped.whiten(found[np.newaxis]) - shipped.whitened[9]
    np.testing.assert_allclose(steps[0, 1], 2.0, atol=1e-3)
    np.testing.assert_allclose(np.delete(steps, 1), 0.0, atol=1e-3)
    back = np.frombuffer(unshifted(shipped, found.tobytes(), place), dtype=np.float32)
    np.testing.assert_allclose(back, shipped.atlas[9], atol=1e-5)


def test_what_is_chosen_lies_nearer_to_a_target(shipped, target):
    _, place = target
    composer = Composer(shipped, WIDE)

    def apart(mood):
        piece = composer.compose(7, 2, mood)
        chosen = np.stack([piece.latent(letter) for letter in "ABCDE"])
        return np.linalg.norm((shipped.whiten(chosen) - place) * shipped.scale, axis=1).mean()

    assert apart(Mood(place=Place(place, 1.0))) < 0.8 * apart(Mood())


def test_no_target_and_no_draw_are_the_same(shipped, target):
    _, place = target
    latents = shipped.atlas[:4]
    assert drawn(shipped, latents, Place(place, 0.0)) is latents
    assert dataclasses.replace(Mood(), place=Place((), 0.7)).place.target == ()
