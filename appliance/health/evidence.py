"""Evidence of how months went: some lines in a file that is only added to, whatever crashes, and however often.

No more than `MOST_BYTES` are written in any 24 hours of one start of the machine, and the file itself says how many
were: so neither a process that is started again and again nor a clock that leaps can wear out the disk.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.folders import shown, sync_folder, write_whole
from appliance.health.day import Day
from appliance.health.evidence_lines import COUNTS, Boot, Change, Lines, lines_of, text_of, whole_of
from appliance.stream.layout import boot_id

__all__ = ["MOST_BYTES", "Evidence", "read"]

MOST_BYTES: Final = 200
"""Most bytes in 24 hours of one start of the machine."""

# 400 days with a start each, with all that they may take; then again as much, so that it is cut once a year at most.
_KEPT_BYTES: Final = 400 * 2 * MOST_BYTES
_FILE_BYTES: Final = 2 * _KEPT_BYTES
_DAY_MIN: Final = 1440
# A power cut in the evening loses what came after the last of these, in minutes of the day.
_MARKS_MIN: Final = (180, 420)
_WORTH_MIN: Final = 10
# By so much the line at a day's end, for which room is left, may be longer than those before it.
_GROWTH: Final = 10
# What the line at a day's end takes at most, unless it was a day of a kind that has not been seen.
_END_BYTES: Final = 80
_RETRY_MIN: Final = 60


def read(path: Path) -> Lines:
    """Read evidence; what is torn or no line of it is left out. A file that is not there is empty.

    Raises
    ------
    OSError
        If it is there and cannot be read.
    """
    lines = lines_of(_content(path))
    newest = {(day.boot, day.begun_min): day for day in lines.days}
    return Lines(lines.boots, tuple(newest.values()), lines.changes)


class Evidence:
    """Writes the lines of one start of the machine; one thread at a time. Whatever the disk does, it goes on.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    say : callable
        Told in one sentence, once, of a disk that refuses.
    boot : bytes, optional
        Which start of the machine this is, 16 bytes.
    """

    def __init__(self, path: Path, say: Callable[[str], None], boot: bytes | None = None) -> None:
        self._path = path
        self._say = say
        self._id = (boot_id() if boot is None else boot).hex()[:8]
        self._number: int | None = None
        self._written: list[tuple[int, int]] = []
        self._last_min: dict[int, int] = {}
        self._plays = ("", "-")
        self._changed_min: int | None = None
        self._retry_min = 0
        self._told = False

    def begin(self, began: str, version: str, model: str | None, up_s: float) -> None:
        """Note that the machine was started, unless that is noted already, and that something else plays since.

        Parameters
        ----------
        began : str
            The time of day, as in ``2026-11-22T09:58``; empty where it cannot be right.
        version : str
        model : str or None
            Digest in hexadecimal.
        up_s : float
            Monotonic seconds.
        """
        up_min = int(up_s / 60.0)
        if up_min < self._retry_min:
            return
        plays = (_word(version), (model or "")[:8] or "-")
        if self._number is not None:
            self._note_change(plays, up_min)
            return
        try:
            lines = lines_of(_content(self._path))
        except OSError as error:
            self._complain(error, up_min)
            return
        ours = next((boot for boot in reversed(lines.boots) if boot.id == self._id), None)
        if ours is not None:
            self._go_on(ours, lines)
            self._note_change(plays, up_min)
            return
        number = max((*(boot.number for boot in lines.boots), *(day.boot for day in lines.days)), default=0) + 1
        words = (began or "-", f"u{up_min}", self._id, *plays)
        if self._append(f"boot {number} {' '.join(words)}\n", up_min, 0):
            self._number, self._plays = number, plays

    def note(self, day: Day, up_s: float, ended: bool = False, stopping: bool = False) -> None:
        """Note how a day went so far, where a line is due and there is room for it in today's bytes.

        Parameters
        ----------
        day : Day
        up_s : float
            Monotonic seconds.
        ended, stopping : bool
            Whether the day has ended, and whether nobody counts any more.
        """
        up_min, begun_min = int(up_s / 60.0), day.begun_ns // 60_000_000_000
        # A day that has ended is told of once.
        if self._number is None or (up_min < self._retry_min and not ended):
            return
        before, now = self._last_min.get(begun_min, begun_min) - begun_min, up_min - begun_min
        marked = any(before < mark <= now for mark in _MARKS_MIN)
        if not (ended or marked or (stopping and now - before >= _WORTH_MIN)):
            return
        counts = "".join(f" {letter}{count}" for letter, count in _counts(day).items() if count)
        text = f"day {self._number} {day.label or '-'} b{begun_min} u{up_min}{counts}\n"
        if self._append(text, up_min, 0 if ended else len(text) + _GROWTH):
            self._last_min[begun_min] = up_min

    def _note_change(self, plays: tuple[str, str], up_min: int) -> None:
        """Note what plays since, where that is another; room is left for what is noted at the day's end."""
        version, model = plays
        model = self._plays[1] if model == "-" else model
        if (version, "-") == self._plays:
            # Which model it was at first was not known then.
            self._plays = (version, model)
        recent = self._changed_min is not None and up_min < self._changed_min + _DAY_MIN
        if recent or (version, model) == self._plays:
            return
        assert self._number is not None
        if self._append(text_of(Change(self._number, up_min, version, model)), up_min, _END_BYTES):
            self._plays, self._changed_min = (version, model), up_min

    def _go_on(self, ours: Boot, lines: Lines) -> None:
        """Go on with a start of the machine of which there are lines already."""
        self._number, self._plays = ours.number, (ours.version, ours.model)
        self._written = [(ours.written_min, len(text_of(ours)))]
        for change in lines.changes:
            if change.boot == ours.number:
                self._plays, self._changed_min = (change.version, change.model), change.written_min
                self._written.append((change.written_min, len(text_of(change))))
        for day in lines.days:
            if day.boot == ours.number:
                self._written.append((day.written_min, day.size))
                self._last_min[day.begun_min] = day.written_min

    def _append(self, text: str, up_min: int, reserve: int) -> bool:
        """Add a line, if that leaves so many bytes of today; whether it is on the disk."""
        self._written = [each for each in self._written if each[0] > up_min - _DAY_MIN]
        spent = sum(size for _, size in self._written)
        if spent + len(text) + reserve > MOST_BYTES:
            return False
        try:
            _add(self._path, text.encode("ascii"))
        except OSError as error:
            self._complain(error, up_min)
            return False
        self._written.append((up_min, len(text)))
        self._told = False
        return True

    def _complain(self, error: OSError, up_min: int) -> None:
        self._retry_min = up_min + _RETRY_MIN
        if not self._told:
            self._say(
                f"How the days went cannot be noted in {shown(self._path)} ({error.strerror}): make room for it or make"
                " it writable."
            )
        self._told = True


def _counts(day: Day) -> dict[str, int]:
    values = {
        "open_min": day.open_s / 60.0,
        "sounded_min": day.sounded_s / 60.0,
        "holds": day.holds,
        "held_s": day.held_s,
        "silent_ms": day.silent_s * 1000.0,
        "engine_restarts": day.engine_restarts,
        "player_restarts": day.player_restarts,
        "cards_lost": day.cards_lost,
    }
    return {letter: min(round(values[name]), 999_999_999) for letter, name in COUNTS.items()}


def _word(text: str) -> str:
    return re.sub(r"[^!-~]", "", text)[:24] or "-"


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(2 * _FILE_BYTES)
    except FileNotFoundError:
        return b""


def _add(path: Path, line: bytes) -> None:
    """Add a line to what is whole of a file, and wait until it is safe; OSError leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = _content(path)
    whole = whole_of(content)
    if whole + len(line) > _FILE_BYTES:
        kept = content[whole - _KEPT_BYTES : whole]
        write_whole(path, lambda file: file.write(kept[kept.find(b"\n") + 1 :] + line))
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if len(content) > whole:
            os.ftruncate(handle, whole)
        try:
            if os.pwrite(handle, line, whole) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, whole)
            raise
    finally:
        os.close(handle)
    if not content:
        sync_folder(path.parent)
