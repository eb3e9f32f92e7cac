"""A ring with somebody at each end, a card that only pretends, and a clock that only moves when sound is played."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from appliance.stream.card import FakeCard
from appliance.stream.inlet import Inlet
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.porter import Plan
from appliance.stream.reader import Reader
from appliance.stream.ring import Ring, create, open_ring

RATE = 8_000
LUFS = -17.0


class Stage:
    """An engine's and a player's end of one ring; `sound(a, b)` is what the engine makes for frames a to b."""

    def __init__(self, folder: Path, factory: np.ndarray | None = None, sound: Callable | None = None) -> None:
        self.folder = folder
        self.now_ns = 10**9
        self.ring: Ring = create(folder, RATE, 2, 4.0)
        self.card = FakeCard(RATE, 2, self._pass, latency_s=0.1)
        self.card.start()
        self.factory = factory
        self.sound = sound or tone
        self.plan: Callable[[], Plan] = Plan
        self.new_player()
        self.new_engine()

    def _pass(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def new_player(self) -> None:
        ring = open_ring(self.folder, writable=True)
        self.reader = Reader(ring, self.card, lambda: self.factory, lambda: self.now_ns, lambda: self.plan())

    def new_engine(self) -> None:
        self.inlet = Inlet(open_ring(self.folder, writable=True), lambda: self.now_ns)

    def fill(self, seconds: float, lane: int | None = None, sound: Callable | None = None) -> None:
        """Append so much to a lane: the one to fill, unless told."""
        lane = self.inlet.lane if lane is None else lane
        end = self.inlet.end(lane)
        frames = (sound or self.sound)(end, end + round(seconds * RATE))
        self.inlet.append(lane, frames, (LUFS, LUFS))

    def turn_to(self, seconds: float, sound: Callable, frame: int | None = None, origin_ns: int = 0) -> int:
        """Publish another future with so much in it; the frame at which it begins."""
        lane = 1 - self.inlet.lane
        frame = self.inlet.turn_frame() if frame is None else frame
        self.inlet.open_lane(lane, frame)
        self.fill(seconds, lane, sound)
        self.inlet.publish(lane, frame, origin_ns)
        return frame

    def play(self, seconds: float, keep_full_s: float = 0.0) -> None:
        """Let time pass; with ``keep_full_s`` the engine keeps so much ready meanwhile."""
        for _ in range(round(seconds * RATE / BLOCK_FRAMES)):
            if keep_full_s and self.inlet.fill_frames < keep_full_s * RATE:
                self.fill(0.25)
            self.reader.turn()

    def word(self, word: Word) -> int:
        return self.ring.words[word]

    @property
    def heard(self) -> np.ndarray:
        return self.card.frames


def tone(begin: int, end: int, hz: float = 440.0, level: float = 0.2) -> np.ndarray:
    """A sine in both channels, by stream frame; at this level it measures about -17 LUFS."""
    wave = level * np.sin(2.0 * np.pi * hz / RATE * np.arange(begin, end))
    return np.repeat(wave.astype(np.float32)[:, np.newaxis], 2, axis=1)


def other_tone(begin: int, end: int) -> np.ndarray:
    return tone(begin, end, 660.0)


def largest_step(frames: np.ndarray) -> float:
    return float(np.abs(np.diff(frames, axis=0)).max())


def longest_silence_s(frames: np.ndarray) -> float:
    """The longest run of frames that are zero in both channels, in seconds."""
    sounding = np.flatnonzero(np.concatenate([[True], frames.any(axis=1), [True]]))
    return float(np.diff(sounding).max() - 1) / RATE
