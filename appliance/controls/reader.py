"""Reading sources: one thread for all that hang together, so that what hangs takes nothing else with it."""

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.controls.source import Event, Position, Source, SourceError
from appliance.folders import shown

__all__ = ["Reader", "Told"]

# What cannot be opened may be plugged in later; what stays in trouble is opened anew.
_AGAIN_S: Final = 2.0
_ANEW_S: Final = 5.0
# What was opened anew may only not have noticed its trouble yet: a pin that floats must press nothing meanwhile.
_PROBATION_S: Final = 1.5


@dataclass(frozen=True)
class Told:
    """What a source told: its events, or else its trouble in half a sentence."""

    name: str
    at_s: float
    events: Sequence[Event] = ()
    trouble: str | None = None


@dataclass
class _Kept:
    """A source, when it is read next, since when it is in trouble, and until when it is not trusted after that."""

    open: Callable[[], Source]
    source: Source | None = None
    due_s: float = 0.0
    trouble_since_s: float | None = None
    last_trouble: str = ""
    doubted_until_s: float | None = None
    # Where it stood last meanwhile.
    standing: tuple[Event, ...] = ()


class Reader:
    """Opens sources and reads them one after the other; what it is told goes to an inbox.

    Parameters
    ----------
    openers : mapping
        By name what opens each source; raises SourceError while it cannot.
    clock : callable
        Monotonic seconds.
    inbox : collections.deque
        Of `Told`; shared with other readers.
    """

    def __init__(
        self, openers: Mapping[str, Callable[[], Source]], clock: Callable[[], float], inbox: deque[Told]
    ) -> None:
        self._kept = {name: _Kept(opener) for name, opener in openers.items()}
        self._clock = clock
        self._inbox = inbox
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Read in a thread of its own from now on."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def turn(self) -> float:
        """Read all that are due; gives the seconds until the next one is."""
        for name, kept in self._kept.items():
            if kept.due_s <= self._clock():
                self._read(name, kept)
        return max(min(kept.due_s for kept in self._kept.values()) - self._clock(), 0.0)

    def close(self, patience_s: float = 1.0) -> None:
        """Let go of all sources; one that hangs is left behind. Any number of times."""
        self._stop.set()
        if self._thread is None:
            self._let_go()
        else:
            self._thread.join(patience_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(max(self.turn(), 0.001))
        self._let_go()

    def _let_go(self) -> None:
        for kept in self._kept.values():
            self._close(kept)

    def _read(self, name: str, kept: _Kept) -> None:
        trouble: str | None = None
        events: tuple[Event, ...] = ()
        try:
            if kept.source is None:
                kept.source = kept.open()
            events = tuple(kept.source.read())
        except SourceError as error:
            trouble = str(error)
        except Exception as error:
            # Drivers raise what they like, and none of it may end the reading of others.
            trouble = shown(f"failed ({type(error).__name__}: {error})")
        now_s = self._clock()
        self._inbox.append(self._told(name, kept, events, trouble, now_s))
        if trouble is None:
            kept.trouble_since_s = None
        elif kept.trouble_since_s is None:
            kept.trouble_since_s = now_s
        elif kept.source is not None and now_s - kept.trouble_since_s >= _ANEW_S:
            self._close(kept)
            kept.trouble_since_s, kept.doubted_until_s = None, math.inf
        kept.due_s = now_s + (_AGAIN_S if kept.source is None else kept.source.every_s)

    def _told(self, name: str, kept: _Kept, events: tuple[Event, ...], trouble: str | None, now_s: float) -> Told:
        """What is told of a reading: of one that is not to be trusted yet, the trouble before it."""
        if trouble is not None:
            kept.last_trouble, kept.standing = trouble, ()
        elif kept.doubted_until_s == math.inf:
            kept.doubted_until_s = now_s + _PROBATION_S
        if trouble is not None or kept.doubted_until_s is None:
            return Told(name, now_s, events, trouble)
        kept.standing = (*kept.standing, *(each for each in events if isinstance(each, Position)))[-1:]
        if now_s < kept.doubted_until_s:
            return Told(name, now_s, (), kept.last_trouble)
        events, kept.standing, kept.doubted_until_s = kept.standing, (), None
        return Told(name, now_s, events)

    def _close(self, kept: _Kept) -> None:
        source, kept.source = kept.source, None
        if source is not None:
            with contextlib.suppress(Exception):
                source.close()
