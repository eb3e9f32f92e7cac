"""What reaches the card fades, never clicks, never passes the ceiling, and is always finite."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.stream.card import FakeCard
from appliance.stream.reader import BLOCK_FRAMES, CEILING, Counters, Reader
from appliance.stream.ring import Ring

RATE = 48_000
SEAM = 480


def parts_for(sound: np.ndarray, volume: float = 1.0, capacity: int = 0) -> tuple[Ring, FakeCard, Reader]:
    ring = Ring(max(capacity, len(sound), 4 * BLOCK_FRAMES), sound.shape[1])
    ring.write(sound.astype(np.float32))
    card = FakeCard(RATE, sound.shape[1])
    card.start()
    return ring, card, Reader(ring, card, volume)


def steady(seconds: float, level: float = 0.5) -> np.ndarray:
    return np.full((round(seconds * RATE), 2), level, dtype=np.float32)


def played(card: FakeCard, reader: Reader, seconds: float) -> np.ndarray:
    before = len(card.frames)
    for _ in range(round(seconds * RATE / BLOCK_FRAMES)):
        reader.turn()
    return card.frames[before:]


def test_fades_in_over_half_a_second_and_then_plays_what_it_got() -> None:
    _, card, reader = parts_for(steady(2.0))
    sound = played(card, reader, 1.5)
    fade = RATE // 2
    assert abs(sound[0, 0]) < 1e-6
    assert (np.diff(sound[:fade, 0]) >= 0.0).all()
    np.testing.assert_allclose(sound[fade // 2, 0], 0.25, atol=1e-3)
    np.testing.assert_array_equal(sound[fade:], 0.5)


def test_fades_out_over_a_second_and_stays_silent() -> None:
    _, card, reader = parts_for(steady(4.0))
    played(card, reader, 1.0)
    before = len(card.frames)
    reader.fade_out()
    sound = card.frames[before:]
    assert RATE <= len(sound) < RATE + BLOCK_FRAMES
    assert (np.diff(sound[:, 0]) <= 0.0).all()
    np.testing.assert_allclose(sound[RATE // 2, 0], 0.25, atol=1e-3)
    assert not played(card, reader, 0.1).any()


def test_a_stop_in_the_middle_of_the_fade_in_does_not_jump() -> None:
    _, card, reader = parts_for(steady(4.0))
    played(card, reader, 0.25)
    reader.fade_out()
    assert np.abs(np.diff(card.frames[:, 0])).max() < 0.5 * np.pi / 2.0 / (RATE * 0.5) * 1.01
    assert card.frames[-1, 0] == 0.0


def test_an_empty_ring_is_a_fade_and_not_a_click() -> None:
    ring, card, reader = parts_for(steady(1.0), capacity=4 * RATE)
    played(card, reader, 1.2)
    ring.write(steady(1.0))
    played(card, reader, 0.5)
    sound = card.frames[:, 0]
    assert np.abs(np.diff(sound)).max() < 0.5 * np.pi / 2.0 / SEAM * 1.01
    silent = np.flatnonzero(sound[RATE // 2 :] == 0.0)
    assert 0.15 * RATE < len(silent) < 0.35 * RATE
    assert sound[-1] == 0.5
    assert reader.counters.underruns == 1


def test_every_frame_is_played_once_across_an_underrun() -> None:
    ring, card, reader = parts_for(steady(0.6), capacity=2 * RATE)
    played(card, reader, 0.7)
    frames = np.random.default_rng(1).uniform(-0.5, 0.5, (4800, 2)).astype(np.float32)
    ring.write(frames)
    sound = played(card, reader, 0.2)
    start = np.flatnonzero(sound[:, 0])[0] - 1
    middle = slice(start + SEAM, start + len(frames) - SEAM)
    np.testing.assert_array_equal(sound[middle], frames[SEAM:-SEAM])
    assert reader.counters.underruns == 2


def test_the_end_is_no_underrun() -> None:
    ring, card, reader = parts_for(steady(1.0))
    ring.close()
    sound = played(card, reader, 1.2)
    assert reader.counters.underruns == 0
    assert ring.fill_frames == 0
    assert np.abs(np.diff(sound[:, 0])).max() < 0.002


def test_what_is_not_finite_is_silent() -> None:
    sound = steady(1.0)
    sound[30_000, 0] = np.nan
    sound[30_001, 1] = np.inf
    sound[-1] = -np.inf
    ring, card, reader = parts_for(sound)
    ring.close()
    frames = played(card, reader, 1.1)
    assert np.isfinite(frames).all()
    np.testing.assert_array_equal(frames[30_000], [0.0, 0.5])
    np.testing.assert_array_equal(frames[30_001], [0.5, 0.0])
    assert reader.counters == Counters(frames=len(frames), underruns=0, bad_samples=4)


@settings(max_examples=40, deadline=None)
@given(
    level=st.floats(-(2.0**99), 2.0**99),
    volume=st.floats(-2.0, 5.0),
    later=st.floats(),
    seed=st.integers(0, 99),
)
def test_nothing_passes_the_ceiling(level: float, volume: float, later: float, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, (12_000, 2)).astype(np.float32) * np.float32(level)
    _, card, reader = parts_for(noise, volume)
    played(card, reader, 0.1)
    reader.volume = later
    reader.fade_out()
    assert np.isfinite(card.frames).all()
    assert np.abs(card.frames).max() <= np.float32(CEILING)


def test_sound_under_the_ceiling_is_not_touched() -> None:
    _, card, reader = parts_for(steady(1.0, 0.89))
    np.testing.assert_array_equal(played(card, reader, 0.9)[RATE // 2 :], np.float32(0.89))


def test_volume_glides() -> None:
    _, card, reader = parts_for(steady(3.0), 0.5)
    np.testing.assert_allclose(played(card, reader, 1.0)[RATE // 2 :], 0.25)
    reader.volume = 1.0
    sound = played(card, reader, 0.2)[:, 0]
    assert np.diff(sound).max() < 0.5 / (0.05 * RATE) * 1.01
    np.testing.assert_allclose(sound[: RATE // 40][-1], 0.5, atol=1e-3)
    assert sound[-1] == 0.5
    reader.volume = 0.0
    assert not played(card, reader, 0.2)[RATE // 10 :].any()


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="1 channels cannot play on a card of 2"):
        Reader(Ring(9999, 1), FakeCard(RATE, 2))
    with pytest.raises(ValueError, match="shorter than 4096"):
        Reader(Ring(4095, 2), FakeCard(RATE, 2))
