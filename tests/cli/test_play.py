"""`latent play` as a user has it: a process of its own, a real sound server, Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import listening
import numpy as np

from appliance.mood import Mood
from appliance.service.build import build_timeline, endless
from appliance.settings import SoundSettings

RATE = 48_000
SECONDS = 6
COMMAND = [sys.executable, "-c", "from appliance.cli.main import main; main()", "play"]


def test_what_is_heard_is_what_the_engine_makes(sound_server, tmp_path):
    config = tmp_path / "latent.toml"
    config.write_text("[music]\nseed = 7\nbeds = 'none'\n")
    recorder = sound_server.listen()
    try:
        process = subprocess.Popen(
            [*COMMAND, "--config", str(config)],
            env=sound_server.env,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        recorder.wait_for_sound(SECONDS)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        heard = recorder.stop()
    finally:
        recorder.close()
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert "Playing on default at 48000 Hz, 2 channels." in told
    first, last = np.flatnonzero(heard[:, 0])[[0, -1]]
    assert last - first > (SECONDS - 1) * RATE
    music = endless(build_timeline(None, RATE, 2, "none", SoundSettings(), print), 7, Mood())
    made = np.concatenate([next(music) for _ in range(SECONDS)])
    start = np.flatnonzero(made[:, 0])[0]
    middle = slice(RATE, (SECONDS - 2) * RATE)
    assert np.abs(heard[first:][middle] - made[start:][middle]).max() < 1e-5
    assert listening.longest_hole_s(heard[first + RATE : last - 2 * RATE], RATE) == 0.0
    assert np.abs(heard[last - 100 : last]).max() < 1e-3


def test_without_a_sound_card_it_says_so(tmp_path):
    done = subprocess.run(
        [*COMMAND, "--device", "no such card"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PULSE_SERVER": "nowhere"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("latent: There is no sound card")
    assert done.stderr.count("\n") == 1


def test_settings_that_cannot_be_are_refused_before_anything_starts(tmp_path, latent):
    config = tmp_path / "latent.toml"
    config.write_text("[card]\nreserve_s = -3\nrat = 48000\n")
    outcome = latent("play", "--config", config)
    assert outcome.code == 2
    assert "card.reserve_s" in outcome.err
    assert "did you mean rate?" in outcome.err
