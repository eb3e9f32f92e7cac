import numpy as np

from appliance.synth.chance import draw


def test_the_same_arguments_give_the_same_number_and_others_another():
    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({draw(seed, number, purpose) for seed in range(9) for number in range(9) for purpose in range(9)}) == 729


def test_numbers_are_spread_evenly_over_0_to_1_and_unrelated():
    drawn = np.array([[draw(7, number, purpose) for purpose in range(3)] for number in range(20_000)])
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    counts = np.histogram(drawn[:, 0], bins=20, range=(0.0, 1.0))[0]
    assert np.abs(counts - 1000).max() < 150
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.03
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.03


def test_seeds_of_any_size_work():
    assert 0.0 <= draw((1 << 63) - 1, 10**12, 5) < 1.0
