"""What a contact means: it bounces as it closes and opens, and a wire that hangs loose catches the mains.  Pure."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

__all__ = ["BOUNCE_S", "Change", "Contact", "Flutter"]

BOUNCE_S: Final = 0.03
# An edge that bounces counts once. A hand manages ten presses a second at most, which are twenty edges.
_FLUTTER_EDGES: Final = 20
_FLUTTER_S: Final = 1.0
_SAME_EDGE_S: Final = 0.02
_QUIET_S: Final = 1.0


@dataclass(frozen=True)
class Change:
    """It closed or opened, at a time in monotonic seconds."""

    closed: bool
    at_s: float


class Flutter:
    """Notices what changes faster than a hand can do it, until it has been quiet for a second.

    Parameters
    ----------
    most : int
        More changes than that within ``within_s`` are too many.
    within_s : float
    same_s : float
        Changes that are closer than this count as one.
    """

    def __init__(self, most: int = _FLUTTER_EDGES, within_s: float = _FLUTTER_S, same_s: float = _SAME_EDGE_S) -> None:
        self._most = most
        self._within_s = within_s
        self._same_s = same_s
        self._counted: deque[float] = deque(maxlen=most + 1)
        self._all: deque[float] = deque(maxlen=64)
        self._rate_hz: float | None = None

    def hear(self, at_s: float) -> None:
        """Take in a change."""
        self._all.append(at_s)
        if self._counted and at_s - self._counted[-1] < self._same_s:
            return
        self._counted.append(at_s)
        if len(self._counted) > self._most and at_s - self._counted[0] <= self._within_s and self._rate_hz is None:
            span_s = max(self._all[-1] - self._all[0], 1e-6)
            self._rate_hz = (len(self._all) - 1) / span_s / 2.0

    def rate_hz(self, now_s: float) -> float | None:
        """Give how often it went to and fro a second when that was noticed; None while all is well."""
        if self._rate_hz is not None and now_s - self._all[-1] >= _QUIET_S:
            self._rate_hz = None
            self._counted.clear()
            self._all.clear()
        return self._rate_hz


class Contact:
    """A contact without its bounce: the first edge after quiet counts at once, and what it says in the end is true.

    Parameters
    ----------
    closed : bool
        As it is at first.

    Attributes
    ----------
    closed : bool
        As it was told last.
    """

    def __init__(self, closed: bool) -> None:
        self.closed = closed
        self._flutter = Flutter()
        self._heard_s = -math.inf

    def hear(self, closed: bool, at_s: float) -> Change | None:
        """Take in an edge, as a driver reports it."""
        quiet = at_s - self._heard_s >= BOUNCE_S
        self._heard_s = at_s
        self._flutter.hear(at_s)
        return self._changed(closed, at_s) if quiet else None

    def look(self, closed: bool, now_s: float) -> Change | None:
        """Take in how it stands: after the bounce, or because a driver did not report an edge."""
        if closed == self.closed or now_s - self._heard_s < BOUNCE_S:
            return None
        return self.hear(closed, now_s)

    def rate_hz(self, now_s: float) -> float | None:
        """Give how often it switches to and fro a second if no hand can do that; else None."""
        return self._flutter.rate_hz(now_s)

    def _changed(self, closed: bool, at_s: float) -> Change | None:
        if closed == self.closed:
            return None
        self.closed = closed
        return Change(closed, at_s)
