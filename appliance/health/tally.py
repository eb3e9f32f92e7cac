"""Counting a day: from what the ring tells, by a clock that nobody can set; the time of day only says when it ends.

What was counted lies in the runtime folder too, so that a keeper that is started again goes on with it, and so that
`latent status` can tell of it. The next start of the machine begins anew.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from appliance.folders import write_whole
from appliance.health.day import Day, day_of
from appliance.stream.layout import boot_id
from appliance.stream.sign import Rule
from appliance.stream.snapshot import Snapshot
from appliance.stream.trust import EARLIEST_S

__all__ = ["Tally", "label_of", "local_time", "today"]

_NAME: Final = "today"
_MOST_BYTES: Final = 1 << 14
_NS: Final = 1_000_000_000
# A clock that is set, instead of going, moves by more.
_STEP_S: Final = 60.0
# Where a clock is right, a day has 23 to 25 hours.
_LONGEST_S: Final = 25.5 * 3600.0
_NOMINAL_S: Final = 24.0 * 3600.0
# More than this beyond the time that passed no card takes.
_AHEAD_S: Final = 10.0
_STALE_S: Final = 180.0
_COUNTED: Final = ("consumed", "underruns", "held", "holds", "cards_lost")


def local_time(zone: tzinfo | None = None) -> datetime:
    """The time of day in a time zone, by default the machine's, as far as its clock knows."""
    return datetime.now(zone).astimezone(zone)


@dataclass(frozen=True)
class _Before:
    """What the last look saw: frames and counts by name, process numbers, and when it was."""

    at_ns: int
    wall_s: float
    counts: dict[str, int]
    pids: dict[str, int]


class Tally:
    """Counts the day that it is; one thread at a time.

    Parameters
    ----------
    folder : Path
        The runtime folder.
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    wall : callable
        The time of day where the box is.

    Attributes
    ----------
    day : Day
    """

    def __init__(
        self,
        folder: Path,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], datetime] = local_time,
    ) -> None:
        self._path = folder / _NAME
        self._clock_ns = clock_ns
        self._wall = wall
        now = wall()
        self.day = Day(label_of(now), clock_ns())
        self._before: _Before | None = None
        told = _read(self._path)
        if told is not None and told["at_ns"] <= clock_ns():
            self.day = told["day"]
            self._before = _Before(told["at_ns"], told["wall_s"], told["counts"], told["pids"])
            if told["stopped"]:
                # Who stopped it wanted no sound meanwhile.
                self._before = replace(self._before, at_ns=clock_ns(), wall_s=now.timestamp())

    def look(self, read: Snapshot | None) -> Day | None:
        """Count what came since the last look; gives the day that ended with it, if one did.

        Parameters
        ----------
        read : Snapshot or None
            None where there is no ring.
        """
        now_ns, now = self._clock_ns(), self._wall()
        before = self._before or _Before(now_ns, now.timestamp(), {} if read else dict.fromkeys(_COUNTED, 0), {})
        elapsed_s = max(now_ns - before.at_ns, 0) / _NS
        stepped = abs(now.timestamp() - before.wall_s - elapsed_s) > _STEP_S
        self._before = replace(before, at_ns=now_ns, wall_s=now.timestamp())
        self.day = replace(self.day, observed_s=self.day.observed_s + elapsed_s)
        if read is not None:
            self._count(read, elapsed_s, now)
        return self._turned(now, now_ns, stepped)

    def save(self, stopped: bool = False) -> None:
        """Write it down for others, and for who goes on with it; ``stopped`` if nobody does for now."""
        if self._before is None:
            return
        told = {
            "boot": boot_id().hex(),
            "stopped": stopped,
            "at_ns": self._before.at_ns,
            "wall_s": self._before.wall_s,
            "counts": self._before.counts,
            "pids": self._before.pids,
            "day": self.day.as_json(),
        }
        # It is only a help: without it a keeper that dies counts from there on.
        with contextlib.suppress(OSError):
            write_whole(self._path, lambda file: file.write(json.dumps(told).encode()))

    def _count(self, read: Snapshot, elapsed_s: float, now: datetime) -> None:
        new = {name: self._more(name, count) for name, count in _counts(read).items()}
        silent_s, held_s, consumed_s = (
            _possible(new[name] / read.rate, elapsed_s) for name in ("underruns", "held", "consumed")
        )
        taken_s = max(consumed_s - silent_s, 0.0)
        day = self.day
        # While the room is closed the card goes on taking silence, or goes off with the light; and who died meanwhile
        # opens no room in the morning.
        closed = read.rule == Rule.CLOSED and (read.change is None or now < read.change)
        hushed = read.volume == 0.0
        heard = not (closed or hushed)
        sounded_s = min(taken_s, max(day.open_s - day.sounded_s, 0.0)) if heard else 0.0
        self.day = replace(
            day,
            closed_s=day.closed_s + (elapsed_s if closed else 0.0),
            hushed_s=day.hushed_s + (min(taken_s, elapsed_s) if hushed and not closed else 0.0),
            sounded_s=day.sounded_s + sounded_s,
            holds=day.holds + new["holds"],
            held_s=day.held_s + held_s,
            silent_s=day.silent_s + silent_s,
            cards_lost=day.cards_lost + new["cards_lost"],
            engine_restarts=day.engine_restarts + self._another("engine", read.engine.pid),
            player_restarts=day.player_restarts + self._another("player", read.player.pid),
        )
        if sounded_s and read.loudness_lufs is not None:
            self._hear(read.loudness_lufs, sounded_s)

    def _hear(self, lufs: float, seconds: float) -> None:
        loudest = lufs if self.day.loudest_lufs is None else max(lufs, self.day.loudest_lufs)
        energy_s = self.day.energy_s + seconds * math.pow(10.0, lufs / 10.0)
        self.day = replace(self.day, loudest_lufs=loudest, energy_s=energy_s)

    def _more(self, name: str, count: int | None) -> int:
        """By how much a counter grew since the last look; one that shrank began again from nothing."""
        assert self._before is not None
        if count is None:
            return 0
        last = self._before.counts.get(name, count)
        self._before.counts[name] = count
        return count - last if count >= last else count

    def _another(self, who: str, pid: int | None) -> int:
        """Whether a process is another than at the last look."""
        assert self._before is not None
        if pid is None:
            return 0
        last = self._before.pids.get(who, pid)
        self._before.pids[who] = pid
        return int(last != pid)

    def _turned(self, now: datetime, now_ns: int, stepped: bool) -> Day | None:
        label, age_s = label_of(now), (now_ns - self.day.begun_ns) / _NS
        if stepped or not self.day.label:
            # The same day, whatever it is called.
            self.day = replace(self.day, label=label)
        # A clock that is slowed at midnight comes back to yesterday for a moment.
        if label <= self.day.label and age_s < (_LONGEST_S if label else _NOMINAL_S):
            return None
        ended, self.day = self.day, Day(label, now_ns)
        return ended


def today(folder: Path, now_ns: int) -> Day | None:
    """Give what a keeper has counted of this day so far; None where none has, or none does any more."""
    told = _read(folder / _NAME)
    if told is None or told["stopped"] or not 0 <= now_ns - told["at_ns"] <= _STALE_S * _NS:
        return None
    day: Day = told["day"]
    return day


def _possible(seconds: float, elapsed_s: float) -> float:
    """Give seconds of sound that can have passed; of what cannot, somebody scribbled on the count."""
    return seconds if seconds <= elapsed_s + _AHEAD_S else 0.0


def _counts(read: Snapshot) -> dict[str, int | None]:
    frames = {
        "underruns": None if read.underrun_s is None else round(read.underrun_s * read.rate),
        "held": None if read.held_s is None else round(read.held_s * read.rate),
    }
    return frames | {"consumed": read.consumed_frames, "holds": read.holds, "cards_lost": read.cards_lost}


def label_of(now: datetime) -> str:
    """Give the date of a time of day; empty where that cannot be right."""
    return now.date().isoformat() if now.timestamp() >= EARLIEST_S else ""


def _read(path: Path) -> dict[str, Any] | None:
    """Read what `Tally.save` wrote since the machine was started; None for anything else."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        if told["boot"] != boot_id().hex() or not isinstance(told["stopped"], bool):
            return None
        return {
            "stopped": told["stopped"],
            "at_ns": int(told["at_ns"]),
            "wall_s": float(told["wall_s"]),
            "counts": {name: int(told["counts"][name]) for name in _COUNTED if name in told["counts"]},
            "pids": {str(name): int(pid) for name, pid in told["pids"].items()},
            "day": day_of(told["day"]),
        }
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError, OverflowError):
        return None
