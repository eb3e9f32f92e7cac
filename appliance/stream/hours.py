"""Opening hours: from a plain table to when the room is open and when it is quiet. Pure, and light as the player.

A moment is in seconds since 1970 (UTC), a time of day in minutes since midnight on the gallery's clock.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from appliance.errors import SettingsError

__all__ = ["DAYS", "Hours", "Span", "day_of", "days_of", "interval_of", "zone_of"]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MIN: Final = 1440
_TIMES: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Days ahead in which a change is looked for: nearly always it is near. Beyond the last there is none to tell of.
_LOOKS: Final = (8, 64)
# What goes on past midnight began at the most so many days before, wherever the clock was put.
_DAYS_BEFORE: Final = 3
_MACHINES_ZONE: Final = Path("/etc/localtime")

Interval = tuple[int, int]


class Span(NamedTuple):
    """A stretch of time; it ends before ``end_s``, or at no moment that is known."""

    begin_s: float
    end_s: float | None


@dataclass(frozen=True)
class Hours:
    """When the room is open and when it is quiet.

    Attributes
    ----------
    week : tuple of (tuple of (int, int))
        For each day from Monday on, when it is open; what ends past midnight ends after minute 1440.
    dates : mapping
        The same for single days, in place of that of the week.
    quiet : tuple of (int, int)
        The same for every day: when the ceiling is lower.
    quiet_gain : float
        That ceiling, 0..1, amplitude.
    wake_s : float
        So long before it opens sound is made again.
    zone : tzinfo
        Of the gallery's clock.
    trouble : str
        Empty, or a sentence on what could not be followed.
    """

    week: tuple[tuple[Interval, ...], ...]
    dates: Mapping[date, tuple[Interval, ...]]
    quiet: tuple[Interval, ...]
    quiet_gain: float
    wake_s: float
    zone: tzinfo
    trouble: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Hours":
        """Read the table as its settings give it in JSON.

        Raises
        ------
        SettingsError
            If it is no such table.
        """
        try:
            zone, trouble = zone_of(told["time_zone"])
            return cls(
                week=_week(told["days"]),
                dates={day_of(day): _intervals(texts) for day, texts in told["dates"].items()},
                quiet=_intervals(told["quiet"]),
                quiet_gain=min(1.0, 10.0 ** (float(told["quiet_db"]) / 20.0)),
                wake_s=60.0 * float(told["wake_min"]),
                zone=zone,
                trouble=trouble,
            )
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise SettingsError("What the player was given is no table of opening hours: check [hours].") from error

    def opening(self, at_s: float) -> Span | None:
        """When the room is open around a moment, or next; None where it is not in the next two months."""
        return self._next(at_s, lambda day: self.dates.get(day, self.week[day.weekday()]))

    def quieting(self, at_s: float) -> Span | None:
        """When the ceiling is lower around a moment, or next; None where it never is."""
        return self._next(at_s, lambda _: self.quiet)

    def local(self, at_s: float) -> datetime:
        """A moment on the gallery's clock."""
        return datetime.fromtimestamp(at_s, self.zone)

    def _next(self, at_s: float, on: Callable[[date], Sequence[Interval]]) -> Span | None:
        today, found = self.local(at_s).date(), None
        for days in _LOOKS:
            dates = (today + timedelta(days=ahead) for ahead in range(-_DAYS_BEFORE, days))
            spans = _merged(self._span(day, *interval) for day in dates for interval in on(day))
            found = next((span for span in spans if span[1] > at_s), None)
            if found is not None and found[1] < self._moment(today + timedelta(days=days), 0, last=False):
                return Span(*found)
        return None if found is None else Span(found[0], None)

    def _span(self, day: date, begin: int, end: int) -> tuple[float, float]:
        return self._moment(day, begin, last=False), self._moment(day, end, last=True)

    def _moment(self, day: date, minutes: int, last: bool) -> float:
        """When the clock shows a time for the first or last time; if it never does, when it is put past it."""
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        before, after = (wall.replace(tzinfo=self.zone, fold=fold).timestamp() for fold in (0, 1))
        if before <= after:
            return after if last else before
        while before - after > 1.0:
            middle = (before + after) // 2.0
            passed = self.local(middle).replace(tzinfo=None) >= wall
            before, after = (middle, after) if passed else (before, middle)
        return before


def interval_of(text: str) -> Interval:
    """Read "10:00-18:00"; what ends at or before its beginning ends on the next day. Raises ValueError."""
    times = _TIMES.fullmatch(text)
    if times is None:
        raise ValueError('must be from one time of day to another, as in "10:00-18:00"')
    begin, end = (60 * int(times[n]) + int(times[n + 1]) if times[n] else _DAY_MIN for n in (1, 3))
    if begin == end:
        raise ValueError('ends when it begins: for a whole day say "00:00-24:00", for none []')
    return begin, end if end > begin else end + _DAY_MIN


def days_of(name: str) -> tuple[int, ...]:
    """Read "mon", "tue-fri" or "sat,sun" as days, 0 for Monday; "fri-mon" goes over Sunday. Raises ValueError."""
    days: list[int] = []
    for part in name.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError('is no day: name days as in mon, tue-fri or "sat,sun"')
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days += [day % len(DAYS) for day in range(begin, end + 1 + len(DAYS) * (end < begin))]
    return tuple(days)


def day_of(text: str) -> date:
    """Read "2026-12-24". Raises ValueError."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is in no calendar: give year, month and day, as in 2026-12-24") from error
    raise ValueError("is no date: give year, month and day, as in 2026-12-24")


def _week(told: Mapping[str, Sequence[str]]) -> tuple[tuple[Interval, ...], ...]:
    """A week without any day in it is open all day."""
    if not told:
        return (((0, _DAY_MIN),),) * len(DAYS)
    week: list[tuple[Interval, ...]] = [()] * len(DAYS)
    for name, texts in told.items():
        for day in days_of(name):
            week[day] = _intervals(texts)
    return tuple(week)


def _intervals(texts: Iterable[str]) -> tuple[Interval, ...]:
    return tuple(interval_of(text) for text in texts)


def _merged(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """In order of time, as one where they touch; what the clock was put past is none."""
    begin, end = 0.0, 0.0
    for each_begin, each_end in sorted(span for span in spans if span[0] < span[1]):
        if each_begin > end:
            if begin < end:
                yield begin, end
            begin = each_begin
        end = max(end, each_end)
    if begin < end:
        yield begin, end


def zone_of(name: str | None) -> tuple[tzinfo, str]:
    """Give a time zone by its name, or else the machine's."""
    try:
        if name is not None:
            return ZoneInfo(name), ""
        trouble = ""
    except (LookupError, ValueError, OSError):
        trouble = f"This machine knows no time zone {name!r}: its own is taken for the opening hours."
    try:
        with _MACHINES_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file, str(_MACHINES_ZONE)), trouble
    except (ValueError, OSError):
        return UTC, trouble
