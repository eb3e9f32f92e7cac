"""Fades between places of a recording: brought into phase, and even whatever the two have in common."""

import numpy as np
import pytest

from appliance.stream.joins import in_phase, steady_gains
from appliance.stream.survey import Survey

RATE = 48_000
FADE = 2 * RATE
PART = 18 * 8192


def survey_of(one: np.ndarray, other: np.ndarray) -> Survey:
    """A recording with two parts of three seconds each."""
    return Survey(np.concatenate([one, other]).astype(np.float32), 0, 2 * PART, RATE)


def noise(seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((PART, 2))


def gains(survey: Survey) -> np.ndarray:
    slices = steady_gains(survey, 0, PART, FADE)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("moved", [-600, -1, 0, 77, 1000])
def test_a_place_is_moved_into_phase(moved: int) -> None:
    sound = noise(1)
    assert in_phase(survey_of(sound, sound), 50_000, 50_000 + PART + moved, 4096) == 50_000 + PART


def test_opposed_channels_are_brought_into_phase_too() -> None:
    wave = np.sin(2.0 * np.pi * 110.0 * np.arange(2 * PART) / RATE)
    sound = 0.2 * np.stack([wave, -wave], axis=1)
    survey = survey_of(sound[:PART], sound[PART:])
    at = in_phase(survey, 50_000, 123_456, 4096)
    assert abs(at - 123_456) <= 1024
    here, there = survey.take(50_000, 4096), survey.take(at, 4096)
    assert np.vdot(here, there) > 0.99 * np.vdot(here, here)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.0, -0.3])
def test_power_stays_even_at_any_correlation(share: float) -> None:
    one = noise(1)
    other = share * one + np.sqrt(1.0 - share**2) * noise(2)
    survey = survey_of(one, other)
    correction = gains(survey)
    places = np.linspace(0.0, 1.0, FADE)
    correction = np.interp(places, np.linspace(0.0, 1.0, len(correction)), correction)[:, np.newaxis]
    turns = places[:, np.newaxis] * np.pi / 2.0
    plain = np.cos(turns) * survey.take(0, FADE) + np.sin(turns) * survey.take(PART, FADE)

    def unevenness_db(sound: np.ndarray) -> float:
        power = np.mean(sound.reshape(20, -1) ** 2, axis=1)
        return float(np.ptp(10.0 * np.log10(power)))

    assert unevenness_db(plain * correction) < 0.4
    # Without it only what has nothing in common would be.
    assert (unevenness_db(plain) > 1.0) is (share != 0.0)


def test_the_ends_of_a_fade_are_left_alone() -> None:
    sound = noise(1)
    correction = gains(survey_of(sound, sound))
    assert correction[0] == correction[-1] == 1.0
    np.testing.assert_allclose(correction[len(correction) // 2], np.sqrt(0.5), atol=0.01)


def test_cancellation_is_not_driven_up_without_bounds() -> None:
    sound = noise(1)
    assert gains(survey_of(sound, -sound)).max() <= np.sqrt(2.0) + 1e-6


def test_spoilt_frames_make_no_spoilt_gains() -> None:
    sound = noise(1)
    other = noise(2)
    other[RATE : 2 * RATE] = np.nan
    sound[RATE // 2 : RATE] = 1e30
    correction = gains(survey_of(sound, other))
    assert np.isfinite(correction).all()
    assert correction.max() <= np.sqrt(2.0) + 1e-6
    assert np.isfinite(gains(survey_of(0.0 * sound, 0.0 * other))).all()
