"""Each measure hears its fault, and is quiet where there is none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from listening import (
    band_correlations,
    click_times_s,
    clicks,
    longest_hole_s,
    loudness_by_ffmpeg,
    modulation_line_db,
    partial_steadiness_db,
    seam_steps,
    spectral_change_db,
)
from scipy import fft

from appliance.spectrum.codec import Floats

RATE = 16_000


def rain(seconds: float, seed: int = 1, channels: int = 2, rate: int = RATE) -> Floats:
    """Steady pink noise at about -20 dBFS, independent in each channel."""
    frames = round(seconds * rate)
    rng = np.random.default_rng(seed)
    lines = fft.rfft(rng.standard_normal((frames, channels)).astype(np.float32), axis=0)
    hz = fft.rfftfreq(frames, 1.0 / rate)
    lines *= np.where(hz > 20.0, 1.0 / np.sqrt(np.maximum(hz, 1.0)), 0.0)[:, np.newaxis]
    audio = fft.irfft(lines, frames, axis=0)
    return np.asarray(0.1 * audio / np.sqrt(np.mean(audio**2)), dtype=np.float32)


def dark(audio: Floats) -> Floats:
    """Audio with its top taken away: 3 dB down at 500 Hz, 6 dB per octave."""
    hz = fft.rfftfreq(len(audio), 1.0 / RATE)[:, np.newaxis]
    lines = fft.rfft(audio, axis=0) / (1.0 + 1j * hz / 500.0)
    return np.asarray(fft.irfft(lines, len(audio), axis=0), dtype=np.float32)


def tone(hz: float, seconds: float, level: float = 0.1) -> Floats:
    """A sine in two channels."""
    one = level * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([one, one], axis=1).astype(np.float32)


def seconds_of(audio: Floats) -> Floats:
    """Time of each frame, shape (frames, 1)."""
    return (np.arange(len(audio), dtype=np.float32) / np.float32(RATE))[:, np.newaxis]


@pytest.mark.parametrize("seed", range(3))
def test_steady_sound_has_no_modulation_line(seed: int) -> None:
    assert modulation_line_db(rain(60.0, seed), RATE, 1.0) < 2.0


@pytest.mark.parametrize("pulses_per_s", [1.0, 2.0])
def test_a_pulse_at_the_hop_rate_or_twice_it_is_a_modulation_line(pulses_per_s: float) -> None:
    audio = rain(60.0)
    pulsing = audio * (1.0 + 0.1 * np.cos(2.0 * np.pi * pulses_per_s * seconds_of(audio)))

    assert modulation_line_db(pulsing, RATE, 1.0) > 8.0


def test_a_pulse_in_one_octave_is_a_modulation_line() -> None:
    audio = rain(60.0)
    hz = fft.rfftfreq(len(audio), 1.0 / RATE)[:, np.newaxis]
    octave = fft.irfft(fft.rfft(audio, axis=0) * ((hz > 1414.0) & (hz < 2828.0)), len(audio), axis=0)
    pulsing = audio + np.float32(0.2) * np.cos(2.0 * np.pi * seconds_of(audio)) * octave

    assert modulation_line_db(pulsing, RATE, 1.0) > 5.0


def test_a_pulse_at_another_rate_is_no_modulation_line() -> None:
    audio = rain(60.0)
    pulsing = audio * (1.0 + 0.1 * np.cos(2.0 * np.pi * 0.8 * seconds_of(audio)))

    assert modulation_line_db(pulsing, RATE, 1.0) < 2.0


@pytest.mark.parametrize(("depth", "least", "most"), [(0.0, -10.0, 2.0), (0.02, 5.0, 7.5), (0.05, 12.0, 16.0)])
def test_on_a_pure_tone_what_can_be_heard_counts(depth: float, least: float, most: float) -> None:
    time = seconds_of(np.zeros((40 * RATE, 1)))
    tone = 0.1 * np.sin(2.0 * np.pi * 500.0 * time) * (1.0 + depth * np.cos(2.0 * np.pi * time))

    assert least < modulation_line_db(tone.astype(np.float32), RATE, 1.0) < most


def test_a_modulation_spectrum_needs_enough_sound() -> None:
    with pytest.raises(ValueError, match="at least 32 hops"):
        modulation_line_db(rain(20.0), RATE, 1.0)
    with pytest.raises(ValueError, match="silence"):
        modulation_line_db(np.zeros((40 * RATE, 2), dtype=np.float32), RATE, 1.0)


def test_sound_without_seams_has_steps_as_anywhere() -> None:
    steps = seam_steps(rain(60.0), RATE, np.random.default_rng(2))

    assert 0.0 < steps.seam_step <= steps.random_step
    assert 0.0 < steps.seam_bend <= steps.random_bend


def test_a_jump_at_one_seam_is_found() -> None:
    audio = tone(110.0, 60.0)
    audio[7 * RATE :] += np.float32(0.02)

    steps = seam_steps(audio, RATE, np.random.default_rng(2))

    assert steps.seam_step > 2.0 * steps.random_step


def test_a_corner_at_one_seam_shows_as_a_bend_but_not_as_a_step() -> None:
    audio = tone(110.0, 60.0)
    # From a zero of the sine on it runs backwards: no jump, but the slope changes its sign.
    audio[7 * RATE :] *= np.float32(-1.0)

    steps = seam_steps(audio, RATE, np.random.default_rng(2))

    assert steps.seam_step <= 1.01 * steps.random_step
    assert steps.seam_bend > 2.0 * steps.random_bend


def test_a_jump_between_seams_is_none_of_theirs() -> None:
    audio = tone(110.0, 60.0)
    audio[7 * RATE + RATE // 2 :] += np.float32(0.02)

    steps = seam_steps(audio, RATE, np.random.default_rng(2))

    assert steps.seam_step <= 1.01 * steps.random_step


def test_steady_sound_has_no_hole() -> None:
    assert longest_hole_s(rain(10.0), RATE) == 0.0


def test_a_hole_in_one_channel_is_measured() -> None:
    audio = rain(10.0)
    audio[3 * RATE : 3 * RATE + RATE // 4, 1] *= np.float32(0.01)
    audio[6 * RATE : 6 * RATE + RATE // 10, 1] = 0.0

    assert longest_hole_s(audio, RATE) == pytest.approx(0.25, abs=0.021)


def test_a_dip_of_20_db_is_no_hole_and_silence_is_one() -> None:
    audio = rain(10.0)
    audio[3 * RATE : 4 * RATE] *= np.float32(0.1)

    assert longest_hole_s(audio, RATE) == 0.0
    assert longest_hole_s(np.zeros((10 * RATE, 2), dtype=np.float32), RATE) == pytest.approx(10.0)


def test_independent_channels_do_not_correlate_and_lose_3_db() -> None:
    measured = band_correlations(rain(60.0), RATE)

    assert abs(measured.above_120) < 0.05
    assert abs(measured.below_120) < 0.1
    # 60 s of the lowest third-octave, 6 Hz wide, hold about 700 independent values.
    assert np.abs(measured.by_band).max() < 0.2
    assert measured.mono_loss_db == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize(("sign", "correlation"), [(1.0, 1.0), (-1.0, -1.0)], ids=["mono", "anti-phase"])
def test_equal_and_opposed_channels_are_told_apart(sign: float, correlation: float) -> None:
    left = rain(10.0)[:, :1]
    measured = band_correlations(np.concatenate([left, np.float32(sign) * left], axis=1), RATE)

    np.testing.assert_allclose(measured.by_band, correlation, atol=1e-6)
    assert measured.above_120 == pytest.approx(correlation)
    assert measured.below_120 == pytest.approx(correlation)
    assert (measured.mono_loss_db > 60.0) == (sign < 0.0)


def test_a_wide_top_over_a_mono_bottom_is_seen_as_such() -> None:
    wide, mono = rain(30.0), rain(30.0, seed=9, channels=1)
    hz = fft.rfftfreq(len(wide), 1.0 / RATE)[:, np.newaxis]
    lines = np.where(hz < 120.0, fft.rfft(mono, axis=0), fft.rfft(wide, axis=0))

    measured = band_correlations(fft.irfft(lines, len(wide), axis=0).astype(np.float32), RATE)

    assert measured.below_120 > 0.98
    assert abs(measured.above_120) < 0.05


def test_a_band_without_sound_has_no_correlation() -> None:
    measured = band_correlations(tone(440.0, 5.0), RATE)

    assert np.isnan(measured.by_band[measured.band_hz < 300.0]).all()
    assert measured.by_band[np.argmin(np.abs(measured.band_hz - 440.0))] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="two channels"):
        band_correlations(rain(5.0, channels=1), RATE)


def test_a_tone_is_steady_even_beside_another_partial() -> None:
    audio = tone(110.0, 20.0) + tone(165.0, 20.0) + np.float32(0.001) * rain(20.0)

    assert partial_steadiness_db(audio, RATE, 110.0) < 0.1


def test_a_fluttering_tone_and_noise_are_not_steady() -> None:
    audio = tone(110.0, 20.0)
    flutter = audio.copy()
    # 20 log10(1 + 0.3 sin x) has a standard deviation of 1.89 dB.
    flutter[:, 1:] *= 1.0 + np.float32(0.3) * np.sin(2.0 * np.pi * 1.5 * seconds_of(audio))

    assert partial_steadiness_db(flutter, RATE, 110.0) == pytest.approx(1.89, abs=0.15)
    assert partial_steadiness_db(rain(60.0), RATE, 110.0) == pytest.approx(5.6, abs=0.6)


def test_steady_noise_changes_little_at_any_lag() -> None:
    audio = rain(30.0)

    assert spectral_change_db(audio, RATE, 10.0) < 1.5
    assert spectral_change_db(audio, RATE, 1.0) <= spectral_change_db(audio, RATE, 10.0)


def test_a_turning_filter_changes_more_the_longer_the_lag() -> None:
    closed, opened = dark(rain(30.0)), rain(30.0, seed=5)
    arrived = seconds_of(closed) / np.float32(30.0)
    audio = closed * np.sqrt(1.0 - arrived) + opened * np.sqrt(arrived)

    assert spectral_change_db(audio, RATE, 20.0) > 2.0 * spectral_change_db(audio, RATE, 1.0)
    with pytest.raises(ValueError, match="longer than 62 s"):
        spectral_change_db(audio, RATE, 60.0)


def test_a_jump_of_level_is_so_many_decibels_of_change() -> None:
    audio = rain(24.0)
    audio[12 * RATE :] *= np.float32(0.5)

    # Each pair lies on both sides of the jump.
    assert spectral_change_db(audio, RATE, 20.0) == pytest.approx(6.02, abs=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_noise_tones_and_silence_have_no_clicks(seed: int) -> None:
    assert clicks(rain(60.0, seed), RATE) == 0.0
    assert clicks(tone(110.0, 10.0) + tone(3000.0, 10.0), RATE) == 0.0
    assert clicks(np.zeros((RATE, 2), dtype=np.float32), RATE) == 0.0


def test_a_soft_onset_is_no_click() -> None:
    audio = tone(110.0, 4.0) * np.clip((seconds_of(tone(110.0, 4.0)) - 2.0) / 0.02, 0.0, 1.0)

    assert clicks(audio, RATE) == 0.0


def test_clicks_are_counted_and_placed() -> None:
    audio = dark(rain(30.0))
    audio[5 * RATE, 0] += np.float32(0.1)
    audio[20 * RATE :, 1] += np.float32(0.2)

    np.testing.assert_allclose(click_times_s(audio, RATE), [5.0, 20.0], atol=2e-3)
    assert clicks(audio, RATE) == pytest.approx(4.0)


def test_a_missing_sample_in_a_tone_is_a_click() -> None:
    audio = tone(110.0, 10.0)
    audio = np.delete(audio, 33_000, axis=0)

    assert click_times_s(audio, RATE) == pytest.approx([33_000 / RATE], abs=2e-3)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is missing: apt-get install ffmpeg")
def test_ffmpeg_measures_loudness_and_true_peak(tmp_path: Path) -> None:
    frames = np.arange(5 * 48_000)
    # EBU Tech 3341, test 1: a stereo sine of 1 kHz at -23 dBFS measures -23 LUFS.
    fade = np.minimum(frames / 4_800, 1.0)
    one = 10.0 ** (-23.0 / 20.0) * np.sin(2.0 * np.pi * 1000.0 * frames / 48_000)
    # A quarter of the rate at 45 degrees: the samples miss the peak by 3.01 dB.
    two = 0.5 * fade * np.sin(2.0 * np.pi * 12_000.0 * frames / 48_000 + np.pi / 4.0)
    soundfile.write(tmp_path / "one.wav", np.stack([one, one], axis=1), 48_000, "PCM_24")
    soundfile.write(tmp_path / "two.wav", np.stack([two, two], axis=1), 48_000, "PCM_24")

    assert loudness_by_ffmpeg(tmp_path / "one.wav") == pytest.approx((-23.0, -23.0), abs=0.1)
    assert loudness_by_ffmpeg(tmp_path / "two.wav")[1] == pytest.approx(-6.02, abs=0.2)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is missing: apt-get install ffmpeg")
def test_ffmpeg_says_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("no sound", encoding="utf-8")

    with pytest.raises(RuntimeError, match=r"measured nothing in .*words\.wav"):
        loudness_by_ffmpeg(tmp_path / "words.wav")
