"""Playing starts and ends softly, and whatever breaks on the way is told after everything was closed."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from appliance.errors import CardError, ModelError
from appliance.service.play import play
from appliance.settings import CardSettings
from appliance.stream.card import FakeCard
from appliance.stream.reader import BLOCK_FRAMES

RATE = 44_100


class Stage:
    """A fake card, a stop event, and what was said; `at` calls something when so many blocks were played."""

    def __init__(self, channels: int = 2) -> None:
        self.stop = threading.Event()
        self.said: list[str] = []
        self.asked: list[tuple[str | None, int, int]] = []
        self.card = FakeCard(RATE, channels, sleep=self._tick)
        self._at: dict[int, Callable[[], None]] = {}

    def at(self, seconds: float, call: Callable[[], None]) -> None:
        self._at[round(seconds * RATE / BLOCK_FRAMES)] = call

    def play(self, make_source: Callable[[int, int], Iterator[np.ndarray]], volume: float = 1.0) -> object:
        wanted = CardSettings(device="the card")
        return play(make_source, wanted, stop=self.stop, say=self.said.append, volume=volume, open_device=self._open)

    def _open(self, device: str | None, rate: int, channels: int) -> FakeCard:
        self.asked.append((device, rate, channels))
        return self.card

    def _tick(self, _seconds: float) -> None:
        self._at.pop(len(self.card.blocks), lambda: None)()


def steady(seconds: float, level: float = 0.5) -> Callable[[int, int], Iterator[np.ndarray]]:
    """One long hop: it is in the ring at once, so a card that takes no time cannot outrun it."""
    return lambda rate, channels: iter([np.full((round(seconds * rate), channels), level, dtype=np.float32)])


def endless(rate: int, channels: int) -> Iterator[np.ndarray]:
    while True:
        yield np.full((8 * rate, channels), 0.5, dtype=np.float32)


def assert_soft(stage: Stage) -> None:
    sound = stage.card.frames
    assert np.abs(np.diff(sound, axis=0, prepend=0.0, append=0.0)).max() < 0.5 * np.pi / 2.0 / (0.01 * RATE) * 1.01
    assert stage.card.closed
    assert not any(thread.name == "filler" for thread in threading.enumerate())


def test_plays_until_told_to_stop() -> None:
    stage = Stage()
    stage.at(2.0, stage.stop.set)
    counters = stage.play(endless)
    sound = stage.card.frames
    assert len(sound) == counters.frames
    assert abs(len(sound) - 3 * RATE) <= 2 * BLOCK_FRAMES
    np.testing.assert_array_equal(sound[RATE : 2 * RATE - BLOCK_FRAMES], 0.5)
    assert_soft(stage)
    assert (counters.underruns, counters.bad_samples) == (0, 0)
    assert stage.said == ["Playing on fake at 44100 Hz, 2 channels."]


def test_the_source_is_told_what_the_card_came_to() -> None:
    stage = Stage(channels=1)
    told: list[tuple[int, int]] = []

    def make_source(rate: int, channels: int) -> Iterator[np.ndarray]:
        told.append((rate, channels))
        return steady(2.0)(rate, channels)

    stage.play(make_source)
    assert stage.asked == [("the card", 48_000, 2)]
    assert told == [(RATE, 1)]
    assert stage.said == ["Playing on fake at 44100 Hz, 1 channel."]


def test_a_source_that_ends_is_played_to_its_end() -> None:
    stage = Stage()
    stage.play(steady(3.0))
    sounding = np.flatnonzero(stage.card.frames[:, 0])
    assert abs(sounding[-1] - sounding[0] - 3 * RATE) < 10
    assert_soft(stage)


def test_a_second_is_ready_before_the_card_starts() -> None:
    stage = Stage()
    made: list[int] = []
    made_at_start: list[int] = []
    stage.card.start = lambda: (made_at_start.append(sum(made)), FakeCard.start(stage.card))

    def source(rate: int, channels: int) -> Iterator[np.ndarray]:
        for _ in range(200):
            made.append(rate // 10)
            yield np.zeros((rate // 10, channels), dtype=np.float32)

    stage.at(0.5, stage.stop.set)
    stage.play(source)
    assert made_at_start[0] >= RATE


def test_a_source_that_fails_is_faded_out_and_then_told() -> None:
    stage = Stage()
    fail = threading.Event()

    def source(rate: int, channels: int) -> Iterator[np.ndarray]:
        yield np.full((6 * rate, channels), 0.5, dtype=np.float32)
        fail.wait(20.0)
        raise ModelError("The decoder failed; export the model anew.")

    stage.at(1.0, fail.set)
    with pytest.raises(ModelError, match="The decoder failed"):
        stage.play(source)
    assert stage.card.frames[:, 0].max() == 0.5
    assert_soft(stage)


def test_a_source_that_gives_what_cannot_be_played_is_told() -> None:
    stage = Stage()
    with pytest.raises(ValueError, match=r"float32 \(n, 2\)"):
        stage.play(lambda rate, channels: iter([np.zeros((rate, channels + 1), dtype=np.float32)]))
    assert not stage.card.started
    assert_soft(stage)


def test_a_source_that_cannot_be_made() -> None:
    stage = Stage()

    def make_source(rate: int, channels: int) -> Iterator[np.ndarray]:
        raise ModelError("x.latent is empty; copy it again.")

    with pytest.raises(ModelError, match="is empty"):
        stage.play(make_source)
    assert stage.card.closed
    assert stage.said == []


def test_a_card_that_cannot_be_opened() -> None:
    stage = Stage()

    def refuse(*_: object) -> FakeCard:
        raise CardError("There is no sound card; plug one in.")

    with pytest.raises(CardError, match="no sound card"):
        play(pytest.fail, CardSettings(), stop=stage.stop, say=stage.said.append, open_device=refuse)


def test_a_card_pulled_out() -> None:
    stage = Stage()

    def pull() -> None:
        stage.card.closed = True

    stage.at(1.0, pull)
    with pytest.raises(CardError, match="fake card"):
        stage.play(endless)
    assert not any(thread.name == "filler" for thread in threading.enumerate())


def test_told_to_stop_before_it_began() -> None:
    stage = Stage()
    stage.stop.set()
    stage.play(endless)
    assert not stage.card.frames.any()
    assert_soft(stage)


def test_volume() -> None:
    stage = Stage()
    stage.play(steady(3.0), volume=0.25)
    assert stage.card.frames.max() == 0.125
    assert_soft(stage)
