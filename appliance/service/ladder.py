"""The engine's ladder: an engine that crashes again and again starts with less, until what is left holds.

Controls go first, because wiring is what breaks most in a gallery; then the artist's own model; last the API.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from appliance.folders import write_whole

__all__ = ["CRASHES", "LIVED_S", "RUNGS", "SETTLED_S", "WINDOW_S", "Ladder", "Rung"]

Clock = Callable[[], float]

# Three lives that each hang for the 60 s a start may take, and the pauses between them, still fit into five minutes;
# two crashes may be chance, and one more would be a longer wait for what helps.
CRASHES: Final = 3
WINDOW_S: Final = 300.0
LIVED_S: Final = 60.0
SETTLED_S: Final = 600.0

_NAME: Final = "starts"
_MOST_BYTES: Final = 4096


@dataclass(frozen=True)
class Rung:
    """What an engine starts with.

    Attributes
    ----------
    number : int
        0 (everything) to 3.
    controls, api : bool
        Whether there are any.
    own_model : bool
        False: the shipped model in place of the one in the settings.
    """

    number: int
    controls: bool = True
    own_model: bool = True
    api: bool = True


RUNGS: Final = (
    Rung(0),
    Rung(1, controls=False),
    Rung(2, controls=False, own_model=False),
    Rung(3, controls=False, own_model=False, api=False),
)


@dataclass(frozen=True)
class _Past:
    """What is known of earlier starts; times in seconds, as the clock gives them.

    Attributes
    ----------
    rung : int
        Where the last start stood.
    crashed_s : tuple of float
        When those began that crashed since the rung was reached.
    open_s : float or None
        When the last one began, as long as it may still turn out a crash.
    """

    rung: int = 0
    crashed_s: tuple[float, ...] = ()
    open_s: float | None = None


class Ladder:
    """Remembers the starts of the engine, in one small file in a folder that all its lives share.

    A start that was neither healthy for `LIVED_S` nor ended on purpose was a crash; `CRASHES` of them within
    `WINDOW_S` lead to the next rung.

    Parameters
    ----------
    folder : Path
        Gone after a restart of the machine, as its clock is.
    clock : callable
        Seconds since the machine started, as `time.monotonic` gives them.
    """

    def __init__(self, folder: Path, clock: Clock = time.monotonic) -> None:
        self._path = folder / _NAME
        self._clock = clock
        self._past = _Past()
        self._healthy_since_s: float | None = None

    def climb(self) -> Rung:
        """Note that the engine starts; with what it should."""
        now_s = self._clock()
        past = _read(self._path, now_s)
        crashed_s = past.crashed_s if past.open_s is None else (*past.crashed_s, past.open_s)
        recent_s = tuple(at_s for at_s in crashed_s if now_s - at_s <= WINDOW_S)
        rung = past.rung
        if len(recent_s) >= CRASHES:
            # The next rung is given as many tries as this one had.
            rung, recent_s = min(rung + 1, len(RUNGS) - 1), ()
        self._note(_Past(rung, recent_s, now_s))
        return RUNGS[rung]

    def healthy(self) -> None:
        """Note that the engine is well; call it as often as you like between `climb` and `ended`."""
        now_s = self._clock()
        if self._healthy_since_s is None:
            self._healthy_since_s = now_s
        healthy_s = now_s - self._healthy_since_s
        if healthy_s >= SETTLED_S:
            self._note(_Past())
        elif healthy_s >= LIVED_S:
            self._note(replace(self._past, open_s=None))

    def ended(self) -> None:
        """Note that the engine ends on purpose; one that was healthy starts with everything next time."""
        # Who ends a healthy engine had a reason, such as a mended sensor. Who ends one that never was may be a
        # supervisor that lost its patience.
        self._note(_Past() if self._healthy_since_s is not None else replace(self._past, open_s=None))

    def _note(self, past: _Past) -> None:
        if past == self._past:
            return
        self._past = past
        told = {"noted_s": self._clock(), "rung": past.rung, "crashed_s": past.crashed_s, "open_s": past.open_s}
        # A crash that could not be noted is forgotten; there is music meanwhile.
        with contextlib.suppress(OSError):
            write_whole(self._path, lambda file: file.write(json.dumps(told).encode()))


def _read(path: Path, now_s: float) -> _Past:
    """Read what was noted; nothing where the file is absent, damaged or from before a restart of the machine."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        past = _Past(told["rung"], tuple(told["crashed_s"]), told["open_s"])
        times_s = (told["noted_s"], *past.crashed_s, *([] if past.open_s is None else [past.open_s]))
        # The clock begins anew with the machine: what lies ahead of it was noted before.
        told_in_this_boot = all(0.0 <= at_s <= now_s for at_s in times_s)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return _Past()
    known = type(past.rung) is int and past.rung in range(len(RUNGS))
    return past if known and told_in_this_boot else _Past()
