from itertools import pairwise
from math import gcd

import pytest

from appliance.engine.timeline import _HANDOVER_S
from appliance.mood import Mood
from appliance.score import form as forms
from appliance.score.form import BLOCK, form
from appliance.score.grammar import RULES
from appliance.score.skim import _LETTER_S, Composer, _joint
from appliance.score.territory import WIDE

SEEDS = (0, 7, 2**63 - 1)
MOST_WITHOUT_REST_S = 300.0
SHORTEST_REST_S = 5.0
# A player that has heard nothing for so long takes the room for broken.
WATCHDOG_S = 10.0


def block(seed, number):
    return [form(seed, number * BLOCK + place) for place in range(BLOCK)]


@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_take_from_three_to_twelve_minutes(seed):
    lengths = [form(seed, number).length_s for number in range(100)]
    assert 180.0 <= min(lengths) < max(lengths) <= 720.0
    assert max(lengths) > 3.0 * min(lengths)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_block_deals_the_same_lengths_and_levels_anew(seed):
    lengths = [[piece.length_s for piece in block(seed, number)] for number in range(8)]
    levels = [[piece.level_lu for piece in block(seed, number)] for number in range(8)]
    for dealt in (lengths, levels):
        assert len({tuple(sorted(row)) for row in dealt}) == 1
        assert len({tuple(row) for row in dealt}) == 8
    # A long piece is not always a loud one.
    assert len({tuple(sorted(zip(*rows, strict=True))) for rows in zip(lengths, levels, strict=True)}) == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_levels_lie_within_four_units(seed):
    levels = [piece.level_lu for piece in block(seed, 3)]
    assert min(levels) == pytest.approx(-4.0)
    assert max(levels) == pytest.approx(0.0)
    assert len(set(levels)) == BLOCK


@pytest.mark.parametrize("seed", SEEDS)
def test_each_piece_begins_where_the_one_before_ends(seed):
    pieces = [form(seed, number) for number in range(45)]
    assert pieces[0].begins_s == 0.0
    for one, two in pairwise(pieces):
        assert two.begins_s == pytest.approx(one.begins_s + one.length_s)


@pytest.mark.parametrize("seed", SEEDS)
def test_rests_are_never_far_apart_whatever_the_pattern(seed):
    """Counted over the ends of 300 pieces, with each rest at the joint nearest to it of any pattern there may be."""
    begins_s, ended_s = 0.0, 0.0
    for number in range(300):
        settled = form(seed, number)
        found = [rests_s(settled, pattern) for pattern in patterns(settled.length_s)]
        assert begins_s + max(first for first, *_ in found) - SHORTEST_REST_S / 2.0 - ended_s <= MOST_WITHOUT_REST_S
        inner_s = [two - one - SHORTEST_REST_S for each in found for one, two in pairwise(each)]
        assert max(inner_s, default=0.0) <= MOST_WITHOUT_REST_S
        # Two rests in a row would be one that is too long.
        assert min(inner_s, default=60.0) >= 60.0
        ended_s = begins_s + min(last for *_, last in found) + SHORTEST_REST_S / 2.0
        begins_s += settled.length_s - _HANDOVER_S


def rests_s(settled, pattern):
    """Middles of a piece's rests."""
    letter_s = settled.length_s / len(pattern)
    return [_joint(pattern, share) * letter_s for share, _ in settled.rests]


def patterns(length_s):
    """All patterns that a piece of this length may have."""
    rules = [(start, x, y, z) for start in RULES["S"] for x in RULES["X"] for y in RULES["Y"] for z in RULES["Z"]]
    found = {start.replace("X", x).replace("Y", y).replace("Z", z) for start, x, y, z in rules}
    return [pattern for pattern in found if _LETTER_S[0] <= length_s / len(pattern) <= _LETTER_S[1]]


def test_a_piece_rests_where_its_form_says(space):
    composer = Composer(space, WIDE)
    for number in range(5):
        piece, settled = composer.compose(3, number, Mood()), form(3, number)
        assert [middle * piece.letter_s for middle, _ in piece.rests] == pytest.approx(rests_s(settled, piece.pattern))
        assert [rest_s for _, rest_s in piece.rests] == [rest_s for _, rest_s in settled.rests]
        for middle, _ in piece.rests:
            one, two = (piece.pattern[int(middle) + step] for step in (0, 1))
            assert one != two


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_return_in_periods_that_never_meet(seed):
    met = set()
    for number in range(60):
        cycles = form(seed, number).cycles
        periods = [int(period) for period, _, _ in cycles]
        assert [float(period) for period in periods] == [period for period, _, _ in cycles]
        assert all(gcd(one, two) == 1 for index, one in enumerate(periods) for two in periods[:index])
        assert all(0.0 <= begin_s <= period and 0.0 <= chance <= 1.0 for period, begin_s, chance in cycles)
        met.add(tuple(periods))
    assert len(met) > 10


def test_a_form_depends_on_seed_and_number_alone():
    forth = [form(7, number) for number in range(25)]
    assert [form(7, number) for number in reversed(range(25))][::-1] == forth
    assert form(8, 3) != forth[3]
    assert len(set(forth)) == 25
    assert hash(form(7, 2**40)) == hash(form(7, 2**40))


def test_what_is_tuned_keeps_a_block_whole():
    assert len(forms._LENGTHS_S) == len(forms._LEVELS_LU) == BLOCK
