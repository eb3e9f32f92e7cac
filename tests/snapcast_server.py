"""A real Snapcast server on loopback, of a test's own, and rooms that record what it sends them."""

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import until

MISSING = [name for name in ("snapserver", "snapclient") if shutil.which(name) is None]
needs_snapcast = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} missing: install what Debian calls snapserver and snapclient."
)
PATIENCE_S = 20.0


class SnapcastServer:
    """A server with one source that takes sound by TCP.

    Parameters
    ----------
    folder : Path
        An empty folder of its own.
    sampleformat : str
        What the source is told to expect.

    Attributes
    ----------
    port : int
        Where it takes sound.
    """

    def __init__(self, folder: Path, sampleformat: str = "48000:16:2") -> None:
        self._folder = folder
        self.port, self._stream_port, self._control_port, self._http_port = _free_ports(4)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
        self._env["HOME"] = str(folder)
        self._config = folder / "snapserver.conf"
        source = f"tcp://127.0.0.1:{self.port}?name=Latent&mode=server&sampleformat={sampleformat}&codec=pcm"
        self._config.write_text(
            f"[server]\ndatadir = {folder}\n"
            f"[http]\nenabled = false\nport = {self._http_port}\n"
            f"[tcp]\nenabled = true\nbind_to_address = 127.0.0.1\nport = {self._control_port}\n"
            f"[stream]\nbind_to_address = 127.0.0.1\nport = {self._stream_port}\nsource = {source}\n"
            "[logging]\nsink = stderr\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["snapserver", "--config", str(self._config), "--server.datadir", str(self._folder)],
                env=self._env,
                stdout=log,
                stderr=log,
            )
        until(self._answers, PATIENCE_S)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE_S)
        self._process = None

    @property
    def state(self) -> str:
        """What the server says of its stream: "playing" or "idle"."""
        streams = self._ask("Server.GetStatus")["server"]["streams"]
        return str(streams[0]["status"])

    def room(self, name: str) -> "Room":
        """Begin to record in a room."""
        return Room(self._folder / name, self._stream_port, self._env)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            return bool(self._ask("Server.GetRPCVersion"))
        except OSError:
            return False

    def _ask(self, method: str) -> Any:
        request = json.dumps({"id": 1, "jsonrpc": "2.0", "method": method}).encode() + b"\r\n"
        with socket.create_connection(("127.0.0.1", self._control_port), PATIENCE_S) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as lines:
                # Between answers come notifications.
                return next(told["result"] for line in lines if "result" in (told := json.loads(line)))


class Room:
    """A client that writes what it would play to a file."""

    def __init__(self, folder: Path, port: int, env: dict[str, str]) -> None:
        folder.mkdir()
        self._path = folder / "room.raw"
        self._log = folder / "log"
        command = ["snapclient", "--host", "127.0.0.1", "--port", str(port), "--hostID", folder.name]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--player", f"file:filename={self._path}"], env=env, stdout=log, stderr=log
            )

    def heard_s(self) -> float:
        """How many seconds were played so far."""
        assert self._process.poll() is None, self._log.read_text()
        return self._path.stat().st_size / 192_000 if self._path.exists() else 0.0

    def close(self) -> np.ndarray:
        """Stop; all that was played, (n, 2) float32."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        data = self._path.read_bytes()
        return np.frombuffer(data[: len(data) // 4 * 4], dtype="<i2").reshape(-1, 2).astype(np.float32) / 32767.0


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
