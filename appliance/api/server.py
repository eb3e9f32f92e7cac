"""The engine's control socket: answers many clients in one thread, and none of them can disturb the others."""

import contextlib
import errno
import math
import os
import selectors
import socket
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.api.handlers import Handlers
from appliance.api.protocol import LONGEST_REQUEST, refusal, reply
from appliance.errors import ApiError, UsageError
from appliance.folders import shown

__all__ = ["Clock", "Server"]

Clock = Callable[[], float]

_MOST_CLIENTS: Final = 32
# Those who come while all places are taken wait here.
_MOST_WAITING: Final = 128
# A client that neither asks nor takes its answer is dropped after this long, ...
_PATIENCE_S: Final = 10.0
# ... and sooner where there is no place left for others.
_PATIENCE_WHEN_FULL_S: Final = 1.0
# With no file descriptor left, nobody can be let in; it may pass.
_DEAF_S: Final = 1.0
# Bytes of answers kept for those who do not take them: the replay log is long.
_MOST_UNTAKEN: Final = 1 << 26
_JOIN_S: Final = 2.0


@dataclass(eq=False)
class _Client:
    """One connection: what came and was not looked at yet, and what it was not given yet."""

    talk: socket.socket
    since_s: float
    inbox: bytearray = field(default_factory=bytearray)
    outbox: memoryview = field(default_factory=lambda: memoryview(b""))
    last: bool = False

    @property
    def wants(self) -> int:
        """A line that waits is answered only once the client takes what it was given before."""
        return selectors.EVENT_WRITE if self.outbox or b"\n" in self.inbox else selectors.EVENT_READ


class Server:
    """Listens from when it is made until it is closed, in a thread of its own.

    Parameters
    ----------
    path : Path
        Of the socket, for its owner alone; what an engine that was killed has left there is replaced.
    handlers : Handlers
        Called in the server's thread.
    say : callable
        Told in a sentence what nobody foresaw.
    clock : callable
        Seconds that only go forward.

    Raises
    ------
    ApiError
        If another engine listens there, or the socket cannot be made.
    """

    def __init__(
        self, path: Path, handlers: Handlers, say: Callable[[str], None], clock: Clock = time.monotonic
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._say = say
        self._clock = clock
        self._clients: dict[int, _Client] = {}
        self._deaf_until_s = -math.inf
        self._closing = False
        with contextlib.ExitStack() as opened:
            self._listener = opened.enter_context(_listen(path))
            self._made = path.stat().st_ino
            self._wake, self._woken = map(opened.enter_context, socket.socketpair())
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._thread = threading.Thread(target=self._run, name="control", daemon=True)
            self._thread.start()
            # All is well: the thread closes them.
            opened.pop_all()

    def close(self) -> None:
        """Stop answering and remove the socket; any number of times."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(FileNotFoundError):
            # Another engine may have put its own there.
            if self._path.stat().st_ino == self._made:
                self._path.unlink()
        self._wake.close()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
        except Exception as error:
            self._tell(f"The control socket is closed ({type(error).__name__}: {error}); restart the engine.")
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listener.close()
            self._woken.close()

    def _turn(self) -> None:
        """Wait for whatever comes first and give each client that is ready one step, so that all are served alike."""
        self._listen_or_not()
        for key, _ in self._selector.select(self._wait_s()):
            if key.fileobj is self._listener:
                self._welcome()
            elif key.fd in self._clients:
                self._serve(self._clients[key.fd])
        patience_s, now_s = self._patience_s, self._clock()
        for client in [each for each in self._clients.values() if now_s - each.since_s >= patience_s]:
            self._drop(client)

    @property
    def _patience_s(self) -> float:
        return _PATIENCE_S if len(self._clients) < _MOST_CLIENTS else _PATIENCE_WHEN_FULL_S

    def _listen_or_not(self) -> None:
        wanted = len(self._clients) < _MOST_CLIENTS and self._clock() >= self._deaf_until_s
        listening = self._listener in self._selector.get_map()
        if wanted and not listening:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif listening and not wanted:
            self._selector.unregister(self._listener)

    def _wait_s(self) -> float | None:
        """Seconds until there is something to do by itself; None for ever."""
        now_s, patience_s = self._clock(), self._patience_s
        waits = [client.since_s + patience_s - now_s for client in self._clients.values()]
        if self._deaf_until_s > now_s:
            waits.append(self._deaf_until_s - now_s)
        return max(min(waits), 0.0) if waits else None

    def _welcome(self) -> None:
        try:
            talk, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            self._deaf_until_s = self._clock() + _DEAF_S
            self._tell(f"The control socket lets nobody in for the moment ({error.strerror}).")
            return
        talk.setblocking(False)
        client = self._clients[talk.fileno()] = _Client(talk, self._clock())
        self._selector.register(talk, client.wants)

    def _serve(self, client: _Client) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                self._step(client)
        except OSError:
            client.last, client.outbox = True, memoryview(b"")
        if client.last and not client.outbox:
            self._drop(client)
        else:
            self._selector.modify(client.talk, client.wants)

    def _step(self, client: _Client) -> None:
        """Read, answer one request, write: as far as it goes without waiting."""
        if client.wants == selectors.EVENT_READ:
            piece = client.talk.recv(LONGEST_REQUEST + 1 - len(client.inbox))
            client.inbox += piece
            client.last = not piece
        if not client.outbox and not client.last:
            self._answer(client)
        if client.outbox:
            client.outbox = client.outbox[client.talk.send(client.outbox) :]
            client.since_s = self._clock()

    def _answer(self, client: _Client) -> None:
        line, end, rest = client.inbox.partition(b"\n")
        if end:
            client.inbox = rest
            client.outbox = memoryview(reply(bytes(line), self._handlers, self._tell))
            self._make_room(client)
        elif len(client.inbox) > LONGEST_REQUEST:
            client.last = True
            client.outbox = memoryview(refusal(UsageError(f"A request takes at most {LONGEST_REQUEST} bytes a line.")))

    def _make_room(self, newest: _Client) -> None:
        """Drop those who were the slowest to take their answers, where answers are heaped up."""
        others = sorted((each for each in self._clients.values() if each is not newest), key=lambda each: each.since_s)
        untaken = len(newest.outbox) + sum(len(each.outbox) for each in others)
        for other in others:
            if untaken <= _MOST_UNTAKEN:
                return
            if other.outbox:
                untaken -= len(other.outbox)
                self._drop(other)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.talk.fileno()]
        self._selector.unregister(client.talk)
        client.talk.close()

    def _tell(self, sentence: str) -> None:
        # Where nobody can be told, there is still somebody to be answered.
        with contextlib.suppress(OSError, ValueError):
            self._say(sentence)


def _listen(path: Path) -> socket.socket:
    try:
        _clear(path)
        with contextlib.ExitStack() as opened:
            listener = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.setblocking(False)
            listener.bind(os.fsencode(path))
            # Nobody can connect yet, so nobody slips in before the rights are set.
            path.chmod(0o600)
            listener.listen(_MOST_WAITING)
            opened.pop_all()
            return listener
    except OSError as error:
        # Python itself refuses a path that is too long, without a number.
        reason = error.strerror or str(error)
        raise ApiError(f"The control socket {shown(path)} cannot be made ({reason}); check its folder.") from error


def _clear(path: Path) -> None:
    """Remove what a killed engine left; raises ApiError if a living one listens there, or it is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ApiError(f"There is something at {shown(path)} that is no socket; move it away.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.setblocking(False)
        if knock.connect_ex(os.fsencode(path)) in (0, errno.EAGAIN):
            raise ApiError(f"Another engine listens at {shown(path)}; stop it first.")
    path.unlink()
