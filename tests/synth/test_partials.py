import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum import codec
from appliance.synth.partials import PartialFinder

RATE = 48_000


@pytest.fixture(scope="module")
def finder():
    return PartialFinder(20_000.0, 2)


def sine_power(hz: float) -> codec.Floats:
    return codec.power(codec.analyse(0.2 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE), RATE))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), peakiness=st.floats(0.1, 8.0))
def test_tones_and_noise_add_up_to_the_whole(finder, seed, peakiness):
    bins = codec.power(np.random.default_rng(seed).random((2, codec.BINS)).astype(np.float32) ** peakiness)
    partials, noise = finder.split(bins)
    assert (noise >= 0).all()
    assert (partials.power > 0).all()
    for row in range(2):
        mine = partials.rows == row
        assert partials.power[mine].sum() + noise[row].sum() == pytest.approx(bins[row].sum(), rel=1e-3, abs=1e-9)
        assert (np.diff(partials.bins[mine]) > 0).all()
    assert (codec.bin_hz()[partials.bins] <= 8_240).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_a_spectrum_is_split_the_same_whatever_its_neighbour(finder, seed):
    one, other, third = codec.power(np.random.default_rng(seed).random((3, codec.BINS)).astype(np.float32) ** 3)
    first = finder.split(np.stack([one, other]))
    second = finder.split(np.stack([third, one]))
    assert np.array_equal(first[1][0], second[1][1])
    assert np.array_equal(first[0].bins[first[0].rows == 0], second[0].bins[second[0].rows == 1])
    assert np.array_equal(first[0].power[first[0].rows == 0], second[0].power[second[0].rows == 1])


@pytest.mark.parametrize("hz", [40.0, 110.0, 440.0, 3000.0])
def test_a_tone_becomes_one_tone_where_it_was(finder, hz):
    partials, noise = finder.split(np.stack([np.zeros(codec.BINS, dtype=np.float32), sine_power(hz)]))
    loudest = partials.power.argmax()
    assert partials.rows[loudest] == 1
    assert codec.bin_hz()[partials.bins[loudest]] == pytest.approx(hz, rel=0.0035)
    assert partials.power[loudest] == pytest.approx(0.96 * 0.02, rel=0.05)
    assert noise.sum() < 0.07 * 0.02


def test_two_low_tones_that_would_beat_slowly_are_one(finder):
    bins = sine_power(60.0) + 0.5 * sine_power(62.0)
    partials, _ = finder.split(np.stack([bins, bins]))
    loud = partials.power > 0.1 * partials.power.max()
    assert len(partials.bins[loud & (partials.rows == 0)]) == 1


def test_smooth_noise_stays_noise(finder):
    bins = codec.power(np.tile(np.linspace(0.8, 0.3, codec.BINS), (2, 1)).astype(np.float32))
    partials, noise = finder.split(bins)
    assert len(partials.bins) == 0
    assert np.array_equal(noise, bins)
