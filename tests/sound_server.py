"""A real sound server of our own, with a sink that plays into nothing and can be listened to."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

RATE = 48_000
PATIENCE_S = 20.0
_FRAME_BYTES = 8
_PAREC = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--raw"]


class SoundServer:
    """A private PulseAudio; ALSA's default device leads to it in processes that run with `env`.

    Parameters
    ----------
    home : Path
        An empty folder of its own.
    """

    def __init__(self, home: Path) -> None:
        home.chmod(0o700)
        (home / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
        # Nothing of the user's own session may leak in: not their server, their cookie or their ALSA settings.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "ALSA_", "DBUS_"))}
        self._socket = home / "native"
        self._log = home / "log"
        env |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PULSE_RUNTIME_PATH": str(home)}
        env |= {"PULSE_SERVER": f"unix:{self._socket}", "XDG_CONFIG_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.env = env
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        with self._log.open("wb") as log:
            self._processes.append(subprocess.Popen(_command(self._socket), env=self.env, stdout=log, stderr=log))
        ready = subprocess.run(
            # It is there once it answers; pactl itself waits for the socket to be made.
            ["sh", "-c", "until pactl list short sinks | grep -q room; do sleep 0.05; done"],
            env=self.env,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ready.returncode == 0, self._log.read_text()
        # A null sink without a listener plays two seconds ahead, and whoever starts next has to wait for them to pass.
        listener = subprocess.Popen([*_PAREC, "--latency-msec=20"], env=self.env, stdout=subprocess.DEVNULL)
        self._processes.append(listener)

    def kill(self) -> None:
        """End it at once, without a word to those who play."""
        for process in self._processes:
            process.kill()
            process.wait(PATIENCE_S)
        self._processes.clear()

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
        self._process = subprocess.Popen([*_PAREC, "--latency-msec=20"], env=env, stdout=subprocess.PIPE)
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
    server = SoundServer(tmp_path_factory.mktemp("sound"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def fragile_sound_server(sound_server: SoundServer, tmp_path: Path) -> Iterator[SoundServer]:
    """One more, for a test that kills it and starts it again."""
    home = tmp_path / "sound"
    home.mkdir()
    server = SoundServer(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _command(socket: Path) -> list[str]:
    options = [
        "--daemonize=no",
        "--system=false",
        "--use-pid-file=no",
        "--exit-idle-time=-1",
        "--disable-shm=yes",
        # As Debian starts it.
        "--high-priority=true",
        "--realtime=true",
        "-n",
    ]
    sink = f"module-null-sink sink_name=room rate={RATE} channels=2 format=float32le"
    return ["pulseaudio", *options, "-L", sink, "-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
