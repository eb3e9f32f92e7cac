from itertools import pairwise

import numpy as np
import pytest

from appliance.score.harmony import REACH_BINS, chroma, in_key, roughness_percentiles, tonic_bin, tunings
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, TOP_HZ, bin_hz, from_decibels

# Notes of the pentatonic scale on a, in semitones.
SCALE = (0, 2, 4, 7, 9)


def chroma_of(*spectra):
    return chroma(*traits.peaks(np.stack(spectra)))


def chroma_bin(hz):
    return round(BINS - 1 + 120 * np.log2(hz / TOP_HZ)) % 120


@pytest.mark.parametrize("tuning_hz", [440.0, 432.0, 443.0])
def test_the_tonic_is_a_note_of_the_tuning(tuning_hz):
    notes = {chroma_bin(tuning_hz * 2.0 ** (step / 12.0)) for step in range(12)}
    assert len(notes) == 12
    assert {tonic_bin(seed, number, tuning_hz) for seed in range(8) for number in range(60)} == notes


def test_another_tuning_is_the_same_music_elsewhere():
    moved = {(tonic_bin(3, number, 432.0) - tonic_bin(3, number, 440.0)) % 120 for number in range(60)}
    # 31.8 cents lower.
    assert moved == {117}


@pytest.mark.parametrize("seed", range(4))
def test_the_key_walks_by_fifths_and_gets_about(seed):
    tonics = [tonic_bin(seed, number, 440.0) for number in range(200)]
    steps = [(two - one) % 120 for one, two in pairwise(tonics)]
    assert set(steps) <= {0, 50, 70}
    assert {50, 70} <= set(steps)
    assert len(set(tonics)) >= 9
    # It stays as well, now and then.
    assert 0.1 < np.mean([step == 0 for step in steps]) < 0.8
    # Hardly a note is left after an hour.
    assert np.mean([one != two for one, two in zip(tonics, tonics[9:], strict=False)]) > 0.8


def test_the_key_of_a_piece_needs_no_other():
    assert tonic_bin(5, 1_000_003, 440.0) == tonic_bin(5, 1_000_003, 440.0)
    assert len({tonic_bin(seed, 0, 440.0) for seed in range(60)}) == 12


def test_chroma_is_where_in_the_octave_the_peaks_are(harmonic):
    low, high = chroma_of(harmonic(110.0, partials=1), harmonic(880.0, partials=1))
    assert np.argmax(low) == np.argmax(high) == chroma_bin(440.0)
    assert low.sum() == pytest.approx(1.0)
    assert low == pytest.approx(high, abs=1e-6)


def test_what_has_no_pitch_has_no_chroma(harmonic):
    silence, dull, shrill = np.zeros(BINS, dtype=np.float32), harmonic(40.0, partials=1), harmonic(9_000.0, partials=1)
    assert chroma_of(silence, dull, shrill).sum(axis=1) == pytest.approx([0.0, 0.0, 0.0])


def test_louder_peaks_weigh_more(harmonic):
    both = harmonic(440.0, partials=1) + harmonic(440.0 * 2 ** (3 / 12), partials=1, loudest_db=-40.0)
    (found,) = chroma_of(both)
    assert found[chroma_bin(440.0)] == pytest.approx(10.0 * found[chroma_bin(440.0 * 2 ** (3 / 12))], rel=0.3)


def test_notes_of_the_scale_are_in_key_and_others_are_not(harmonic):
    notes = chroma_of(*(harmonic(440.0 * 2.0 ** (step / 12.0), partials=1) for step in range(12)))
    shares = in_key(notes, chroma_bin(440.0), np.zeros(1, dtype=np.intp))[:, 0]
    inside = shares[list(SCALE)]
    outside = np.delete(shares, SCALE)
    assert inside.min() > 0.5
    assert np.argmax(shares) in (0, 7)
    assert outside.max() < 0.01


def test_a_shift_moves_the_sound_and_not_the_key(harmonic):
    notes = chroma_of(harmonic(440.0 * 2.0 ** (-4 / 120.0), partials=1))
    shares = in_key(notes, chroma_bin(440.0), np.array([-4, 0, 4]))[0]
    assert shares[2] > 0.95
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("bent", [-29, -17, -5, -3, 3, 5, 12, 28])
def test_a_chord_out_of_tune_is_brought_onto_the_key(harmonic, bent):
    tonic = chroma_bin(440.0)
    chord = chroma_of(harmonic(*(220.0 * 2.0 ** (step / 12.0 + bent / 120.0) for step in (0, 4, 7)), partials=2))
    shifts, shares = tunings(chord, tonic, 1.0)
    before = in_key(chord, tonic, np.zeros(1, dtype=np.intp))[0, 0]
    assert abs(shifts[0]) <= REACH_BINS
    assert shares[0] > before + (0.1 if bent % 10 else 0.0)
    assert shares[0] > 0.75
    assert shares[0] == pytest.approx(in_key(chord, tonic, shifts)[0, 0])
    # Onto a note of the grid, if perhaps another than it was.
    assert min((bent + shifts[0]) % 10, -(bent + shifts[0]) % 10) <= 1


def test_tunings_stay_within_reach_whatever_the_sound(space):
    sounds = chroma_of(*space.decode(space.atlas))
    for tonic in (0, 37, 119):
        shifts, shares = tunings(sounds, tonic, 1.0)
        plain = in_key(sounds, tonic, np.zeros(1, dtype=np.intp))[:, 0]
        assert np.abs(shifts).max() <= REACH_BINS
        assert (shares >= plain).all()
        assert shares.mean() > plain.mean() + 0.2


def test_who_wants_no_consonance_leaves_sounds_where_they_are(space):
    sounds = chroma_of(*space.decode(space.atlas))
    shifts, _ = tunings(sounds, 34, 0.0)
    assert (shifts == 0).all()


def test_what_is_in_tune_already_stays(harmonic):
    chord = chroma_of(harmonic(220.0, 330.0, partials=2))
    shifts, _ = tunings(chord, chroma_bin(440.0), 1.0)
    assert abs(shifts[0]) <= 1


def percentile(one, two):
    found = roughness_percentiles(np.stack([one, two]))
    assert found[0, 1] == found[1, 0]
    assert found[0, 0] == found[1, 1] == 0.0
    return found[0, 1]


@pytest.mark.parametrize("interval", [3 / 2, 2.0, 1.0])
def test_fifths_and_octaves_are_smoother_than_chance(harmonic, interval):
    assert percentile(harmonic(262.0), harmonic(262.0 * interval)) <= 20.0


@pytest.mark.parametrize("semitones", [1.0, 0.7, 11.0])
def test_a_clash_of_semitones_is_rougher_than_chance(harmonic, semitones):
    assert percentile(harmonic(262.0), harmonic(262.0 * 2.0 ** (semitones / 12.0))) >= 70.0


def test_dull_sounds_are_not_favoured(harmonic):
    """Sounds without partials beat little by any figure; here they must not pass for more than what they are."""
    rng = np.random.default_rng(4)
    slope_db = -20.0 - 12.0 * np.log2(bin_hz() / 100.0).clip(0.0)
    dull = [from_decibels(slope_db + rng.normal(0.0, 2.0, BINS)) for _ in range(12)]
    found = roughness_percentiles(np.stack(dull))
    pairs = found[np.triu_indices(len(dull), 1)]
    assert 25.0 < pairs.mean() < 75.0
    assert pairs.mean() > percentile(harmonic(262.0), harmonic(393.0)) + 20.0


def test_percentiles_do_not_depend_on_what_else_is_there(space):
    sounds = space.decode(space.atlas[:6])
    whole = roughness_percentiles(sounds)
    assert whole.shape == (6, 6)
    assert whole[2, 5] == roughness_percentiles(sounds[[2, 5]])[0, 1]
    assert 0.0 <= whole.min() < whole.max() <= 100.0
