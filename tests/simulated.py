"""A room without wires: the real player on a pretended card, with a made-up clock, and an engine that can be killed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from appliance.engine.log import Log, inputs_of, read
from appliance.engine.saved import Saved
from appliance.engine.timeline import Timeline
from appliance.engine.writer import Writer
from appliance.mood import Mood
from appliance.service.replay import replayed
from appliance.settings import SoundSettings
from appliance.spectrum.codec import Floats
from appliance.stream.card import FakeCard
from appliance.stream.fades import LANE_FADE_S
from appliance.stream.inlet import Inlet
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.reader import Reader
from appliance.stream.ring import Ring, create, open_ring, take

__all__ = ["Clock", "Room"]


class Clock:
    """CLOCK_MONOTONIC in nanoseconds, moved by whoever sleeps."""

    def __init__(self) -> None:
        self.ns = 10**9

    def __call__(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


class Room:
    """A ring, its player and the engine that fills it, in one thread.

    Parameters
    ----------
    folder : Path
    timeline : Timeline
    reserve_s : float
    keep_s : float or None
        How much the card keeps, see `FakeCard`.
    """

    def __init__(self, folder: Path, timeline: Timeline, reserve_s: float = 6.0, keep_s: float | None = None) -> None:
        self.folder = folder
        self.timeline = timeline
        self.clock = Clock()
        self.ring: Ring = create(folder, timeline.rate, timeline.channels, reserve_s)
        self.card = FakeCard(timeline.rate, timeline.channels, self.clock.sleep, latency_s=0.1, keep_s=keep_s)
        self.card.start()
        self.reader = Reader(self.ring, self.card, lambda: None, self.clock)
        self.inputs = inputs_of(timeline, SoundSettings())
        self.writer: Writer | None = None
        self.resumed = False

    def word(self, word: Word) -> int:
        """One of the ring's words."""
        return int(self.ring.words[word])

    @property
    def fill_s(self) -> float:
        """Seconds that lie ready in the lane that plays."""
        return (self.ring.lane(self.word(Word.PLAYING)).end - self.word(Word.READ)) / self.timeline.rate

    def engine(self, seed: int = 1, mood: Mood | None = None) -> Writer:
        """Start an engine; one that ran before is as good as killed."""
        mood = Mood() if mood is None else mood
        inlet = Inlet(open_ring(self.folder, writable=True), self.clock)
        self.writer = Writer(inlet, self.timeline, Log(self.inputs), self.clock)
        self.resumed = self.writer.begin(lambda: Saved(self.timeline.start(seed, mood), mood, 0))
        return self.writer

    def kill(self) -> None:
        """Let nobody fill the ring."""
        self.writer = None

    def replug(self) -> None:
        """Open a card anew after it was lost, as the player does."""
        self.card.close()
        self.card.come_back()
        self.card.start()
        self.reader = Reader(self.ring, self.card, lambda: None, self.clock)

    def work(self, most: int = 40) -> None:
        """Let the engine do what there is to do."""
        while self.writer is not None and most and self.writer.turn():
            most -= 1

    def play(self, seconds: float, each: Callable[[int], None] | None = None) -> Floats:
        """Let time pass: the engine works before each block, and after ``each`` was called with its number.

        Returns
        -------
        (frames, channels) float32
            What the card took meanwhile, or what it kept of it.
        """
        before = self.card.taken_frames
        for block in range(round(seconds * self.timeline.rate / BLOCK_FRAMES)):
            if each is not None:
                each(block)
            self.work()
            self.reader.turn()
        taken = self.card.taken_frames - before
        frames = self.card.frames
        return frames[max(0, len(frames) - taken) :]

    def heard(self, frame: int) -> Floats:
        """The fresh sound that was played from a stream frame on, before the fader, as the history has it."""
        count = self.word(Word.READ) - frame
        return take(self.ring.history, self.word(Word.HISTORY_END) - count, count)

    def check_log(self, timeline: Timeline, *but_for: int) -> int:
        """Assert that what was heard is what the log gives, bit for bit.

        Parameters
        ----------
        timeline : Timeline
            Another one than the engine's, so that nothing is at hand.
        but_for : int
            Frames from which on a lane's fade is not looked at: of the lane before the log knows nothing.

        Returns
        -------
        int
            The number of turns.
        """
        assert self.writer is not None
        log = read(self.writer.log_until_now(), "the log")
        first = log.turns[0].frame
        again = np.concatenate([*replayed(timeline, log), np.empty((0, timeline.channels), dtype=np.float32)])
        heard = self.heard(first)
        for frame in but_for:
            fade = slice(frame - first, frame - first + round(LANE_FADE_S * timeline.rate))
            again[fade] = heard[fade]
        np.testing.assert_array_equal(heard, again)
        return len(log.turns)
