"""What the last guard lets through is music as announced, and nothing else."""

import numpy as np
import pytest

from appliance.mood import Mood
from appliance.service.build import build_timeline
from appliance.settings import SoundSettings
from appliance.stream.guard import Guard, Loudness
from appliance.stream.layout import BLOCK_FRAMES
from appliance.synth.loudness import loop_lufs

RATE = 48_000
MOODS = [
    Mood(),
    Mood(pitch=-1.0, nature=0.0),
    Mood(pitch=1.0, tonality=1.0),
    Mood(tonality=-1.0, weirdness=1.0, nature=1.0, width=1.0),
    Mood(density=-1.0, level=-1.0, width=0.0, nature=0.0, tonality=1.0),
    Mood(density=1.0, level=1.0, pace=4.0, wander=1.0),
]


@pytest.fixture(scope="module")
def timeline():
    return build_timeline(None, RATE, 2, "weather", SoundSettings(), print)


@pytest.fixture
def guard() -> Guard:
    return Guard(RATE, 2)


def blocks(sound: np.ndarray) -> list[np.ndarray]:
    return [sound[at : at + BLOCK_FRAMES] for at in range(0, len(sound) - BLOCK_FRAMES + 1, BLOCK_FRAMES)]


def hiss(level: float, seconds: float = 1.0) -> np.ndarray:
    return (level * np.random.default_rng(3).standard_normal((round(seconds * RATE), 2))).astype(np.float32)


@pytest.mark.parametrize("mood", MOODS, ids=lambda mood: f"{mood.pitch:g} {mood.tonality:g} {mood.level:g}")
def test_all_that_the_engine_makes_is_let_through(timeline, guard, mood) -> None:
    cursor, before = timeline.start(11, mood), None
    for hop in range(90):
        cursor, sound = timeline.step(cursor, mood)
        wanted = timeline.expected_lufs(cursor)
        around = (min(wanted, before or wanted), max(wanted, before or wanted))
        if hop:
            assert all(guard.accepts(block, around) for block in blocks(sound)), hop
        before = wanted


# A hand that moves more often wakes every rest before it is silent.
@pytest.mark.parametrize(("every_hops", "rests"), [(9, False), (26, True)])
def test_around_rests_all_is_let_through_whatever_a_hand_does_to_the_pace(timeline, guard, every_hops, rests) -> None:
    moods = [Mood(pace=pace, density=-1.0, nature=0.0) for pace in (4.0, 0.25)]
    cursor, before, resting = timeline.start(11, moods[0]), None, 0
    for hop in range(240):
        cursor, sound = timeline.step(cursor, moods[hop // every_hops % 2])
        wanted = timeline.expected_lufs(cursor)
        around = (min(wanted, before or wanted), max(wanted, before or wanted))
        if hop:
            assert all(guard.accepts(block, around) for block in blocks(sound)), hop
        before, resting = wanted, resting + (wanted < -100.0)
    assert (resting > 10) == rests


def test_a_hop_shorter_than_a_window_is_measured_too() -> None:
    whole, loudest = Loudness(8_000, 2).of(hiss(0.1, 8_000 / RATE))
    assert whole == loudest == pytest.approx(loop_lufs(hiss(0.1), 8_000), abs=1.5)


@pytest.mark.parametrize(
    "foreign",
    [
        np.full((BLOCK_FRAMES, 2), np.nan, dtype=np.float32),
        np.full((BLOCK_FRAMES, 2), -np.inf, dtype=np.float32),
        np.zeros((BLOCK_FRAMES, 2), dtype=np.float32),
        hiss(1.0)[:BLOCK_FRAMES],
        hiss(0.4)[:BLOCK_FRAMES],
        hiss(1e-4)[:BLOCK_FRAMES],
    ],
    ids=["nan", "infinite", "silence", "shout", "noise", "whisper"],
)
def test_what_is_foreign_is_told_within_a_block(guard, foreign) -> None:
    for block in blocks(hiss(0.07)):
        assert guard.accepts(block, (-20.0, -20.0))
    assert not guard.accepts(foreign, (-20.0, -20.0))


@pytest.mark.parametrize(("level", "good"), [(0.07, True), (0.2, False), (0.005, False), (0.08, True), (0.04, True)])
def test_a_little_too_loud_or_soft_is_told_within_a_window(guard, level, good) -> None:
    told = [guard.accepts(block, (-20.0, -20.0)) for block in blocks(hiss(level))]
    assert all(told) is good
    assert all(told[:15])


def test_one_bad_sample_is_enough_and_is_counted(guard) -> None:
    block = hiss(0.07)[:BLOCK_FRAMES].copy()
    block[100, 1] = np.nan
    block[200, 0] = np.inf
    assert not guard.accepts(block, (-20.0, -20.0))
    assert guard.bad_samples == 2


@pytest.mark.parametrize(
    "announced", [(np.nan, -20.0), (-20.0, np.nan), (-20.0, 30.0), (-500.0, -20.0), (-20.0, -30.0)]
)
def test_no_announcement_that_cannot_be_lets_anything_through(guard, announced) -> None:
    assert not guard.accepts(hiss(0.07)[:BLOCK_FRAMES], announced)


def test_loudness_agrees_with_the_meter() -> None:
    sound = hiss(0.05, 4.0)
    sound[RATE : 2 * RATE] *= 2.0
    loudness = Loudness(RATE, 2)
    one_by_one = [loudness.lufs for block in blocks(sound) if loudness.add(block)]
    whole, highest = loudness.of(sound)
    assert whole == pytest.approx(loop_lufs(sound, RATE), abs=0.3)
    assert highest == max(one_by_one)
    assert len(one_by_one) == len(sound) // BLOCK_FRAMES // 16
