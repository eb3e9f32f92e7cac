"""An engine in a thread, and who plays from its ring."""

import threading
import time
from pathlib import Path

import pytest

from appliance.health.watchdog import Watchdog
from appliance.service.engine import run
from appliance.settings import MusicSettings, Settings
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import Ring
from appliance.stream.state import State

RESERVE_S = 4.0
SETTINGS = Settings(music=MusicSettings(seed=7, beds="none", each_morning="same"), mood={"pitch": 0.5})


class Supervisor:
    """The other end of a watchdog."""

    orphaned = False

    def __init__(self) -> None:
        self.words: list[str] = []

    def send(self, word: str) -> None:
        self.words.append(word)


class Engine:
    """An engine in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = SETTINGS
        self.supervisor = Supervisor()
        self.stop = threading.Event()
        self.said: list[str] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            run(self.settings, self.folder, self.stop, self.said.append, Watchdog(self.supervisor))
        except BaseException as error:
            self.error = error

    def start(self) -> "Engine":
        self.thread.start()
        return self

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20.0)
        assert not self.thread.is_alive()


def keep_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever is kept, or could be made again, be kept in a folder of the test's own."""
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
        monkeypatch.delenv(f"{name}_DIRECTORY", raising=False)


def full(ring: Ring) -> bool:
    lane = ring.words[Word.PLAYING] & 1
    return bool(ring.words[Word.END_0 + lane] - ring.words[Word.READ] > (RESERVE_S - 1.0) * ring.rate)


def play(ring: Ring, seconds: float) -> None:
    """Be a player that takes turns as they come."""
    for _ in range(round(seconds * ring.rate / BLOCK_FRAMES)):
        ring.words[Word.STATE] = State.PLAYING
        switch = ring.words[Word.SWITCH]
        if switch >> 49 != ring.words[Word.TAKEN]:
            ring.words[Word.TAKEN_FRAME] = switch % (1 << 48)
            ring.words[Word.PLAYING] = switch >> 48 & 1
            ring.words[Word.TAKEN] = switch >> 49
        ring.words[Word.READ] += BLOCK_FRAMES
        time.sleep(0.0005)
