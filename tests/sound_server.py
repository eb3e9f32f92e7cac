"""A real sound server of our own, with a sink that plays into nothing and can be listened to."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

RATE = 48_000
PATIENCE_S = 20.0
_FRAME_BYTES = 8


@dataclass(frozen=True)
class SoundServer:
    """A private PulseAudio; ALSA's default device leads to it in processes that run with `env`."""

    env: dict[str, str]

    def run(self, script: str) -> str:
        """Run a Python script to its end beside the server; its output."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def listen(self) -> "Recorder":
        return Recorder(self.env)


class Recorder:
    """Records what the sink plays, from its first frame on until `stop`."""

    def __init__(self, env: dict[str, str]) -> None:
        command = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2"]
        self._process = subprocess.Popen([*command, "--raw", "--latency-msec=20"], env=env, stdout=subprocess.PIPE)
        self._data = bytearray()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._collect)
        self._thread.start()
        self._wait_for(1)

    def stop(self) -> np.ndarray:
        """Wait for what is still on its way; all of it, (n, 2) float32."""
        self._wait_for(len(self._data) // _FRAME_BYTES + RATE // 2)
        self.close()
        whole = len(self._data) // _FRAME_BYTES * _FRAME_BYTES
        return np.frombuffer(bytes(self._data[:whole]), dtype=np.float32).reshape(-1, 2)

    def wait_for_sound(self, seconds: float) -> None:
        """Wait until so much has been recorded since the first sample that is not zero."""
        heard = 0
        while heard < seconds * RATE:
            self._wait_for(len(self._data) // _FRAME_BYTES + RATE // 10)
            samples = np.frombuffer(
                bytes(self._data[: len(self._data) // _FRAME_BYTES * _FRAME_BYTES]), dtype=np.float32
            )
            sounding = np.flatnonzero(samples)
            heard = (len(samples) - sounding[0]) // 2 if len(sounding) else 0

    def close(self) -> None:
        self._process.terminate()
        self._thread.join(PATIENCE_S)
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()

    def _collect(self) -> None:
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            with self._news:
                self._data += chunk
                self._news.notify_all()

    def _wait_for(self, frames: int) -> None:
        with self._news:
            if not self._news.wait_for(lambda: len(self._data) >= frames * _FRAME_BYTES, PATIENCE_S):
                pytest.fail(f"parec gave {len(self._data)} bytes where {frames * _FRAME_BYTES} were awaited.")


@pytest.fixture(scope="session")
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    if not (shutil.which("pulseaudio") and shutil.which("parec")):
        pytest.fail("PulseAudio is missing; run `apt install pulseaudio pulseaudio-utils libasound2-plugins`.")
    home = tmp_path_factory.mktemp("sound")
    home.chmod(0o700)
    (home / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    # Nothing of the user's own session may leak in: not their server, their cookie or their ALSA settings.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "ALSA_", "DBUS_"))}
    socket = home / "native"
    env |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PULSE_RUNTIME_PATH": str(home)}
    env |= {"PULSE_SERVER": f"unix:{socket}", "XDG_CONFIG_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = home / "log"
    with log.open("wb") as sink:
        server = subprocess.Popen(_server_command(socket), env=env, stdout=sink, stderr=sink)
    try:
        ready = subprocess.run(
            # It is there once it answers; pactl itself waits for the socket to be made.
            ["sh", "-c", "until pactl list short sinks | grep -q room; do sleep 0.05; done"],
            env=env,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ready.returncode == 0, log.read_text()
        yield SoundServer(env)
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def _server_command(socket: Path) -> list[str]:
    options = [
        "--daemonize=no",
        "--system=false",
        "--use-pid-file=no",
        "--exit-idle-time=-1",
        "--disable-shm=yes",
        "-n",
    ]
    sink = f"module-null-sink sink_name=room rate={RATE} channels=2 format=float32le"
    return ["pulseaudio", *options, "-L", sink, "-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
