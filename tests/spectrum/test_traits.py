import numpy as np
import pyloudnorm
import pytest

from appliance.spectrum import codec, traits

RATE = 48_000


def chord(*fundamentals: float, partials: int = 6, noise: float = 1e-5) -> np.ndarray:
    time = np.arange(2 * RATE) / RATE
    rng = np.random.default_rng(0)
    sound = rng.normal(0, noise, len(time))
    for hz in fundamentals:
        for number in range(1, partials + 1):
            sound = sound + 0.1 / number * np.sin(2 * np.pi * hz * number * time + rng.uniform(0, 6))
    return sound


def stack(*sounds: np.ndarray) -> np.ndarray:
    return np.stack([codec.analyse(sound, RATE) for sound in sounds])


def test_pitch_rises_by_one_per_octave():
    low, high = traits.pitch(stack(chord(220, partials=1), chord(440, partials=1)))
    assert low == pytest.approx(np.log2(220), abs=0.02)
    assert high - low == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("hz", [60, 250, 1_000, 6_000])
def test_level_agrees_with_a_meter_that_filters_the_sound(hz):
    sound = np.tile(chord(hz, partials=3), 5)
    measured = pyloudnorm.Meter(RATE).integrated_loudness(sound)
    assert traits.level(stack(sound[: 2 * RATE]))[0] == pytest.approx(measured, abs=0.15)


def test_level_of_silence_is_a_number():
    assert traits.level(np.zeros((1, codec.BINS), dtype=np.float32))[0] == pytest.approx(-120.691, abs=0.01)


def test_tones_are_more_tonal_than_noise():
    rng = np.random.default_rng(0)
    tone, noise = traits.tonality(stack(chord(110, 165, partials=12), rng.normal(0, 0.1, 2 * RATE)))
    assert tone > 40
    assert noise < 12


def test_weirdness_is_the_distance_from_the_origin():
    assert traits.weirdness(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)) == pytest.approx([5.0, 0.0])


def test_peaks_are_found_where_the_partials_are_loudest_first():
    bins, level_db = traits.peaks(stack(chord(220, partials=4)), count=4)
    assert codec.bin_hz()[bins[0]] == pytest.approx([220, 440, 660, 880], rel=0.005)
    assert (np.diff(level_db[0]) < 0).all()


def test_dissonance_orders_the_intervals_as_the_ear_does():
    notes = {"unison": 1, "semitone": 2 ** (1 / 12), "third": 5 / 4, "tritone": 2**0.5, "fifth": 3 / 2, "octave": 2}
    spectra = stack(*(chord(262 * ratio) for ratio in notes.values()))
    rough = dict(zip(notes, traits.dissonance(spectra[:1], spectra)[0], strict=True))
    assert rough["octave"] < rough["fifth"] < rough["third"] < rough["semitone"]
    assert rough["fifth"] < rough["tritone"] < rough["semitone"]
    assert rough["unison"] < rough["fifth"]


def test_dissonance_is_symmetric_and_ignores_level():
    spectra = stack(chord(220), chord(247), 0.1 * chord(247))
    rough = traits.dissonance(spectra, spectra)
    assert rough == pytest.approx(rough.T, abs=1e-6)
    assert rough[0, 1] == pytest.approx(rough[0, 2], rel=0.05)


def test_dissonance_under_transposition():
    """A semitone apart is rough; moved down by ten bins it is a unison."""
    spectra = stack(chord(220), chord(220 * 2 ** (1 / 12)))
    at_rest, tuned = traits.dissonance(spectra[:1], spectra[1:], np.array([0, -10]))[0, 0]
    assert tuned < 0.1 * at_rest


def test_roughness_is_what_a_sound_has_within_itself():
    sounds = stack(
        chord(440, partials=1), chord(262, 393), chord(262, 262 * 2**0.5), chord(262, 277.5, 294), 0.1 * chord(262, 393)
    )
    tone, fifth, tritone, cluster, soft = traits.roughness(*traits.peaks(sounds))
    assert tone == pytest.approx(0.0, abs=0.01)
    assert tone < fifth < tritone < cluster <= 1.0
    assert soft == pytest.approx(fifth, rel=0.1)


def test_roughness_of_what_has_no_peaks_is_none():
    silence = np.zeros((2, codec.BINS), dtype=np.float32)
    assert traits.roughness(*traits.peaks(silence)) == pytest.approx([0.0, 0.0])
