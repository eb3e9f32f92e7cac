"""The meter agrees with two independent ones, however the sound is cut."""

import re
import shutil
import subprocess

import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from appliance.synth.loudness import Meter, loop_lufs

RATE = 48_000


def measure(sound, rate=RATE, block=7_777):
    meter = Meter(rate, sound.shape[1])
    for start in range(0, len(sound), block):
        meter.add(sound[start : start + block])
    return meter


def tone(hz, seconds, level=0.1, rate=RATE, channels=2):
    wave = level * np.sin(2.0 * np.pi * hz / rate * np.arange(round(seconds * rate)))
    return np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32)


def noise(seconds, level=0.1, rate=RATE, channels=2, seed=1):
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((round(seconds * rate), channels))).astype(np.float32)


def loud_and_quiet():
    return np.concatenate([noise(4, 0.2), noise(6, 0.01), noise(3, 0.1), np.zeros((RATE, 2), dtype=np.float32)])


SIGNALS = {
    "tone": (tone(997, 5), RATE),
    "bass": (tone(50, 5), RATE),
    "noise": (noise(5), RATE),
    "mono": (noise(5, channels=1), RATE),
    "44.1 kHz": (noise(5, rate=44_100), 44_100),
    "22.05 kHz": (tone(3_000, 5, rate=22_050), 22_050),
    "loud and quiet": (loud_and_quiet(), RATE),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_agrees_with_pyloudnorm(name):
    sound, rate = SIGNALS[name]
    expected = pyloudnorm.Meter(rate).integrated_loudness(sound.astype(np.float64))
    assert measure(sound, rate).integrated_lufs() == pytest.approx(expected, abs=0.05)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", ["tone", "loud and quiet", "44.1 kHz"])
def test_agrees_with_ffmpeg(name, tmp_path):
    sound, rate = SIGNALS[name]
    soundfile.write(tmp_path / "sound.wav", sound, rate, subtype="FLOAT")
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(tmp_path / "sound.wav")]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    integrated = float(re.findall(r"I:\s+(\S+) LUFS", report)[-1])
    peak = float(re.findall(r"Peak:\s+(\S+) dBFS", report)[-1])
    meter = measure(sound, rate)
    assert meter.integrated_lufs() == pytest.approx(integrated, abs=0.1)
    assert meter.true_peak_dbtp == pytest.approx(peak, abs=0.15)


def test_a_reference_tone_reads_as_the_standard_says():
    # BS.1770-4: a 0 dBFS sine of 997 Hz in one channel reads -3.01 LKFS.
    assert measure(tone(997, 3, level=1.0, channels=1)).integrated_lufs() == pytest.approx(-3.01, abs=0.05)


def test_silence_has_no_loudness():
    meter = measure(np.zeros((2 * RATE, 2), dtype=np.float32))
    assert meter.integrated_lufs() == float("-inf")
    assert meter.true_peak_dbtp == float("-inf")
    assert Meter(RATE, 2).integrated_lufs() == float("-inf")
    assert Meter(RATE, 2).short_term() == []


def test_short_term_follows_the_last_three_seconds():
    sound = np.concatenate([tone(997, 4, 0.1), tone(997, 4, 0.01), np.zeros((4 * RATE, 2), dtype=np.float32)])
    values = measure(sound).short_term()
    assert len(values) == 10
    assert values[0] == pytest.approx(-20.0, abs=0.1)
    assert values[4] == pytest.approx(-40.0, abs=0.1)
    assert values[2] < values[1] < values[0] + 0.01
    assert values[9] < -120.0


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 23_999), min_size=1, max_size=5, unique=True))
def test_cuts_change_nothing(cuts):
    sound = noise(0.5, rate=RATE)[:24_000]
    whole, parts = Meter(RATE, 2), Meter(RATE, 2)
    whole.add(sound)
    for part in np.split(sound, sorted(cuts)):
        parts.add(part)
    assert parts.integrated_lufs() == pytest.approx(whole.integrated_lufs(), abs=1e-9)
    assert parts.true_peak_dbtp == whole.true_peak_dbtp


@pytest.mark.parametrize("phase", [0.0, np.pi / 4])
def test_true_peak_sees_between_samples_and_at_the_very_end(phase):
    wave = (0.5 * np.sin(0.5 * np.pi * np.arange(5_001) + phase))[:, np.newaxis].astype(np.float32)
    wave[:300] *= np.linspace(0.0, 1.0, 300, dtype=np.float32)[:, np.newaxis]
    expected = 20.0 * np.log10(np.abs(resample_poly(np.pad(wave, ((0, 200), (0, 0))), 8, 1)).max())
    assert measure(wave, block=1_000).true_peak_dbtp == pytest.approx(expected, abs=0.03)


def test_asking_does_not_disturb():
    sound = noise(2)
    meter = Meter(RATE, 2)
    meter.add(sound[:RATE])
    assert meter.true_peak_dbtp < 0.0
    meter.integrated_lufs()
    meter.short_term()
    meter.add(sound[RATE:])
    plain = measure(sound)
    assert meter.integrated_lufs() == pytest.approx(plain.integrated_lufs(), abs=1e-9)
    assert meter.true_peak_dbtp == plain.true_peak_dbtp


def test_a_fault_is_silence_not_poison():
    sound = noise(3)
    broken = sound.copy()
    broken[RATE] = np.nan
    assert measure(broken).integrated_lufs() == pytest.approx(measure(sound).integrated_lufs(), abs=0.05)


@pytest.mark.parametrize("name", SIGNALS)
def test_the_quick_measure_of_a_loop_agrees(name):
    sound, rate = SIGNALS[name]
    assert loop_lufs(sound, rate) == pytest.approx(measure(sound, rate).integrated_lufs(), abs=0.3)
