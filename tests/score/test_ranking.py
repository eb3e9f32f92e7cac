import dataclasses

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score.gates import blended, measure
from appliance.score.ranking import Offer, offer, pick
from appliance.score.territory import deal, drift
from appliance.spectrum import traits
from appliance.spectrum.codec import decibels, power, transpose

GROUND, FIGURES = 5, 3
TONIC = 34


NOTHING_KEPT = np.empty((0, 32), dtype=np.float32)


def offered(space, mood=None, seed=0, tonic=TONIC, centre=None, kept=NOTHING_KEPT):
    hand = deal(np.arange(len(space.atlas)), seed, 0)
    middle = np.zeros(len(space.scale), dtype=np.float32) if centre is None else centre
    return offer(space, hand, middle, tonic, mood or Mood(), np.random.default_rng(seed), kept)


def picked(there, mood, seed=0):
    return pick(there, GROUND, FIGURES, mood, np.random.default_rng(seed))


def sounds(space, there, rows):
    spectra = space.decode(there.latents[list(rows)])
    return np.stack([transpose(row, int(there.shifts[at])) for row, at in zip(spectra, rows, strict=True)])


def test_what_is_on_offer_comes_best_first_and_each_row_is_itself(space):
    there = offered(space)
    count = len(there.latents)
    assert count >= GROUND + FIGURES
    assert (np.diff(there.scores) <= 0.0).all()
    heard = sounds(space, there, range(count))
    assert there.levels == pytest.approx(traits.level(heard), abs=0.01)
    assert there.pitches == pytest.approx(traits.pitch(heard), abs=0.01)
    assert there.percentiles.shape == there.differences.shape == (count, count)
    assert there.percentiles == pytest.approx(there.percentiles.T)
    assert np.diag(there.differences) == pytest.approx(0.0)
    assert there.percentiles.min() >= 0.0
    assert there.percentiles.max() <= 1.0


def test_an_offer_depends_on_its_arguments_alone(space):
    one, again = offered(space, seed=3), offered(space, seed=3)
    assert np.array_equal(one.latents, again.latents)
    assert np.array_equal(one.shifts, again.shifts)
    assert picked(one, Mood()) == picked(again, Mood())
    assert not np.array_equal(one.latents, offered(space, seed=4).latents)


def test_eight_are_picked_and_none_twice(space):
    for seed in range(8):
        choice = picked(offered(space, seed=seed), Mood(), seed)
        assert len(choice.ground) == GROUND
        assert len(choice.figures) == FIGURES
        assert len({*choice.ground, *choice.figures}) == GROUND + FIGURES


def alike(pairs: float, others: float):
    """Eight pairs of sounds, all liked the same, and what is between any two: in a pair, and elsewhere."""
    count = 16
    between = np.full((count, count), others, dtype=np.float32)
    for first in range(0, count, 2):
        between[first, first + 1] = between[first + 1, first] = pairs
    np.fill_diagonal(between, 0.0)
    flat = np.zeros(count, dtype=np.float32)
    plain = np.where(np.eye(count), 0.0, 0.5).astype(np.float32)
    return Offer(np.zeros((count, 32), np.float32), np.arange(count), flat, flat, flat, plain, plain), between


def pairs_picked(there, mood=None):
    """How many pairs both of whose sounds are picked, over twenty whims."""
    choices = [picked(there, mood or Mood(), seed) for seed in range(20)]
    return sum(8 - len({row // 2 for row in (*choice.ground, *choice.figures)}) for choice in choices)


def test_of_two_sounds_that_are_alike_one_is_picked():
    there, differences = alike(pairs=0.0, others=1.0)
    assert pairs_picked(dataclasses.replace(there, differences=differences)) < 5
    assert pairs_picked(there) > 20


def test_of_two_sounds_that_clash_one_is_picked_unless_nobody_minds():
    there, percentiles = alike(pairs=0.9, others=0.2)
    clashing = dataclasses.replace(there, percentiles=percentiles)
    assert pairs_picked(clashing) < 5
    assert pairs_picked(clashing, Mood(consonance=-1.0)) > 20


def test_a_small_atlas_is_ranked_too(space):
    few = dataclasses.replace(space, atlas=space.atlas[:7])
    there = offered(few)
    assert len({*picked(there, Mood()).ground}) == GROUND


@pytest.mark.parametrize("trait", ["pitch", "tonality", "level", "weirdness"])
def test_the_mood_moves_what_is_chosen(space, trait):
    def measure(value):
        found = []
        for seed in range(8):
            mood = Mood(consonance=-1.0, **{trait: value})
            there = offered(space, mood, seed)
            latents = there.latents[list(picked(there, mood, seed).ground)]
            heard = traits.weirdness(latents) if trait == "weirdness" else getattr(traits, trait)(space.decode(latents))
            found.append(heard.mean())
        return np.mean(found)

    assert measure(1.0) - measure(-1.0) > 0.5 * space.sd[trait]


def test_consonance_makes_the_chosen_smoother_and_brings_them_into_key(shipped):
    def measure(consonance):
        mood, rough = Mood(consonance=consonance), []
        for seed in range(8):
            there = offered(shipped, mood, seed)
            rows = np.array(picked(there, mood, seed).ground)
            rough.append(there.percentiles[np.ix_(rows, rows)][np.triu_indices(GROUND, 1)].mean())
        return np.mean(rough)

    loose, rest, strict = measure(-1.0), measure(0.0), measure(1.0)
    assert rest < 0.8 * loose
    assert strict < 1.05 * rest


def test_without_consonance_nothing_is_transposed(space):
    assert (offered(space, Mood(consonance=-1.0)).shifts == 0).all()
    assert (offered(space, Mood()).shifts != 0).any()


def test_another_key_moves_sounds_elsewhere(space):
    shifts = [offered(space, tonic=tonic).shifts for tonic in (30, 35)]
    assert not np.array_equal(*shifts)
    assert max(np.abs(each).max() for each in shifts) <= 30


def test_the_ground_differs(shipped):
    for seed in range(8):
        there = offered(shipped, seed=seed)
        levels = decibels(sounds(shipped, there, picked(there, Mood(), seed).ground))
        apart = [np.sqrt(np.mean((levels[i] - levels[j]) ** 2)) for i in range(GROUND) for j in range(i)]
        assert min(apart) > 3.0


def test_figures_lie_above_the_ground(shipped):
    above = []
    for seed in range(12):
        there = offered(shipped, seed=seed)
        choice = picked(there, Mood(), seed)
        above.append(there.pitches[list(choice.figures)].mean() - there.pitches[list(choice.ground)].mean())
    assert np.mean(above) > 0.0


def test_the_territory_draws_what_is_chosen(shipped):
    """Counted along the axes by how much of the atlas lies along them."""
    weight = shipped.scale / np.linalg.norm(shipped.scale)
    size = len(shipped.scale)

    def apart(own):
        found = []
        for seed in range(8):
            centre = drift(seed, 0.0, size)
            there = offered(shipped, seed=seed, centre=centre)
            chosen = shipped.whiten(there.latents[list(picked(there, Mood(), seed).ground)])
            target = centre if own else drift(seed + 100, 0.0, size)
            found.append(np.linalg.norm((chosen - target) * weight, axis=1).mean())
        return np.mean(found)

    assert apart(own=True) < 0.9 * apart(own=False)


def test_what_lies_outside_the_gates_is_the_last_to_be_offered(space):
    """With gates that let only some sounds pass, those come first."""
    narrow = dataclasses.replace(space)
    levels = traits.level(space.decode(space.atlas))
    middle = float(np.median(levels))
    object.__setattr__(narrow, "gates", dataclasses.replace(space.gates, lufs=(middle - 3.0, 20.0)))
    there = offered(narrow, Mood(consonance=-1.0))
    gates, heard = narrow.gates.inner(), sounds(space, there, range(len(there.latents)))
    outside = gates.outside_level(traits.level(space.decode(there.latents)))
    outside |= gates.outside(measure(blended(power(heard))))
    assert 0 < np.count_nonzero(outside) < len(outside)
    first = int(np.argmax(outside))
    assert outside[first:].all()
    assert there.scores[first - 1] - there.scores[first] > 50.0
