"""Whether the time of day can be trusted: a small computer without a clock chip begins at whatever it last knew."""

import ctypes
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

__all__ = ["EARLIEST_S", "Trust", "chip_s", "kernel_synced", "sync_mark"]

# This was written later.
EARLIEST_S: Final = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
# Whoever keeps time by the network moves the clock by less, or has just begun to.
_STEP_S: Final = 30.0
# A clock chip and the system's clock, both left alone, stay nearer to each other for weeks.
_NEAR_S: Final = 60.0
# Reading a clock chip is slow.
_CHIP_EVERY_S: Final = 60.0
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
_SYNC_MARK: Final = Path("/run/systemd/timesync/synchronized")
_CHIP: Final = Path("/sys/class/rtc/rtc0/since_epoch")


class Trust:
    """Looks at the system's clock now and then, and tells whether it can be gone by.

    Once it was known to be right it is gone by, with or without a network, until somebody puts it to another time.

    Parameters
    ----------
    synced : callable
        See `kernel_synced`; a test gives others.
    mark : callable
        See `sync_mark`.
    chip : callable
        See `chip_s`.
    """

    def __init__(
        self,
        synced: "Callable[[], bool] | None" = None,
        mark: "Callable[[], int | None] | None" = None,
        chip: "Callable[[], float | None] | None" = None,
    ) -> None:
        self._synced = synced or kernel_synced
        self._mark = mark or sync_mark
        self._chip = chip or chip_s
        self._trusted = False
        self._ahead_s: float | None = None
        self._marked: int | None = None
        self._stale_mark: int | None = None
        self._chip_at_s: float | None = None

    def look(self, wall_s: float, now_s: float) -> bool:
        """Judge the time of day, in seconds since 1970, at a moment of CLOCK_MONOTONIC; to be called every second."""
        ahead_s, before_s = wall_s - now_s, self._ahead_s
        self._ahead_s = ahead_s
        if before_s is not None and abs(ahead_s - before_s) > _STEP_S:
            # What was known was known of another time.
            self._trusted, self._stale_mark, self._chip_at_s = False, self._marked, None
        self._marked = self._mark()
        if wall_s < EARLIEST_S:
            return False
        self._trusted = self._trusted or self._known(wall_s, now_s)
        return self._trusted

    def _known(self, wall_s: float, now_s: float) -> bool:
        if self._synced() or self._marked not in (None, self._stale_mark):
            return True
        if self._chip_at_s is not None and now_s - self._chip_at_s < _CHIP_EVERY_S:
            return False
        self._chip_at_s = now_s
        told_s = self._chip()
        return told_s is not None and abs(told_s - wall_s) <= _NEAR_S


def kernel_synced() -> bool:
    """Whether the kernel says that somebody keeps its clock to the network; False where it may not be asked."""
    state = ctypes.create_string_buffer(_TIMEX_BYTES)
    # All zeros: nothing is to be changed.
    return 0 <= int(_libc().adjtimex(state)) < _TIME_ERROR


def sync_mark() -> int | None:
    """When systemd-timesyncd last set the clock since this start of the machine, in its file's nanoseconds."""
    try:
        return _SYNC_MARK.stat().st_mtime_ns
    except OSError:
        return None


def chip_s() -> float | None:
    """What the clock chip says, in seconds since 1970; None where there is none."""
    try:
        return float(_CHIP.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1)
def _libc() -> Any:
    return ctypes.CDLL(None)
