"""How long a hand takes to be heard: a hundred turns by OSC and a hundred of a knob, against a real sound server.

The engine and the player are the real processes, with 20 s in reserve, a card that is PulseAudio's null sink, and knobs
at gpiozero's mock pins, where a pretended MCP3008 speaks its protocol. What the sink plays is recorded from its
monitor, and set beside what lay in the ring at the moment of the turn: what would have been heard without it.

    .venv/bin/python tests/bench/hands.py [TURNS]

A turn is heard at the end of the first 85 ms in which a third of an octave differs by a decibel, as in `latent bench`;
the time on the way through the recorder is counted, too. Exits with 1 where one in twenty takes longer than 300 ms.
"""

import itertools
import math
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pythonosc.udp_client import SimpleUDPClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from sound_server import RATE, SoundServer

from appliance.api.client import ask
from appliance.service.bench.heard import first_change
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, open_ring, take

BAR_MS = 300.0
PORT = 9123
SETTINGS = f"""
[music]
seed = 7
each_morning = "same"
[osc]
port = {PORT}
[controls.fader]
source = "osc"
address = "/fader"
moves = "pitch"
[controls.knob]
source = "mcp3008"
channel = 0
moves = "pitch"
"""
LISTEN_S = 1.2
BEFORE_S = 1.0
# Samples that show where in the stream the recording is.
MARK = 4096


class Monitor:
    """What the sink plays, with the time at which each part of it came."""

    def __init__(self, env: dict[str, str]) -> None:
        command = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--raw"]
        self._process = subprocess.Popen([*command, "--latency-msec=5"], env=env, stdout=subprocess.PIPE)
        self._parts: list[tuple[int, np.ndarray]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._collect, daemon=True).start()

    def since(self, since_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the frames that came since a moment, (n, 2), and when each had come."""
        with self._lock:
            self._parts = [part for part in self._parts if part[0] >= since_ns - 3_000_000_000]
            parts = [part for part in self._parts if part[0] >= since_ns]
        frames = np.concatenate([frames for _, frames in parts])
        return frames, np.concatenate([np.full(len(frames), at_ns) for at_ns, frames in parts])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _collect(self) -> None:
        rest = b""
        while data := os.read(self._process.stdout.fileno(), 65536):
            at_ns = time.monotonic_ns()
            data = rest + data
            whole = len(data) // 8 * 8
            data, rest = data[:whole], data[whole:]
            with self._lock:
                self._parts.append((at_ns, np.frombuffer(data, dtype=np.float32).reshape(-1, 2)))


def heard_ms(ring: Ring, monitor: Monitor, turn: Callable[[], None]) -> float:
    """Turn something once the reserve is full; the milliseconds until that is heard, infinite if it is not.

    NaN where the recording is not found in the ring: nothing was measured then.
    """
    while (ring.lane(ring.words[Word.PLAYING]).end - ring.words[Word.READ]) / ring.rate < ring.reserve_s - 1.0:
        time.sleep(0.01)
    lane = ring.words[Word.PLAYING]
    begin = max(ring.words[Word.READ] - round(BEFORE_S * ring.rate), ring.lane(lane).begin)
    unturned = take(ring.lanes[lane], begin, round((BEFORE_S + LISTEN_S) * ring.rate))
    since_ns = time.monotonic_ns()
    turn()
    time.sleep(LISTEN_S)
    frames, came_ns = monitor.since(since_ns)
    # Where the recording began is found by its first frames, which nobody has turned anything in yet.
    mark = frames[:MARK, 0]
    places = np.lib.stride_tricks.sliding_window_view(unturned[: round(BEFORE_S * ring.rate) + MARK, 0], MARK)
    off = np.array([np.abs(place[::64] - mark[::64]).max() for place in places])
    at = int(np.argmin(off))
    if off[at] > 1e-4:
        return math.nan
    count = min(len(frames), len(unturned) - at)
    change = first_change(frames[:count], unturned[at : at + count], ring.rate)
    return math.inf if change is None else (came_ns[min(change, len(came_ns) - 1)] - since_ns) * 1e-6


def turns(name: str, count: int, ring: Ring, monitor: Monitor, turn: Callable[[float], None]) -> list[float]:
    """Turn something back and forth by half of its way, until so many turns were measured."""
    rng = np.random.default_rng(0)
    found: list[float] = []
    for number in itertools.count():
        # Anywhere in a hop of the music.
        time.sleep(rng.uniform(0.0, 1.0))
        found.append(heard_ms(ring, monitor, lambda where=0.2 + 0.5 * (number % 2): turn(where)))
        measured = int(np.count_nonzero(~np.isnan(found)))
        print(f"\r{name}: {measured} of {count}", end="", file=sys.stderr, flush=True)
        if measured >= count or number > 2 * count:
            break
    print(file=sys.stderr)
    return found


def measure(count: int, home: Path) -> dict[str, list[float]]:
    """Start everything, turn, and end everything."""
    server = SoundServer(home)
    server.start()
    folder = home / "box"
    folder.mkdir()
    (folder / "latent.toml").write_text(SETTINGS, encoding="utf-8")
    folders = {f"{name}_DIRECTORY": str(folder) for name in ("RUNTIME", "CONFIGURATION", "STATE", "CACHE")}
    env = server.env | folders | {"GPIOZERO_PIN_FACTORY": "mock"}
    latent = str(Path(sysconfig.get_path("scripts")) / "latent")
    play = subprocess.Popen([sys.executable, latent, "play", "--device", "pulse"], env=env)
    try:
        ring = wait_for(lambda: open_ring(folder, writable=False))
        wait_for(lambda: ask(folder, {"do": "turn", "name": "knob", "value": 0.5}))
        monitor = Monitor(server.env)
        time.sleep(5.0)
        client = SimpleUDPClient("127.0.0.1", PORT)
        by_knob = turns(
            "knob", count, ring, monitor, lambda way: ask(folder, {"do": "turn", "name": "knob", "value": way})
        )
        by_osc = turns("OSC", count, ring, monitor, lambda way: client.send_message("/fader", way))
        monitor.close()
        return {"OSC message": by_osc, "mock knob": by_knob}
    finally:
        play.terminate()
        play.wait(20.0)
        server.kill()


def wait_for(look: Callable[[], object]) -> object:
    """Ask until it is there."""
    deadline_s = time.monotonic() + 30.0
    while True:
        try:
            return look()
        except Exception:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as home:
        found = measure(count, Path(home))
    late = False
    print(f"{'turned by':<14}{'turns':>6}{'unheard':>9}{'p50':>7}{'p95':>7}{'worst':>7}  ms, bar {BAR_MS:.0f} for p95")
    for name, times in found.items():
        # What was not heard counts as later than all others.
        known = np.sort([each for each in times if not math.isnan(each)])
        p50, p95 = (known[round(share * (len(known) - 1))] for share in (0.50, 0.95))
        late |= p95 > BAR_MS or len(known) < count
        unheard = int(np.count_nonzero(np.isinf(known)))
        print(f"{name:<14}{len(known):>6}{unheard:>9}{p50:>7.0f}{p95:>7.0f}{known[np.isfinite(known)].max():>7.0f}")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
