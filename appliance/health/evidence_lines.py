"""The lines of the evidence.

    boot 12 2026-11-22T09:58 u1 3f2a9c1e 0.1.0 1a2b3c4d
    day 12 2026-11-22 b5 u485 o480 s479 h2 t41 e1
    now 12 u4410 0.2.0 1a2b3c4d

A start of the machine: its number, the time of day (- where that cannot be right), how many minutes after it the line
was written, the kernel's boot id, the version, the model's digest. A day of that start: begun and written at so many
minutes after it; then what was counted, where it is not zero (see `COUNTS`). A later line for the same day replaces
earlier ones. Another version or model than before, from so many minutes after that start on: once in 24 hours at most.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["COUNTS", "Boot", "Change", "DayLine", "Lines", "lines_of", "text_of", "whole_of"]

COUNTS: Final = {
    "o": "open_min",
    "s": "sounded_min",
    "h": "holds",
    "t": "held_s",
    "n": "silent_ms",
    "e": "engine_restarts",
    "p": "player_restarts",
    "c": "cards_lost",
}
"""What each letter of a day's line counts."""

_BOOT: Final = re.compile(
    r"boot (\d{1,9}) (\d{4}-\d\d-\d\dT\d\d:\d\d|-) u(\d{1,9}) ([0-9a-f]{8}) (\S{1,24}) ([0-9a-f]{8}|-)"
)
_NOW: Final = re.compile(r"now (\d{1,9}) u(\d{1,9}) (\S{1,24}) ([0-9a-f]{8}|-)")
_DAY: Final = re.compile(r"day (\d{1,9}) (\d{4}-\d\d-\d\d|-) b(\d{1,9}) u(\d{1,9})((?: [a-z]\d{1,9})*)")


@dataclass(frozen=True)
class Boot:
    """A start of the machine; ``began`` is a time of day, "-" where it was not known."""

    number: int
    began: str
    written_min: int
    id: str
    version: str
    model: str


@dataclass(frozen=True)
class Change:
    """Another version or model, from so many minutes after a start of the machine on; "-" where it is not known."""

    boot: int
    written_min: int
    version: str
    model: str


@dataclass(frozen=True)
class DayLine:
    """What was counted of a day in one start of the machine, by the names in `COUNTS`.

    Attributes
    ----------
    boot : int
        Which start.
    label : str
        The date; empty where it was not known.
    begun_min, written_min : int
        Minutes after the start.
    counts : dict
        Of whole numbers.
    size : int
        Bytes of the line.
    """

    boot: int
    label: str
    begun_min: int
    written_min: int
    counts: dict[str, int]
    size: int


@dataclass(frozen=True)
class Lines:
    """All that could be read: starts of the machine, changes, and the newest line of each of their days, in order."""

    boots: tuple[Boot, ...]
    days: tuple[DayLine, ...]
    changes: tuple[Change, ...] = ()


def text_of(line: Boot | Change) -> str:
    """Write a line."""
    if isinstance(line, Change):
        return f"now {line.boot} u{line.written_min} {line.version} {line.model}\n"
    return f"boot {line.number} {line.began} u{line.written_min} {line.id} {line.version} {line.model}\n"


def whole_of(content: bytes) -> int:
    """How much of a file is whole lines: a power cut may have torn the last one."""
    return content.rfind(b"\n") + 1


def lines_of(content: bytes) -> Lines:
    """Read every line that is one, each day's as often as it was written."""
    boots, days, changes = [], [], []
    for line in _split(content[: whole_of(content)]):
        if found := _BOOT.fullmatch(line):
            number, began, written, boot, version, model = found.groups()
            boots.append(Boot(int(number), began, int(written), boot, version, model))
        elif found := _NOW.fullmatch(line):
            number, written, version, model = found.groups()
            changes.append(Change(int(number), int(written), version, model))
        elif found := _DAY.fullmatch(line):
            number, label, begun, written, rest = found.groups()
            counts = {COUNTS[each[0]]: int(each[1:]) for each in rest.split() if each[0] in COUNTS}
            every = dict.fromkeys(COUNTS.values(), 0) | counts
            days.append(DayLine(int(number), label.strip("-"), int(begun), int(written), every, len(line) + 1))
    return Lines(tuple(boots), tuple(days), tuple(changes))


def _split(content: bytes) -> Iterable[str]:
    return content.decode("ascii", errors="replace").split("\n")
