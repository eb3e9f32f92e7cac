import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum import codec
from appliance.synth.partials import PartialFinder

RATE = 48_000


@pytest.fixture(scope="module")
def finder():
    return PartialFinder(20_000.0)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), peakiness=st.floats(0.1, 8.0))
def test_tones_and_noise_add_up_to_the_whole(finder, seed, peakiness):
    bins = codec.power(np.random.default_rng(seed).random(codec.BINS).astype(np.float32) ** peakiness)
    partials, noise = finder.split(bins)
    assert (noise >= 0).all()
    assert (partials.power >= 0).all()
    assert partials.power.sum() + noise.sum() == pytest.approx(bins.sum(), rel=1e-3, abs=1e-9)
    assert (np.diff(partials.bins) > 0).all()
    assert (codec.bin_hz()[partials.bins] <= 20_000).all()


@pytest.mark.parametrize("hz", [40.0, 110.0, 440.0, 3000.0])
def test_a_tone_becomes_one_tone_where_it_was(finder, hz):
    sine = 0.2 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE)
    partials, noise = finder.split(codec.power(codec.analyse(sine, RATE)))
    loudest = partials.power.argmax()
    assert codec.bin_hz()[partials.bins[loudest]] == pytest.approx(hz, rel=0.0035)
    assert partials.power[loudest] == pytest.approx(0.95 * 0.02, rel=0.05)
    assert noise.sum() < 0.07 * 0.02


def test_smooth_noise_stays_noise(finder):
    bins = codec.power(np.linspace(0.8, 0.3, codec.BINS).astype(np.float32))
    partials, noise = finder.split(bins)
    assert len(partials.bins) == 0
    assert np.array_equal(noise, bins)
