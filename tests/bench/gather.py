"""How long it takes to gather songs, and how much memory.

    .venv/bin/python tests/bench/gather.py [--files 200] [--seconds 180] [--jobs 1] [--json]

Makes a folder of stereo files, no two alike, a quarter each of FLAC, MP3, Ogg Vorbis and M4A (AAC, by ffmpeg), and
gathers it. Seconds of processor time are those of all processes together, which other programs disturb less than the
clock on the wall. Memory is PSS, of this process and all below it.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

# Before numpy is loaded: threads of its libraries would share the core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import soundfile

from appliance.studio.gathering.harvest import HarvestSettings, harvest
from appliance.studio.gathering.listen import Order, listen

KINDS = ("flac", "mp3", "ogg", "m4a")
RATE, UNIT_S = 44_100, 15
SONGS = 15_000
SAMPLED = 3


@dataclass(frozen=True)
class Figures:
    """Seconds are of a file; ``cpu_s_of`` are those of each kind; the last two are memory while gathering."""

    files: int
    clips: int
    jobs: int
    wall_s: float
    cpu_s: float
    cpu_s_of: dict[str, float]
    hours_of_songs: float
    early_mb: float
    late_mb: float


def units(rng: np.random.Generator) -> list[np.ndarray]:
    """Pieces that songs are put together from: chords, noises, and some drums. (frames, 2) float32."""
    t = np.arange(UNIT_S * RATE) / RATE
    made = []
    for number in range(16):
        hz = rng.uniform(60, 500, size=(3, 2))
        tones = sum(np.sin(2 * np.pi * np.outer(t, one * k)) / k for one in hz for k in (1, 2, 3))
        hiss = rng.normal(size=(len(t), 2)) * rng.uniform(0.0, 1.0)
        beat = np.exp(-(t % 0.5) / 0.1)[:, np.newaxis] * rng.normal(size=(len(t), 2)) * 3 * (number % 4 == 0)
        made.append((0.05 * (tones + hiss + beat)).astype(np.float32))
    return made


def make(folder: Path, files: int, seconds: int) -> None:
    """Fill a folder with songs of all kinds."""
    rng = np.random.default_rng(1)
    pieces = units(rng)
    for number in range(files):
        order = rng.integers(0, len(pieces), size=max(1, seconds // UNIT_S))
        # Played a little faster or slower no two songs are alike.
        rate = int(rng.uniform(0.8, 1.0) * RATE)
        song = np.concatenate([pieces[at] * rng.uniform(0.3, 1.0) for at in order])
        path = folder / f"{number:05d}.{KINDS[number % len(KINDS)]}"
        if path.suffix == ".flac":
            soundfile.write(path, song, rate)
            continue
        command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "f32le", "-ar", str(rate), "-ac", "2", "-i", "pipe:0"]
        subprocess.run([*command, "-ar", str(RATE), str(path)], input=song.tobytes(), check=True)


def family() -> list[Path]:
    """This process and all below it, as folders of /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    members = [os.getpid()]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return [Path("/proc") / str(member) for member in members]


def memory_mb() -> float:
    """PSS of the family."""
    total = 0
    for member in family():
        try:
            rolled = (member / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(line.split()[1]) for line in rolled.splitlines() if line.startswith("Pss:"))
    return total / 1024


def cpu_s() -> float:
    """Processor time that the family has taken, and the children it has outlived."""
    ticks = 0
    for member in family():
        try:
            ticks += sum(int(each) for each in (member / "stat").read_text().rsplit(")", 1)[1].split()[11:15])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, corpus: Path, jobs: int) -> Figures:
    """Gather a folder that `make` made."""
    files = sorted(folder.iterdir())
    of_kind = {}
    for kind in KINDS:
        paths = [path for path in files if path.suffix == f".{kind}"][:SAMPLED]
        listen(Order(paths[0], "warm"))
        before = sum(os.times()[:4])
        for path in paths:
            listen(Order(path, path.name))
        of_kind[kind] = (sum(os.times()[:4]) - before) / len(paths)
    seen: dict[int, float] = {}

    def tell(done: int, of: int) -> None:
        if done in (of // 4, of - jobs):
            seen[done] = memory_mb()
            seen[-done] = cpu_s()

    start_s = time.monotonic()
    done = harvest(folder, corpus, HarvestSettings(), jobs, tell)
    wall_s = (time.monotonic() - start_s) / len(files)
    early, late = len(files) // 4, len(files) - jobs
    each_s = (seen[-late] - seen[-early]) / (late - early)
    return Figures(
        files=len(files),
        clips=done.clips,
        jobs=jobs,
        wall_s=wall_s,
        cpu_s=each_s,
        cpu_s_of=of_kind,
        hours_of_songs=each_s * SONGS / 3600.0,
        early_mb=seen[early],
        late_mb=seen[late],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "songs"
        folder.mkdir()
        make(folder, wish.files, wish.seconds)
        figures = measure(folder, Path(name) / "corpus", wish.jobs)
    if wish.json:
        print(json.dumps(asdict(figures), indent=2))
        return
    print(f"{figures.files} files of {wish.seconds} s, {figures.clips} clips, {figures.jobs} processes")
    print(f"a file: {figures.cpu_s:.2f} s of processor time, {figures.wall_s:.2f} s on the wall")
    print("alone: " + ", ".join(f"{kind} {each_s:.2f} s" for kind, each_s in figures.cpu_s_of.items()))
    print(f"{SONGS} such files: {figures.hours_of_songs:.1f} h of one core")
    print(f"memory: {figures.early_mb:.0f} MB after a quarter, {figures.late_mb:.0f} MB near the end")


if __name__ == "__main__":
    main()
