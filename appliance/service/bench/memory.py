"""How much memory an engine and its player have, as the kernel would count it on a machine where nothing else runs."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Memory", "locked", "memory_of", "resident", "share_mb"]

_MB: Final = 1.024e-3
# Memory that belongs to no file.
_OWN: Final = ("", "")

Resident = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Memory:
    """Megabytes (10**6 bytes) of a process: its share of memory, the same without the ring, and the most it had."""

    pss_mb: float
    pss_without_ring_mb: float
    peak_rss_mb: float


def memory_of(engine: int, player: int, ring: Path) -> tuple[Memory, Memory]:
    """Look at two processes, by their numbers, that share a ring. Raises OSError if one is gone."""
    processes = [Path(f"/proc/{pid}") for pid in (engine, player)]
    ours, theirs = (resident((process / "smaps").read_text()) for process in processes)
    peaks_mb = [_kb(process, "VmHWM") * _MB for process in processes]
    file = str(ring)
    return (
        Memory(share_mb(ours, theirs), share_mb(ours, theirs, but=file), peaks_mb[0]),
        Memory(share_mb(theirs, ours), share_mb(theirs, ours, but=file), peaks_mb[1]),
    )


def locked(pid: int) -> bool:
    """Whether a process keeps what it touches in memory."""
    return _kb(Path(f"/proc/{pid}"), "VmLck") > 0


def resident(smaps: str) -> Resident:
    """Sum up what is in memory, kB: of each part of a file by its path and offset, and what is the process's own."""
    found: Resident = Counter()
    part = _OWN
    for line in smaps.splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):
            part = (words[5], words[2]) if len(words) > 5 and words[5].startswith("/") else _OWN
        elif words[0] == "Rss:":
            found[part] += int(words[1])
        elif words[0] == "Anonymous:":
            found[part] -= int(words[1])
            found[_OWN] += int(words[1])
    return found


def share_mb(process: Resident, other: Resident, but: str | None = None) -> float:
    """Give a process's share, MB: half of what both have of a file, and all else; the file ``but`` is left out.

    The kernel's own PSS is smaller by what any third process shares.
    """
    parts = {part: kb for part, kb in process.items() if part[0] != but}
    return sum(kb - (0.0 if part == _OWN else min(kb, other[part]) / 2.0) for part, kb in parts.items()) * _MB


def _kb(process: Path, name: str) -> int:
    status = (process / "status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))
