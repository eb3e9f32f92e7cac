"""Each musical measure tells sound with its property from sound without."""

import numpy as np
import pytest
from made import RATE, clock, noise, tone
from musical import (
    LongTerm,
    Swells,
    SwellShares,
    change_db,
    dissonance_percentile,
    key_share,
    likeness_db,
    pooled_power,
    steady_spectra,
)

from appliance.spectrum import codec
from appliance.spectrum.codec import BINS, Floats


def chord(semitones: list[float], root_hz: float = 200.0) -> Floats:
    """A spectrum with a line at each of some intervals above a root, over a soft ground, (1233,)."""
    level_db = -80.0 + np.random.default_rng(7).standard_normal(BINS)
    for interval in semitones:
        level_db[np.argmin(np.abs(codec.bin_hz() - root_hz * 2.0 ** (interval / 12.0)))] = -20.0
    return codec.from_decibels(level_db)


def swelled(audio: Floats) -> SwellShares:
    """Find swells in sound."""
    swells = Swells(RATE)
    swells.add(steady_spectra(audio, RATE))
    found = swells.shares()
    assert found is not None
    return found


def long_term(audio: Floats) -> LongTerm:
    """Hear sound of any number of channels to its end, in two blocks."""
    heard = LongTerm(RATE, audio.shape[1])
    heard.add(audio[: 4 * RATE])
    heard.add(audio[4 * RATE :])
    return heard


def test_a_pentatonic_is_in_key_wherever_it_is_tuned() -> None:
    rng = np.random.default_rng(3)
    scale = [0.0, 7.0, 16.0, 21.0, 26.0]
    for root_hz in (200.0, 205.0, 213.0):
        found = key_share(np.stack([chord(scale, root_hz)] * 30), rng)
        assert found is not None
        assert found.caught > 0.95
        assert found.scattered < 0.85
        assert found.any_rotation == pytest.approx(35.0 / 120.0)


def test_chance_tones_are_caught_no_better_than_scattered() -> None:
    rng = np.random.default_rng(4)
    minutes = [np.stack([chord(list(rng.uniform(0.0, 36.0, 12)))] * 30) for _ in range(30)]

    found = key_share(np.concatenate(minutes), rng)

    assert found is not None
    assert abs(found.caught - found.scattered) < 0.08


def test_noise_has_no_key_and_less_than_a_minute_tells_none() -> None:
    rng = np.random.default_rng(5)
    spectra = codec.from_decibels(-40.0 + rng.standard_normal((30, BINS)))

    assert key_share(spectra, rng) is None
    assert key_share(np.stack([chord([0.0, 4.0, 7.0])] * 29), rng) is None


def test_a_chord_goes_with_its_fifth_and_not_with_its_neighbour() -> None:
    rng = np.random.default_rng(6)
    triad = chord([0.0, 4.0, 7.0, 12.0, 19.0])
    fifth = chord([7.0, 12.0, 19.0, 24.0, 31.0])
    rough = chord([0.7, 4.7, 7.7, 12.7, 19.7])

    well, badly = (dissonance_percentile(np.stack([triad, other] * 10), 1, rng) for other in (fifth, rough))

    assert well is not None
    assert badly is not None
    assert well < 20.0
    assert badly > 80.0


def test_unrelated_sounds_go_together_by_chance_and_silence_is_left_out() -> None:
    rng = np.random.default_rng(8)
    narrow, wide = (
        np.stack([chord(list(rng.uniform(0.0, span, 12)), 50.0) for _ in range(200)]) for span in (40.0, 96.0)
    )

    by_chance = dissonance_percentile(wide, 5, rng)
    in_the_way = dissonance_percentile(narrow, 5, rng)

    assert by_chance == pytest.approx(50.0, abs=12.0)
    assert in_the_way is not None
    assert in_the_way > 50.0
    assert dissonance_percentile(np.zeros((9, BINS), dtype=np.float32), 1, rng) is None
    assert dissonance_percentile(wide[:5], 5, rng) is None


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0])
def test_the_tilt_is_that_of_the_noise(slope_db: float) -> None:
    assert long_term(noise(20.0, slope_db)).tilt_db_per_octave() == pytest.approx(slope_db, abs=0.2)


def test_the_coherence_is_heard_in_each_band() -> None:
    audio = noise(20.0)
    bass = tone(60.0, audio, 0.2)

    together, opposed = long_term(audio + bass), long_term(audio + bass * np.array([1.0, -1.0], dtype=np.float32))

    assert together.coherence(20.0, 120.0) == pytest.approx(1.0, abs=0.1)
    assert opposed.coherence(20.0, 120.0) == pytest.approx(-1.0, abs=0.1)
    assert together.coherence(120.0, RATE) == pytest.approx(0.0, abs=0.1)


def test_neither_silence_nor_one_channel_has_a_coherence() -> None:
    audio = noise(20.0)

    assert long_term(audio[:, :1]).coherence(20.0, 120.0) is None
    assert long_term(0.0 * audio).coherence(20.0, 120.0) is None
    assert long_term(0.0 * audio).tilt_db_per_octave() is None


def test_the_spectra_of_half_seconds_hold_all_power() -> None:
    audio = noise(2.0)
    power = steady_spectra(audio, RATE)

    assert len(power) == 4
    assert power.sum(axis=1).mean() == pytest.approx(np.mean(audio**2), rel=0.1)


def test_a_figure_swells_over_its_ground() -> None:
    audio = noise(120.0)
    rise = np.exp(-(((clock(audio) % 30.0 - 15.0) / 4.0) ** 2))

    found = swelled(audio + tone(700.0, audio, 0.2) * rise)

    assert 0.15 < found.any_octave < 0.4
    assert found.mean_octave == pytest.approx(found.any_octave / 8.0, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_steady_sound_does_not_swell(seed: int) -> None:
    assert swelled(noise(120.0, seed=seed)).any_octave == 0.0


def test_slow_fades_and_short_notes_are_no_swells() -> None:
    audio = noise(120.0)
    at = clock(audio)
    fading = audio * (0.1 + np.abs(at - 60.0) / 60.0)
    plucked = audio + tone(700.0, audio, 0.2) * np.exp(-(at % 15.0) / 0.3)

    assert swelled(fading).any_octave == 0.0
    assert swelled(plucked).any_octave == 0.0


def test_change_is_told_in_db() -> None:
    spectra = np.stack([codec.from_decibels(np.full(BINS, -40.0 - step)) for step in (0.0, 6.0, 0.0)])
    pooled = pooled_power(spectra)

    assert change_db(pooled[:-1], pooled[1:]) == pytest.approx(6.0, abs=0.01)
    assert change_db(pooled[:-2], pooled[2:]) == pytest.approx(0.0, abs=0.01)
    assert change_db(pooled[:-3], pooled[3:]) is None


def test_stretches_alike_and_unlike() -> None:
    drifting = np.repeat(np.arange(26), 150)[:, np.newaxis] * np.ones(61)
    pooled = 1e-3 * 10.0 ** (-drifting / 10.0)

    found = likeness_db(pooled)

    assert found is not None
    assert found.neighbours_db == pytest.approx(1.0)
    assert found.all_pairs_db == pytest.approx(9.0)
    assert found.two_hours_db == pytest.approx(24.0)
    assert likeness_db(pooled[:299]) is None
    alike = likeness_db(np.full((300, 61), 1e-3))
    assert alike is not None
    assert (alike.all_pairs_db, alike.two_hours_db) == (0.0, None)
