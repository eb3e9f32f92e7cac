"""A day of the installation in numbers, and as one line that a human can read."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

__all__ = ["Day", "day_of", "in_words", "lasting"]

# More than a century: what is larger was not counted.
_MOST: Final = 1 << 32
_ENERGY_FLOOR: Final = 1e-12
_WORTH_TELLING_S: Final = 60.0


@dataclass(frozen=True)
class Day:
    """What was counted since a day began.

    Attributes
    ----------
    label : str
        The date where the box is, as in ``2026-11-22``; empty where its clock cannot be right.
    begun_ns : int
        CLOCK_MONOTONIC.
    observed_s : float
        For how long it was looked at, or should have been.
    sounded_s : float
        For how long the card took sound that was to be heard; a hold is sound, too.
    hushed_s, closed_s : float
        So long somebody had turned the volume to 0, and the room was closed.
    held_s : float
    holds : int
    silent_s : float
        Silence for want of anything to play.
    engine_restarts, player_restarts, cards_lost : int
    loudest_lufs : float or None
        The loudest moment among those that were looked at, one a second.
    energy_s : float
        Sum over the time of ``10 ** (lufs / 10)``, in seconds.
    """

    label: str
    begun_ns: int
    observed_s: float = 0.0
    sounded_s: float = 0.0
    hushed_s: float = 0.0
    closed_s: float = 0.0
    held_s: float = 0.0
    holds: int = 0
    silent_s: float = 0.0
    engine_restarts: int = 0
    player_restarts: int = 0
    cards_lost: int = 0
    loudest_lufs: float | None = None
    energy_s: float = 0.0

    @property
    def open_s(self) -> float:
        """For how long there should have been sound."""
        return max(self.observed_s - self.closed_s - self.hushed_s, 0.0)

    @property
    def mean_lufs(self) -> float | None:
        """Mean loudness of what sounded, in LUFS, ungated; None where nothing did."""
        if self.sounded_s <= 0.0 or self.energy_s <= 0.0:
            return None
        return 10.0 * math.log10(max(self.energy_s / self.sounded_s, _ENERGY_FLOOR))

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


def day_of(told: object) -> Day:
    """Read what `Day.as_json` gave. Raises ValueError for anything else."""
    if not isinstance(told, dict) or set(told) != {each.name for each in fields(Day)}:
        raise ValueError("no day")
    for each in fields(Day):
        value = told[each.name]
        if each.name == "label":
            right = isinstance(value, str) and len(value) <= len("2026-11-22")
        elif each.name == "loudest_lufs":
            right = value is None or _is_real(value)
        elif each.name == "begun_ns":
            right = isinstance(value, int) and not isinstance(value, bool)
        else:
            right = _is_real(value) and 0 <= value < _MOST and (each.type is not int or isinstance(value, int))
        if not right:
            raise ValueError(f"no {each.name}")
    return Day(**told)


def in_words(day: Day) -> str:
    """Tell a day in one sentence; only what is known."""
    parts = [f"Sounded {_hours(day.sounded_s)} of {_hours(day.open_s)}"]
    if day.closed_s >= _WORTH_TELLING_S:
        parts.append(f"closed for {_hours(day.closed_s)}")
    if day.hushed_s >= _WORTH_TELLING_S:
        parts.append(f"turned down to silence for {_hours(day.hushed_s)}")
    parts.append(f"held {_often(day.holds)}, {lasting(day.held_s)} in all" if day.holds else "never held")
    parts.append(f"silent for {day.silent_s:.1f} s for want of sound" if day.silent_s else "no silent block")
    for what, count in (("engine", day.engine_restarts), ("player", day.player_restarts)):
        if count:
            parts.append(f"{what} started again {_often(count)}")
    if day.cards_lost:
        parts.append(f"sound card lost {_often(day.cards_lost)}")
    if day.loudest_lufs is not None:
        parts.append(f"loudest moment {day.loudest_lufs:.1f} LUFS")
    return "; ".join(parts) + "."


def lasting(seconds: float) -> str:
    """Tell a length of time in its two largest units."""
    if seconds < 60.0:
        return f"{seconds:.0f} s"
    minutes = int(seconds / 60.0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} day{'s' * (days != 1)} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _hours(seconds: float) -> str:
    """Tell a part of a day: 24 h are not a day, of which it is a part."""
    if seconds < 3600.0:
        return lasting(seconds)
    hours, minutes = divmod(round(seconds / 60.0), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
