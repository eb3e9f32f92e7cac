"""The housekeeping of a night: memory, file descriptors and threads, which must not grow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["House", "Kept"]

_TOLERATED_MB = 12.0
_TOLERATED_FILES = 4
# What is remembered of the latest turns comes and goes: medians over such a share of the night are compared.
_SHARE = 0.2


@dataclass(frozen=True)
class Kept:
    """Memory of the process's own (not the ring's), open files and threads: early on, and at the end."""

    memory_mb: tuple[float, float]
    files: tuple[float, float]
    threads: tuple[float, float]

    def wrong(self) -> list[str]:
        """Say what is wrong, a sentence each."""
        grown = {
            "memory": (self.memory_mb, _TOLERATED_MB, " MB"),
            "open files": (self.files, _TOLERATED_FILES, ""),
            "threads": (self.threads, 0, ""),
        }
        return [
            f"There is a leak: {name} went from {before:.0f} to {after:.0f}{unit}."
            for name, ((before, after), most, unit) in grown.items()
            if after > before + most
        ]


class House:
    """Looks after this process.

    Parameters
    ----------
    hours : float
        Of the night; what is warming up in the first hour, or the first quarter of it, does not count.
    """

    def __init__(self, hours: float) -> None:
        self._warm = min(1.0 / hours, 0.25)
        self._seen: list[tuple[float, float, int, int]] = []

    def look(self, share: float) -> None:
        """Look, when such a share of the night is over."""
        if share >= self._warm:
            proc = Path("/proc/self")
            status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
            files = sum(1 for _ in (proc / "fd").iterdir())
            memory_mb = int(status["RssAnon"].split()[0]) / 1024
            self._seen.append((share, memory_mb, files, int(status["Threads"])))

    def kept(self) -> Kept:
        """Tell what grew."""
        span = (1.0 - self._warm) * _SHARE
        early = [each for each in self._seen if each[0] <= self._warm + span]
        late = [each for each in self._seen if each[0] >= 1.0 - span]
        before, after = np.median(np.array(early), axis=0), np.median(np.array(late), axis=0)
        return Kept(*((float(before[each]), float(after[each])) for each in (1, 2, 3)))
