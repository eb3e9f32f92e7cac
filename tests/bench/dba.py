"""By how much the level in the room is estimated wrongly, because what is sent is known in LUFS and not in dB(A).

    .venv/bin/python tests/bench/dba.py [--minutes 10] [--seed 7] [--model NAME]

Renders music, takes its level and that of the reference noise both ways, and prints one line of JSON: the estimate
minus the truth in dB, of the whole and of its single minutes. How rooms and loudspeakers colour it is not in that.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from appliance.service.room_noise import reference_noise
from appliance.weighting import k_gain

RATE = 48_000
Floats = npt.NDArray[np.float64]


def a_gain(hz: Floats) -> Floats:
    """Power gain of A-weighting at some frequencies in Hz (IEC 61672-1:2013, annex E; 0 dB at 1 kHz)."""

    def response(at: Floats) -> Floats:
        square = at * at
        low, high = square + 20.598997**2, square + 12194.217**2
        middle = np.sqrt((square + 107.65265**2) * (square + 737.86223**2))
        return (12194.217**2 * square**2 / (low * high * middle)) ** 2

    gain: Floats = response(hz) / response(np.array([1000.0]))
    return gain


def difference_db(sound: npt.NDArray[np.float32]) -> float:
    """How much louder (frames, channels) of sound are by K-weighting than by A-weighting, in dB, but for a constant."""
    power = np.sum(np.abs(np.fft.rfft(sound.astype(np.float64), axis=0)) ** 2, axis=1)
    hz = np.fft.rfftfreq(len(sound), 1.0 / RATE)
    return float(10.0 * np.log10((power * k_gain(hz)).sum() / (power * a_gain(hz)).sum()))


def main() -> None:
    """Render, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default="default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "music.wav"
        command = [Path(sys.executable).parent / "latent", "render", path, "--minutes", str(given.minutes)]
        subprocess.run([*command, "--seed", str(given.seed), "--model", given.model], check=True, capture_output=True)
        music, _ = soundfile.read(path, dtype="float32", always_2d=True)
    noise_db = difference_db(reference_noise(RATE, 2, -20.0, np.random.default_rng(0)))
    minutes = [difference_db(music[at : at + 60 * RATE]) - noise_db for at in range(0, len(music), 60 * RATE)]
    told = {
        "whole_db": difference_db(music) - noise_db,
        "lowest_minute_db": min(minutes),
        "highest_minute_db": max(minutes),
    }
    print(
        json.dumps({"minutes": given.minutes, "seed": given.seed} | {name: round(db, 2) for name, db in told.items()})
    )


if __name__ == "__main__":
    main()
