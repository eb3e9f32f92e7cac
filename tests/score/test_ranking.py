import dataclasses

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score import ranking
from appliance.score.ranking import choose, deal
from appliance.spectrum import traits
from appliance.spectrum.codec import decibels, transpose


def pick(space, mood, seed=0, count=5, before=None):
    rng = np.random.default_rng(seed)
    return choose(space, deal(space, seed, 0), mood, count, rng, before)


def sounds(space, choice):
    spectra = space.decode(choice.latents)
    return np.stack([transpose(row, int(shift)) for row, shift in zip(spectra, choice.shifts, strict=True)])


def test_a_place_is_not_dealt_again_soon(space):
    """Between two hands with the same place lies at least a whole half of the atlas."""
    last: dict[int, int] = {}
    gaps = []
    for number in range(40):
        for place in deal(space, 3, number):
            if place in last:
                gaps.append(number - last[place])
            last[place] = number
    hands = len(np.array_split(space.atlas, 2)[1]) // len(deal(space, 3, 0))
    assert min(gaps) > hands
    assert len(last) > 0.9 * len(space.atlas)


def test_hands_depend_on_seed_and_number_alone(space):
    assert np.array_equal(deal(space, 1, 5), deal(space, 1, 5))
    assert not np.array_equal(deal(space, 1, 5), deal(space, 1, 6))
    assert not np.array_equal(deal(space, 1, 5), deal(space, 2, 5))


def test_a_small_atlas_is_dealt_too(space):
    few = dataclasses.replace(space, atlas=space.atlas[:7])
    assert 0 < len(deal(few, 0, 9)) <= 4
    assert len(pick(few, Mood()).latents) == 5


@pytest.mark.parametrize("trait", ["pitch", "tonality", "level", "weirdness"])
def test_the_mood_moves_what_is_chosen(space, trait):
    def measure(value):
        found = []
        for seed in range(8):
            choice = pick(space, Mood(consonance=-1.0, **{trait: value}), seed)
            if trait == "weirdness":
                found.append(traits.weirdness(choice.latents).mean())
            else:
                found.append(getattr(traits, trait)(space.decode(choice.latents)).mean())
        return np.mean(found)

    assert measure(1.0) - measure(-1.0) > 0.5 * space.sd[trait]


def test_consonance_makes_the_chosen_smoother(space):
    def roughness(consonance):
        total = 0.0
        for seed in range(8):
            chosen = sounds(space, pick(space, Mood(consonance=consonance), seed))
            total += np.triu(traits.dissonance(chosen, chosen), 1).sum()
        return total

    loose, rest, strict = roughness(-1.0), roughness(0.0), roughness(1.0)
    assert rest < 0.8 * loose
    assert strict < rest


def test_the_five_differ(space):
    for seed in range(8):
        levels = decibels(sounds(space, pick(space, Mood(), seed)))
        apart = [np.sqrt(np.mean((levels[i] - levels[j]) ** 2)) for i in range(5) for j in range(i)]
        assert min(apart) > 3.0


def test_what_came_before_counts(space, monkeypatch):
    before = space.decode(space.atlas[:1])[0]

    def roughness(known):
        choices = [pick(space, Mood(consonance=0.5), seed, before=before if known else None) for seed in range(8)]
        return np.mean([traits.dissonance(before[None], sounds(space, choice)).mean() for choice in choices])

    assert roughness(known=True) < roughness(known=False)


def test_tuning_costs_something(space, monkeypatch):
    """Without a reason to transpose, nothing is transposed."""
    monkeypatch.setattr(ranking.traits, "dissonance", lambda one, two, shifts=0: np.zeros((1, len(two), len(shifts))))
    assert (pick(space, Mood()).shifts == 0).all()
