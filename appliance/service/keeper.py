"""The keeper: it looks at what the others do, counts the day, tells of it, and holds a limit of the exposure.

A process of its own, so that it tells the truth when engine and player are dead. Without it all sounds as with it.
"""

import contextlib
import errno
import importlib.metadata
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.errors import RingError
from appliance.folders import shown
from appliance.health.day import Day, in_words
from appliance.health.evidence import Evidence
from appliance.health.exposure import exposed, exposure_dba, room_level
from appliance.health.limit import Limit
from appliance.health.tally import Tally, local_time
from appliance.health.watchdog import Watchdog
from appliance.stream.hours import zone_of
from appliance.stream.ring import Ring, claim, open_ring
from appliance.stream.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from appliance.health.metrics import Metrics

__all__ = ["TEXTFILE", "Wish", "evidence_path", "run"]

TEXTFILE: Final = "latent.prom"
"""The file with the metrics."""

_TURN_S: Final = 1.0
_SAVE_EVERY_S: Final = 15.0
_WRITE_EVERY_S: Final = 15.0
# A model takes some seconds to come.
_BEGIN_AFTER_S: Final = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is asked of it; see the settings' tables [metrics], [exposure] and [hours].

    Attributes
    ----------
    folder : str or None
        Where the file with the metrics is written; None for no file.
    port : int or None
        On which they are served; None for no port.
    listen : str
    limit_dba : float or None
        LEX,8h to which a day is held; None for any.
    time_zone : str or None
        Of the gallery, where a day ends at midnight; None for the machine's.
    """

    folder: str | None = None
    port: int | None = None
    listen: str = "127.0.0.1"
    limit_dba: float | None = None
    time_zone: str | None = None

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Wish":
        """Read it as `latent keeper` hands it to itself."""
        return cls(told["folder"], told["port"], told["listen"], told["limit_dba"], told["time_zone"])


def evidence_path(state: Path) -> Path:
    """Tell where in the state folder it is noted how the days went."""
    return state / "evidence" / "days"


def run(
    wish: Wish,
    folder: Path,
    state: Path,
    stop: threading.Event,
    say: Say,
    watchdog: Watchdog,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    wall: Callable[[], datetime] | None = None,
) -> None:
    """Look and tell until told to stop.

    Parameters
    ----------
    wish : Wish
    folder, state : Path
        The runtime folder and the state folder.
    stop : threading.Event
    say : callable
        Is given sentences for whoever is watching, and one a day that tells how it went.
    watchdog : Watchdog
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    wall : callable, optional
        The time of day in the gallery.

    Raises
    ------
    RingError
        If another keeper runs in the folder.
    """
    lock = claim(folder, "keeper")
    zone, _ = zone_of(wish.time_zone)
    keeper = Keeper(folder, state, say, clock_ns, wall or partial(local_time, zone), wish.limit_dba)
    telling = _Telling(wish, folder, say) if wish.folder or wish.port is not None else None
    try:
        if telling is not None:
            # Before it is ready: a name server that does not answer may keep a port from being opened for a while.
            telling.turn(clock_ns() / 1e9)
        watchdog.ready("counting")
        while not (stop.is_set() or watchdog.orphaned):
            keeper.turn()
            if telling is not None:
                telling.turn(clock_ns() / 1e9)
            watchdog.alive()
            stop.wait(_TURN_S)
        watchdog.stopping()
    finally:
        keeper.close()
        if telling is not None:
            telling.close()
        os.close(lock)


class Keeper:
    """Counts the day and notes how it went; one thread.

    Parameters
    ----------
    folder, state : Path
    say : callable
    clock_ns, wall : callable
        As for `run`.
    limit_dba : float, optional
        As in `Wish`.
    """

    def __init__(
        self,
        folder: Path,
        state: Path,
        say: Say,
        clock_ns: Callable[[], int],
        wall: Callable[[], datetime],
        limit_dba: float | None = None,
    ) -> None:
        self._folder = folder
        self._state = state
        self._say = say
        self._clock_ns = clock_ns
        self._wall = wall
        self._ring: Ring | None = None
        self._limit = None if limit_dba is None else Limit(limit_dba)
        self._looked_ns: int | None = None
        self._told = False
        self._tally = Tally(folder, clock_ns, wall)
        self._evidence = Evidence(evidence_path(state), say)
        self._began_ns = clock_ns()
        self._saved_ns: int | None = None
        self._version = importlib.metadata.version("latent-appliance")

    def turn(self) -> None:
        """Look once."""
        now_ns = self._clock_ns()
        read = self._look(now_ns)
        ended = self._tally.look(read)
        if read is not None and self._limit is not None:
            self._hold(read, self._limit, 0.0 if self._looked_ns is None else (now_ns - self._looked_ns) / 1e9)
        self._looked_ns = now_ns
        self._begin(read, now_ns)
        if ended is not None:
            self._say(f"{ended.label or 'The last 24 hours'}: {in_words(ended)}{self._exposure(ended)}")
            self._evidence.note(ended, now_ns / 1e9, ended=True)
        if ended is not None or self._saved_ns is None or now_ns - self._saved_ns >= _SAVE_EVERY_S * 1e9:
            self._saved_ns = now_ns
            self._tally.save()
            self._evidence.note(self._tally.day, now_ns / 1e9)

    def close(self) -> None:
        """Note what there is, for nobody counts from here on."""
        self._tally.save(stopped=True)
        self._evidence.note(self._tally.day, self._clock_ns() / 1e9, stopping=True)

    def _exposure(self, day: Day) -> str:
        """What a day was to the guards, where somebody measured how loud the room is."""
        level = room_level(self._state)
        dba = None if level is None else exposure_dba(level, day.energy_s)
        return "" if dba is None else f" {exposed(dba)}"

    def _hold(self, read: Snapshot, limit: Limit, seconds: float) -> None:
        """Keep the volume below what the day's exposure allows."""
        assert self._ring is not None
        level = room_level(self._state)
        if level is None:
            if not self._told:
                self._say("No exposure can be limited: measure the room with `latent calibrate` first.")
            self._told = True
            return
        gain = min(1.0 if read.volume is None else read.volume, read.ceiling)
        self._ring.ceiling = limit.turn(
            level, self._tally.day, read.loudness_lufs, gain, read.ceiling, min(seconds, _TURN_S * 2.0)
        )

    def _begin(self, read: Snapshot | None, now_ns: int) -> None:
        model = None if read is None else read.facts.get("digest")
        model = model if isinstance(model, str) and set(model) <= set("0123456789abcdef") else None
        if model or now_ns - self._began_ns >= _BEGIN_AFTER_S * 1e9:
            began = self._wall().strftime("%Y-%m-%dT%H:%M") if self._tally.day.label else ""
            self._evidence.begin(began, self._version, model, now_ns / 1e9)

    def _look(self, now_ns: int) -> Snapshot | None:
        if self._ring is None or not self._ring.current() or not self._ring.intact():
            self._ring = None
            # There is none yet, or none any more.
            with contextlib.suppress(RingError):
                self._ring = open_ring(self._folder, writable=self._limit is not None)
                if self._limit is None and self._ring.ceiling < 1.0:
                    # The settings had a limit before.
                    open_ring(self._folder, writable=True).ceiling = 1.0
        return None if self._ring is None else snapshot(self._ring, now_ns)


class _Telling:
    """Tells the metrics; a port or a folder that cannot be had is tried again."""

    def __init__(self, wish: Wish, folder: Path, say: Say) -> None:
        self._wish = wish
        self._folder = folder
        self._say = say
        self._said = ""
        self._metrics = self._made()
        self._close: Callable[[], None] | None = None
        self._written_s: float | None = None

    def turn(self, now_s: float) -> None:
        """Write what is due, and open what is not open yet."""
        if self._written_s is not None and now_s - self._written_s < _WRITE_EVERY_S:
            return
        self._written_s = now_s
        if self._wish.folder is not None:
            path = Path(self._wish.folder).expanduser() / TEXTFILE
            try:
                self._metrics.write(path)
            except OSError as error:
                self._tell(f"No metrics can be written to {shown(path)} ({error.strerror}): check metrics.folder.")
        if self._wish.port is not None and self._close is None:
            self._serve(self._wish.port)

    def close(self) -> None:
        """Tell no more."""
        if self._close is not None:
            self._close()

    def _serve(self, port: int) -> None:
        try:
            port, self._close = self._metrics.serve(self._wish.listen, port)
        except OSError as error:
            where = f"{shown(self._wish.listen)}, port {port}"
            remedy = "choose another metrics.port or metrics.listen"
            if error.errno == errno.EAFNOSUPPORT:
                remedy = "let the service open one with systemd/metrics.conf, as the guide says"
            self._tell(f"No metrics can be served at {where} ({error.strerror}): {remedy}.")
        else:
            self._say(f"Metrics are served at http://{shown(self._wish.listen)}:{port}/metrics.")

    def _made(self) -> "Metrics":
        # What they take to load is spared where nobody asks for them.
        from appliance.health.metrics import Metrics
        from appliance.service.status import status

        def look() -> dict[str, Any] | None:
            try:
                return status(self._folder)
            except RingError:
                return None

        return Metrics(look, importlib.metadata.version("latent-appliance"))

    def _tell(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._say(sentence)
