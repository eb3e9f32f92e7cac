"""Rendered music as a listener would judge it: no pulse, no click, no hole but the rests, wide yet safe in mono."""

from itertools import groupby, pairwise
from typing import NamedTuple

import listening
import numpy as np
import pytest
import soundfile

from appliance.engine.timeline import Timeline
from appliance.mood import Mood
from appliance.spectrum.codec import Floats
from appliance.synth.loudness import loop_lufs

RATE = 48_000
REST_LUFS = -120.0


class Music(NamedTuple):
    """Three minutes of sound, (frames, 2), and what the score wanted of each hop, (hops,) LUFS."""

    timeline: Timeline
    sound: Floats
    expected: Floats

    def stretches(self, resting: bool) -> list[Floats]:
        """The sound of each rest that was told, or of each stretch between rests, whole hops."""
        told = self.expected == REST_LUFS
        # Around a rest the music is on its way out of it and into it.
        wide = told | np.roll(told, 1) | np.roll(told, -1)
        hops = self.sound.reshape(len(told), self.timeline.hop_frames, 2)
        found = [list(rows) for rest, rows in groupby(range(len(told)), key=(told if resting else wide).__getitem__)
                 if rest == resting]  # fmt: skip
        return [hops[rows].reshape(-1, 2) for rows in found]

    def longest(self) -> Floats:
        """The longest stretch between rests."""
        return max(self.stretches(resting=False), key=len)


@pytest.fixture(scope="module", params=[(7, True), (11, True), (23, False)], ids=["seed 7", "seed 11", "without beds"])
def music(request, make_timeline):
    """Three minutes, without the first five seconds: in each is a rest."""
    seed, beds = request.param
    timeline = make_timeline(with_beds=beds)
    cursor, sound, expected = timeline.start(seed, Mood()), [], []
    for _ in range(185):
        cursor, hop = timeline.step(cursor, Mood())
        sound.append(hop)
        expected.append(timeline.expected_lufs(cursor))
    return Music(timeline, np.concatenate(sound[5:]), np.array(expected[5:]))


def test_no_pulse_at_the_hop_rate(music):
    assert listening.modulation_line_db(music.sound, RATE, music.timeline.hop_s) < 2.0


def test_no_click_at_a_seam(music):
    for sound in music.stretches(resting=False):
        steps = listening.seam_steps(sound, music.timeline.hop_frames, np.random.default_rng(0))
        assert steps.seam_step <= steps.random_step
        assert steps.seam_bend <= steps.random_bend


def test_no_click_anywhere(music):
    assert listening.clicks(music.sound, RATE) <= 1.0


def test_no_hole_but_the_rests_that_are_told(music):
    stretches = music.stretches(resting=False)
    assert sum(map(len, stretches)) > 140 * RATE
    for sound in stretches:
        assert listening.longest_hole_s(sound, RATE) == 0.0


def test_a_rest_is_as_quiet_as_it_was_told_and_no_longer_than_a_breath(music):
    """Without beds silence, with them what they make of it: the room is never taken for dead."""
    rests = music.stretches(resting=True)
    assert 1 <= len(rests) <= 2
    for sound in rests:
        assert 4 * RATE < len(sound) < 20 * RATE
        silent = np.abs(sound).max(axis=1) == 0.0
        if music.timeline.beds is None:
            assert 3 * RATE < longest_run(silent) < 10 * RATE
        else:
            assert longest_run(silent) < RATE
            assert -50.0 < loop_lufs(sound, RATE) < -22.0


def longest_run(mask) -> int:
    """Of truth, in frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return max((end - begin for begin, end in zip(edges[::2], edges[1::2], strict=True)), default=0)


@pytest.mark.parametrize("music", [(23, False)], ids=["without beds"], indirect=True)
def test_a_rest_is_entered_and_left_gently(music):
    hops = music.sound.reshape(len(music.expected), -1, 2)
    levels = np.array([loop_lufs(hop, RATE) for hop in hops]).clip(-45.0)
    assert np.abs(np.diff(levels)).max() < 16.0
    assert max(abs(one - two) for one, two in pairwise(levels) if min(one, two) > -30.0) < 5.0


def test_wide_but_safe_in_mono(music):
    found = listening.band_correlations(music.longest(), RATE)
    assert found.below_120 >= 0.9
    assert -0.1 <= found.above_120 <= 0.8
    assert found.mono_loss_db < 3.0


def test_loudness_and_true_peak_by_an_independent_meter(music, tmp_path):
    """Level is kept by the hour: three minutes are as loud as their piece is to be."""
    path = tmp_path / "music.wav"
    soundfile.write(path, music.sound, RATE, subtype="PCM_24")
    lufs, dbtp = listening.loudness_by_ffmpeg(path)
    wanted = 10.0 * np.log10(np.mean(10.0 ** (music.expected[music.expected > -30.0] / 10.0)))
    assert lufs == pytest.approx(wanted, abs=1.0)
    assert -25.0 < lufs < -16.5
    assert dbtp <= -1.0


def test_it_moves(music):
    quick, slow = (listening.spectral_change_db(music.longest(), RATE, lag_s) for lag_s in (1.0, 40.0))
    assert 0.3 < quick < slow
