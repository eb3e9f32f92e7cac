"""The yardsticks."""

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import soundfile

from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, Floats
from appliance.studio.exporting import measure

_RNG = np.random.default_rng(2)
_SOUNDS = _RNG.uniform(0.2, 0.4, (10, BINS)).astype(np.float32)
_SOUNDS[:, ::80] += 0.4


def _trial() -> measure.Trial:
    places = _RNG.normal(size=(10, 32)).astype(np.float32)
    return measure.Trial(_SOUNDS, np.zeros((0, BINS), np.float32), places, _SOUNDS, places[:4], places[:3])


def test_a_perfect_model_has_no_error_and_a_blurred_one_fewer_peaks() -> None:
    def remember(z: Floats) -> Floats:
        return _SOUNDS[: len(z)]

    def blur(x: Floats) -> Floats:
        return np.stack([np.convolve(row, np.ones(25) / 25, "same") for row in x]).astype(np.float32)

    trial = _trial()
    good = measure.score("good", trial, lambda x: x, remember)
    bad = measure.score("bad", trial, blur, None)
    assert good.held_out_rms_db == 0.0
    assert bad.held_out_rms_db > 3.0
    assert good.held_out_peaks_db == measure.data_row(trial).held_out_peaks_db
    assert bad.held_out_peaks_db < good.held_out_peaks_db - 10.0
    assert np.isnan(good.recordings_rms_db)
    assert np.isnan(bad.prior_peaks_db)


def test_the_table_has_a_cell_for_every_measure() -> None:
    row = measure.data_row(_trial())
    lines = measure.table([row]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].count("|") == len(fields(row)) + 1
    assert f"{astuple(row)[4]:.2f}" in lines[-1]


def test_only_the_steady_part_of_a_recording_counts(tmp_path: Path) -> None:
    rate, time = 22_050, np.arange(5 * 22_050) / 22_050
    steady = 0.1 * np.sin(2.0 * np.pi * 220.0 * time)
    soundfile.write(tmp_path / "steady.flac", steady, rate)
    soundfile.write(tmp_path / "dying.flac", steady * np.exp(-2.0 * time), rate)
    soundfile.write(tmp_path / "short.flac", steady[:rate], rate)
    found = measure.steady_recordings(tmp_path)
    assert found.shape == (4, BINS)
    assert np.abs(traits.level(found) + 24.0).max() < 0.1
    assert measure.steady_recordings(tmp_path / "absent").shape == (0, BINS)


def test_times_are_medians_of_calls_in_turn() -> None:
    calls: list[str] = []
    taken = measure.time_us((lambda z: calls.append("a") or z, lambda z: calls.append("b") or z), _SOUNDS, rounds=3)
    assert calls == ["a", "b"] * 3
    assert all(time > 0.0 for time in taken)
