import dataclasses
from itertools import islice, pairwise

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score import skim
from appliance.score.form import form
from appliance.score.grammar import SOUNDS
from appliance.score.harmony import tonic_bin
from appliance.score.path import moment
from appliance.score.skim import HOP_S, Composer, blends, go_through, hops_of, share_outside
from appliance.score.territory import WIDE, Bounds
from appliance.spectrum import traits
from appliance.spectrum.codec import Floats, decibels, transpose

CANDIDATES = 8
PIECES = 6


@pytest.fixture(scope="module")
def composer(space):
    return Composer(space, WIDE)


def every_hop(space, piece, mood=None):
    return go_through(space, piece, mood or Mood(), range(hops_of(piece)), space.gates)


def chosen(space, piece) -> Floats:
    """The ground's sounds as they are heard."""
    spectra = space.decode(np.stack([piece.latent(letter) for letter in SOUNDS]))
    return np.stack([transpose(row, by) for row, by in zip(spectra, piece.shifts, strict=True)])


def test_a_piece_is_a_plain_value_of_its_arguments(space, composer):
    one, again = (Composer(space, WIDE).compose(7, 3, Mood()) for _ in range(2))
    assert one == again
    assert hash(one) == hash(again)
    assert composer.compose(7, 3, Mood()) == one
    assert composer.compose(8, 3, Mood()) != one
    assert composer.compose(7, 4, Mood()) != one
    assert composer.compose(7, 3, Mood(pitch=1.0)) != one


def test_the_order_of_asking_does_not_matter(space, monkeypatch):
    # Fewer than are asked for, so that the first are composed anew.
    monkeypatch.setattr(skim, "_REMEMBERED", 3)
    numbers = range(6)
    forth, back = Composer(space, WIDE), Composer(space, WIDE)
    composed = {number: forth.compose(2, number, Mood()) for number in numbers}
    assert {number: forth.compose(2, number, Mood()) for number in numbers} == composed
    assert {number: back.compose(2, number, Mood()) for number in reversed(numbers)} == composed


def test_a_far_piece_needs_none_before_it(composer):
    far = composer.compose(2**63 - 1, 10**9, Mood())
    assert far.number == 10**9
    assert composer.compose(2**63 - 1, 10**9 + 1, Mood()) != far


def test_a_hairs_breadth_of_a_hand_changes_no_piece(composer):
    assert composer.compose(7, 3, Mood(pitch=0.401)) == composer.compose(7, 3, Mood(pitch=0.4))
    assert composer.compose(7, 3, Mood(pitch=0.5)) != composer.compose(7, 3, Mood(pitch=0.4))


@pytest.mark.parametrize("values", [{"pace": 3.0}, {"nature": 1.0}, {"width": 0.0}, {"volume": 0.2}])
def test_what_only_plays_a_piece_does_not_change_it(composer, values):
    assert composer.compose(7, 3, Mood(**values)) == composer.compose(7, 3, Mood())


def test_a_piece_keeps_to_its_form_and_key(composer):
    for number in range(PIECES):
        piece, settled = composer.compose(7, number, Mood()), form(7, number)
        assert piece.number == number
        assert piece.length_s == pytest.approx(settled.length_s)
        assert (piece.level_lu, piece.cycles) == (settled.level_lu, settled.cycles)
        assert piece.swell == (settled.swell_s, settled.swell_turn)
        assert piece.tonic == tonic_bin(7, number, 440.0)


def test_another_tuning_moves_the_tonic(space):
    low = Composer(space, Bounds(tuning_hz=432.0)).compose(7, 1, Mood())
    assert low.tonic == tonic_bin(7, 1, 432.0) != tonic_bin(7, 1, 440.0)


@pytest.mark.parametrize("name", ["space", "shipped"])
def test_no_hop_leaves_the_gates(request, name):
    space = request.getfixturevalue(name)
    composer = Composer(space, WIDE)
    for number in range(PIECES):
        piece = composer.compose(7, number, Mood())
        found = every_hop(space, piece)
        assert found.outside == ()
        assert found.share_outside == 0.0
        # It is not kept quiet by standing still.
        assert piece.reach > 0.0


def test_gates_that_are_left_are_found(space, composer):
    piece = composer.compose(7, 0, Mood())
    found = every_hop(space, piece)
    strict = dataclasses.replace(space.gates, sharpness_db=found.sharpness_db)
    spoilt = go_through(space, piece, Mood(), range(hops_of(piece)), strict)
    assert 0.1 < spoilt.share_outside < 0.9
    assert len(spoilt.outside) == pytest.approx(spoilt.share_outside * sounding(space, piece), abs=1e-6)
    assert spoilt.worth < found.worth - 2.0
    levels = traits.level(space.decode(np.stack([piece.latent(letter) for letter in SOUNDS])))
    soft = dataclasses.replace(space.gates, lufs=(space.gates.lufs[0], float(np.median(levels))))
    assert 0.1 < go_through(space, piece, Mood(), range(hops_of(piece)), soft).share_outside < 1.0


def sounding(space, piece):
    return sum(bool(moment(space, piece, hop * HOP_S / piece.letter_s, Mood())) for hop in range(hops_of(piece)))


def test_what_leaves_the_gates_is_not_kept(shipped):
    """Gates that plans leave more often than not; what is kept leaves them no more."""
    narrow = dataclasses.replace(shipped)
    object.__setattr__(narrow, "gates", dataclasses.replace(shipped.gates, sharpness_db=shipped.gates.sharpness_db + 8))
    composer = Composer(narrow, WIDE)
    plans = [plan for number in range(3) for plan in islice(composer.candidates(3, number, Mood()), CANDIDATES)]
    outside = [bool(every_hop(narrow, plan).outside) for plan in plans]
    assert 0.3 < np.mean(outside) < 1.0
    assert [share_outside(narrow, plan, Mood()) > 0.0 for plan in plans] == outside
    kept = [composer.compose(3, number, Mood()) for number in range(3)]
    assert [every_hop(narrow, piece).outside for piece in kept] == [()] * 3


def test_where_nothing_stays_within_the_least_bad_is_kept(space):
    """A model so strange that none of its sounds passes still plays."""
    barred = dataclasses.replace(space)
    object.__setattr__(barred, "gates", dataclasses.replace(space.gates, sharpness_db=1e6))
    piece = Composer(barred, WIDE).compose(7, 5, Mood())
    assert every_hop(barred, piece).share_outside == 1.0
    assert piece.length_s == pytest.approx(form(7, 5).length_s)


def test_the_piece_kept_is_no_worse_than_the_mean_of_the_eight(space, composer):
    for number in range(4):
        plans = list(islice(composer.candidates(7, number, Mood()), CANDIDATES))
        assert len(set(plans)) == CANDIDATES
        # Plans are compared at every tenth hop, where those of a space as plain as this one hardly differ.
        mean = np.mean([worth(space, plan) for plan in plans])
        assert worth(space, composer.compose(7, number, Mood())) >= mean - 0.1


def worth(space, piece):
    """By the gates with which pieces are compared."""
    return go_through(space, piece, Mood(), range(hops_of(piece)), space.gates.inner()).worth


def test_the_piece_kept_is_better_than_chance_over_many(space, composer):
    better = []
    for number in range(10):
        kept = worth(space, composer.compose(5, number, Mood()))
        better += [kept - worth(space, plan) for plan in islice(composer.candidates(5, number, Mood()), 3)]
    assert np.mean(better) > 0.01


def test_pieces_are_in_key(space, composer):
    for number in range(4):
        piece = composer.compose(7, number, Mood())
        here = every_hop(space, piece).in_key
        other = every_hop(space, dataclasses.replace(piece, tonic=(piece.tonic + 10) % 120)).in_key
        assert here > 0.7
        assert here > 1.4 * other


def test_neighbours_are_nearer_than_strangers(shipped):
    composer = Composer(shipped, WIDE)
    centres = [
        [shipped.whiten(np.stack([piece.latent(letter) for letter in SOUNDS])).mean(axis=0) for piece in pieces]
        for pieces in ([composer.compose(seed, number, Mood()) for number in range(3)] for seed in range(6))
    ]
    near = [np.linalg.norm(one - two) for each in centres for one, two in pairwise(each)]
    far = [
        np.linalg.norm(one - two)
        for index, each in enumerate(centres)
        for other in centres[:index]
        for one in each
        for two in other
    ]
    assert np.mean(near) < 0.95 * np.mean(far)


@pytest.mark.parametrize("trait", ["pitch", "tonality", "level", "weirdness"])
def test_the_mood_moves_what_is_composed(shipped, trait):
    composer = Composer(shipped, WIDE)

    def measure(value):
        mood, found = Mood(consonance=-1.0, **{trait: value}), []
        for number in range(3):
            plan = next(composer.candidates(3, number, mood))
            latents = np.stack([plan.latent(letter) for letter in SOUNDS])
            heard = traits.weirdness(latents) if trait == "weirdness" else getattr(traits, trait)(chosen(shipped, plan))
            found.append(heard.mean())
        return np.mean(found)

    assert measure(1.0) - measure(-1.0) > 0.5 * shipped.sd[trait]


def test_the_sounds_of_a_piece_differ(shipped):
    composer = Composer(shipped, WIDE)
    for number in range(4):
        levels = decibels(chosen(shipped, composer.compose(7, number, Mood())))
        apart = [np.sqrt(np.mean((levels[i] - levels[j]) ** 2)) for i in range(5) for j in range(i)]
        assert min(apart) > 3.0


def test_blends_are_brought_to_one_level(space, composer):
    piece = dataclasses.replace(composer.compose(7, 0, Mood()), rests=())
    moments = [moment(space, piece, phase, Mood()) for phase in (0.2, 1.7, 5.0)]
    heard = blends(space, moments)
    assert heard.shape == (3, 1233)
    assert traits.level(heard) == pytest.approx(-20.0, abs=0.05)
    assert decibels(heard[:1]) == pytest.approx(decibels(blends(space, moments[:1])), abs=1e-3)


def test_hops_are_counted_to_the_end(composer):
    piece = composer.compose(7, 0, Mood())
    assert (hops_of(piece) - 1) * HOP_S <= piece.length_s < hops_of(piece) * HOP_S
