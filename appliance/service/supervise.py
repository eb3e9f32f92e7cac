"""The foreground supervisor: starts the processes of ``latent play``, starts again what dies or hangs, stops in order.

What systemd does on the box, for a laptop. Each child has a pipe through which its watchdog says that it is well (see
`appliance.health.watchdog`); the end of that pipe is also how the one hears at once that the other is gone.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Final

from appliance.health.watchdog import PIPE_VARIABLE, SIGNS

__all__ = ["Backoff", "Child", "Limits", "supervise"]

Clock = Callable[[], float]
Say = Callable[[str], None]

_FIRST_PAUSE_S: Final = 0.2
_FORGIVEN_S: Final = 60.0
# How late a wish to stop may be heard; signs of life come about as often.
_GLANCE_S: Final = 0.25
# Between the end of a child's pipe and the end of the child.
_ENDING_S: Final = 0.01
_WRONG_USAGE: Final = 2
_NOT_FOR_CHILDREN: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True)
class Child:
    """A process to keep alive: its name in sentences, its command line, and the longest pause before a restart."""

    name: str
    command: tuple[str, ...]
    longest_pause_s: float = 5.0


@dataclass(frozen=True)
class Limits:
    """How long a child may take to become ready, to give a sign of life once it is, and to end when told to."""

    ready_s: float = 60.0
    alive_s: float = 10.0
    stop_s: float = 5.0


class Backoff:
    """How long to wait before something that died is started again: not at all, then longer, up to ``longest_s``."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._next_s = 0.0

    def pause_s(self, healthy_s: float) -> float:
        """Seconds to wait after a life of which ``healthy_s`` were healthy."""
        if healthy_s >= _FORGIVEN_S:
            self._next_s = 0.0
        pause_s = self._next_s
        self._next_s = min(max(2.0 * pause_s, _FIRST_PAUSE_S), self._longest_s)
        return pause_s


def supervise(
    children: Sequence[Child],
    stop: Event,
    say: Say,
    clock: Clock = time.monotonic,
    limits: Limits | None = None,
) -> int:
    """Keep processes alive until told to stop; whatever happens to them, it never gives up.

    Each runs in a session of its own, so that a Ctrl-C in the terminal reaches this process alone. Should this process
    be killed, their watchdogs end them.

    Parameters
    ----------
    children : sequence of Child
        In the order to start; they are stopped in the reverse order, each before the next.
    stop : threading.Event
        Set from a signal handler or another thread.
    say : callable
        Is given one sentence for each restart.
    clock : callable
        Seconds, as `time.monotonic` gives them.
    limits : Limits, optional
        How patient to be.

    Returns
    -------
    int
        0 when told to stop, or 2 where a child was never ready and refused its settings, which it said itself.
    """
    limits = limits or Limits()
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        keepers = [_Keeper(child, selector, say, clock, limits) for child in children]
        for keeper in keepers:
            # Left in the reverse order.
            stack.callback(keeper.stop)
            keeper.look()
        while not stop.is_set():
            selector.select(min(keeper.patience_s() for keeper in keepers))
            for keeper in keepers:
                keeper.look()
            if any(keeper.refused for keeper in keepers):
                return _WRONG_USAGE
    return 0


class _Keeper:
    """Keeps one child alive."""

    def __init__(self, child: Child, selector: selectors.BaseSelector, say: Say, clock: Clock, limits: Limits) -> None:
        self.refused = False
        self._child = child
        self._selector = selector
        self._say = say
        self._clock = clock
        self._limits = limits
        self._backoff = Backoff(child.longest_pause_s)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._due_s = clock()
        self._ever_ready = False
        self._ready_s: float | None = None
        self._started_s = self._sign_s = self._due_s
        self._killed_because = ""

    def patience_s(self) -> float:
        """Seconds for which there is no need to look."""
        if self._process is None:
            return min(max(self._due_s - self._clock(), 0.0), _GLANCE_S)
        return _GLANCE_S if self._pipe is not None else _ENDING_S

    def look(self) -> None:
        """Start the child when that is due, kill it when it hangs, and see whether it ended."""
        if self._process is None:
            if self._clock() >= self._due_s:
                self._start()
            return
        code = self._process.poll()
        # Always before it is judged: who was stopped for a while, and goes on, finds the signs of that while here.
        self._hear()
        if code is None:
            self._judge(self._process)
        else:
            self._bury(code)

    def stop(self) -> None:
        """Tell the child to end and wait until it has, though not for ever."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(self._limits.stop_s)
            except subprocess.TimeoutExpired:
                self._say(f"The {self._child.name} did not end within {self._limits.stop_s:g} s and is killed.")
                _kill(process)
                # A driver that hangs inside the kernel keeps even the killed.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self._limits.stop_s)
        self._hang_up()

    def _start(self) -> None:
        self._ready_s, self._killed_because = None, ""
        self._started_s = self._sign_s = self._clock()
        try:
            self._spawn()
        except OSError as error:
            self._retry(f"could not be started ({error.strerror})")

    def _spawn(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._process = subprocess.Popen(
                self._child.command,
                stdin=subprocess.DEVNULL,
                env=environment | {PIPE_VARIABLE: str(writing)},
                pass_fds=[writing],
                start_new_session=True,
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._pipe = reading
        self._selector.register(reading, selectors.EVENT_READ)

    def _hear(self) -> None:
        """Take in what came through the pipe."""
        if self._pipe is None:
            return
        with contextlib.suppress(BlockingIOError):
            signs = os.read(self._pipe, 65_536)
            if not signs:
                self._hang_up()
                return
            self._sign_s = self._clock()
            if SIGNS["READY=1"] in signs and self._ready_s is None:
                self._ever_ready, self._ready_s = True, self._sign_s

    def _judge(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a child that has been quiet for too long; it may be stopped, so nothing milder would reach it."""
        now_s = self._clock()
        if self._killed_because:
            return
        if self._ready_s is None and now_s - self._started_s >= self._limits.ready_s:
            self._killed_because = f"was not ready after {self._limits.ready_s:g} s"
        elif self._ready_s is not None and now_s - self._sign_s >= self._limits.alive_s:
            self._killed_because = f"gave no sign of life for {self._limits.alive_s:g} s"
        if self._killed_because:
            _kill(process)

    def _bury(self, code: int) -> None:
        self._hang_up()
        self._process = None
        if code == _WRONG_USAGE and not self._ever_ready:
            self.refused = True
            return
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        self._retry(self._killed_because or f"ended ({how})")

    def _retry(self, what: str) -> None:
        pause_s = self._backoff.pause_s(0.0 if self._ready_s is None else self._sign_s - self._ready_s)
        self._due_s = self._clock() + pause_s
        when = f" in {pause_s:g} s" if pause_s else ""
        self._say(f"The {self._child.name} {what}; starting it again{when}.")

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._selector.unregister(self._pipe)
            os.close(self._pipe)
            self._pipe = None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and whatever it started; it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
