import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score.grammar import SOUNDS
from appliance.score.piece import FIGURES
from appliance.score.skim import Composer
from appliance.score.territory import WIDE


@pytest.fixture(scope="module")
def pieces(space):
    composer = Composer(space, WIDE)
    return [composer.compose(1, number, Mood()) for number in range(12)]


def places(piece):
    return np.stack([piece.latent(letter) for letter in SOUNDS] + [piece.figure(index) for index in range(FIGURES)])


def test_a_piece_tells_its_places(pieces):
    for piece in pieces:
        assert np.frombuffer(piece.latents, dtype=np.float32) == pytest.approx(places(piece)[: len(SOUNDS)].ravel())
        assert np.frombuffer(piece.figures, dtype=np.float32) == pytest.approx(places(piece)[len(SOUNDS) :].ravel())
        assert piece.length_s == len(piece.pattern) * piece.letter_s


def test_no_two_pieces_are_alike(pieces):
    for index, piece in enumerate(pieces):
        for other in pieces[:index]:
            assert np.linalg.norm(places(piece)[:, None] - places(other)[None], axis=2).min() > 0.5


def test_no_two_sounds_of_a_piece_are_one(pieces):
    for piece in pieces:
        apart = np.linalg.norm(places(piece)[:, None] - places(piece)[None], axis=2)
        assert apart[np.triu_indices(len(apart), 1)].min() > 0.5


def test_the_coil_is_a_circle_and_not_a_line(pieces):
    for piece in pieces:
        coil = np.frombuffer(piece.coil, dtype=np.float32).reshape(2, -1)
        assert coil @ coil.T == pytest.approx(np.eye(2), abs=1e-5)


def test_all_of_a_piece_stays_in_bounds(pieces):
    for number, piece in enumerate(pieces):
        assert piece.number == number
        assert 15.0 <= piece.turn_s <= 45.0
        assert 180.0 <= piece.length_s <= 720.0
        assert 10.0 <= piece.letter_s <= 40.0
        assert max(abs(offset) for offset in piece.offsets_lu) <= 1.0
        heard = [piece.offsets_lu[SOUNDS.index(letter)] for letter in piece.pattern]
        assert abs(np.mean(heard)) < 0.5
        assert max(abs(shift) for shift in (*piece.shifts, *piece.figure_shifts)) <= 30
        assert -4.0 <= piece.level_lu <= 0.0
        assert 0.0 <= piece.reach <= 1.0
        assert piece.rests
        assert all(1.0 < middle < len(piece.pattern) - 1.0 for middle, _ in piece.rests)
        assert len(piece.cycles) == len(piece.figure_shifts) == FIGURES
