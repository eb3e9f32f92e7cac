"""The time of day as a source: a way that is gone once a day, for slow cycles."""

import math
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from appliance.controls.source import Event, Position

__all__ = ["Daytime", "local_time_s"]

_DAY_S: Final = 86_400.0
# Less is not told: it would not be heard.
_STEP: Final = 0.001


def local_time_s() -> float:
    """Seconds since midnight where the box is."""
    now = time.localtime()
    return 3600.0 * now.tm_hour + 60.0 * now.tm_min + now.tm_sec


class Daytime:
    """Goes smoothly from point to point, and from the last of a day to the first of the next.

    Parameters
    ----------
    points : sequence of (str, float)
        Times as "08:30", and places of the way, 0..1.
    clock : callable
        Monotonic seconds.
    daytime_s : callable
        Seconds since midnight. A clock that jumps is followed as slowly as any other.
    """

    # Of what is silent for a while nobody knows whether it hangs.
    every_s = 0.1

    def __init__(
        self,
        points: Sequence[tuple[str, float]],
        clock: Callable[[], float],
        daytime_s: Callable[[], float] = local_time_s,
    ) -> None:
        ordered = sorted((3600.0 * int(text[:2]) + 60.0 * int(text[3:]), way) for text, way in points)
        (first_s, first), (last_s, last) = ordered[0], ordered[-1]
        self._points = [(last_s - _DAY_S, last), *ordered, (first_s + _DAY_S, first)]
        self._clock = clock
        self._daytime_s = daytime_s
        self._told: float | None = None

    def read(self) -> Sequence[Event]:
        """Where the day is, if that has moved."""
        way = self._way(self._daytime_s())
        if self._told is not None and abs(way - self._told) < _STEP:
            return ()
        self._told = way
        return (Position(way, self._clock()),)

    def close(self) -> None:
        """Nothing to let go of."""

    def _way(self, daytime_s: float) -> float:
        for (left_s, left), (right_s, right) in pairwise(self._points):
            if daytime_s <= right_s:
                share = min(max((daytime_s - left_s) / (right_s - left_s), 0.0), 1.0)
                return left + (right - left) * (0.5 - 0.5 * math.cos(math.pi * share))
        return self._points[-1][1]
