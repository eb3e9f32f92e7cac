"""A player whose frames tell their number, and a server that takes them: so it is known which one was heard when."""

import contextlib
import socket
import threading
from pathlib import Path

import numpy as np
from patience import until

from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import Ring, create, put

RATE = 48_000
PATIENCE_S = 20.0


class Player:
    """Sends a sawtooth to the monitor; each frame of it is another, so that it is known which one was heard."""

    def __init__(self, folder: Path, rate: int = RATE) -> None:
        self.folder = folder
        self.sound = frames_of(np.arange(40 * RATE))
        self.sent = 0
        self.replace(rate)

    def replace(self, rate: int = RATE) -> None:
        self.ring: Ring = create(self.folder, rate, 2, 1.0)

    def send(self, seconds: float) -> None:
        count = round(seconds * RATE / BLOCK_FRAMES) * BLOCK_FRAMES
        end = self.ring.words[Word.MONITOR_END]
        put(self.ring.monitor, end, self.sound[self.sent : self.sent + count])
        self.ring.words[Word.MONITOR_END] = end + count
        self.sent += count


def frames_of(numbers: np.ndarray) -> np.ndarray:
    """Frames that tell their number, (n, 2) float32."""
    whole = np.stack([numbers % 20_000 - 10_000, numbers // 20_000 * 100], axis=1)
    return (whole / 32767.0).astype(np.float32)


def numbers_of(frames: np.ndarray) -> np.ndarray:
    """Which each frame is; within a fade any."""
    whole = np.rint(frames * 32767.0).astype(int)
    return whole[:, 1] // 100 * 20_000 + whole[:, 0] + 10_000


def runs(frames: np.ndarray, shortest: int = 1000) -> list[tuple[int, int]]:
    """Where frames follow each other as they were played: the number of the first, and how many."""
    numbers = numbers_of(frames)
    begins = np.concatenate([[0], np.flatnonzero(np.diff(numbers) != 1) + 1])
    counts = np.diff(np.concatenate([begins, [len(numbers)]]))
    return [(int(numbers[at]), int(count)) for at, count in zip(begins, counts, strict=True) if count >= shortest]


class Server:
    """Takes what is sent, or holds still."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._data = bytearray()
        self._connection: socket.socket | None = None

    def accept(self, takes: bool = True) -> None:
        self._connection, _ = self._listener.accept()
        self._data.clear()
        if takes:
            threading.Thread(target=self._take, args=(self._connection,), daemon=True).start()

    def _take(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 20):
                self._data += data

    def wait_for(self, frames: float) -> np.ndarray:
        """Wait until so many came, and give all."""
        until(lambda: len(self._data) >= 4 * frames, PATIENCE_S)
        data = bytes(self._data)
        return np.frombuffer(data[: len(data) // 4 * 4], dtype="<i2").reshape(-1, 2) / 32767.0

    def hang_up(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def close(self) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()


def longest(frames: np.ndarray) -> int:
    """Of frames that follow each other as they were played."""
    return max(count for _, count in runs(frames))
