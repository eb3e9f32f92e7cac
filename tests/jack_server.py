"""A JACK server of our own that plays into nothing, for MIDI ports that come and go."""

import os
import socket
import subprocess
from pathlib import Path

from patience import PATIENCE_S, until


class Jack:
    """A JACK server of our own that plays into nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._socket = Path(f"/dev/shm/jack_{name}_{os.getuid()}_0")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["jackd", "-r", "-n", self._name, "-d", "dummy", "-p", "128"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def stop(self) -> None:
        """It tidies its shared memory up only if asked politely."""
        if self._process:
            self._process.terminate()
            self._process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as talk:
            return talk.connect_ex(str(self._socket)) == 0
