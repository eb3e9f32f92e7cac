import dataclasses

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score import skim, territory
from appliance.score.grammar import SOUNDS
from appliance.score.skim import Composer
from appliance.score.territory import WIDE, Bounds, deal, drift, timbre, within
from appliance.spectrum.codec import BINS, from_decibels

SIZE = 32
HOUR_S = 3600.0


def first_returns(pool, seed, pieces):
    """After how many pieces places are dealt again, and which ever were."""
    last: dict[int, int] = {}
    gaps = []
    for number in range(pieces):
        for place in deal(pool, seed, number):
            if place in last:
                gaps.append(number - last[place])
            last[place] = number
    return gaps, set(last)


@pytest.mark.parametrize("places", [600, 1_000, 1_337, 2_048])
@pytest.mark.parametrize("seed", [0, 3, 2**63 - 1])
def test_a_place_is_not_dealt_again_soon(places, seed):
    gaps, dealt = first_returns(np.arange(places), seed, 150)
    assert min(gaps) > 30
    assert len(dealt) == places
    # Nor is any kept back: each comes once in every cycle of hands.
    assert max(gaps) < 80


@pytest.mark.parametrize("places", [1, 7, 64, 240])
def test_a_small_pool_is_dealt_too(places):
    pool = np.random.default_rng(1).choice(2_048, places, replace=False)
    gaps, dealt = first_returns(pool, 5, 60)
    assert dealt == set(pool.tolist())
    for number in range(60):
        hand = deal(pool, 5, number)
        assert len(hand) >= min(places, 8)
        assert len(set(hand.tolist())) == len(hand)
    # Of as many hands as there are all but a group's must pass.
    assert min(gaps) >= {1: 1, 7: 1, 64: 1, 240: 8}[places]


def test_hands_are_of_a_size():
    sizes = [len(deal(np.arange(2_048), 4, number)) for number in range(72)]
    assert max(sizes) - min(sizes) <= 2
    assert min(sizes) > 40


def test_hands_depend_on_seed_and_number_alone():
    pool = np.arange(500)
    forth = [deal(pool, 1, number) for number in range(40)]
    back = [deal(pool, 1, number) for number in reversed(range(40))][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(forth, back, strict=True))
    assert not np.array_equal(deal(pool, 1, 5), deal(pool, 1, 6))
    assert not np.array_equal(deal(pool, 1, 5), deal(pool, 2, 5))


def test_the_same_hand_does_not_come_in_every_cycle():
    hands = [frozenset(deal(np.arange(2_048), 1, number).tolist()) for number in range(360)]
    assert len(set(hands)) == len(hands)
    assert max(len(hand & other) for hand in hands[:36] for other in hands[36:]) < 0.6 * len(hands[0])


def test_the_territory_drifts_without_a_jump():
    ends = [step * period_s / 2.0 for period_s, _ in territory._ARCS for step in range(1, 40)]
    for seed in (0, 9):
        for time_s in [*np.arange(60.0, 24 * HOUR_S, 97.0), *ends]:
            before, here, after = (drift(seed, time_s + step_s, SIZE) for step_s in (-0.5, 0.0, 0.5))
            # Two places of the atlas are eight apart: it takes minutes from one to another.
            assert 0.0 < np.linalg.norm(here - before) < 0.01
            assert 0.0 < np.linalg.norm(after - here) < 0.01


def test_the_territory_is_as_wide_as_the_atlas():
    places = np.stack([drift(seed, time, SIZE) for seed in range(60) for time in np.arange(0.0, 20 * HOUR_S, HOUR_S)])
    assert places.dtype == np.float32
    assert places.std() == pytest.approx(1.0, abs=0.15)
    assert np.abs(places.mean(axis=0)).max() < 0.2


def test_what_is_near_in_time_is_near_in_the_territory():
    def apart(lag_s):
        starts = np.arange(0.0, 12 * HOUR_S, 0.5 * HOUR_S)
        return np.mean([
            np.linalg.norm(drift(seed, at + lag_s, SIZE) - drift(seed, at, SIZE)) for seed in range(6) for at in starts
        ])  # fmt: skip

    strangers = np.mean([np.linalg.norm(drift(seed, 0.0, SIZE) - drift(seed + 40, 0.0, SIZE)) for seed in range(40)])
    assert apart(60.0) < apart(400.0) < apart(800.0) < apart(2 * HOUR_S)
    assert apart(400.0) < 0.5 * strangers
    assert apart(2 * HOUR_S) > 0.75 * strangers


def test_other_seeds_go_other_ways():
    assert np.array_equal(drift(3, 1_000.0, SIZE), drift(3, 1_000.0, SIZE))
    assert np.linalg.norm(drift(3, 1_000.0, SIZE) - drift(4, 1_000.0, SIZE)) > 2.0


def test_places_within_lie_around_those_kept():
    places = np.random.default_rng(2).normal(size=(2_000, SIZE)).astype(np.float32)
    kept = places[[5, 700]]
    apart = np.linalg.norm(places[:, np.newaxis] - kept, axis=2).min(axis=1)
    before: set[int] = set()
    for radius in (0.0, 0.3, 0.7, 0.9, 1.0, 5.0):
        found = within(places, kept, radius)
        assert {5, 700} <= set(found.tolist())
        assert len(found) >= 64
        assert before <= set(found.tolist())
        # None is left out for one that is farther.
        assert apart[found].max() <= np.delete(apart, found).min(initial=np.inf)
        before = set(found.tolist())
    assert len(before) == len(places)
    assert 64 < len(within(places, kept, 0.9)) < 1_900


def test_of_few_places_all_are_within():
    places = np.eye(10, dtype=np.float32)
    assert np.array_equal(within(places, places[:1], 0.0), np.arange(10))


def test_an_artist_who_kept_pieces_stays_near_them(shipped):
    bounds = Bounds(kept=((3, 4), (8, 1)), radius=0.4)
    wide = Composer(shipped, WIDE)
    kept = heard(shipped, [wide.compose(seed, number, Mood()) for seed, number in bounds.kept])

    def apart(composer):
        sounds = heard(shipped, [composer.compose(21, number, Mood()) for number in range(8)])
        return np.linalg.norm(sounds[:, np.newaxis] - kept, axis=2).min(axis=1).mean()

    narrow = apart(Composer(shipped, bounds))
    assert narrow < 0.8 * apart(wide)
    assert narrow < apart(Composer(shipped, dataclasses.replace(bounds, radius=0.9)))


def test_only_places_near_those_kept_are_dealt(space, monkeypatch):
    bounds, pools = Bounds(kept=((3, 4),), radius=0.1), []

    def note(pool, seed, number):
        pools.append(pool)
        return deal(pool, seed, number)

    composer = Composer(space, bounds)
    kept = heard(space, [Composer(space, WIDE).compose(3, 4, Mood())])
    monkeypatch.setattr(skim, "deal", note)
    composer.compose(21, 0, Mood())
    assert np.array_equal(pools[0], within(timbre(space.decode(space.atlas)), kept, 0.1))
    assert len(pools[0]) < len(space.atlas)


def test_timbre_hears_colour_and_not_loudness_or_a_hair_of_pitch():
    level_db = np.full((3, BINS), -70.0, dtype=np.float32)
    level_db[:, 555::120] = -30.0
    level_db[1] += 12.0
    level_db[2, :600] += 12.0
    moved = np.roll(level_db[:1], 2, axis=1)
    one, louder, darker, higher = timbre(from_decibels(np.concatenate([level_db, moved])))
    assert np.abs(louder - one).max() < 0.5
    assert np.abs(higher - one).max() < 0.5
    assert np.abs(darker - one).max() > 6.0


def heard(space, pieces):
    return timbre(space.decode(np.stack([piece.latent(letter) for piece in pieces for letter in SOUNDS])))
