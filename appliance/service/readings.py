"""Readings: all readers together, and how long ago each control was heard."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from appliance.controls.reader import Reader, Told
from appliance.controls.source import Source

__all__ = ["Readings"]

# Should nobody take them: seconds of eight knobs.
_MOST: Final = 1 << 13
_PATIENCE_S: Final = 1.0


class Readings:
    """Reads each bus in a thread of its own.

    Parameters
    ----------
    buses : mapping
        By name of the bus, by name of the control, what opens it; see `Reader`.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, buses: Mapping[str, Mapping[str, Callable[[], Source]]], clock: Callable[[], float]) -> None:
        self._inbox: deque[Told] = deque(maxlen=_MOST)
        self._readers = {bus: Reader(openers, clock, self._inbox) for bus, openers in buses.items()}
        self._began_s = clock()
        self._heard_s: dict[str, float] = {}

    def start(self) -> None:
        """Begin to read."""
        for bus, reader in self._readers.items():
            reader.start(bus)

    def turn(self) -> None:
        """Read what is due, where no threads do."""
        for reader in self._readers.values():
            reader.turn()

    def told(self) -> Iterator[Told]:
        """Take what came in since, oldest first."""
        while self._inbox:
            told = self._inbox.popleft()
            if told.trouble is None:
                self._heard_s[told.name] = told.at_s
            yield told

    def age_s(self, name: str, now_s: float) -> float | None:
        """How long ago a control was heard; None if it never was."""
        heard_s = self._heard_s.get(name)
        return None if heard_s is None else now_s - heard_s

    def silent_s(self, name: str, now_s: float) -> float:
        """How long it has been silent since it was heard, or since all began."""
        return now_s - self._heard_s.get(name, self._began_s)

    def close(self) -> None:
        """Let go of all sources; those that hang are left behind. Any number of times."""
        until_s = time.monotonic() + _PATIENCE_S
        # All are told before any is waited for.
        for patient in (False, True):
            for reader in self._readers.values():
                reader.close(max(until_s - time.monotonic(), 0.0) if patient else 0.0)
