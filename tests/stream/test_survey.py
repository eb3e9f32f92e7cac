"""The map of a recording knows what may be heard, and where alike sounds are."""

import numpy as np
import pytest

from appliance.stream.survey import Survey, difference_db, hush, plausible

RATE = 48_000
CELL = 8192


def noise(frames: int = 16 * CELL, seed: int = 0, level: float = 0.1) -> np.ndarray:
    sound = level * np.random.default_rng(seed).standard_normal((frames, 2))
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def looked_at(source: np.ndarray, start: int = 0) -> Survey:
    survey = Survey(source, start, len(source), RATE)
    for cell in range(survey.cells):
        survey.look(cell)
    return survey


@pytest.mark.parametrize(
    ("level", "good"), [(0.0, False), (1e-4, False), (1e-3, True), (0.1, True), (0.3, True), (0.9, False)]
)
def test_level_is_judged(level: float, good: bool) -> None:
    assert plausible(noise(level=level)) is good


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 1.0001, -3e38])
def test_one_bad_sample_spoils_a_block_until_it_is_hushed(sample: float) -> None:
    block = noise(4096)
    block[77, 1] = sample
    assert not plausible(block)
    hush(block)
    assert plausible(block)
    assert block[77, 1] == 0.0
    np.testing.assert_array_equal(block[78:], noise(4096)[78:])


def test_a_hole_does_not_hide_beside_sound() -> None:
    block = noise(CELL)
    block[CELL // 2 : CELL // 2 + CELL // 4] = 0.0
    assert not plausible(block)


def test_runs_end_where_it_is_bad() -> None:
    source = noise()
    source[5 * CELL + 3] = np.nan
    survey = looked_at(source)
    assert survey.run(0) == 5 * CELL
    assert survey.run(CELL + 10) == 4 * CELL - 10
    assert survey.run(5 * CELL + 1) == 0
    assert survey.run(6 * CELL) == 10 * CELL
    np.testing.assert_array_equal(survey.runs(), [survey.run(cell * CELL) for cell in range(16)])
    survey.reject(9 * CELL - 1)
    assert survey.run(6 * CELL) == 2 * CELL
    assert survey.look(8)
    assert survey.run(6 * CELL) == 10 * CELL


def test_frames_are_counted_from_the_oldest() -> None:
    source = noise(16 * CELL + 100)
    survey = Survey(source, 300, 10 * CELL + 50, RATE)
    ordered = np.roll(source, -300, axis=0)[-10 * CELL :]
    assert (survey.cells, survey.frames) == (10, 10 * CELL)
    np.testing.assert_array_equal(survey.take(0, 10 * CELL), ordered)
    np.testing.assert_array_equal(survey.take(777, 1024), ordered[777 : 777 + 1024])


def test_alike_sounds_are_near_and_others_far() -> None:
    time = np.arange(4 * CELL)[:, np.newaxis] / RATE
    low, high = (0.1 * np.sin(2.0 * np.pi * hz * time).repeat(2, axis=1) for hz in (200.0, 900.0))
    source = np.concatenate([noise(4 * CELL, 1), noise(4 * CELL, 2), noise(4 * CELL, 3) * 2.0, low, high])
    survey = looked_at(source.astype(np.float32))
    one, same, louder, deep, bright = (survey.character(part * 4 * CELL, 4 * CELL) for part in range(5))
    assert difference_db(one, same) < 2.0
    assert 11.0 < difference_db(one, louder) < 14.0
    assert difference_db(deep, bright) > 10.0
    assert difference_db(deep, one) > 10.0


def test_what_was_not_seen_has_no_character() -> None:
    survey = Survey(noise(), 0, 16 * CELL, RATE)
    assert survey.character(0, CELL) is None
    survey.look(1)
    assert survey.character(0, CELL) is None
    assert survey.character(0, 2 * CELL) is not None
