import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mood import Mood, Place
from appliance.score.path import moment
from appliance.score.skim import Composer
from appliance.score.taste import NO_TASTE, RETURNS_EVERY, Spot, Taste, outside
from appliance.score.territory import WIDE

SIZE = 32
LAST = RETURNS_EVERY - 1


def nearest(point, centres, radii):
    return float((np.linalg.norm(point.astype(np.float64) - centres, axis=1) - radii).min())


def on_a_line(*places):
    """Points along the first axis, (n, 32) float32."""
    points = np.zeros((len(places), SIZE), dtype=np.float32)
    points[:, 0] = places
    return points


def test_what_lies_in_no_ball_stays():
    point = on_a_line(3.0)[0]
    assert outside(point, on_a_line(0.0), np.ones(1, dtype=np.float32)) is point


def test_what_lies_in_a_ball_goes_to_its_surface_the_nearest_way():
    found = outside(on_a_line(0.5)[0], on_a_line(0.0), np.ones(1, dtype=np.float32))
    np.testing.assert_allclose(found, on_a_line(1.0)[0], atol=2e-4)


def test_the_very_middle_of_a_ball_is_left_too():
    assert nearest(outside(on_a_line(0.0)[0], on_a_line(0.0), np.ones(1)), on_a_line(0.0), np.ones(1)) >= 0.0


def test_a_way_past_a_ball_has_no_jump():
    way = np.linspace(-2.0, 2.0, 401)
    points = on_a_line(*way)
    points[:, 1] = 0.3
    found = np.stack([outside(point, on_a_line(0.0), np.ones(1)) for point in points])
    steps = np.linalg.norm(np.diff(found, axis=0), axis=1)
    # It is quicker where it goes around: at most by how much nearer it would have passed the middle.
    assert steps.max() < 0.01 / 0.3 * 1.01


def test_between_two_balls_that_touch_the_way_goes_on():
    centres, radii = on_a_line(-0.9, 0.9), np.ones(2, dtype=np.float32)
    assert nearest(outside(on_a_line(0.0)[0], centres, radii), centres, radii) >= 0.0


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 60), st.floats(0.05, 3.0))
def test_however_balls_overlap_nothing_stays_inside(seed, count, spread):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0.0, spread, (count, SIZE)).astype(np.float32)
    radii = rng.uniform(0.2, 6.0, count).astype(np.float32)
    for point in rng.normal(0.0, spread, (8, SIZE)).astype(np.float32):
        found = outside(point, centres, radii)
        assert found.dtype == np.float32
        assert nearest(found, centres, radii) >= 0.0


@pytest.mark.parametrize(
    ("latent", "radius"),
    [(b"", 0.3), (bytes(124), 0.3), (b"\xff" * 128, 0.3), (bytes(128), 0.0), (bytes(128), 5.0), (bytes(128), np.nan)],
)
def test_a_spot_that_cannot_be_is_refused(latent, radius):
    with pytest.raises(ValueError, match=r"spot|radius"):
        Spot(latent, radius)


def test_there_are_only_so_many_spots():
    with pytest.raises(ValueError, match="1000"):
        Taste(kept=(Spot(bytes(128), 0.3),) * 1001)


# --- in pieces


def test_a_piece_to_no_taste_is_what_it_was(space):
    tasted = Composer(space, WIDE)
    tasted.adopt(Taste(banned=(Spot(space.atlas[3].tobytes(), 0.5),)))
    tasted.adopt(NO_TASTE)
    assert tasted.compose(7, 3, Mood()) == Composer(space, WIDE).compose(7, 3, Mood())


def test_banned_places_are_neither_chosen_nor_passed(shipped):
    piece = Composer(shipped, WIDE).compose(7, 1, Mood())
    banned = tuple(Spot(piece.latent(letter).tobytes(), 0.4) for letter in "ABCDE")
    composer, space = Composer(shipped, WIDE), shipped.tasting(Taste(banned=banned))
    composer.adopt(space.taste)
    other = composer.compose(7, 1, Mood())
    centres = np.stack([spot.place for spot in banned])
    radii = np.full(5, 0.4 * space.usual)
    for letter in "ABCDE":
        # Not even the wiggler carries it there, at its usual radius.
        assert nearest(other.latent(letter), centres, radii) > 0.5
    place = Place(tuple(float(value) for value in space.whiten(centres[:1])[0]), 1.0)
    moods = (Mood(), Mood(weirdness=-1.0, wander=1.0), Mood(pitch=1.0, tonality=-1.0, place=place))
    for played in (piece, other):
        for mood in moods:
            for phase in np.linspace(0.0, len(played.pattern), 80):
                for sound in moment(space, played, float(phase), mood):
                    assert nearest(np.frombuffer(sound.latent, dtype=np.float32), centres, radii) >= 0.0


def test_a_kept_place_returns_in_one_piece_of_33_ground_first(shipped):
    kept = shipped.atlas[[11, 407]] + np.float32(0.01)
    composer = Composer(shipped, WIDE)
    composer.adopt(Taste(kept=tuple(Spot(each.tobytes(), 0.3) for each in kept)))
    far_sd = 0.15 * np.sqrt(SIZE) * 1.6

    def apart(piece, number):
        places = np.stack([piece.latent(letter) for letter in "ABCDE"])
        return np.linalg.norm(shipped.whiten(places) - shipped.whiten(kept[number : number + 1]), axis=1).min()

    assert apart(composer.compose(7, RETURNS_EVERY, Mood()), 0) < far_sd
    assert apart(composer.compose(7, LAST, Mood()), 1) < far_sd
    plain = Composer(shipped, WIDE)
    for number in (1, LAST - 1):
        assert composer.compose(7, number, Mood()) == plain.compose(7, number, Mood())


def test_what_is_kept_and_banned_is_banned(shipped):
    spot = Spot(shipped.atlas[11].tobytes(), 0.4)
    composer = Composer(shipped, WIDE)
    composer.adopt(Taste(kept=(spot,), banned=(dataclasses.replace(spot, radius=0.5),)))
    piece = composer.compose(7, 0, Mood())
    places = np.stack([piece.latent(letter) for letter in "ABCDE"])
    assert nearest(shipped.atlas[11], places, np.zeros(5)) > 0.5 * shipped.usual
