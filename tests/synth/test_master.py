"""The limiter never passes its ceiling, leaves quiet sound alone, and does not care where sound is cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from appliance.synth.master import Limiter, fade_in, fade_out, true_peak

RATE = 48_000
CEILING_DBTP = -1.0


def independent_true_peak_db(sound):
    """Eightfold polyphase resampling by scipy, which shares no code with ours."""
    padded = np.pad(sound.astype(np.float64), ((400, 400), (0, 0)))
    return 20.0 * np.log10(np.abs(resample_poly(padded, 8, 1)).max() + 1e-12)


def soft_ends(sound, frames=600):
    """Fade both ends, so that a measure of the piece does not measure the cut."""
    ends = np.clip(np.minimum(np.arange(len(sound)), len(sound) - 1 - np.arange(len(sound))) / frames, 0.0, 1.0)
    return (sound * ends[:, np.newaxis]).astype(np.float32)


def limit_whole(limiter, sound):
    silence = np.zeros((limiter.reach_frames, sound.shape[1]), dtype=np.float32)
    return limiter.limit(np.concatenate([silence, sound, silence]))


def band_limited(sound, top_hz=20_000.0):
    lines = np.fft.rfft(sound, axis=0)
    lines[np.fft.rfftfreq(len(sound), 1.0 / RATE) > top_hz] = 0.0
    return np.fft.irfft(lines, len(sound), axis=0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["noise", "full band noise", "signs", "bursts"]),
    gain_db=st.floats(-10.0, 40.0),
    channels=st.integers(1, 3),
)
def test_never_passes_its_ceiling(seed, kind, gain_db, channels):
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal((6_000, channels))
    if kind == "noise":
        sound = band_limited(sound)
    elif kind == "signs":
        sound = band_limited(np.sign(sound))
    elif kind == "bursts":
        sound = band_limited(sound * (rng.random((len(sound), 1)) < 0.002) * 20.0)
    limited = limit_whole(Limiter(RATE, channels, CEILING_DBTP), soft_ends(sound * 10.0 ** (gain_db / 20.0)))
    assert independent_true_peak_db(limited) <= CEILING_DBTP


@pytest.mark.parametrize("hz", [60.0, 441.3, 4_000.0, 11_999.0])
def test_holds_square_waves_at_full_scale(hz):
    wave = np.sign(np.sin(2.0 * np.pi * hz / RATE * np.arange(12_000) + 0.1))
    limited = limit_whole(Limiter(RATE, 2), soft_ends(np.stack([wave, -wave], axis=1)))
    assert -1.6 < independent_true_peak_db(limited) <= CEILING_DBTP


@pytest.mark.parametrize("phase", [np.pi / 4, np.pi / 4 + np.pi / 16, np.pi / 16])
def test_holds_what_hides_between_the_samples(phase):
    # At a quarter of the rate and 45 degrees every sample is 3 dB below the crest.
    wave = 0.999 / np.cos(np.pi / 4) * np.sin(0.5 * np.pi * np.arange(12_000) + phase)
    sound = soft_ends(wave[:, np.newaxis])
    assert independent_true_peak_db(sound) > 2.9
    assert -1.4 < independent_true_peak_db(limit_whole(Limiter(RATE, 1), sound)) <= CEILING_DBTP


def test_sees_the_worst_that_small_samples_can_hide():
    # Signs that all push the point between the two in the middle: 7 dB between samples and crest.
    half = 0.45 * (-1.0) ** np.arange(12)
    sound = np.zeros((6_000, 1), dtype=np.float32)
    sound[3_000:3_024, 0] = np.concatenate([half[::-1], half])
    assert independent_true_peak_db(sound) > -0.5
    assert independent_true_peak_db(limit_whole(Limiter(RATE, 1), sound)) <= CEILING_DBTP


def test_works_at_other_rates_and_ceilings():
    sound = soft_ends(np.random.default_rng(5).standard_normal((9_000, 2)) * 0.3, 500)
    for rate in (22_050, 44_100, 96_000):
        assert independent_true_peak_db(limit_whole(Limiter(rate, 2, -6.0), band_limited_at(sound, rate))) <= -6.0


def band_limited_at(sound, rate):
    return band_limited(sound, 20_000.0 if rate >= 44_100 else 21_000.0).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), level=st.floats(0.0, 0.38))
def test_is_the_identity_for_quiet_sound(seed, level):
    sound = (np.random.default_rng(seed).uniform(-level, level, (3_000, 2))).astype(np.float32)
    np.testing.assert_array_equal(limit_whole(Limiter(RATE, 2), sound), sound)


def test_lets_smooth_loud_sound_through_untouched():
    # Peaks at -1.5 dBFS pass the first bound but not the second: slow sound does not bend between samples.
    wave = 0.84 * np.sin(2.0 * np.pi * 220.0 / RATE * np.arange(9_000))
    sound = soft_ends(wave[:, np.newaxis])
    assert true_peak().over(sound, 0.88) is None
    np.testing.assert_array_equal(limit_whole(Limiter(RATE, 1), sound), sound)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(1, 8_999), min_size=1, max_size=6, unique=True),
    gain=st.floats(0.05, 4.0),
)
def test_bits_do_not_depend_on_where_the_sound_is_cut(seed, cuts, gain):
    rng = np.random.default_rng(seed)
    limiter = Limiter(RATE, 2)
    reach = limiter.reach_frames
    loud = rng.standard_normal((9_000 + 2 * reach, 2)) * (rng.random((9_000 + 2 * reach, 1)) < 0.01) * gain
    window = loud.astype(np.float32)
    whole = limiter.limit(window)
    edges = [0, *sorted(cuts), 9_000]
    parts = [limiter.limit(window[a : b + 2 * reach]) for a, b in itertools.pairwise(edges)]
    assert np.concatenate(parts).tobytes() == np.ascontiguousarray(whole).tobytes()


def test_gain_is_smooth_and_makes_no_hole():
    limiter = Limiter(RATE, 1)
    sound = np.full((20_000, 1), 0.01, dtype=np.float32)
    sound[9_000:9_003] = 4.0
    gain = (limit_whole(limiter, sound) / sound)[:, 0]
    needed = 10.0 ** (CEILING_DBTP / 20.0) / 4.7
    assert np.abs(np.diff(gain)).max() < 1.0 / 500.0
    assert needed * 0.9 < gain.min() < 10.0 ** (CEILING_DBTP / 20.0) / 4.0
    changed = np.flatnonzero(gain < 1.0)
    assert 9_000 - limiter.reach_frames <= changed[0]
    assert changed[-1] <= 9_003 + limiter.reach_frames
    assert np.all(gain[:7_000] == 1.0)


def test_channels_share_one_gain():
    rng = np.random.default_rng(2)
    sound = soft_ends(np.stack([rng.standard_normal(9_000), 0.1 * np.ones(9_000)], axis=1))
    limited = limit_whole(Limiter(RATE, 2), sound)
    inner = np.abs(sound[:, 0]) > 1e-3
    ratio = limited[inner] / sound[inner]
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=1e-5)


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_gets_out(fault):
    sound = np.full((9_000, 2), 0.1, dtype=np.float32)
    sound[4_000, 1] = fault
    limited = limit_whole(Limiter(RATE, 2), sound)
    assert np.isfinite(limited).all()
    assert limited[4_000, 1] == 0.0
    np.testing.assert_array_equal(limited[:, 0], sound[:, 0])


def test_absurd_samples_do_not_silence_the_room_for_long():
    sound = np.full((9_000, 1), 0.1, dtype=np.float32)
    sound[4_000] = 1e30
    limited = limit_whole(Limiter(RATE, 1), sound)
    assert np.isfinite(limited).all()
    assert np.abs(limited).max() < 1.0
    np.testing.assert_array_equal(limited[6_000:], sound[6_000:])


def test_refuses_a_window_that_is_too_short():
    limiter = Limiter(RATE, 2)
    with pytest.raises(ValueError, match="more than"):
        limiter.limit(np.zeros((2 * limiter.reach_frames, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="2 channels"):
        limiter.limit(np.zeros((9_000, 1), dtype=np.float32))


def test_true_peak_is_what_an_independent_measure_finds():
    sound = soft_ends(band_limited(np.random.default_rng(1).standard_normal((5_000, 2))))
    padded = np.pad(sound, ((true_peak().reach_frames,) * 2, (0, 0)))
    ours = 20.0 * np.log10(true_peak().over(padded, 0.0).max())
    assert ours == pytest.approx(independent_true_peak_db(sound), abs=0.02)


def test_fades_go_by_the_place_in_the_rendering():
    sound = np.ones((1_000, 2), dtype=np.float32)
    whole = fade_in(sound, 0, 800)
    parts = np.concatenate([fade_in(sound[:300], 0, 800), fade_in(sound[300:], 300, 800)])
    np.testing.assert_array_equal(whole, parts)
    assert whole[0, 0] < 1e-4
    assert np.all(np.diff(whole[:, 0]) >= 0.0)
    np.testing.assert_array_equal(whole[800:], sound[800:])
    assert fade_in(sound, 800, 800) is sound
    np.testing.assert_array_equal(fade_in(sound, -2_000, 800), np.zeros_like(sound))


def test_fading_out_mirrors_fading_in():
    sound = np.ones((1_000, 1), dtype=np.float32)
    out = fade_out(sound, -200, 700)
    np.testing.assert_array_equal(out[:200], sound[:200])
    np.testing.assert_array_equal(out[900:], np.zeros((100, 1)))
    np.testing.assert_array_equal(out[200:900], fade_in(sound[:700], 0, 700)[::-1])
    assert fade_out(sound, -1_000, 700) is sound
    parts = np.concatenate([fade_out(sound[:450], -200, 700), fade_out(sound[450:], 250, 700)])
    np.testing.assert_array_equal(out, parts)
