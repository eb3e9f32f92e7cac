"""Narrow peaks that go on are told from noise, low notes and what moves."""

import numpy as np
import pytest
from made import RATE, clock, noise, tone
from musical import steady_spectra
from whistles import Tracks, Whistles

from appliance.spectrum.codec import Floats


def whistled(audio: Floats) -> tuple[Tracks, Tracks]:
    """Find narrow peaks in sound."""
    whistles = Whistles(RATE)
    whistles.add(steady_spectra(audio, RATE))
    return whistles.results()


def test_noise_and_low_notes_do_not_whistle() -> None:
    audio = noise(30.0)

    for tracks in whistled(audio + tone(440.0, audio, 0.1)):
        assert tracks.long_ones == 0
        assert tracks.longest_s <= 1.0


def test_a_whistle_is_followed_as_long_as_it_lasts() -> None:
    audio = noise(30.0)
    at = clock(audio)
    whistle = tone(3000.0, audio, 0.05) * ((at > 5.0) & (at < 17.0))

    for tracks in whistled(audio + whistle):
        assert tracks.long_ones == 1
        assert tracks.longest_s == pytest.approx(12.0, abs=1.0)
        assert tracks.highest_db is not None
        assert tracks.highest_db > 10.0


def test_a_whistle_that_moves_or_is_soft_does_not_count() -> None:
    audio = noise(30.0)
    steps = np.floor(clock(audio) / 4.0) % 2
    moving = tone(3000.0, audio, 0.05) * steps + tone(3200.0, audio, 0.05) * (1.0 - steps)
    loud = tone(200.0, audio, 0.5)

    assert whistled(audio + moving)[0].long_ones == 0
    assert whistled(loud + tone(3000.0, audio, 0.01))[0].long_ones == 1
    assert whistled(loud + tone(3000.0, audio, 0.001))[0].long_ones == 0


def test_the_ratio_is_that_of_a_tone_over_its_band() -> None:
    audio = noise(10.0, slope_db=0.0)
    band = 25.0 + 75.0 * (1.0 + 1.4 * 9.0) ** 0.69
    inside = 10.0 * np.log10(np.mean(audio**2) * band / (RATE / 2.0))
    level = np.sqrt(2.0 * 10.0 ** ((inside + 15.0) / 10.0))

    tone_to_noise, prominence = whistled(audio + tone(3000.0, audio, level))

    assert tone_to_noise.highest_db == pytest.approx(15.0, abs=1.0)
    assert prominence.highest_db == pytest.approx(15.0, abs=1.5)


def test_two_tones_side_by_side_are_prominent_though_neither_stands_alone() -> None:
    audio = noise(20.0)
    pair = tone(3000.0, audio, 0.05) + tone(3120.0, audio, 0.05)

    tone_to_noise, prominence = whistled(audio + pair)

    assert tone_to_noise.long_ones == 0
    assert prominence.long_ones > 0
