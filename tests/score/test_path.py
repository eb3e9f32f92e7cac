import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mood import Mood
from appliance.score.path import moment
from appliance.score.piece import compose
from appliance.spectrum import traits
from appliance.spectrum.codec import decibels, power, transpose

STILL = Mood(wander=0.0, density=-1.0)


@pytest.fixture(scope="module")
def piece(space):
    return dataclasses.replace(compose(space, 4, 0, Mood(), None), pattern="AABBECDCDE", companions=(0.1,) * 10)


def latent(sound):
    return np.frombuffer(sound.latent, dtype=np.float32)


def test_without_a_wiggle_the_path_rests_on_its_places(space, piece):
    for index, letter in enumerate(piece.pattern):
        (only,) = moment(space, piece, index + 0.1, STILL).sounds
        assert latent(only) == pytest.approx(piece.latent(letter))
        assert only.share == 1.0


def test_one_sound_gives_way_to_the_next(space, piece):
    first, second = moment(space, piece, 1.65, STILL).sounds
    assert first.share == pytest.approx(second.share, abs=0.01)
    near, far = moment(space, piece, 1.95, STILL).sounds
    assert near.share < 0.05 < far.share
    assert np.linalg.norm(latent(far) - piece.latent("B")) < 0.2 * np.linalg.norm(piece.latent("A") - piece.latent("B"))


@given(phase=st.floats(-1.0, 30.0), wander=st.floats(0.0, 1.0), pitch=st.floats(-1.0, 1.0))
def test_shares_add_up_and_nothing_is_lost_anywhere(space, piece, phase, wander, pitch):
    sounds = moment(space, piece, phase, Mood(wander=wander, pitch=pitch, density=-1.0)).sounds
    assert sum(sound.share for sound in sounds) == pytest.approx(1.0)
    assert all(np.isfinite(latent(sound)).all() for sound in sounds)


def test_the_path_has_no_jumps(space, piece):
    """Between points 20 ms apart the mixed spectrum changes by less than a decibel."""
    before = None
    for phase in np.arange(1.2, 2.1, 0.02 / piece.letter_s):
        total = np.zeros(1233, dtype=np.float32)
        for sound in moment(space, piece, phase, Mood()).sounds:
            spectrum = space.decode(latent(sound)[np.newaxis])[0]
            total += transpose(power(spectrum), sound.shift_bins) * sound.share
        level_db = 10 * np.log10(total + 1e-8)
        if before is not None:
            assert np.sqrt(np.mean((level_db - before) ** 2)) < 1.0
        before = level_db


def test_the_wiggler_goes_round_in_its_period(space, piece):
    def offset(seconds):
        (sound,) = moment(space, piece, seconds / piece.letter_s, dataclasses.replace(STILL, wander=0.4)).sounds
        return latent(sound) - piece.latent("A")

    radius = space.wiggle_speed * piece.turn_s / (2 * np.pi)
    quarter = piece.turn_s / 4
    still = min(quarter, 0.25 * piece.letter_s)
    assert np.linalg.norm(offset(0.0)) == pytest.approx(radius, rel=1e-4)
    turn = 2 * np.pi * still / piece.turn_s
    assert offset(0.0) @ offset(still) / radius**2 == pytest.approx(np.cos(turn), abs=1e-3)


def test_the_second_voice_comes_with_density_and_is_silent_where_letters_meet(space, piece):
    assert len(moment(space, piece, 0.15, Mood(density=-1.0)).sounds) == 1
    assert len(moment(space, piece, 0.15, Mood(density=1.0)).sounds) == 2
    assert moment(space, piece, 0.5, Mood(density=1.0)).sounds[-1].share > 0.2
    for phase in (0.0, 1.0, 4.999):
        shares = [sound.share for sound in moment(space, piece, phase, Mood(density=1.0)).sounds]
        assert sum(shares) == pytest.approx(1.0, abs=1e-3)


def test_the_mood_moves_the_sound_at_once(space, piece):
    def heard(**values):
        (sound,) = moment(space, piece, 0.1, dataclasses.replace(STILL, **values)).sounds
        spectrum = space.decode(latent(sound)[np.newaxis])[0]
        return sound, transpose(spectrum, sound.shift_bins)

    rest, low, high = heard()[1], heard(pitch=-1.0)[1], heard(pitch=1.0)[1]
    assert traits.pitch(low[None])[0] + 0.3 < traits.pitch(rest[None])[0] < traits.pitch(high[None])[0] - 0.3
    assert np.sqrt(np.mean((decibels(high) - decibels(rest)) ** 2)) > 1.0
    weird, plain = latent(heard(weirdness=1.0)[0]), latent(heard(weirdness=-1.0)[0])
    assert np.linalg.norm(weird) > 1.5 * np.linalg.norm(plain)
    loud = moment(space, piece, 0.1, dataclasses.replace(STILL, level=1.0)).offset_lu
    soft = moment(space, piece, 0.1, dataclasses.replace(STILL, level=-1.0)).offset_lu
    assert loud - soft == pytest.approx(6.0)
