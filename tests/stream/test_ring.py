"""The ring gives out exactly what was put in, whatever the two threads do."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.stream.ring import Ring

JOIN_S = 20.0


def numbered(start: int, count: int, channels: int = 2) -> np.ndarray:
    """Frames that carry their own number, in every channel with another sign or size: a torn frame shows."""
    numbers = np.arange(start, start + count, dtype=np.float32)
    return numbers[:, np.newaxis] * np.arange(1, channels + 1, dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(
    capacity=st.integers(1, 40),
    channels=st.integers(1, 3),
    hops=st.lists(st.integers(0, 70), max_size=30),
    takes=st.lists(st.integers(0, 50), min_size=1, max_size=10),
)
def test_never_reorders_loses_or_tears(capacity: int, channels: int, hops: list[int], takes: list[int]) -> None:
    ring = Ring(capacity, channels)

    def fill() -> None:
        done = 0
        for hop in hops:
            assert ring.write(numbered(done, hop, channels))
            done += hop
        ring.close()

    writer = threading.Thread(target=fill)
    writer.start()
    got = []
    turn = 0
    while not (ring.closed and ring.fill_frames == 0):
        out = np.full((takes[turn % len(takes)] or 1, channels), -1.0, dtype=np.float32)
        turn += 1
        ring.wait_filled(1, JOIN_S)
        count = ring.read(out)
        assert (out[count:] == -1.0).all()
        got.append(out[:count])
    writer.join(JOIN_S)
    assert not writer.is_alive()
    np.testing.assert_array_equal(np.concatenate([numbered(0, 0, channels), *got]), numbered(0, sum(hops), channels))


def test_long_run_of_two_threads_that_never_wait_for_one_another() -> None:
    """Half a million frames, the reader spinning: the counts must hold without a lock."""
    ring = Ring(997, 2)
    total = 500_000

    def fill() -> None:
        for start in range(0, total, 1000):
            ring.write(numbered(start, 1000))
        ring.close()

    threading.Thread(target=fill).start()
    expected = 0
    out = np.zeros((331, 2), dtype=np.float32)
    while not (ring.closed and ring.fill_frames == 0):
        count = ring.read(out)
        np.testing.assert_array_equal(out[:count], numbered(expected, count))
        expected += count
    assert expected == total


def test_reading_never_waits() -> None:
    ring = Ring(8, 2)
    out = np.zeros((4, 2), dtype=np.float32)
    assert ring.read(out) == 0
    ring.write(numbered(0, 3))
    assert ring.fill_frames == 3
    assert ring.read(out) == 3
    assert ring.fill_frames == 0


def test_closing_frees_a_writer_that_waits() -> None:
    ring = Ring(4, 1)
    result: list[bool] = []
    writer = threading.Thread(target=lambda: result.append(ring.write(numbered(0, 9, 1))))
    writer.start()
    assert ring.wait_filled(4, JOIN_S)
    ring.close()
    writer.join(JOIN_S)
    assert result == [False]
    assert ring.closed
    out = np.zeros((9, 1), dtype=np.float32)
    assert ring.read(out) == 4


def test_closing_frees_a_reader_that_waits() -> None:
    ring = Ring(4, 1)
    result: list[bool] = []
    reader = threading.Thread(target=lambda: result.append(ring.wait_filled(1, JOIN_S)))
    reader.start()
    ring.close()
    ring.close()
    reader.join(JOIN_S)
    assert result == [True]
    assert not ring.write(numbered(0, 1, 1))


def test_waiting_ends_with_its_time() -> None:
    ring = Ring(4, 1)
    assert not ring.wait_filled(1, 0.0)
    ring.write(numbered(0, 2, 1))
    assert ring.wait_filled(2, 0.0)
    assert not ring.wait_filled(3, 0.0)


def test_what_does_not_fit() -> None:
    ring = Ring(4, 2)
    for wrong in (np.zeros((2, 3), dtype=np.float32), np.zeros(2, dtype=np.float32), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="float32"):
            ring.write(wrong)
        with pytest.raises(ValueError, match="float32"):
            ring.read(wrong)
    for size in ((0, 2), (4, 0)):
        with pytest.raises(ValueError, match="room and channels"):
            Ring(*size)
