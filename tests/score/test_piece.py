import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score.grammar import SOUNDS
from appliance.score.piece import compose


def test_a_piece_is_a_plain_value_of_its_arguments(space):
    one, again = (compose(space, 7, 3, Mood(), None) for _ in range(2))
    assert one == again
    assert hash(one) == hash(again)
    assert compose(space, 8, 3, Mood(), None) != one
    assert compose(space, 7, 4, Mood(), None) != one
    assert compose(space, 7, 3, Mood(), compose(space, 7, 2, Mood(), None)).pattern == one.pattern


def test_no_two_pieces_are_alike(space):
    piece, seen = None, []
    for number in range(12):
        piece = compose(space, 1, number, Mood(), piece)
        seen.append(np.stack([piece.latent(letter) for letter in SOUNDS]))
    for index, places in enumerate(seen):
        for other in seen[:index]:
            assert np.linalg.norm(places[:, None] - other[None], axis=2).min() > 0.5


def test_the_coil_is_a_circle_and_not_a_line(space):
    coil = np.frombuffer(compose(space, 2, 0, Mood(), None).coil, dtype=np.float32).reshape(2, -1)
    assert coil @ coil.T == pytest.approx(np.eye(2), abs=1e-5)


def test_durations_and_levels_stay_in_bounds(space):
    for number in range(10):
        piece = compose(space, 5, number, Mood(), None)
        assert 15.0 <= piece.turn_s <= 45.0
        assert 120.0 < len(piece.pattern) * piece.letter_s < 560.0
        assert max(abs(offset) for offset in piece.offsets_lu) <= 1.0
        heard = [piece.offsets_lu[SOUNDS.index(letter)] for letter in piece.pattern]
        assert abs(np.mean(heard)) < 1.0
        assert len(piece.companions) == len(piece.pattern)
