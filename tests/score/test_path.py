import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mood import Mood
from appliance.score.grammar import SOUNDS
from appliance.score.path import blend, figure_share, moment
from appliance.score.piece import FIGURES
from appliance.score.skim import Composer
from appliance.score.territory import WIDE
from appliance.spectrum import traits
from appliance.spectrum.codec import decibels, power, transpose

# Nothing but the ground, where it lies.
STILL = Mood(wander=0.0, density=-1.0)
LETTER_S = 20.0
# They keep out of the way of most tests.
CYCLES = ((41.0, 20.0, 0.3), (59.0, 20.0, 0.6), (73.0, 20.0, 0.9))
STEP_S = 0.02


@pytest.fixture(scope="module")
def piece(space):
    composed = Composer(space, WIDE).compose(4, 0, Mood())
    return dataclasses.replace(
        composed, pattern="AABBECDCDE", letter_s=LETTER_S, cycles=CYCLES, reach=1.0, swell=(90.0, 0.25)
    )


def latent(sound):
    return np.frombuffer(sound.latent, dtype=np.float32)


def loudness(sounds):
    return sum(sound.share for sound in sounds)


def blended(space, sounds):
    latents = np.stack([latent(sound) for sound in sounds])
    return blend(sounds, power(space.decode(latents)))


def test_without_a_wiggle_the_path_rests_on_its_places(space, piece):
    for index, letter in enumerate(piece.pattern):
        (only,) = moment(space, piece, index + 0.1, STILL)
        assert latent(only) == pytest.approx(piece.latent(letter))
        assert only.shift_bins == piece.shifts[SOUNDS.index(letter)]


def test_one_sound_gives_way_to_the_next(space, piece):
    level = dataclasses.replace(piece, offsets_lu=(0.0,) * 5)
    first, second = moment(space, level, 1.65, STILL)
    assert first.share == pytest.approx(second.share, rel=0.02)
    near, far = moment(space, level, 1.95, STILL)
    assert near.share < 0.05 * far.share
    assert np.linalg.norm(latent(far) - piece.latent("B")) < 0.2 * np.linalg.norm(piece.latent("A") - piece.latent("B"))


def test_each_sound_is_as_loud_as_the_piece_says(space, piece):
    offsets = (1.0, -1.0, 0.5, 0.0, -0.5)
    uneven = dataclasses.replace(piece, offsets_lu=offsets)
    for index, letter in enumerate(piece.pattern[:3]):
        (plain,) = moment(space, dataclasses.replace(piece, offsets_lu=(0.0,) * 5), index + 0.1, STILL)
        (only,) = moment(space, uneven, index + 0.1, STILL)
        assert 10.0 * np.log10(only.share / plain.share) == pytest.approx(offsets[SOUNDS.index(letter)], abs=1e-3)


@given(
    phase=st.floats(-1.0, 30.0), wander=st.floats(0.0, 1.0), pitch=st.floats(-1.0, 1.0), density=st.floats(-1.0, 1.0)
)
def test_wherever_one_looks_all_is_finite_and_nowhere_too_loud(space, piece, phase, wander, pitch, density):
    sounds = moment(space, piece, phase, Mood(wander=wander, pitch=pitch, density=density))
    assert all(sound.share >= 0.0 for sound in sounds)
    assert all(np.isfinite(latent(sound)).all() for sound in sounds)
    assert len(sounds) <= 2 + FIGURES
    # The loudest piece at the top of its swelling, with all figures at once.
    assert 0.0 <= loudness(sounds) < 10.0**0.9


@given(phase=st.floats(0.0, 2.7))
def test_nothing_is_lost_while_one_sound_gives_way_to_another(space, piece, phase):
    level = dataclasses.replace(piece, offsets_lu=(0.0,) * 5, swell=(1e9, 0.0))
    assert loudness(moment(space, level, phase, STILL)) == pytest.approx(loudness(moment(space, level, 0.0, STILL)))


@pytest.mark.parametrize("mood", [Mood(), Mood(density=1.0), STILL, Mood(density=0.6, pace=2.0)])
def test_the_path_has_no_jumps(space, piece, mood):
    """Through figures too, points 20 ms apart differ by less than a decibel in what can be heard."""
    before = None
    for phase in np.arange(1.2, 4.4, mood.pace * STEP_S / LETTER_S):
        level_db = 10.0 * np.log10(blended(space, moment(space, piece, phase, mood)) + 1e-7)
        if before is not None:
            assert np.sqrt(np.mean((level_db - before) ** 2)) < 1.0
        before = level_db


@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("density", [-1.0, 0.0, 1.0])
def test_loudness_has_no_jumps_at_any_pace(space, piece, pace, density):
    mood = Mood(pace=pace, density=density)
    phases = np.arange(0.0, len(piece.pattern), pace * STEP_S / LETTER_S)
    shares = [loudness(moment(space, piece, phase, mood)) for phase in phases[:5_000]]
    assert np.ptp(shares) > 0.3
    assert np.abs(np.diff(shares)).max() < 0.03


def figure_over_a_cycle(piece, number, mood):
    """Shares every 50 ms of a cycle that is heard whole, from when it begins."""
    period_s, begin_s, _ = piece.cycles[number]
    times = period_s - begin_s + np.arange(0.0, period_s / mood.pace, 0.05) * mood.pace
    return np.array([figure_share(piece, number, time / LETTER_S, mood) for time in times])


@pytest.mark.parametrize("number", range(FIGURES))
@pytest.mark.parametrize("pace", [0.25, 1.0, 2.0])
def test_a_figure_swells_for_a_few_seconds_and_fades_for_about_ten(piece, number, pace):
    shares = figure_over_a_cycle(piece, number, Mood(density=1.0, pace=pace))
    top = int(np.argmax(shares))
    assert shares[0] == pytest.approx(0.0, abs=1e-9)
    assert shares[-1] == pytest.approx(0.0, abs=1e-3)
    assert 2.0 <= top * 0.05 <= 6.0
    assert (np.diff(shares[: top + 1]) >= 0.0).all()
    assert (np.diff(shares[top:]) <= 0.0).all()
    gone = top + int(np.argmax(shares[top:] < 0.01 * shares[top]))
    assert 6.0 <= (gone - top) * 0.05 <= 13.0
    # Heard over the ground, and never over its head.
    assert 0.1 < shares[top] < 1.0


@pytest.mark.parametrize("number", range(FIGURES))
def test_even_at_the_quickest_a_figure_fades_to_nothing(piece, number):
    shares = figure_over_a_cycle(piece, number, Mood(density=1.0, pace=4.0))
    assert shares[-1] < 0.02 * shares.max()


def test_density_decides_how_many_returns_of_a_figure_are_heard(piece):
    def heard(number, density):
        period_s, begin_s, _ = piece.cycles[number]
        tops = (np.arange(1, 201) * period_s - begin_s + 4.0) / LETTER_S
        mood = Mood(density=density)
        return np.mean([figure_share(piece, number, phase, mood) > 0.05 for phase in tops])

    for number in range(FIGURES):
        found = [heard(number, density) for density in (-1.0, -0.5, 0.0, 0.5, 1.0)]
        assert found[0] == 0.0
        assert found == sorted(found)
        assert 0.4 < found[2] < 0.85
        assert found[4] > 0.95


def test_which_returns_are_heard_is_spread_and_not_bunched(piece):
    period_s, begin_s, _ = piece.cycles[0]
    tops = (np.arange(1, 101) * period_s - begin_s + 4.0) / LETTER_S
    heard = [figure_share(piece, 0, phase, Mood()) > 0.05 for phase in tops]
    assert max(len(list(same)) for _, same in itertools.groupby(heard)) <= 4


def test_figures_are_sounds_of_their_own(space, piece):
    phase = (41.0 - 20.0 + 3.0) / LETTER_S
    ground, figure, *others = moment(space, piece, phase, Mood(wander=0.0, density=1.0))
    assert latent(ground) == pytest.approx(piece.latent("A"))
    assert latent(figure) == pytest.approx(piece.figure(0))
    assert figure.shift_bins == piece.figure_shifts[0]
    assert 0.0 < figure.share < ground.share
    # Where density is highest, those whose turn it is not are heard a little, too.
    assert [latent(each).tolist() for each in others] == [piece.figure(1).tolist(), piece.figure(2).tolist()]


def test_the_more_figures_are_always_there_the_softer_is_the_rest(space, piece):
    powers = [
        sum(each.share for each in moment(space, piece, 0.1, Mood(density=density))) for density in (0.0, 0.5, 1.0)
    ]
    assert powers == pytest.approx([powers[0]] * 3, rel=0.1)


@pytest.mark.parametrize("wound", [0.25, 0.75])
def test_the_wiggler_can_be_wound_on(space, piece, wound):
    mood = Mood(density=-1.0)
    seconds = wound * piece.turn_s
    (on,), (later,) = (
        moment(space, dataclasses.replace(piece, pattern="AA"), *at) for at in ((0.0, mood, wound), (0.01, mood))
    )
    assert seconds > 0.0
    assert not np.allclose(latent(on), latent(later), atol=0.1)
    again = moment(space, piece, 0.0, mood, 1.0)[0]
    assert latent(again) == pytest.approx(latent(moment(space, piece, 0.0, mood)[0]), abs=1e-4)


def test_the_wiggler_goes_round_in_its_period(space, piece):
    def offset(seconds):
        (sound,) = moment(space, piece, seconds / LETTER_S, dataclasses.replace(STILL, wander=0.4))
        return latent(sound) - piece.latent("A")

    radius = space.wiggle_speed * piece.turn_s / (2 * np.pi)
    still = min(piece.turn_s / 4, 0.25 * LETTER_S)
    assert np.linalg.norm(offset(0.0)) == pytest.approx(radius, rel=1e-4)
    turn = 2 * np.pi * still / piece.turn_s
    assert offset(0.0) @ offset(still) / radius**2 == pytest.approx(np.cos(turn), abs=1e-3)


def test_reach_makes_the_wiggle_smaller(space, piece):
    def offset(reach):
        still = dataclasses.replace(piece, reach=reach)
        (sound,) = moment(space, still, 0.1, dataclasses.replace(STILL, wander=0.4))
        return np.linalg.norm(latent(sound) - piece.latent("A"))

    assert offset(0.4) == pytest.approx(0.4 * offset(1.0), rel=1e-3)
    assert offset(0.0) == pytest.approx(0.0, abs=1e-5)


def test_the_piece_swells_slowly_about_its_level(space, piece):
    plain = dataclasses.replace(piece, rests=(), pattern="AAAAAAAAAA", offsets_lu=(0.0,) * 5, swell=(80.0, 0.0))

    def level_db(seconds, **changes):
        (sound,) = moment(space, dataclasses.replace(plain, **changes), seconds / LETTER_S, STILL)
        return 10.0 * np.log10(sound.share)

    levels = np.array([level_db(seconds) for seconds in np.arange(0.0, 160.0, 1.0)])
    assert levels[:80] == pytest.approx(levels[80:], abs=1e-6)
    assert 2.0 < np.ptp(levels) < 6.0
    assert np.abs(np.diff(levels)).max() < 0.3
    assert np.argmax(levels[:80]) == 20
    assert level_db(0.0, level_lu=-1.0) - level_db(0.0, level_lu=-4.0) == pytest.approx(3.0)
    assert level_db(0.0, swell=(80.0, 0.25)) == pytest.approx(levels.max())


def test_a_blend_is_as_loud_as_its_shares(space, piece):
    for phase in (0.1, 1.2, 1.65, 5.7, 7.2):
        for mood in (Mood(), Mood(density=1.0, pitch=0.4)):
            sounds = moment(space, piece, phase, mood)
            total = blended(space, sounds)
            assert total.shape == (1233,)
            assert total @ traits.k_weighting() == pytest.approx(loudness(sounds), rel=1e-3)


def test_a_blend_transposes_each_sound(space, piece):
    (sound,) = moment(space, piece, 0.1, STILL)
    spectrum = power(space.decode(latent(sound)[np.newaxis]))
    moved = blend((dataclasses.replace(sound, shift_bins=sound.shift_bins + 120),), spectrum)
    plain = blend((sound,), spectrum)
    assert np.argmax(moved) == np.argmax(plain) + 120
    assert blend((), np.empty((0, 1233), dtype=np.float32)).max() == 0.0


def test_silence_is_not_brought_up(space, piece):
    (sound,) = moment(space, piece, 0.1, STILL)
    assert blend((sound,), np.full((1, 1233), 1e-16, dtype=np.float32)).max() < 1e-6


def test_the_mood_moves_the_sound_at_once(space, piece):
    def heard(**values):
        (sound,) = moment(space, piece, 0.1, dataclasses.replace(STILL, **values))
        spectrum = space.decode(latent(sound)[np.newaxis])[0]
        return sound, transpose(spectrum, sound.shift_bins)

    rest, low, high = heard()[1], heard(pitch=-1.0)[1], heard(pitch=1.0)[1]
    assert traits.pitch(low[None])[0] + 0.3 < traits.pitch(rest[None])[0] < traits.pitch(high[None])[0] - 0.3
    assert np.sqrt(np.mean((decibels(high) - decibels(rest)) ** 2)) > 1.0
    weird, plain = latent(heard(weirdness=1.0)[0]), latent(heard(weirdness=-1.0)[0])
    assert np.linalg.norm(weird) > 1.5 * np.linalg.norm(plain)
    loud, soft = (heard(level=level)[0].share for level in (1.0, -1.0))
    assert 10.0 * np.log10(loud / soft) == pytest.approx(6.0, abs=0.01)
