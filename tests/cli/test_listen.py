"""`latent listen` as a user has it: a process with a pipe, another program at its end."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.stream.layout import Word
from appliance.stream.ring import create, put

RATE = 48_000
PATIENCE_S = 30.0
HOUSE = Path(__file__).parents[2]
LATENT = [sys.executable, "-W", "error", "-c", "from appliance.cli.main import main; main()"]
FFMPEG = ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-i", "-", "-f", "f32le", "-"]


def tone(begin: int, count: int) -> np.ndarray:
    wave = 0.5 * np.sin(2.0 * np.pi * 220.0 * np.arange(begin, begin + count) / RATE)
    return np.stack([wave, -wave], axis=1).astype(np.float32)


class Room:
    """A runtime folder, a monitor that was filled, and whoever listens."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.env = os.environ | {"RUNTIME_DIRECTORY": str(folder)}
        self.ring = create(folder, RATE, 2, 1.0)
        self.started: list[subprocess.Popen[bytes]] = []
        self.send(3.0)

    def send(self, seconds: float) -> None:
        end = self.ring.words[Word.MONITOR_END]
        put(self.ring.monitor, end, tone(end, round(seconds * RATE)))
        self.ring.words[Word.MONITOR_END] = end + round(seconds * RATE)

    def start(self, *args: str, out: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [*LATENT, "listen", *args], env=self.env, cwd=HOUSE, stdout=out, stderr=subprocess.PIPE
        )
        self.started.append(process)
        return process


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "run")
    yield room
    for process in room.started:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def hang_up(process: "subprocess.Popen[bytes]") -> None:
    """Close our end of its output, without `communicate` looking for it later."""
    process.stdout.close()
    process.stdout = None


def waiting_bytes(descriptor: int) -> int:
    """How much was written to a pipe and not read yet."""
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0]


def wait_for(so: Callable[[], object], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < until_s, f"This did not come about: {what}."
        time.sleep(0.02)


def ffmpeg(data: bytes) -> tuple[np.ndarray, str]:
    """Let a real ffmpeg read WAV from a pipe: the sound, and what it had to say."""
    done = subprocess.run(FFMPEG, input=data, capture_output=True, check=True, timeout=PATIENCE_S)
    said = [line for line in done.stderr.decode().splitlines() if not line.startswith("Guessed Channel Layout")]
    return np.frombuffer(done.stdout, dtype=np.float32).reshape(-1, 2), "\n".join(said)


def test_ffmpeg_takes_an_excerpt_without_a_word(room: Room) -> None:
    data, told = room.start("--seconds", "0.9").communicate(timeout=PATIENCE_S)
    heard, said = ffmpeg(data)
    assert (told, said) == (b"", "")
    assert len(heard) == round(0.9 * RATE)
    np.testing.assert_allclose(heard[480:], tone(2 * RATE - 512, len(heard))[480:], atol=1e-4)


def test_ffmpeg_follows_a_stream_that_has_no_end(room: Room, tmp_path: Path) -> None:
    listener, out = room.start(), tmp_path / "out"
    with out.open("wb") as file:
        other = subprocess.Popen(FFMPEG, stdin=listener.stdout, stdout=file, stderr=subprocess.PIPE)
    hang_up(listener)
    try:
        wait_for(lambda: room.send(0.02) or out.stat().st_size > 3 * RATE * 8, "three seconds of sound")
    finally:
        other.kill()
        _, told = other.communicate(timeout=PATIENCE_S)
    assert b"error" not in told.lower()
    # It left, and nobody complains.
    assert listener.wait(PATIENCE_S) == 0
    assert listener.stderr.read() == b""


@pytest.mark.parametrize("sounding", [True, False])
def test_when_the_other_program_ends_it_ends_quietly(room: Room, sounding: bool) -> None:
    listener = room.start("--start", "0")
    assert listener.stdout.read(44)[:4] == b"RIFF"
    hang_up(listener)
    if sounding:
        room.send(5.0)
    assert listener.wait(PATIENCE_S) == 0
    assert listener.stderr.read() == b""


def test_a_program_that_stops_reading_goes_on_with_what_is_newest(room: Room) -> None:
    listener = room.start("--seconds", "1.2")
    wait_for(lambda: waiting_bytes(listener.stdout.fileno()) >= 48_000, "a full pipe")
    for _ in range(20):
        room.send(1.0)
    data = listener.stdout.read(round(0.5 * RATE) * 4)
    room.send(1.0)
    data += listener.stdout.read()
    heard, _ = ffmpeg(data)
    assert len(heard) == round(1.2 * RATE)
    largest_step = np.abs(np.diff(tone(0, RATE), axis=0)).max()
    assert np.abs(np.diff(heard, axis=0)).max() < 1.5 * largest_step


def test_a_terminal_is_refused(room: Room) -> None:
    ours, theirs = pty.openpty()
    listener = room.start(out=theirs)
    _, told = listener.communicate(timeout=PATIENCE_S)
    os.close(theirs)
    os.close(ours)
    assert listener.returncode == 2
    assert told == b"latent: The sound needs a program or a file to go to: latent listen | ffplay -\n"


def test_no_output_at_all_is_refused(room: Room) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *LATENT, "listen"],
        env=room.env,
        cwd=HOUSE,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert b"needs a program or a file" in done.stderr


def test_a_full_disk_is_told(room: Room) -> None:
    with Path("/dev/full").open("wb") as full:
        listener = room.start(out=full.fileno())
        _, told = listener.communicate(timeout=PATIENCE_S)
    assert listener.returncode == 1
    assert told == b"latent: The sound cannot be written (No space left on device): make room, or send it elsewhere.\n"


def test_another_format_ends_it_with_a_sentence(room: Room, tmp_path: Path) -> None:
    listener = room.start()
    assert listener.stdout.read(44)[:4] == b"RIFF"
    create(tmp_path / "run", 44_100, 2, 1.0)
    _, told = listener.communicate(timeout=PATIENCE_S)
    assert listener.returncode == 1
    assert re.fullmatch(rb"latent: The sound has changed from .*: start `latent listen` again\.\n", told)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--seconds", "0"), "--seconds takes more than 0"),
        (("--seconds", "nan"), "--seconds takes more than 0"),
        (("--seconds", "inf"), "--seconds takes more than 0"),
        (("--start", "-1"), "--start takes 0 to"),
        (("--start", "nan"), "--start takes 0 to"),
    ],
)
def test_what_cannot_be_is_refused(latent, options, sentence) -> None:
    outcome = latent("listen", *options)
    assert outcome.code == 2
    assert sentence in outcome.err
    assert outcome.out == ""


def test_every_problem_is_told_at_once(latent) -> None:
    outcome = latent("listen", "--seconds", "-1", "--start", "-2")
    assert "--seconds" in outcome.err
    assert "--start" in outcome.err


def test_when_nothing_plays_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*LATENT, "listen"],
        env=os.environ | {"RUNTIME_DIRECTORY": str(tmp_path / "run")},
        cwd=HOUSE,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"latent: Nothing plays on this machine")


def test_help_has_an_example_and_says_what_it_is(latent) -> None:
    told = " ".join(latent("listen", "--help").out.split())
    assert "Example: ssh box latent listen | ffplay -" in told
    assert "what the room hears, after the fader" in told


def test_the_whole_is_heard_and_told(sound_server, tmp_path: Path) -> None:
    env = sound_server.env | {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "STATE_DIRECTORY": str(tmp_path)}

    def ask(*args: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [*LATENT, *args], env=env, cwd=HOUSE, capture_output=True, timeout=PATIENCE_S, check=False
        )

    def well() -> bool:
        done = ask("status", "--json")
        report.update(json.loads(done.stdout) if done.returncode == 0 else {})
        return bool(report) and report["healthy"] and report["state"] == "playing" and report["reserve_s"] > 10.0

    report = {}
    play = subprocess.Popen([*LATENT, "play"], env=env, cwd=HOUSE, stderr=subprocess.DEVNULL)
    try:
        wait_for(well, "a room that plays")
        excerpt = ask("listen", "--seconds", "2")
    finally:
        play.terminate()
        assert play.wait(PATIENCE_S) == 0
    assert report["seed"] is not None
    assert (report["piece"], report["rate"], report["underruns"]) == (0, RATE, 0)
    assert report["engine"]["answers"] is True
    assert 5.0 < report["memory_mb"]["player"] < report["memory_mb"]["engine"]
    heard, said = ffmpeg(excerpt.stdout)
    assert (excerpt.stderr, said) == (b"", "")
    assert len(heard) == 2 * RATE
    assert np.sqrt(np.mean(heard[-RATE:] ** 2)) > 0.01
