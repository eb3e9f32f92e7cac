"""How long this machine takes to begin and to answer a hand: a real engine, a real player, and a card that pretends.

Nobody hears it, and no installation that plays meanwhile is touched: both have folders of their own.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from appliance.api.client import ask
from appliance.errors import RingError
from appliance.folders import runtime_folder
from appliance.health.watchdog import PIPE_VARIABLE
from appliance.service.bench.heard import first_change
from appliance.service.bench.memory import Memory, locked, memory_of
from appliance.service.bench.player import CARD, RECORD, record_type
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import Ring, open_ring, ring_path, take

__all__ = ["Pair", "Start", "Turn", "pair"]

Floats = npt.NDArray[np.float32]
Found = TypeVar("Found")

_SEED: Final = 7
_PATIENCE_S: Final = 60.0
_GLANCE_S: Final = 0.002
_STOP_S: Final = 5.0
_SOUNDING: Final = 10.0 ** (-60.0 / 20.0)
# So long is listened for an answer, and so much from before the turn shows where in the stream the card was.
_LISTEN_S: Final = 1.5
_BEFORE_S: Final = 0.2
_FADED_IN_S: Final = 1.0
# A hop of the music: turns are spread over it.
_HOP_S: Final = 1.0
_NOT_FOR_CHILDREN: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True)
class Start:
    """Milliseconds from the start of both processes until the ring was made, first filled, and first heard."""

    ring_ms: float
    first_hop_ms: float
    first_sound_ms: float


@dataclass(frozen=True)
class Turn:
    """A quantity was turned.

    Attributes
    ----------
    quantity : str
    value : float
        Where to.
    heard_ms : float or None
        From the request until the end of the first window that is heard to differ; None where none does.
    ring_ms : float or None
        What the player noted; None where it noted nothing new.
    """

    quantity: str
    value: float
    heard_ms: float | None
    ring_ms: float | None


class Pair:
    """An engine and a player under way; see `pair`."""

    def __init__(self, folder: Path, engine: "subprocess.Popen[bytes]", player: "subprocess.Popen[bytes]") -> None:
        self._folder = folder
        self._processes = {"engine": engine, "player": player}
        self._ring: Ring | None = None

    @property
    def ring(self) -> Ring:
        """The ring, once `began` has found it."""
        assert self._ring is not None
        return self._ring

    @property
    def card(self) -> dict[str, Any]:
        """What was found out about the machine's own card: ``name`` and ``latency_ms`` or else ``why`` not."""
        told: dict[str, Any] = json.loads((self._folder / CARD).read_text(encoding="utf-8"))
        return told

    def began(self, begun_ns: int) -> Start:
        """Wait for the first sound; ``begun_ns`` is when both were started. Raises RingError if there is none."""
        self._ring = self._await("no ring", self._look_for_ring)
        made_ns = time.monotonic_ns()
        self._await("no sound in the ring", lambda: self.ring.words[Word.MADE] or None)
        filled_ns = time.monotonic_ns()
        heard_ns = self._await("no sound", self._first_sound_ns)
        return Start(*((at_ns - begun_ns) / 1e6 for at_ns in (made_ns, filled_ns, heard_ns)))

    def turn(self, quantity: str, value: float, phase: float) -> Turn:
        """Turn a quantity at a phase of the hop, 0..1, with the reserve full, and listen for the answer.

        Raises
        ------
        RingError, ApiError
            If that could not be measured.
        """
        words = self.ring.words
        self._await("no full reserve", lambda: self._reserve_full() or None)
        # Until then it is faded in, and is not what lies in the lane.
        self._await("no frames taken", lambda: words[Word.READ] > _FADED_IN_S * self.ring.rate or None)
        self._await("no frames taken", lambda: self._at_phase(phase) or None)
        unturned, stood = self._to_come(), self._disturbances()
        noted_ns = words[Word.ANSWER_NS]
        turned_ns = time.monotonic_ns()
        ask(self._folder, {"do": "mood", "set": {quantity: value}})
        time.sleep(_LISTEN_S)
        if self._disturbances() != stood:
            raise RingError("The player ran out of sound while a turn was measured: let the machine rest, and repeat.")
        heard_ns = self._change_ns(unturned, turned_ns)
        answer_ns = words[Word.ANSWER_NS]
        return Turn(
            quantity,
            value,
            None if heard_ns is None else (heard_ns - turned_ns) / 1e6,
            None if answer_ns == noted_ns else answer_ns / 1e6,
        )

    def memory(self) -> tuple[Memory, Memory]:
        """Look how much memory engine and player have."""
        engine, player = (process.pid for process in self._processes.values())
        return memory_of(engine, player, ring_path(self._folder))

    def footing(self) -> dict[str, bool]:
        """Whether the player was allowed to be real-time, and to keep its memory."""
        pid = self._processes["player"].pid
        return {"player_fifo": os.sched_getscheduler(pid) == os.SCHED_FIFO, "player_memory_locked": locked(pid)}

    def _look_for_ring(self) -> Ring | None:
        return open_ring(self._folder, writable=False) if ring_path(self._folder).exists() else None

    def _await(self, what: str, look: Callable[[], Found | None]) -> Found:
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            found = look()
            if found is not None:
                return found
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RingError(f"The {name} ended while it was measured{self._last_words(name)}")
            time.sleep(_GLANCE_S)
        raise RingError(f"There was {what} after {_PATIENCE_S:g} s{self._last_words('engine')}")

    def _last_words(self, name: str) -> str:
        said = (self._folder / f"{name}.said").read_text(errors="replace").strip().splitlines()
        return f" ({said[-1].rstrip('.')})." if said else "."

    def _blocks(self, since_ns: int = 0) -> npt.NDArray[np.void]:
        """Give what the card took, whole blocks, from a moment on."""
        path, kind = self._folder / RECORD, record_type(self.ring.channels)
        whole = path.stat().st_size // kind.itemsize
        newest = max(0, round((time.monotonic_ns() - since_ns) * 1e-9 * self.ring.rate / BLOCK_FRAMES) + 8)
        skip = max(0, whole - newest) if since_ns else 0
        blocks = np.fromfile(path, kind, whole - skip, offset=skip * kind.itemsize)
        return blocks[blocks["at_ns"] >= since_ns]

    def _first_sound_ns(self) -> int | None:
        if not (self._folder / RECORD).exists():
            return None
        blocks = self._blocks()
        frames = blocks["frames"]
        loud = np.flatnonzero((np.abs(frames.reshape(-1, frames.shape[-1])) > _SOUNDING).any(axis=1))
        if not len(loud):
            return None
        block, frame = divmod(int(loud[0]), BLOCK_FRAMES)
        return int(blocks["at_ns"][block]) + round(frame * 1e9 / self.ring.rate)

    def _reserve_full(self) -> bool:
        ring = self.ring
        ready = ring.lane(ring.words[Word.PLAYING]).end - ring.words[Word.READ]
        return ready > (ring.reserve_s - _HOP_S) * ring.rate

    def _at_phase(self, phase: float) -> bool:
        hop = round(_HOP_S * self.ring.rate)
        return (self.ring.words[Word.READ] - round(phase * hop)) % hop < 2 * BLOCK_FRAMES

    def _disturbances(self) -> list[int]:
        return [self.ring.words[word] for word in (Word.HOLDS, Word.UNDERRUNS, Word.REFUSALS, Word.CARDS_LOST)]

    def _to_come(self) -> Floats:
        """Copy what the card will be given if nobody turns anything: (n, channels), from a little before now on."""
        ring = self.ring
        lane = ring.words[Word.PLAYING]
        before = round(_BEFORE_S * ring.rate) // BLOCK_FRAMES * BLOCK_FRAMES
        begin = max(ring.words[Word.READ] - before, ring.lane(lane).begin)
        return take(ring.lanes[lane], begin, round((_BEFORE_S + _LISTEN_S) * ring.rate))

    def _change_ns(self, unturned: Floats, turned_ns: int) -> int | None:
        """Find when the card first took something else than that, as heard."""
        blocks = self._blocks(turned_ns - round(0.5 * _BEFORE_S * 1e9))
        # With volume at rest the card gets the lane bit for bit: that shows where in the stream it was.
        steps = range(0, len(unturned) - BLOCK_FRAMES, BLOCK_FRAMES)
        at = next((at for at in steps if np.array_equal(unturned[at : at + BLOCK_FRAMES], blocks["frames"][0])), None)
        if at is None:
            raise RingError("The card was not given what lay in the ring: repeat the measurement.")
        heard = blocks["frames"].reshape(-1, self.ring.channels)
        count = min(len(heard), len(unturned) - at)
        change = first_change(heard[:count], unturned[at : at + count], self.ring.rate)
        return None if change is None else int(blocks["at_ns"][0]) + round(change * 1e9 / self.ring.rate)


@contextlib.contextmanager
def pair(devices: tuple[str, ...] = ()) -> Iterator[tuple[Pair, int]]:
    """Start an engine and a player in folders of their own, and end them.

    Parameters
    ----------
    devices : tuple of str
        Cards to look at, as in the settings.

    Yields
    ------
    tuple
        The pair, and CLOCK_MONOTONIC in ns when it was started.
    """
    # Beside the real ring, so that it is the same kind of memory.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=runtime_folder()) as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        environment = _environment(folder, devices)
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # While this end is open both know that they are wanted.
        stack.callback(os.close, reading)
        begun_ns = time.monotonic_ns()
        processes = []
        for who, command in _commands().items():
            with (folder / f"{who}.said").open("wb") as said:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env=environment | {PIPE_VARIABLE: str(writing)},
                    pass_fds=[writing],
                    start_new_session=True,
                )
            processes.append(process)
            stack.callback(_end, process)
        os.close(writing)
        yield Pair(folder, *processes), begun_ns


def _commands() -> dict[str, list[str]]:
    latent = str(Path(sysconfig.get_path("scripts")) / "latent")
    return {
        "engine": [sys.executable, latent, "engine"],
        "player": [sys.executable, "-m", "appliance.service.bench.player"],
    }


def _environment(folder: Path, devices: tuple[str, ...]) -> dict[str, str]:
    """Give both a fresh installation, whose music is always the same."""
    names = ", ".join(json.dumps(each, ensure_ascii=False) for each in devices)
    settings = f'[music]\nseed = {_SEED}\neach_morning = "same"\n[card]\ndevice = [{names}]\n'
    (folder / "latent.toml").write_text(settings, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    environment["RUNTIME_DIRECTORY"] = environment["CONFIGURATION_DIRECTORY"] = str(folder)
    for name in ("STATE", "CACHE"):
        environment[f"{name}_DIRECTORY"] = str(folder / name.lower())
    return environment


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process at once: nothing of it is to be kept."""
    process.send_signal(signal.SIGKILL)
    process.wait(_STOP_S)
