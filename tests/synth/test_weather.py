"""The built-in weather: level, width, no seam, no click, no pulse, nothing harsh, and the same every time."""

from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest

from appliance.spectrum.codec import analyse, decibels
from appliance.synth.beds import Beds
from appliance.synth.weather import WEATHER_LUFS, weather

RATE = 48_000


@pytest.fixture(scope="module")
def kept():
    return weather(RATE, 2, np.random.default_rng(0x5EA))


@pytest.fixture(scope="module")
def six(kept):
    """As they sound."""
    return [replace(bed, loop=bed.loop * np.float32(bed.scale), scale=1.0) for bed in kept]


def test_six_beds_in_little_memory(kept):
    assert len({bed.name for bed in kept}) == 6
    assert sum(bed.loop.nbytes for bed in kept) <= 20_000_000
    for bed in kept:
        assert bed.loop.dtype == np.int16
        assert np.abs(bed.loop).max() == 32_767
        assert bed.loop.flags.c_contiguous
        assert bed.spectrum.shape == (1233,)


def test_every_bed_is_as_loud_as_it_says(six):
    for bed in six:
        measured = pyloudnorm.Meter(RATE).integrated_loudness(np.tile(bed.loop, (2, 1)).astype(np.float64))
        assert measured == pytest.approx(WEATHER_LUFS, abs=0.3)
        assert bed.lufs == WEATHER_LUFS
        assert np.abs(bed.loop).max() < 0.2


def test_wide_above_and_mono_below(six):
    for bed in six:
        lines = np.fft.rfft(bed.loop, axis=0)
        hz = np.fft.rfftfreq(len(bed.loop), 1.0 / RATE)
        cross = (lines[:, 0] * lines[:, 1].conj()).real
        powers = np.abs(lines) ** 2
        for band, low, high in ((hz < 120.0, 0.9, 1.01), ((hz > 120.0) & (hz < 2_000.0), -0.1, 0.8)):
            assert low < cross[band].sum() / np.sqrt(np.prod(powers[band].sum(axis=0))) < high
        treble = hz > 350.0
        assert -0.1 < cross[treble].sum() / np.sqrt(np.prod(powers[treble].sum(axis=0))) < 0.5


def test_loops_have_no_seam(six):
    for bed in six:
        for order in (1, 2, 3):
            around = np.concatenate([bed.loop, bed.loop[:4]], dtype=np.float32)
            steps = np.abs(np.diff(around, order, axis=0)).max(axis=1)
            seam = steps[len(bed.loop) - order : len(bed.loop)].max()
            assert seam <= np.quantile(steps, 0.9999)


def test_nothing_clicks(six):
    # A click is an event within one sample: in the third difference it would stand alone.
    for bed in six:
        steps = np.abs(np.diff(bed.loop.astype(np.float32), 3, axis=0)).max(axis=1)
        windows = steps[: len(steps) // 480 * 480].reshape(-1, 480)
        assert np.max(windows.max(axis=1) / np.sqrt((windows**2).mean(axis=1))) < 8.0


def test_frames_leave_no_pulse(six):
    """No modulation line at the rate of the frames above its neighbourhood."""
    for bed in six:
        if "rain" in bed.name:
            continue
        power = (bed.loop[: 13 * RATE, 0].astype(np.float64) ** 2).reshape(-1, 240).sum(axis=1)
        lines = np.abs(np.fft.rfft(np.log(power + 1e-12) - np.log(power + 1e-12).mean()))
        hz = np.fft.rfftfreq(len(power), 240 / RATE)
        half_frame_s = 0.0425
        at = np.abs(hz - 1.0 / half_frame_s) < 0.15
        around = (np.abs(hz - 1.0 / half_frame_s) < 4.0) & ~at
        assert lines[at].max() < 1.3 * lines[around].max()


def test_nothing_harsh_and_nothing_too_deep(six):
    for bed in six:
        levels = decibels(bed.spectrum)
        smooth = np.convolve(levels, np.ones(40) / 40.0, mode="valid")
        # Bins are 10 cents wide: flat noise rises by 3 dB an octave. No band of a third stands out of its octaves.
        around = np.convolve(levels, np.ones(360) / 360.0, mode="same")[20:-19]
        audible = slice(240, 1000)
        assert (smooth - around)[audible].max() < 10.0
        lines = np.sum(np.abs(np.fft.rfft(bed.loop, axis=0)) ** 2, axis=1)
        hz = np.fft.rfftfreq(len(bed.loop), 1.0 / RATE)
        assert lines[hz < 35.0].sum() < 3e-5 * lines.sum()
        assert lines[(hz > 50.0) & (hz < 120.0)].sum() > 1e-4 * lines.sum()
        assert lines[hz > 20_000.0].sum() < 1e-6 * lines.sum()


def test_like_goes_to_like(six):
    """Each bed's kind is among the beds it may give way to."""
    beds = Beds(six, RATE, RATE)
    cursor, moves = beds.first(1), set()
    for _ in range(40_000):
        cursor = beds.advance(1, cursor)
        moves.add((six[cursor.bed].name, six[cursor.next_bed].name))
    assert {("rain on leaves", "soft rain"), ("long swell", "small waves"), ("small waves", "long swell")} <= moves
    assert ("wind over a hill", "soft rain") not in moves
    assert {name for name, _ in moves} == {bed.name for bed in six}


def test_waves_come_and_go_and_rain_stays(six):
    def swing_db(bed):
        level = 10.0 * np.log10((bed.loop[: 13 * RATE] ** 2).reshape(13, -1).mean(axis=1))
        return level.max() - level.min()

    by_name = {bed.name: swing_db(bed) for bed in six}
    assert by_name["soft rain"] < 4.0
    assert by_name["long swell"] > 5.0
    assert by_name["wind over a hill"] > 4.0


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 3)])
def test_any_rate_and_number_of_channels_and_the_same_every_time(rate, channels):
    beds = weather(rate, channels, np.random.default_rng(1))
    again = weather(rate, channels, np.random.default_rng(1))
    other = weather(rate, channels, np.random.default_rng(2))
    for one, same, different in zip(beds, again, other, strict=True):
        assert one.loop.shape[1] == channels
        assert one.loop.tobytes() == same.loop.tobytes()
        assert one.loop.tobytes() != different.loop.tobytes()
        np.testing.assert_array_equal(one.spectrum, same.spectrum)


def test_spectrum_is_of_the_loop(six):
    for bed in six[:2]:
        third = len(bed.loop) // 3
        measured = analyse(bed.loop[third : third + 2 * RATE], RATE)
        difference = decibels(bed.spectrum)[300:1100] - decibels(measured)[300:1100]
        assert abs(np.median(difference)) < 5.0
