"""A room to disturb: a private sound server, its monitor recorded with the time, and a real `latent play`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from chaos.measure import RATE, Audio
from chaos.reference import factory_folder
from sound_server import SoundServer

from appliance.api.client import ask
from appliance.errors import RingError
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, open_ring
from appliance.stream.state import State

# In a script no folder but its own is on the path.
sys.path.append(str(Path(__file__).parents[1]))


__all__ = ["SETTINGS", "Room", "Tape"]

SETTINGS = """
[music]
seed = 7
each_morning = "same"
{music}
[card]
{card}
"""

_FRAME_BYTES = 8
_PATIENCE_S = 30.0
_PAREC = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--raw"]


class Tape:
    """Records what the sink plays and when it arrived, until it is stopped or the server ends."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [*_PAREC, "--latency-msec=20"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._data = bytearray()
        self._arrivals: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return len(self._data) // _FRAME_BYTES

    def audio(self) -> Audio:
        """Everything recorded so far, (n, 2) float32."""
        whole = self.frames * _FRAME_BYTES
        return np.frombuffer(bytes(self._data[:whole]), dtype=np.float32).reshape(-1, 2)

    def last(self, seconds: float) -> Audio:
        """The last seconds of it."""
        end = self.frames * _FRAME_BYTES
        begin = max(0, end - round(seconds * RATE) * _FRAME_BYTES)
        return np.frombuffer(bytes(self._data[begin:end]), dtype=np.float32).reshape(-1, 2)

    def origin_s(self) -> float:
        """Monotonic time of the first frame: the earliest that any arrival allows, so late by one delivery at most."""
        return min(at_s - size / _FRAME_BYTES / RATE for at_s, size in self._arrivals)

    def frame_at(self, at_s: float) -> int:
        """Which frame arrived at a monotonic time."""
        return max(0, round((at_s - self.origin_s()) * RATE))

    def stop(self) -> None:
        """Wait for what is on its way, and end."""
        time.sleep(0.3)
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
        self._thread.join(_PATIENCE_S)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self._data += chunk
                self._arrivals.append((time.monotonic(), len(self._data)))


class Room:
    """One `latent play` at its sound server; a context that leaves nothing behind.

    Parameters
    ----------
    home : Path
        An empty folder of its own.
    settings : str
        Content of latent.toml.
    extra : mapping
        Environment for the processes of `latent play` alone.
    """

    def __init__(self, home: Path, settings: str, extra: Mapping[str, str]) -> None:
        self.home = home
        self.server = SoundServer(home)
        self.tapes: list[Tape] = []
        self.exit_code: int | None = None
        self.locks: list[int] = []
        folders = {"XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
        self.env = self.server.env | folders | dict(extra)
        # As the set-up leaves it.
        shutil.copytree(factory_folder(), home / "cache" / "latent" / "factory")
        (home / "latent").mkdir()
        (home / "latent" / "latent.toml").write_text(settings)
        self._play: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The runtime folder of `latent play`."""
        return self.home / "latent"

    @property
    def tape(self) -> Tape:
        """What is recorded now."""
        return self.tapes[-1]

    def __enter__(self) -> "Room":
        self.server.start()
        self.record()
        return self

    def __exit__(self, *_: object) -> None:
        if self._play is not None and self._play.poll() is None:
            self._play.kill()
        for name in ("engine", "player"):
            pid = self.pid(name)
            if pid:
                os.kill(pid, signal.SIGKILL)
        for tape in self.tapes:
            tape.stop()
        self.server.kill()

    def record(self) -> None:
        """Begin another tape."""
        self.tapes.append(Tape(self.server.env))

    def play(self) -> None:
        """Start `latent play`."""
        latent = Path(sys.executable).parent / "latent"
        with (self.home / "play.log").open("ab") as log:
            self._play = subprocess.Popen([str(latent), "play"], env=self.env, stdout=log, stderr=log)

    def said(self) -> str:
        """What `latent play` has said."""
        return (self.home / "play.log").read_text()

    def await_sound(self, within_s: float = _PATIENCE_S) -> float:
        """Wait for the first sound on the tape; the monotonic time at which it came."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            sounding = np.flatnonzero(self.tape.audio().any(axis=1))
            if len(sounding):
                return self.tape.origin_s() + float(sounding[0]) / RATE
            time.sleep(0.05)
        raise TimeoutError(f"no sound within {within_s:g} s; latent play said: {self.said()}")

    def await_well(self, within_s: float) -> float:
        """Wait until fresh sound is played and the reserve is nearly full; the seconds it took, or infinity."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < within_s:
            ring = self.ring()
            if ring is not None and ring.words[Word.STATE] == State.PLAYING:
                lane = ring.lane(int(ring.words[Word.PLAYING]) & 1)
                if lane.end - ring.words[Word.READ] > (ring.reserve_s - 1.5) * ring.rate:
                    return time.monotonic() - began_s
            time.sleep(0.1)
        return float("inf")

    def stop(self) -> None:
        """End `latent play` as a user does, and wait until it has faded out."""
        assert self._play is not None
        self._play.terminate()
        self.exit_code = self._play.wait(_PATIENCE_S)
        time.sleep(0.3)

    def pid(self, name: str) -> int:
        """The process of the engine or the player; 0 where there is none."""
        if self._play is None:
            return 0
        for path in Path(f"/proc/{self._play.pid}/task").glob("*/children"):
            for pid in _read(path).split():
                if f"latent\0{name}" in _read(Path(f"/proc/{pid}/cmdline")):
                    return int(pid)
        return 0

    @property
    def filling(self) -> bool:
        """Whether the engine that runs now has begun to fill the ring."""
        ring, pid = self.ring(), self.pid("engine")
        return ring is not None and pid != 0 and ring.words[Word.ENGINE_PID] == pid

    def signal(self, name: str, number: int) -> bool:
        """Send a signal to the engine or the player; False where there is none."""
        pid = self.pid(name)
        try:
            if pid:
                os.kill(pid, number)
        except ProcessLookupError:
            return False
        return bool(pid)

    def ask(self, **request: object) -> dict[str, Any]:
        """Ask the engine something."""
        return ask(self.folder, request)

    def ring(self, writable: bool = False) -> Ring | None:
        """The ring, where there is one."""
        try:
            return open_ring(self.folder, writable=writable)
        except RingError:
            return None

    def counts(self) -> dict[str, int]:
        """The player's own view."""
        ring = self.ring()
        names = (Word.HOLDS, Word.HELD, Word.UNDERRUNS, Word.BAD, Word.REFUSALS, Word.CARDS_LOST, Word.REWINDS)
        return {} if ring is None else {word.name.lower(): int(ring.words[word]) for word in names}

    def own_answer_ms(self) -> float:
        """How long the last hand waited, by the player's own count."""
        ring = self.ring()
        return 0.0 if ring is None else ring.words[Word.ANSWER_NS] / 1e6

    def rung(self) -> int:
        """On which rung of its ladder the engine stands."""
        ring = self.ring()
        facts = None if ring is None else ring.facts.read()
        return -1 if facts is None else int(json.loads(facts)["rung"])

    def forget_crashes(self) -> None:
        """Let the engine's ladder begin anew, so that it takes controls again."""
        (self.folder / "starts").unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
