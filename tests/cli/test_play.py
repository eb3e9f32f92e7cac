"""`latent play` as a user has it: a process of its own, Ctrl-C, a real sound server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import listening
import numpy as np
import pytest

RATE = 48_000
SECONDS = 6
PATIENCE_S = 30.0
HOUSE = Path(__file__).parents[2]
# The real command with other children: each notes what it was given, makes the ring, and is well until told to stop.
STAND_IN = """
import json, os, pathlib, signal, sys, time
from appliance.health.watchdog import watchdog_from_environment
watchdog = watchdog_from_environment()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
folder = pathlib.Path(os.environ["RUNTIME_DIRECTORY"])
(folder / "ring").touch()
(folder / f"{sys.argv[1]}.partial").write_text(json.dumps({"pid": os.getpid(), "given": sys.argv[2:]}))
watchdog.ready()
(folder / f"{sys.argv[1]}.partial").rename(folder / sys.argv[1])
while not watchdog.orphaned:
    watchdog.alive()
    time.sleep(0.02)
"""
COMMAND = f"""
import sys
import appliance.cli.play
from appliance.cli.main import main
appliance.cli.play._command = lambda name, options: (sys.executable, "-c", {STAND_IN!r}, name, *options)
main(["play", *sys.argv[1:]])
"""


class Stage:
    """A runtime folder, and `latent play` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {"RUNTIME_DIRECTORY": str(folder)}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *args: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", COMMAND, *map(str, args)],
            env=self.env,
            cwd=HOUSE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def child(self, name: str) -> dict[str, object]:
        """What a child noted once it was ready."""
        wait_for(lambda: (self.folder / name).exists(), f"the {name}")
        return json.loads((self.folder / name).read_text())


def wait_for(so: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < until, f"This did not come about: {what}."
        time.sleep(0.005)


def runs(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "run")
    yield stage
    for process in stage.started:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_both_are_started_with_the_options_they_need(stage: Stage, tmp_path: Path) -> None:
    config = tmp_path / "latent.toml"
    config.write_text("[card]\nreserve_s = 5.0\n")
    stage.start("--config", config, "--device", "USB", "--device", "Headphones")

    assert stage.child("engine")["given"] == ["--config", str(config)]
    assert stage.child("player")["given"] == ["--config", str(config), "--device", "USB", "--device", "Headphones"]
    assert stage.child("probe")["given"] == ["--config", str(config)]


@pytest.mark.parametrize("named", [[], ["snapcast"], ["light", "snapcast"]])
def test_what_the_settings_name_is_started_too(stage: Stage, tmp_path: Path, named: list[str]) -> None:
    config = tmp_path / "latent.toml"
    config.write_text("".join(f"[{name}]\n" + "pin = 25\n" * (name == "light") for name in named))
    stage.start("--config", config)

    assert stage.child("probe")["given"] == ["--config", str(config)]
    for name in named:
        assert stage.child(name)["given"] == ["--config", str(config)]
    assert {path.name for path in stage.folder.iterdir()} & {"light", "snapcast"} == set(named)


def test_with_no_options_none_are_handed_on(stage: Stage) -> None:
    stage.start()

    assert stage.child("engine")["given"] == []
    assert stage.child("player")["given"] == []


def test_the_children_are_the_services() -> None:
    from appliance.cli.play import _command

    python, program, *rest = _command("engine", ["--config", "x"])
    assert (python, rest) == (sys.executable, ["engine", "--config", "x"])
    assert Path(program).name == "latent"
    assert Path(program).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_clean_end_makes_the_next_start_a_new_one(stage: Stage, number: int) -> None:
    process = stage.start()
    children = [stage.child(name)["pid"] for name in ("engine", "player")]
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert told == ""
    assert not any(runs(pid) for pid in children)
    assert not (stage.folder / "ring").exists()


def test_killed_it_leaves_the_sound_to_go_on_with_and_no_process(stage: Stage) -> None:
    process = stage.start()
    children = [stage.child(name)["pid"] for name in ("engine", "player")]
    process.kill()
    process.wait(PATIENCE_S)
    wait_for(lambda: not any(runs(pid) for pid in children), "the end of both")

    assert (stage.folder / "ring").exists()
    for name in ("engine", "player"):
        (stage.folder / name).unlink()
    stage.start()
    assert stage.child("player")["pid"] not in children


def test_a_second_one_in_the_same_folder_is_refused(stage: Stage) -> None:
    stage.start()
    first = stage.child("player")["pid"]
    second = stage.start()
    _, told = second.communicate(timeout=PATIENCE_S)

    assert second.returncode == 2
    assert told.startswith("latent: Latent is playing already")
    assert told.count("\n") == 1
    assert runs(first)


def test_a_closed_terminal_does_not_stop_it(stage: Stage) -> None:
    process = stage.start()
    first = stage.child("player")["pid"]
    process.stderr.close()
    (stage.folder / "player").unlink()
    os.kill(first, signal.SIGKILL)

    assert stage.child("player")["pid"] != first
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    stage.started.remove(process)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, latent, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "file" / "run"))
    outcome = latent("play")

    assert outcome.code == 2
    assert "set RUNTIME_DIRECTORY to one that can be written." in outcome.err
    assert outcome.err.count("\n") == 1


def test_all_that_cannot_be_is_refused_before_anything_starts(tmp_path: Path, latent, monkeypatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    config = tmp_path / "latent.toml"
    config.write_text("[card]\nreserve_s = -3\nrat = 48000\nchannels = 99\n")
    outcome = latent("play", "--config", config, "--device", " ", "--device", "USB")

    assert outcome.code == 2
    assert "card.reserve_s" in outcome.err
    assert "card.channels" in outcome.err
    assert "did you mean rate?" in outcome.err
    assert "--device needs the name" in outcome.err
    assert "USB" not in outcome.err
    assert not (tmp_path / "run").exists()


def test_it_is_heard_without_a_hole_and_ends_with_a_fade(sound_server, tmp_path: Path) -> None:
    config = tmp_path / "latent.toml"
    config.write_text("[music]\nseed = 7\nbeds = 'none'\n")
    folders = {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "STATE_DIRECTORY": str(tmp_path / "state")}
    (tmp_path / "state").mkdir()
    recorder = sound_server.listen()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", "from appliance.cli.main import main; main()", "play", "--config", str(config)],
            env=sound_server.env | folders,
            cwd=HOUSE,
            stderr=subprocess.PIPE,
            text=True,
        )
        recorder.wait_for_sound(SECONDS)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_S)
        heard = recorder.stop()
    finally:
        recorder.close()
        process.terminate()
        process.wait(PATIENCE_S)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    first, last = np.flatnonzero(heard[:, 0])[[0, -1]]
    assert last - first > (SECONDS - 1) * RATE
    assert listening.longest_hole_s(heard[first + RATE : last - 2 * RATE], RATE) == 0.0
    assert np.abs(heard[last - 100 : last]).max() < 1e-3


def test_a_card_that_nobody_knows_is_told_beside_all_the_rest(sound_server, tmp_path: Path) -> None:
    config = tmp_path / "latent.toml"
    config.write_text("[card]\nrate = 1\ndevice = 'USB'\n")
    command = [sys.executable, "-c", "from appliance.cli.main import main; main()", "play"]
    done = subprocess.run(
        [*command, "--config", str(config), "--device", "defalt"],
        env=sound_server.env | {"RUNTIME_DIRECTORY": str(tmp_path / "run")},
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 2
    assert "card.rate: must be at least" in done.stderr
    assert "There is no sound card called 'defalt'; did you mean 'default'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_music_that_is_not_there_is_refused_with_all_else(tmp_path: Path, latent, monkeypatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    config = tmp_path / "latent.toml"
    config.write_text(f"[music]\nmodel = 'nothere'\nbeds = '{tmp_path / 'rain'}'\n")
    outcome = latent("play", "--config", config)

    assert outcome.code == 2
    assert "There is no model named 'nothere'" in outcome.err
    assert f"There is no folder of recordings {tmp_path / 'rain'}" in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_somebody_elses_is_refused(tmp_path: Path, latent, monkeypatch) -> None:
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = tmp_path / f"latent-{os.getuid()}"
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    outcome = latent("play")

    assert outcome.code == 2
    assert "others may write to it" in outcome.err

    folder.chmod(0o700)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder / "play.lock").symlink_to(victim)
    assert latent("play").code == 2
    assert victim.read_text() == "precious"
