"""The player's process as `latent bench` measures it: all of it, with a card that only pretends.

`python -m appliance.service.bench.player` begins and ends as `latent player` does. It opens the machine's card too, for
what that costs and says, but lets it go without a sound.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import CardError
from appliance.folders import runtime_folder
from appliance.health.watchdog import watchdog_from_environment
from appliance.service.player import Wish, run
from appliance.stopping import stop_when_told
from appliance.stream.card import Card, open_card
from appliance.stream.fake_card import FakeCard
from appliance.stream.layout import BLOCK_FRAMES

__all__ = ["CARD", "RECORD", "Pace", "RecordingCard", "main", "record_type"]

# In the runtime folder: what the card took and when, and what was found out about the real one.
RECORD: Final = "record"
CARD: Final = "card.json"
_SHORTLY_S: Final = 0.5


def record_type(channels: int) -> np.dtype[np.void]:
    """How a block lies in the record: CLOCK_MONOTONIC at which its first frame sounds, in ns, and its frames."""
    return np.dtype([("at_ns", "<i8"), ("frames", "<f4", (BLOCK_FRAMES, channels))])


class Pace:
    """Sleeps as a card does: whatever happens between the blocks, they end when the clock says."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._due_s = 0.0

    def __call__(self, seconds: float) -> None:
        """Wait for the end of a block that follows the last one, or begins now if that ended a block ago."""
        now_s = self._clock()
        begins_s = self._due_s if now_s < self._due_s + seconds else now_s
        self._due_s = begins_s + seconds
        self._sleep(max(0.0, self._due_s - now_s))


class RecordingCard(FakeCard):
    """A card as slow as a real one, without a latency of its own, that writes down what it took and when."""

    name = "paced fake card"

    def __init__(self, rate: int, channels: int, record: Path) -> None:
        super().__init__(rate, channels, Pace(), keep_s=_SHORTLY_S)
        self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, block: npt.NDArray[np.float32]) -> None:
        """Take a block."""
        os.write(self._record, time.monotonic_ns().to_bytes(8, "little") + block.tobytes())
        super().write(block)

    def close(self) -> None:
        """Take no more."""
        if not self.closed:
            os.close(self._record)
        super().close()


def main(arguments: Sequence[str]) -> None:
    """Play until told to stop."""
    if not arguments:
        _become_light()
    stop = threading.Event()
    stop_when_told(stop)
    folder = runtime_folder()

    def open_device(names: Sequence[str], rate: int, channels: int, waited_s: float) -> Card:
        (folder / CARD).write_text(json.dumps(_look_at(names, rate, channels)), encoding="utf-8")
        return RecordingCard(rate, channels, folder / RECORD)

    run(Wish.read(Path(arguments[0]), _say), folder, stop, _say, watchdog_from_environment(), open_device)


def _become_light() -> None:
    """Read the settings, then begin again without what that took to load, as `latent player` does."""
    from appliance.service.handover import hand_over
    from appliance.settings_file import read_settings

    path = hand_over(runtime_folder(), read_settings(None), (), "")
    os.execv(sys.executable, [sys.executable, "-m", "appliance.service.bench.player", str(path)])


def _look_at(names: Sequence[str], rate: int, channels: int) -> dict[str, object]:
    """Open the machine's card without starting it, and tell what it says of itself."""
    try:
        card = open_card(names, rate, channels)
    except CardError as error:
        return {"name": None, "latency_ms": None, "why": str(error)}
    card.close()
    return {"name": card.name, "latency_ms": 1e3 * card.latency_s, "why": ""}


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
