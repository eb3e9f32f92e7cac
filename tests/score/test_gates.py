import dataclasses

import numpy as np
import pytest

from appliance.score.gates import blended, measure
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, bin_hz, from_decibels, power


def found_of(*spectra):
    return measure(blended(power(np.stack(spectra))))


@pytest.fixture(params=["space", "shipped"])
def any_space(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["space", "shipped"])
def gates(request):
    return request.getfixturevalue(request.param).gates


def test_the_sounds_of_the_atlas_are_nearly_all_inside(any_space):
    spectra = any_space.decode(any_space.atlas)
    outside = any_space.gates.outside(measure(blended(power(spectra))))
    assert outside.mean() < 0.08
    assert any_space.gates.outside_level(traits.level(spectra)).mean() < 0.02


def test_a_chord_is_inside(gates, harmonic):
    assert not gates.outside(found_of(harmonic(110.0, 165.0)))[0]


def test_harsh_sounds_are_outside(gates, harmonic):
    harsh = found_of(harmonic(2_900.0, partials=2), harmonic(110.0, 165.0))
    # For that alone: such a whistle has few partials and would pass for blunt, too.
    assert dataclasses.replace(gates, sharpness_db=0.0).outside(harsh).tolist() == [True, False]
    assert harsh.harshness_db[0] > gates.harshness_db > harsh.harshness_db[1]


def test_blunt_sounds_are_outside(gates, harmonic):
    slope_db = -30.0 - 6.0 * np.log2(bin_hz() / 100.0).clip(0.0)
    noise = from_decibels(slope_db + np.random.default_rng(0).normal(0.0, 2.0, BINS))
    blunt = found_of(noise, from_decibels(slope_db), harmonic(110.0, 165.0))
    assert gates.outside(blunt).tolist() == [True, True, False]
    assert blunt.sharpness_db[:2].max() < gates.sharpness_db < blunt.sharpness_db[2]


def test_rough_sounds_are_outside(gates, harmonic):
    cluster = [440.0 * 2.0 ** (step / 12.0) for step in np.arange(0.0, 9.0, 0.8)]
    rough = found_of(harmonic(*cluster, partials=1), harmonic(220.0, 330.0))
    # For that alone, and not for being blunt.
    assert dataclasses.replace(gates, sharpness_db=0.0).outside(rough).tolist() == [True, False]
    assert rough.roughness[0] > gates.roughness > rough.roughness[1]


def test_sounds_too_loud_or_too_soft_are_outside(any_space):
    levels = traits.level(any_space.decode(any_space.atlas))
    usual = float(np.median(levels))
    strange = np.array([levels.max() + 12.0, usual, levels.min() - 20.0, np.nan])
    assert any_space.gates.outside_level(strange).tolist() == [True, False, True, True]


def test_what_is_not_finite_is_outside(gates, harmonic):
    broken = harmonic(110.0, 165.0)
    broken[40] = np.nan
    assert gates.outside(found_of(broken))[0]


def test_inner_gates_are_narrower(any_space):
    gates = any_space.gates
    found = measure(blended(power(any_space.decode(any_space.atlas))))
    inner, outer = gates.inner().outside(found), gates.outside(found)
    assert not (outer & ~inner).any()
    assert outer.sum() < inner.sum() < len(inner) / 2
    levels = np.linspace(-80.0, 10.0, 200)
    assert not (gates.outside_level(levels) & ~gates.inner().outside_level(levels)).any()
    assert gates.outside_level(levels).sum() < gates.inner().outside_level(levels).sum()


def test_level_does_not_count_in_what_is_measured(harmonic):
    loud, soft = (harmonic(110.0, 165.0, loudest_db=level_db, ground_db=level_db - 50.0) for level_db in (-20.0, -40.0))
    found = found_of(loud, soft)
    for values in (found.sharpness_db, found.harshness_db, found.roughness):
        assert values[0] == pytest.approx(values[1], abs=0.5)
    assert found.chroma[0] == pytest.approx(found.chroma[1], abs=0.02)


def test_what_is_measured_is_brought_to_one_level(space):
    powers = blended(power(space.decode(space.atlas[:5])))
    assert powers @ traits.k_weighting() == pytest.approx(traits.weighted_power(-20.0), rel=1e-4)


def test_silence_is_measured_without_a_failure():
    found = found_of(np.zeros(BINS, dtype=np.float32))
    assert all(np.isfinite(values).all() for values in (found.sharpness_db, found.harshness_db, found.roughness))
