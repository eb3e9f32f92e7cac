"""How fast the engine is, beside peers and beside bare FFTs, in one run on one core.

    .venv/bin/python tests/bench/realtime.py [--json]

Every figure is the median of several repeats, taken in turn so that a busy spell of the machine meets all of them.
Times are those of the processor (user and system) on one core, which other programs disturb less than the clock on the
wall. All render stereo at 48 kHz; start-up and files do not count.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

# Before numpy is loaded: threads of its libraries would share the core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from peers import fluid, supercollider

from appliance.service.bench.measure import RATE, Contestant, bare_ffts, engine, in_turns, pinned

REPEATS = 7
ENGINE_S, FFT_S, PEER_S = 300.0, 200.0, 30.0
# Sound with a level below this is taken for a peer that renders nothing.
AUDIBLE_DBFS = -60.0


@dataclass(frozen=True)
class Row:
    """One contestant: times faster than real time (median, lowest, highest), and the engine's speed over its own."""

    name: str
    realtime_factor: float
    lowest: float
    highest: float
    engine_over_it: float | None


def supercollider_drone(folder: Path) -> Contestant:
    """SuperCollider's 64-oscillator drone; a render of a second is taken away as start-up."""
    import soundfile

    supercollider.render(folder, 5.0, RATE, folder / "drone.wav")
    check_audible("scsynth", soundfile.read(folder / "drone.wav", start=2 * RATE, dtype="float32")[0])

    def contestant() -> float:
        start_up = child_seconds(lambda: supercollider.render(folder, 1.0, RATE))
        return PEER_S / (child_seconds(lambda: supercollider.render(folder, 1.0 + PEER_S, RATE)) - start_up)

    return contestant


def fluidsynth_pad() -> Contestant:
    """FluidSynth's six-note pad."""
    pad = fluid.Pad(RATE)
    pad.samples(5 * RATE)

    def contestant() -> float:
        began = time.process_time()
        block = pad.samples(round(PEER_S * RATE))
        spent = time.process_time() - began
        check_audible("FluidSynth", block / np.float32(32_768.0))
        return PEER_S / spent

    return contestant


def check_audible(name: str, sound: np.ndarray) -> None:
    """End the run where a contestant's sound is not sound in both channels: silence is quick."""
    level_db = 10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64), axis=0) + 1e-20)
    if sound.ndim != 2 or not (level_db > AUDIBLE_DBFS).all():
        sys.exit(f"{name} renders at {level_db} dBFS, which is no sound to measure.")


def child_seconds(work: Callable[[], None]) -> float:
    """Processor time of the child processes that end during the work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(contestants: dict[str, Contestant]) -> list[Row]:
    """Let each have its turn, several times round."""
    speeds = in_turns(contestants, REPEATS)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    own = medians.get("engine")
    return [
        Row(name, medians[name], min(values), max(values), own / medians[name] if own and name != "engine" else None)
        for name, values in speeds.items()
    ]


def enter(folder: Path) -> dict[str, Contestant]:
    """Get ready all that can take part; say of the others what they lack."""
    contestants = {"engine": engine(ENGINE_S), "bare inverse FFTs": bare_ffts(FFT_S)}
    if supercollider.available():
        contestants["SuperCollider, 64-oscillator drone with reverb"] = supercollider_drone(folder)
    else:
        print(f"SuperCollider is missing: apt-get install {supercollider.APT_PACKAGE}", file=sys.stderr)
    if fluid.available():
        contestants["FluidSynth, six-note pad"] = fluidsynth_pad()
    else:
        print(f"FluidSynth is missing: apt-get install {fluid.APT_PACKAGES}", file=sys.stderr)
    return contestants


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Times the engine beside its peers on one core.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    as_json = parser.parse_args().json
    with pinned() as core, tempfile.TemporaryDirectory() as folder:
        rows = measure(enter(Path(folder)))
    if as_json:
        print(json.dumps({"core": core, "repeats": REPEATS, "rows": [asdict(row) for row in rows]}))
        return
    print(f"{'stereo, 48 kHz, one core':48}{'x real time':>12}{'lowest':>9}{'highest':>9}{'engine / it':>13}")
    for row in rows:
        ratio = "" if row.engine_over_it is None else f"{row.engine_over_it:.2f}"
        print(f"{row.name:48}{row.realtime_factor:12.0f}{row.lowest:9.0f}{row.highest:9.0f}{ratio:>13}")


if __name__ == "__main__":
    main()
