"""The status light's process: it looks at the ring by itself, so it tells the truth with engine and player dead."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.api.client import ask
from appliance.controls.source import SourceError
from appliance.errors import LatentError, RingError
from appliance.health.watchdog import Watchdog
from appliance.stream.ring import Ring, open_ring
from appliance.stream.snapshot import snapshot
from appliance.stream.state import State

__all__ = ["Seen", "Watch", "decide", "run"]

# Short enough for the quickest blinking.
_TURN_S: Final = 0.05
_LOOK_EVERY_S: Final = 0.25
_ASK_EVERY_S: Final = 1.0
_ANSWER_S: Final = 0.1
# A player that plays gives signs of life many times a second; one that opens a card may take its time.
_PLAYING_SILENT_S: Final = 1.5
_OPENING_SILENT_S: Final = 5.0


@dataclass(frozen=True)
class Seen:
    """What is known of engine and player.

    Attributes
    ----------
    state : State or None
        What the player does; None without a ring.
    beat_age_s : float or None
        Since it gave a sign of life.
    engine_well : bool or None
        What the engine says of itself; None if it does not answer.
    """

    state: State | None
    beat_age_s: float | None
    engine_well: bool | None


class Lamp(Protocol):
    """What is lit: see `controls.gpio.light.Light`."""

    def show(self, state: str) -> None:
        """Show this from now on."""

    def turn(self, now_s: float) -> None:
        """Be as it should be at this time."""

    def close(self) -> None:
        """Go out."""


def decide(seen: Seen) -> str:
    """Say what the light is to show: ``sounding``, ``hold`` or ``fault``."""
    if seen.state is None or seen.beat_age_s is None:
        return "fault"
    opening = seen.state in (State.STARTING, State.WAITING_FOR_CARD)
    if seen.beat_age_s > (_OPENING_SILENT_S if opening else _PLAYING_SILENT_S) or seen.engine_well is False:
        return "fault"
    # An engine that is gone is no fault while what it left is fresh.
    # Behind closed doors all is as it should be, too.
    return "sounding" if seen.state in (State.PLAYING, State.CLOSED) else "hold"


class Watch:
    """Looks at the ring of a folder, whichever is there.

    Parameters
    ----------
    folder : Path
        The runtime folder.
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    """

    def __init__(self, folder: Path, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._folder = folder
        self._clock_ns = clock_ns
        self._ring: Ring | None = None
        self._asked_ns: int | None = None
        self._engine_well: bool | None = None

    def look(self) -> Seen:
        """Look once; the engine is asked less often than the ring is looked at."""
        now_ns = self._clock_ns()
        if self._asked_ns is None or now_ns - self._asked_ns >= _ASK_EVERY_S * 1e9:
            self._asked_ns = now_ns
            self._engine_well = self._ask()
        if self._ring is None or not self._ring.current() or not self._ring.intact():
            self._ring = self._found()
        if self._ring is None:
            return Seen(None, None, self._engine_well)
        read = snapshot(self._ring, now_ns)
        return Seen(read.state, read.player.beat_age_s, self._engine_well)

    def _ask(self) -> bool | None:
        try:
            told = ask(self._folder, {"do": "status"}, _ANSWER_S).get("status")
        except LatentError:
            return None
        healthy = told.get("healthy") if isinstance(told, dict) else None
        return healthy if isinstance(healthy, bool) else None

    def _found(self) -> Ring | None:
        try:
            return open_ring(self._folder, writable=False)
        except RingError:
            # There is none yet, or none any more.
            return None


def run(
    pin: int,
    active_high: bool,
    folder: Path,
    stop: threading.Event,
    say: Callable[[str], None],
    watchdog: Watchdog,
    open_lamp: Callable[[int, bool, Path], Lamp] | None = None,
    clock_s: Callable[[], float] = time.monotonic,
) -> None:
    """Show how things are until told to stop.

    Parameters
    ----------
    pin : int
        BCM number of the LED.
    active_high : bool
    folder : Path
        The runtime folder.
    stop : threading.Event
    say : callable
        Is given sentences for whoever is watching.
    watchdog : Watchdog
    open_lamp : callable, optional
        Given pin, active_high and folder; the machine's own pins if absent.
    clock_s : callable
        Monotonic seconds.

    Raises
    ------
    LatentError
        If the pin cannot be had.
    """
    try:
        lamp = (open_lamp or _open_light)(pin, active_high, folder)
    except SourceError as error:
        raise LatentError(f"The status light cannot be lit: {error}.") from error
    watch = Watch(folder)
    looked_s, shown = -_LOOK_EVERY_S, ""
    try:
        watchdog.ready()
        while not (stop.is_set() or watchdog.orphaned):
            now_s = clock_s()
            if now_s - looked_s >= _LOOK_EVERY_S:
                looked_s, before, shown = now_s, shown, decide(watch.look())
                lamp.show(shown)
                if shown != before:
                    say(f"The light shows: {shown}.")
                    watchdog.status(shown)
            lamp.turn(now_s)
            watchdog.alive()
            stop.wait(_TURN_S)
        watchdog.stopping()
    except SourceError as error:
        raise LatentError(f"The status light cannot be lit any more: {error}.") from error
    finally:
        lamp.close()


def _open_light(pin: int, active_high: bool, folder: Path) -> Any:
    from appliance.controls.gpio.factory import open_factory
    from appliance.controls.gpio.light import Light

    return Light(pin, active_high, open_factory(folder))
