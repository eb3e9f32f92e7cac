"""Telling whoever supervises this process that it is well: systemd, or the foreground supervisor of ``latent play``.

Both the engine and the player hold one `Watchdog`, so this stays light.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

from appliance.health.manager import notifier

__all__ = ["PIPE_VARIABLE", "SIGNS", "Watchdog", "watchdog_from_environment"]

Clock = Callable[[], float]

PIPE_VARIABLE: Final = "LATENT_WATCHDOG_FD"
"""Names the file descriptor of the pipe to the foreground supervisor."""
SIGNS: Final = {"READY=1": b"R", "WATCHDOG=1": b"W", "STOPPING=1": b"S"}
"""What goes through that pipe, one byte for each of systemd's words."""

_INTERVAL_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


class _Way(Protocol):
    """A way to a supervisor."""

    @property
    def orphaned(self) -> bool: ...

    def send(self, word: str) -> None:
        """Send a word as `sd_notify(3)` defines them; never raises and never waits."""


class Watchdog:
    """What a supervised process says of itself; with no supervisor, nothing happens.

    Parameters
    ----------
    way : object or None
        Where to; see `watchdog_from_environment`.
    clock : callable
        Seconds, as `time.monotonic` gives them.
    """

    def __init__(self, way: _Way | None = None, clock: Clock = time.monotonic) -> None:
        self._way = way
        self._clock = clock
        self._alive_at_s: float | None = None
        self._status = ""

    @property
    def orphaned(self) -> bool:
        """Whether the foreground supervisor is gone; this process should then end as if it had been told to stop."""
        return self._way is not None and self._way.orphaned

    def ready(self, status: str = "") -> None:
        """Say once that it has begun to do its work."""
        self._send("READY=1")
        if status:
            self.status(status)

    def alive(self) -> None:
        """Say that it is well. Call it as often as you like, though only while the verdict is healthy."""
        now_s = self._clock()
        if self._alive_at_s is None or now_s - self._alive_at_s >= _INTERVAL_S:
            self._alive_at_s = now_s
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line what it is doing; what was said already is not said again."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def stopping(self) -> None:
        """Say that it ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, word: str) -> None:
        if self._way is not None:
            self._way.send(word)


class _Systemd:
    """The socket of systemd."""

    orphaned = False

    def __init__(self, notify: Callable[[str], object], say: Callable[[str], None]) -> None:
        self._notify = notify
        self._say = say
        self._failing = False

    def send(self, word: str) -> None:
        try:
            self._notify(word)
        except OSError as error:
            if not self._failing:
                self._say(f"systemd cannot be told how this is going ({error.strerror}); going on.")
            self._failing = True
        else:
            self._failing = False


class _Pipe:
    """The pipe to the foreground supervisor, one byte a word."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        # A child of ours that held it open would hide our end from the supervisor.
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, 0)

    @property
    def orphaned(self) -> bool:
        # Nobody reading shows as an error on the writing end, whether or not there is anything to write.
        return any(event & select.POLLERR for _, event in self._poll.poll(0))

    def send(self, word: str) -> None:
        # The foreground supervisor has no use for a status: `latent status` reads the ring.
        try:
            os.write(self._descriptor, SIGNS.get(word, b""))
        except (BlockingIOError, BrokenPipeError):
            # A supervisor that is stopped reads later, one that is gone never; `orphaned` tells which.
            return


def watchdog_from_environment(say: Callable[[str], None] | None = None, clock: Clock = time.monotonic) -> Watchdog:
    """Find the supervisor that the environment names; the foreground one goes before systemd.

    Where it is the foreground one, this process is from now on also sent SIGTERM when that is killed. Call it from the
    main thread.

    Parameters
    ----------
    say : callable, optional
        Is given a sentence where the supervisor named cannot be reached; stderr unless told.
    clock : callable
        Seconds, as `time.monotonic` gives them.
    """
    say = _complain if say is None else say
    # Taken out, so that no process started from here takes itself for the supervised one.
    given = os.environ.pop(PIPE_VARIABLE, None)
    if given is not None:
        return Watchdog(_pipe(given, say), clock)
    return Watchdog(_Systemd(notifier(), say) if os.environ.get("NOTIFY_SOCKET") else None, clock)


def _pipe(given: str, say: Callable[[str], None]) -> _Way | None:
    try:
        way = _Pipe(int(given))
    except (ValueError, OverflowError, OSError):
        say(f"{PIPE_VARIABLE} names no open pipe; going on without a supervisor.")
        return None
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return way


def _complain(sentence: str) -> None:
    print(f"latent: {sentence}", file=sys.stderr)
