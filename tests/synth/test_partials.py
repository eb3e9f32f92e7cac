import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum import codec
from appliance.synth.partials import PartialFinder

RATE = 48_000
SPACING_HZ = codec.linear_grid(RATE).spacing_hz


@pytest.fixture(scope="module")
def finder():
    return PartialFinder(SPACING_HZ, 20_000.0)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), peakiness=st.floats(0.1, 8.0))
def test_tones_and_noise_add_up_to_the_whole(finder, seed, peakiness):
    bins = codec.power(np.random.default_rng(seed).random(codec.BINS).astype(np.float32) ** peakiness)
    partials, noise = finder.split(bins)
    assert (noise >= 0).all()
    assert (partials.power >= 0).all()
    assert partials.power.sum() + noise.sum() == pytest.approx(bins.sum(), rel=1e-3, abs=1e-9)
    assert (np.diff(partials.lines) > 0).all()
    assert ((partials.lines > 0) & (partials.lines * SPACING_HZ <= 20_100)).all()


@pytest.mark.parametrize("hz", [40.0, 110.0, 440.0, 3000.0])
def test_a_tone_becomes_one_line_where_it_was(finder, hz):
    sine = 0.2 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE)
    partials, noise = finder.split(codec.power(codec.analyse(sine, RATE)))
    loudest = partials.power.argmax()
    assert partials.lines[loudest] * SPACING_HZ == pytest.approx(hz, abs=max(0.5, 0.003 * hz))
    assert partials.power[loudest] == pytest.approx(0.02, rel=0.05)
    assert noise.sum() < 0.03 * 0.02


def test_smooth_noise_stays_noise(finder):
    bins = codec.power(np.linspace(0.8, 0.3, codec.BINS).astype(np.float32))
    partials, noise = finder.split(bins)
    assert len(partials.lines) == 0
    assert np.array_equal(noise, bins)
