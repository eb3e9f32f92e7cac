"""Whatever happens, there is sound: the short version of ``tests/chaos``, and proof that its measures can fail."""

import sys

import numpy as np
import pytest
from chaos.evening import judge, measured
from chaos.harm import Outcome
from chaos.measure import (
    RATE,
    Audio,
    Natural,
    band_change_frame,
    click_ratio,
    largest_step,
    longest_hole,
    loudness_lufs,
    match,
    peak_db,
)
from chaos.reference import reference
from chaos.report import CALM_S, rows, table, undisturbed
from chaos.scenarios import Scenario

BARS = Scenario("music", lambda *_: None)


@pytest.fixture(scope="module")
def calm() -> Natural:
    return undisturbed()


@pytest.fixture
def music() -> Audio:
    return reference(CALM_S)[20 * RATE : 30 * RATE].copy()


def faults(audio: Audio, calm: Natural) -> str:
    outcome = Outcome()
    judge(measured("music", audio, calm), BARS, calm, outcome)
    return "; ".join(outcome.problems)


def test_undisturbed_music_has_no_fault(music: Audio, calm: Natural) -> None:
    assert faults(music, calm) == ""
    assert longest_hole(music, calm.level).seconds < 0.001


def test_a_hole_is_measured_in_both_channels(music: Audio, calm: Natural) -> None:
    at, length = 3 * RATE, round(0.006 * RATE)
    music[at : at + length, 0] = 0.0
    assert longest_hole(music, calm.level).seconds < 0.001
    music[at : at + length, 1] = 0.0
    assert longest_hole(music, calm.level).seconds == pytest.approx(0.006, abs=0.0002)
    assert "a hole of 6.0 ms" in faults(music, calm)


def test_a_hole_with_faded_ends_is_found_too(music: Audio, calm: Natural) -> None:
    fade = np.linspace(1.0, 0.0, RATE // 100)[:, np.newaxis]
    at = 3 * RATE
    music[at : at + RATE // 100] *= fade
    music[at + RATE // 100 : at + 2 * RATE // 100] = 0.0
    music[at + 2 * RATE // 100 : at + 3 * RATE // 100] *= fade[::-1]
    assert "a hole of 10" in faults(music, calm)


def test_sound_that_comes_back_without_a_fade_is_found(music: Audio, calm: Natural) -> None:
    bars = Scenario("music", lambda *_: None, seamless=False, hole_s=2.0)
    music[3 * RATE : 4 * RATE] = 0.0
    hard, soft = Outcome(), Outcome()
    judge(measured("music", music, calm), bars, calm, hard)
    music[4 * RATE : 5 * RATE] *= np.linspace(0.0, 1.0, RATE)[:, np.newaxis]
    judge(measured("music", music, calm), bars, calm, soft)
    assert hard.problems == ["sound comes back without a fade"]
    assert soft.problems == []


def test_frames_left_out_are_a_click(music: Audio, calm: Natural) -> None:
    rng = np.random.default_rng(1)
    places = rng.integers(RATE, 8 * RATE, 40)
    found = [click_ratio(np.delete(music, np.s_[at : at + 512], axis=0)) > calm.click for at in places]
    # At some places what follows happens to lie where what went before has ended.
    assert np.mean(found) >= 0.8


def test_a_small_click_in_one_channel_is_found(music: Audio, calm: Natural) -> None:
    music[5 * RATE, 1] += 0.04
    assert "a click" in faults(music, calm)


def test_a_step_is_measured(music: Audio, calm: Natural) -> None:
    music[5 * RATE :] += 0.2
    assert largest_step(music) > 2.0 * calm.step
    assert "a step" in faults(music, calm)


def test_what_passes_the_ceiling_or_is_not_finite_is_a_peak(music: Audio, calm: Natural) -> None:
    music[5 * RATE] = 0.9
    assert "a peak of -0.92 dBFS" in faults(music, calm)
    music[5 * RATE, 0] = np.nan
    assert peak_db(music) == float("inf")


def test_loudness_is_that_of_the_standard() -> None:
    # EBU Tech 3341, first signal: 1 kHz at -23 dBFS in both channels is -23 LUFS.
    tone = 10.0 ** (-23.0 / 20.0) * np.sin(2.0 * np.pi * 1000.0 * np.arange(5 * RATE) / RATE)
    lufs = loudness_lufs(np.stack([tone, tone], axis=1).astype(np.float32))
    assert lufs == pytest.approx(-23.0, abs=0.1)


def test_music_that_fades_away_is_too_soft(music: Audio, calm: Natural) -> None:
    assert "LUFS" in faults(music * np.float32(0.3), calm)


def test_a_part_is_found_in_the_whole() -> None:
    whole = reference(CALM_S)[: 40 * RATE]
    assert match(whole[1_234_567:][:RATE], whole) == 1_234_567


def test_a_change_of_a_band_is_found_when_it_comes(music: Audio) -> None:
    assert band_change_frame(music, music) is None
    turned = music.copy()
    at = 3 * RATE
    # Softer by 1.5 dB from there on.
    turned[at:] *= 10.0 ** (-1.5 / 20.0)
    frame = band_change_frame(turned, music)
    assert frame is not None
    assert at < frame <= at + 2048


def test_short_version(calm: Natural) -> None:
    found = list(rows(calm, short=True))
    told = table(found, calm)
    print(told, file=sys.stderr)
    assert not any(row.problems for row in found), told
