import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum import codec
from appliance.synth.partials import PartialFinder

RATE = 48_000


@pytest.fixture(scope="module")
def finder():
    return PartialFinder(20_000.0, 3)


def sine_power(hz: float) -> codec.Floats:
    return codec.power(codec.analyse(0.2 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE), RATE))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), peakiness=st.floats(0.1, 8.0))
def test_tones_and_noise_add_up_to_the_whole(finder, seed, peakiness):
    bins = codec.power(np.random.default_rng(seed).random((2, codec.BINS)).astype(np.float32) ** peakiness)
    for parted, whole in zip(finder.split(bins), bins, strict=True):
        assert (parted.noise >= 0).all()
        assert (parted.tones > 0).all()
        assert parted.tones.sum() + parted.noise.sum() == pytest.approx(whole.sum(), rel=1e-3, abs=1e-9)
        assert (np.diff(parted.bins) > 0).all()
        assert (codec.bin_hz()[parted.bins] <= 8_240).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_a_spectrum_is_split_the_same_whatever_its_neighbours(finder, seed):
    one, other, third = codec.power(np.random.default_rng(seed).random((3, codec.BINS)).astype(np.float32) ** 3)
    alone = finder.split(one[np.newaxis])[0]
    for company, place in (([one, other], 0), ([third, one], 1), ([other, third, one], 2)):
        found = finder.split(np.stack(company))[place]
        for name in ("bins", "tones", "noise"):
            assert np.array_equal(getattr(found, name), getattr(alone, name))


@pytest.mark.parametrize("hz", [40.0, 110.0, 440.0, 3000.0])
def test_a_tone_becomes_one_tone_where_it_was(finder, hz):
    silent, parted = finder.split(np.stack([np.zeros(codec.BINS, dtype=np.float32), sine_power(hz)]))
    assert len(silent.bins) == 0
    loudest = parted.tones.argmax()
    assert codec.bin_hz()[parted.bins[loudest]] == pytest.approx(hz, rel=0.0035)
    assert parted.tones[loudest] == pytest.approx(0.96 * 0.02, rel=0.05)
    assert parted.noise.sum() < 0.07 * 0.02


def test_two_low_tones_that_would_beat_slowly_are_one(finder):
    parted = finder.split((sine_power(60.0) + 0.5 * sine_power(62.0))[np.newaxis])[0]
    assert np.count_nonzero(parted.tones > 0.1 * parted.tones.max()) == 1


def test_smooth_noise_stays_noise(finder):
    bins = codec.power(np.linspace(0.8, 0.3, codec.BINS).astype(np.float32))
    parted = finder.split(bins[np.newaxis])[0]
    assert len(parted.bins) == 0
    assert np.array_equal(parted.noise, bins)
