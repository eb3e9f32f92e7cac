"""Rendered music as a listener would judge it: no pulse, no click, no hole, wide yet safe in mono."""

import listening
import numpy as np
import pytest
import soundfile

from appliance.mood import Mood

RATE = 48_000


@pytest.fixture(scope="module", params=[(7, True), (11, True), (23, False)], ids=["seed 7", "seed 11", "without beds"])
def music(request, make_timeline):
    """Three minutes, without the first five seconds."""
    seed, beds = request.param
    timeline = make_timeline(with_beds=beds)
    cursor, sound = timeline.start(seed, Mood()), []
    for _ in range(185):
        cursor, hop = timeline.step(cursor, Mood())
        sound.append(hop)
    return timeline, np.concatenate(sound[5:])


def test_no_pulse_at_the_hop_rate(music):
    timeline, sound = music
    assert listening.modulation_line_db(sound, RATE, timeline.hop_s) < 2.0


def test_no_click_at_a_seam(music):
    timeline, sound = music
    steps = listening.seam_steps(sound, timeline.hop_frames, np.random.default_rng(0))
    assert steps.seam_step <= steps.random_step
    assert steps.seam_bend <= steps.random_bend


def test_no_click_anywhere(music):
    _, sound = music
    assert listening.clicks(sound, RATE) <= 1.0


def test_no_hole(music):
    _, sound = music
    assert listening.longest_hole_s(sound, RATE) == 0.0


def test_wide_but_safe_in_mono(music):
    _, sound = music
    found = listening.band_correlations(sound, RATE)
    assert found.below_120 >= 0.9
    assert -0.1 <= found.above_120 <= 0.8
    assert found.mono_loss_db < 3.0


def test_loudness_and_true_peak_by_an_independent_meter(music, tmp_path):
    _, sound = music
    path = tmp_path / "music.wav"
    soundfile.write(path, sound, RATE, subtype="PCM_24")
    lufs, dbtp = listening.loudness_by_ffmpeg(path)
    assert lufs == pytest.approx(-20.0, abs=1.0)
    assert dbtp <= -1.0


def test_it_moves(music):
    _, sound = music
    assert 0.3 < listening.spectral_change_db(sound, RATE, 1.0) < listening.spectral_change_db(sound, RATE, 60.0)
