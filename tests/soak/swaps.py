"""A show in which the model changes again and again, and broken ones are copied in: is it ever heard?

The real processes of `latent play` with a card that is PulseAudio's null sink, whose monitor is recorded from the first
change to the last. The models that are shipped follow each other at random; then everything of the zoo of broken
bundles is copied to the drop folder, and as many spoilt copies of a good one as asked for.

    .venv/bin/python tests/soak/swaps.py [--swaps 200] [--spoilt 60] [--no-zoo] [--fade 8] [--keep FOLDER]

Takes about 12 s a change. Printed are: holes (50 ms below -55 dBFS), clicks (the largest step in slope around changes
against as many places elsewhere), how far the loudness of 3 s differs after a change from before, against the same
elsewhere in the recording, underruns and holds of the player, memory, threads and open files of the engine early and
late, and whether the engine was ever restarted. Exits with 1 where a bar is missed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sound_server import RATE, SoundServer
from zoo import ZOO

from appliance.api.client import ask
from appliance.errors import LatentError
from appliance.folders import shown
from appliance.model.library import pointer_to, shipped
from appliance.model.store import Store
from appliance.weighting import LOUDNESS_OFFSET_LU

SETTINGS = """
[music]
seed = 7
each_morning = "same"
[card]
reserve_s = {reserve_s}
[model]
crossfade_s = {fade_s}
incoming = "{incoming}"
keep = 100
"""
RESERVE_S = 6.0
# In a rest of the music the weather alone is heard, which may be softer than -45 dBFS for a moment.
HOLE_S, HOLE_DB = 0.05, -55.0
# The recording begins in the dark.
SKIPPED_S = 2.0
SHORT_S = 3.0
BAR_LU = 1.5
BAR_MB = 12.0
BAR_FILES = 4
PATIENCE_S = 90.0
# Some of the zoo are tried for a minute each.
REFUSED_S = 300.0


@dataclass
class Found:
    """What was measured; what is wrong is listed in sentences."""

    figures: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def need(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)


class Show:
    """Everything that plays, in a folder of its own."""

    def __init__(self, home: Path, fade_s: float) -> None:
        self.home = home
        (home / "server").mkdir(parents=True)
        self.server = SoundServer(home / "server")
        self.run, self.state, self.incoming = home / "run", home / "state", home / "incoming"
        for folder in (self.run, self.state, self.incoming, home / "cache"):
            folder.mkdir()
        settings = home / "latent.toml"
        settings.write_text(SETTINGS.format(reserve_s=RESERVE_S, fade_s=fade_s, incoming=self.incoming))
        self.server.start()
        env = self.server.env | {
            "RUNTIME_DIRECTORY": str(self.run),
            "STATE_DIRECTORY": str(self.state),
            "CACHE_DIRECTORY": str(home / "cache"),
        }
        self.log = (home / "log").open("wb")
        latent = str(Path(sysconfig.get_path("scripts")) / "latent")
        self.play = subprocess.Popen(
            [latent, "play", "--config", str(settings)], env=env, stdout=self.log, stderr=self.log
        )
        self.store = Store(self.state / "models")
        self.until(lambda: self.status().get("state") == "playing" or None)
        self.sound = (home / "sound.f32").open("wb")
        parec = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--raw"]
        self.recorder = subprocess.Popen([*parec, "--latency-msec=20"], env=self.server.env, stdout=self.sound)
        time.sleep(3.0)

    def status(self) -> dict:
        """What `latent status --json` says; empty before anything plays."""
        from appliance.service.status import status

        try:
            return status(self.run)
        except LatentError:
            return {}

    def model(self) -> dict:
        """What the engine says of its model; empty where it does not answer."""
        try:
            return ask(self.run, {"do": "status"}, 2.0)["status"]["model"]
        except LatentError:
            return {}

    def recorded_s(self) -> float:
        return os.fstat(self.sound.fileno()).st_size / 8 / RATE

    def until(self, look, what: str = "something"):
        """Wait for something to be."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not (found := look()):
            if time.monotonic() > deadline_s:
                raise SystemExit(
                    f"{what} did not come within {PATIENCE_S:.0f} s: {(self.home / 'log').read_text()[-2000:]}"
                )
            time.sleep(0.05)
        return found

    def house(self) -> tuple[float, int, int]:
        """Memory of the engine's own in MB, open files, threads."""
        proc = Path("/proc") / str(self.status()["engine"]["pid"])
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return int(status["RssAnon"].split()[0]) / 1024, len(list((proc / "fd").iterdir())), int(status["Threads"])

    def close(self) -> None:
        self.play.terminate()
        self.play.wait(30.0)
        self.recorder.terminate()
        self.recorder.wait(10.0)
        self.sound.close()
        self.server.kill()
        self.log.close()


def swap(show: Show, count: int, found: Found) -> list[float]:
    """Change the model so often; the seconds of the recording at which each change began."""
    rng, names, began_s = np.random.default_rng(3), sorted(shipped()), []
    kept, took_s = [], []
    for number in range(count):
        now = show.model()["name"]
        name = str(rng.choice([each for each in names if each != now]))
        asked_s = time.monotonic()
        show.store.choose(pointer_to(name, show.store), "default")
        show.until(lambda name=name: show.model().get("name") == name, f"the change to {name}")
        took_s.append(time.monotonic() - asked_s)
        began_s.append(show.recorded_s())
        show.until(lambda: show.model().get("gliding") is False, "the end of a change")
        kept.append(show.house())
        print(f"\r{number + 1} of {count} changes", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    fifth = max(1, count // 5)
    early, late = (np.median(np.array(part), axis=0) for part in (kept[fifth : 2 * fifth] or kept, kept[-fifth:]))
    found.figures["changes"] = count
    found.figures["seconds until a change begins (median, most)"] = [float(np.median(took_s)), max(took_s)]
    found.figures["engine MB, files, threads early and late"] = [early.tolist(), late.tolist()]
    found.need(late[0] <= early[0] + BAR_MB, f"The engine's memory grew from {early[0]:.0f} to {late[0]:.0f} MB.")
    found.need(late[1] <= early[1] + BAR_FILES, f"The engine's open files grew from {early[1]:.0f} to {late[1]:.0f}.")
    found.need(late[2] <= early[2], f"The engine's threads grew from {early[2]:.0f} to {late[2]:.0f}.")
    return began_s


def besiege(show: Show, spoilt: int, zoo: bool, found: Found) -> None:
    """Copy broken bundles to the drop folder, and wait until all were refused."""
    before, model = show.house(), show.model()
    names = set(copy_zoo(show)) if zoo else set()
    names |= set(copy_spoilt(show, spoilt))
    began_s = time.monotonic()

    def refused() -> set[str]:
        # Only the newest reasons stay beside the files, but each was said.
        lines = (show.home / "log").read_text().splitlines()
        return {name for name in names if any(line.startswith(shown(name)) for line in lines)}

    seen: set[str] = set()
    quiet_s = time.monotonic()
    while len(seen) < len(names) and time.monotonic() - quiet_s < REFUSED_S:
        if not refused() <= seen:
            seen = refused()
            quiet_s = time.monotonic()
        time.sleep(1.0)
    found.figures["broken bundles copied in"] = len(names)
    found.figures["refused with a reason"] = len(seen)
    found.figures["seconds for all of them"] = time.monotonic() - began_s
    left = ", ".join(sorted(shown(name) for name in names - seen))
    found.need(not left, f"Nothing was said of {left}.")
    found.need(show.model()["digest"] == model["digest"], "A broken bundle plays.")
    after = show.house()
    found.figures["engine MB, files, threads before and after them"] = [before, after]
    found.need(after[0] <= before[0] + BAR_MB, f"The engine's memory grew from {before[0]:.0f} to {after[0]:.0f} MB.")
    found.need(after[1] <= before[1], f"The engine's open files grew from {before[1]} to {after[1]}.")


def copy_zoo(show: Show) -> list[str]:
    """Let every animal of the zoo into the drop folder, under a name of its own unless its name is what is wrong."""
    names = []
    for number, animal in enumerate(ZOO.values()):
        folder = show.home / "zoo" / str(number)
        folder.mkdir(parents=True)
        path = animal.build(folder)
        if not os.path.lexists(path) or folder not in path.parents:
            # It has to be somewhere to be copied.
            continue
        name = path.name if not path.name.isprintable() else f"animal-{number}.latent"
        path.rename(show.incoming / name)
        names.append(name)
    return names


def copy_spoilt(show: Show, count: int) -> list[str]:
    """Copy so many of a shipped model with some bytes changed."""
    rng, data = np.random.default_rng(9), np.frombuffer(shipped()["glass"].read_bytes(), dtype=np.uint8)
    names = []
    for number in range(count):
        changed = data.copy()
        at = rng.integers(0, len(changed), rng.integers(1, 5))
        changed[at] ^= rng.integers(1, 256, len(at)).astype(np.uint8)
        name = f"spoilt-{number}.latent"
        (show.incoming / name).write_bytes(changed.tobytes())
        names.append(name)
    return names


def judge(show: Show, began_s: list[float], fade_s: float, found: Found) -> None:
    """Look at the recording."""
    sound = np.memmap(show.home / "sound.f32", dtype=np.float32, mode="r")
    sound = sound[: len(sound) // 2 * 2].reshape(-1, 2)
    levels, power = scan(sound)
    levels = levels[round(SKIPPED_S / HOLE_S) :]
    lowest_db = float(levels.min())
    found.figures["recorded s"] = len(sound) / RATE
    found.figures["softest 50 ms dBFS"] = lowest_db
    found.need(
        lowest_db > HOLE_DB, f"There is a hole: {int((levels < HOLE_DB).sum())} times 50 ms below {HOLE_DB} dBFS."
    )
    rng = np.random.default_rng(1)
    at = [round(each * RATE) for each in began_s]
    if at:
        drawn = rng.integers(RATE, len(sound) - 2 * RATE, max(32, 2 * len(at)))
        elsewhere = [each for each in drawn if min(abs(each - change) for change in at) > 2 * RATE]
        steps, others = (np.array([steepest(sound, each) for each in places]) for places in (at, elsewhere))
        found.figures["steepest step at changes, elsewhere"] = [float(steps.max()), float(others.max())]
        found.need(steps.max() <= 1.5 * others.max(), "There is a click at a change.")
        loudness_of(power, began_s, fade_s, found)


def loudness_of(power: np.ndarray, began_s: list[float], fade_s: float, found: Found) -> None:
    """Set the loudness after each change beside that before it, and how fast it ever moves meanwhile."""
    short = np.convolve(power, np.ones(round(SHORT_S * 10)) / round(SHORT_S * 10), mode="valid")
    lufs = LOUDNESS_OFFSET_LU + 10.0 * np.log10(np.maximum(short, 1e-12))

    # lufs[k] is of the 3 s from k / 10 s on.
    def differences(starts: list[float]) -> np.ndarray:
        pairs = [(round((s - SHORT_S) * 10), round((s + fade_s) * 10)) for s in starts]
        return np.array([lufs[b] - lufs[a] for a, b in pairs if a >= 0 and b < len(lufs)])

    def fastest(starts: list[float]) -> np.ndarray:
        parts = [lufs[max(0, round((s - SHORT_S) * 10)) : round((s + fade_s) * 10)] for s in starts]
        return np.array([np.abs(part[10:] - part[:-10]).max() for part in parts if len(part) > 20])

    span_s = len(lufs) / 10 - fade_s - SHORT_S
    elsewhere = np.random.default_rng(2).uniform(SHORT_S, span_s, 4 * len(began_s)).tolist()
    # The score swells and rests as it likes: what counts is what changes add.
    for what, measure in (("before and after", differences), ("within a second", fastest)):
        there, others = np.abs(measure(began_s)), np.abs(measure(elsewhere))
        found.figures[f"loudness {what}, LU: changes (median, 95 %, most), elsewhere"] = [
            [float(np.percentile(part, q)) for q in (50, 95, 100)] for part in (there, others)
        ]
    found.need(there.max() <= BAR_LU, f"The loudness jumps by {there.max():.1f} LU within a second of a change.")


def scan(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level of each 50 ms in dBFS, and K-weighted power of each 100 ms, both channels together."""
    from scipy.signal import sosfilt

    sos = k_sections()
    state = np.zeros((len(sos), 2, 2))
    levels, power = [], []
    for at in range(0, len(sound) // RATE * RATE, RATE):
        block = np.asarray(sound[at : at + RATE], dtype=np.float64)
        square = np.square(block).mean(axis=1).reshape(-1, round(HOLE_S * RATE)).mean(axis=1)
        levels.append(10.0 * np.log10(np.maximum(square, 1e-14)))
        weighted, state = sosfilt(sos, block, axis=0, zi=state)
        power.append(np.square(weighted).sum(axis=1).reshape(10, -1).mean(axis=1))
    return np.concatenate(levels), np.concatenate(power)


def k_sections() -> np.ndarray:
    """The K-weighting of ITU-R BS.1770-4 at 48 kHz."""
    return np.array(
        [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
            [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
        ]
    )


def steepest(sound: np.ndarray, at: int) -> float:
    """The largest change of slope within two seconds."""
    part = np.asarray(sound[max(0, at - RATE) : at + RATE], dtype=np.float64)
    return float(np.abs(np.diff(part, 2, axis=0)).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--spoilt", type=int, default=60)
    parser.add_argument("--fade", type=float, default=8.0)
    parser.add_argument("--no-zoo", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave recording and log in this folder")
    given = parser.parse_args()
    found = Found()
    with tempfile.TemporaryDirectory() as temporary:
        home = given.keep or Path(temporary) / "show"
        shutil.rmtree(home, ignore_errors=True)
        show = Show(home, given.fade)
        try:
            first = show.status()
            began_s = swap(show, given.swaps, found)
            if given.spoilt or not given.no_zoo:
                besiege(show, given.spoilt, not given.no_zoo, found)
            last = show.status()
        finally:
            show.close()
        for name in ("underruns", "holds", "refusals", "bad_samples"):
            found.figures[name] = last[name] - first[name]
            found.need(last[name] == first[name], f"The player counts {last[name] - first[name]} {name}.")
        same = first["engine"]["pid"] == last["engine"]["pid"]
        found.figures["engine restarted"] = not same
        found.need(same, "The engine was restarted.")
        judge(show, began_s, given.fade, found)
    print(json.dumps(found.figures, indent=1))
    print("\n".join(found.wrong) or "Nothing was heard of it but the change of colour.")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
