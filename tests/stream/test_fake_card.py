"""The card that only pretends takes sound, goes and comes back as a real one would."""

import numpy as np
import pytest

from appliance.errors import CardError
from appliance.stream.card import FakeCard


def test_the_fake_card_keeps_what_it_is_given() -> None:
    slept: list[float] = []
    fake = FakeCard(48_000, 1, sleep=slept.append)
    block = np.full((480, 1), 0.5, dtype=np.float32)
    with pytest.raises(CardError, match="start it"):
        fake.write(block)
    fake.start()
    fake.write(block)
    block[:] = 0.0
    fake.write(block)
    fake.close()
    assert fake.closed
    assert slept == [0.01, 0.01]
    np.testing.assert_array_equal(fake.frames, np.repeat(np.float32([[0.5], [0.0]]), 480, axis=0))
    with pytest.raises(CardError):
        fake.write(block)


def test_the_fake_card_goes_and_comes_back() -> None:
    fake = FakeCard(48_000, 1, latency_s=0.08)
    assert (fake.latency_s, fake.alsa_card, fake.remark) == (0.08, None, "")
    block = np.ones((480, 1), dtype=np.float32)
    fake.start()
    fake.write(block)
    fake.vanish()
    for use in (lambda: fake.write(block), fake.start):
        with pytest.raises(CardError):
            use()
    fake.close()
    fake.come_back()
    with pytest.raises(CardError, match="start it"):
        fake.write(block)
    fake.start()
    fake.write(block)
    assert len(fake.frames) == fake.taken_frames == 960


def test_the_fake_card_keeps_the_latest_only() -> None:
    fake = FakeCard(48_000, 1, keep_s=0.1)
    fake.start()
    for n in range(100):
        fake.write(np.full((480, 1), n, dtype=np.float32))
    assert fake.taken_frames == 48_000
    np.testing.assert_array_equal(fake.frames[::480, 0], np.arange(90, 100))
