import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.spectrum import codec

RATES = [8_000, 22_050, 44_100, 48_000, 96_000]


def smooth_spectra() -> st.SearchStrategy[np.ndarray]:
    """Spectra without structure finer than a third of an octave, between -77 and -10 dB."""
    knots = st.lists(st.floats(0.2, 0.9), min_size=32, max_size=32)
    return knots.map(
        lambda values: np.interp(np.arange(codec.BINS), np.linspace(0, codec.BINS, 32), values).astype(np.float32)
    )


def test_bins_lie_ten_cents_apart_up_to_22050_hz():
    hz = codec.bin_hz()
    assert len(hz) == 1233
    assert hz[-1] == 22_050.0
    assert hz[0] == pytest.approx(17.9, abs=0.05)
    assert 1200 * np.log2(hz[1:] / hz[:-1]) == pytest.approx(10.0)


@pytest.mark.parametrize("rate", RATES)
def test_a_full_scale_sine_reads_zero_decibels_in_its_own_bin(rate):
    hz = 1_000.0
    sine = np.sin(2 * np.pi * hz * np.arange(2 * rate) / rate)
    spectrum = codec.analyse(sine, rate)
    assert abs(codec.bin_hz()[spectrum.argmax()] / hz - 1) < 0.003
    assert 10 * np.log10(2 * codec.power(spectrum).sum()) == pytest.approx(0.0, abs=0.01)


def test_power_is_kept_whatever_the_width_of_the_bins():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, 96_000)
    inside = codec.power(codec.analyse(noise, 48_000)).sum()
    share = (codec.bin_edges_hz()[-1] - codec.bin_edges_hz()[0]) / 24_000
    assert inside == pytest.approx(0.01 * share, rel=0.02)


@settings(max_examples=15, deadline=None)
@given(spectrum=smooth_spectra(), rate=st.sampled_from(RATES), seed=st.integers(0, 1000))
def test_round_trip(spectrum, rate, seed):
    """Sixteen takes with random phases average out to the spectrum they were made from."""
    rng = np.random.default_rng(seed)
    takes = np.stack([codec.synthesise(spectrum, rate, rng) for _ in range(16)], axis=1)
    inside = codec.bin_hz() < 0.49 * rate
    error_db = (codec.decibels(codec.analyse(takes, rate)) - codec.decibels(spectrum))[inside]
    assert np.sqrt(np.mean(error_db**2)) < 1.5
    assert abs(error_db.mean()) < 0.5


@given(spectrum=smooth_spectra(), rate=st.sampled_from(RATES))
@settings(max_examples=20, deadline=None)
def test_all_power_arrives_on_the_lines(spectrum, rate):
    grid = codec.linear_grid(rate)
    bins = codec.power(spectrum)
    bins[codec.bin_hz() > 0.45 * rate] = 0.0
    lines = grid.amplitudes(bins)
    assert np.sum(lines.astype(np.float64) ** 2) == pytest.approx(bins.sum(), rel=1e-3)
    assert np.array_equal(grid.amplitudes_twice(bins), np.repeat(lines, 2))


def test_clip_lengths_have_small_prime_factors():
    assert codec.linear_grid(48_000).frames == 96_000
    assert codec.linear_grid(44_100).frames == 90_000


def test_channels_out_of_phase_do_not_cancel():
    sine = np.sin(2 * np.pi * 300 * np.arange(96_000) / 48_000)
    mono = codec.analyse(sine, 48_000)
    assert codec.analyse(np.stack([sine, -sine], axis=1), 48_000) == pytest.approx(mono, abs=1e-5)


@given(shift=st.integers(-200, 200))
def test_transposing_there_and_back(shift):
    bins = np.zeros(codec.BINS, dtype=np.float32)
    bins[300:900] = np.linspace(0, 1, 600)
    moved = codec.transpose(bins, shift)
    assert np.array_equal(codec.transpose(moved, -shift), bins)
    assert moved[600 + shift] == bins[600]


def test_what_cannot_be_analysed_is_refused():
    with pytest.raises(ValueError, match="16 frames"):
        codec.analyse(np.zeros(3), 48_000)
    with pytest.raises(ValueError, match="positive rate"):
        codec.analyse(np.zeros(100), 0)
    with pytest.raises(ValueError, match="not finite"):
        codec.analyse(np.full(100, np.nan), 48_000)
    with pytest.raises(ValueError, match="positive"):
        codec.LinearGrid(0)
