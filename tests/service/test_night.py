"""A few minutes of a night, and what was put into it to be found; `tests/soak/night.py` plays a whole one."""

import ctypes
import dataclasses
import gc

import numpy as np
import pytest
from soak.ears import Ears, Heard
from soak.house import House, Kept
from soak.night import INJECTIONS, measure

from appliance.spectrum.codec import Floats

FOUND = {
    "click": "clicks were heard",
    "nan": "not finite",
    "silence": "The sound was gone for 0.1",
    "repeat": "came again",
    "leak": "There is a leak: memory",
}


@pytest.fixture(scope="module")
def report():
    return measure(hours=5.0 / 60.0, seed=3)


def test_nothing_is_wrong(report) -> None:
    assert report.wrong == ()
    assert report.heard.minutes > 4.8


def test_something_has_happened(report) -> None:
    assert report.turns > 10
    assert report.kills > 0
    assert report.heard.seams["hop"][0] > 200
    assert report.heard.seams["turn"][0] > 10


@pytest.mark.parametrize("inject", INJECTIONS)
def test_what_is_wrong_is_found(inject: str) -> None:
    # What earlier tests gave back would hide a leak.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    # What is to come again must be over first.
    found = measure(hours=(4.0 if inject == "repeat" else 1.5) / 60.0, seed=7, inject=inject).wrong
    assert any(FOUND[inject] in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seams": {"turn": (9, 9.0)}}, "One of 9 seams (turn) stands out: 9.0 over 6.0."),
        ({"hourly_lufs": (-20.0, -21.5)}, "Hour 1 has -21.5 LUFS."),
        ({"peak": 0.95}, "The ceiling was passed: 0.950."),
        ({"peak": float("nan")}, "The ceiling was passed: nan."),
        ({"least_difference_db": 0.2, "own_difference_db": 0.25}, "Two hours are alike: 0.2 dB."),
    ],
)
def test_figures_that_are_wrong_are_told(report, change: dict[str, object], sentence: str) -> None:
    heard: Heard = dataclasses.replace(report.heard, **change)
    assert heard.wrong() == [sentence]


def test_an_hour_that_comes_again_is_told_from_another() -> None:
    rate, clips, bands = 8_000, 24, np.geomspace(100.0, 3_000.0, 13)

    def hour(seed: int) -> Floats:
        """Noise whose bands are louder and softer from clip to clip, and by other amounts in another hour."""
        rng = np.random.default_rng(seed)
        hz = np.fft.rfftfreq(2 * rate, 1.0 / rate)
        own_db = rng.normal(0.0, 6.0, len(bands) + 1)
        each = []
        for _ in range(clips):
            levels_db = own_db + rng.normal(0.0, 3.0, len(bands) + 1)
            lines = np.exp(2j * np.pi * rng.random(len(hz))) * 10.0 ** (levels_db[np.digitize(hz, bands)] / 20.0)
            each.append(np.repeat(np.fft.irfft(lines)[:, np.newaxis], 2, axis=1))
        return np.concatenate(each).astype(np.float32)

    def alike(*hours: Floats) -> bool:
        ears = Ears(rate, clips * 2.0)
        for sound in np.concatenate(hours).reshape(-1, 2 * rate, 2):
            ears.listen(sound)
        return any("alike" in sentence for sentence in ears.heard().wrong())

    assert alike(hour(1), hour(1))
    assert not alike(hour(1), hour(2))


def test_what_grows_is_told() -> None:
    kept = Kept(memory_mb=(100.0, 111.0), files=(9.0, 14.0), threads=(3.0, 4.0))
    assert kept.wrong() == [
        "There is a leak: open files went from 9 to 14.",
        "There is a leak: threads went from 3 to 4.",
    ]
    house = House(24.0)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        house.look(share)
    assert house.kept().wrong() == []
