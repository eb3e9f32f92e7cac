"""Many rooms in step: the process that sends what the room hears to a Snapcast server; it only reads, like a listener.

The server takes sound at the pace of its own clock, and the card here has another. What was sent is kept a little ahead
of what the server took: once that has become too little, the last moment is sent once more, and once it has become too
much, one is left out, both with a fade.
"""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.errors import RingError
from appliance.folders import shown
from appliance.health.watchdog import Watchdog
from appliance.service.listen import Tap, samples
from appliance.service.sparing import Sparing
from appliance.wiring.room import SnapcastSettings

__all__ = ["Feed", "run"]

# More than a player's jitter, and what may become of it before something is done.
_AHEAD_S: Final = 0.3
_LEAST_AHEAD_S: Final = 0.1
_MOST_AHEAD_S: Final = 0.5
_STEP_S: Final = 0.2
# Less than what a player that was away for as long as is borne leaves.
_SLOW_S: Final = -0.4
# A player that was away for so long begins anew.
_AWAY_S: Final = 0.5
_LATE_S: Final = 0.15
_PAUSE_S: Final = 0.02
_RETRY_S: Final = 1.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 10.0
# A server that took sound for so long is one.
_SETTLED_S: Final = 10.0
# Of a server that answers, and of one that takes what it is sent.
_PATIENCE_S: Final = 3.0
# Were it more, a server that is slow would have a long tail to play.
_UNSENT_BYTES: Final = 1 << 16


class Feed:
    """Sends the sound of a folder's ring to a server, whichever of the two is there.

    Parameters
    ----------
    table : SnapcastSettings
    folder : Path
        The runtime folder.
    say : callable
        Is given a sentence when something changes.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        table: SnapcastSettings,
        folder: Path,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._where = f"{shown(table.host)}:{table.port}"
        self._folder = folder
        self._say = say
        self._clock = clock
        self._said = ""
        self._tap: Tap | None = None
        self._socket: socket.socket | None = None
        self._due_s = clock()
        self._wait_s = _FIRST_WAIT_S
        self._begun_s = self._heard_s = 0.0
        self._sent = 0
        self._behind = False

    def turn(self) -> float:
        """Do what there is to do; gives the seconds until there is more."""
        if self._socket is None:
            return self._connect()
        try:
            if self._tap is None:
                self._tap = self._opened()
                self._let_gather()
            now_s = self._clock()
            if now_s < self._begun_s:
                return _PAUSE_S
            frames = self._tap.read()
        except RingError as error:
            self._tap = None
            self._tell(f"Nothing goes to the Snapcast server: {error}")
            return _RETRY_S
        if not len(frames):
            self._keep_pace(now_s)
            return _PAUSE_S
        if now_s - self._heard_s > _AWAY_S:
            self._tap.back(len(frames) / self._tap.rate)
            self._let_gather()
            return _PAUSE_S
        # The last of a player that ended comes late, and is no reason to play something twice.
        self._behind, self._heard_s = now_s - self._heard_s < _LATE_S, now_s
        self._send(samples(frames), len(frames))
        return 0.0

    def close(self) -> None:
        """Hang up; any number of times."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connect(self) -> float:
        now_s = self._clock()
        if now_s < self._due_s:
            return min(self._due_s - now_s, _RETRY_S)
        try:
            self._socket = socket.create_connection((self._table.host, self._table.port), _PATIENCE_S)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT_BYTES)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, ValueError) as error:
            self._hang_up(
                f"No Snapcast server takes sound at {self._where} ({_why(error)}): start snapserver with a"
                f" source tcp://{self._where}?name=Latent&mode=server."
            )
            return 0.0
        # What was meant for another connection is of another time.
        self._tap = None
        self._tell(f"The Snapcast server at {self._where} is there.")
        return 0.0

    def _opened(self) -> Tap:
        """Open the ring. Raises RingError, also where the server was told to expect something else."""
        tap, table = Tap(self._folder, 0.0, self._clock), self._table
        if (tap.rate, tap.channels) != (table.rate, table.channels):
            raise RingError(
                f"the card plays {tap.rate} Hz x {tap.channels}, [snapcast] says {table.rate} Hz x {table.channels}."
                f" Write rate = {tap.rate} and channels = {tap.channels} there, and sampleformat={tap.rate}:16:"
                f"{tap.channels} for the server."
            )
        self._tell(f"The room is sent to the Snapcast server at {self._where}.")
        return tap

    def _let_gather(self) -> None:
        """Begin anew, once there is enough to be ahead."""
        self._begun_s = self._heard_s = self._clock() + _AHEAD_S
        self._sent = 0

    def _send(self, data: bytes, frames: int) -> None:
        assert self._socket is not None
        assert self._tap is not None
        try:
            self._socket.sendall(data)
        except (OSError, ValueError) as error:
            self._hang_up(f"The Snapcast server at {self._where} takes no more sound ({_why(error)}).")
            return
        now_s, rate = self._clock(), self._tap.rate
        self._sent += frames
        if self._sent > _SETTLED_S * rate:
            self._wait_s = _FIRST_WAIT_S
        ahead_s = self._ahead_s(now_s)
        if ahead_s < _SLOW_S:
            # It is there to be sent, so the server is slow: what it has not taken by now would be late for ever.
            self._tap.leave_out(_AHEAD_S - ahead_s)
            self._begun_s, self._sent = now_s, round(_AHEAD_S * rate)

    def _ahead_s(self, now_s: float) -> float:
        assert self._tap is not None
        return self._sent / self._tap.rate - (now_s - self._begun_s)

    def _keep_pace(self, now_s: float) -> None:
        """See, once all that there is was sent, whether it is too little or too much by now."""
        if self._tap is None or not self._behind:
            return
        self._behind = False
        ahead_s = self._ahead_s(now_s)
        if ahead_s < _LEAST_AHEAD_S:
            self._tap.back(_STEP_S)
        elif ahead_s > _MOST_AHEAD_S:
            self._tap.leave_out(_STEP_S)

    def _hang_up(self, sentence: str) -> None:
        """Let the server be for a while."""
        self.close()
        self._tell(f"{sentence} Trying again for ever.")
        self._due_s = self._clock() + self._wait_s
        self._wait_s = min(2.0 * self._wait_s, _LONGEST_WAIT_S)

    def _tell(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._say(sentence)


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def run(
    table: SnapcastSettings, folder: Path, stop: threading.Event, say: Callable[[str], None], watchdog: Watchdog
) -> None:
    """Send what the room hears to a Snapcast server until told to stop.

    Parameters
    ----------
    table : SnapcastSettings
    folder : Path
        The runtime folder.
    stop : threading.Event
    say : callable
        Is given sentences for whoever is watching.
    watchdog : Watchdog
    """
    # Something that takes and drops us again and again is told of once in a while.
    sparing = Sparing(say, time.monotonic)

    def tell(sentence: str) -> None:
        sparing(sentence)
        watchdog.status(sentence)

    feed = Feed(table, folder, tell)
    watchdog.ready()
    try:
        while not (stop.is_set() or watchdog.orphaned):
            wait_s = feed.turn()
            watchdog.alive()
            stop.wait(wait_s)
        watchdog.stopping()
    finally:
        feed.close()
