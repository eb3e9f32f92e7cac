"""OSC in: faders and buttons of phones, Pure Data, Max or TouchDesigner, over UDP."""

import contextlib
import errno
import math
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.controls.osc_packet import OscError, messages, read
from appliance.controls.source import Event, Position, SourceError

__all__ = ["OscCommand", "OscPort", "OscSource"]

_LARGEST: Final = 65_536
_MOST_EVENTS: Final = 64
_MOST_COMMANDS: Final = 64
# So many messages in one go are a flood: a breath after each, of this long for each message, leaves the machine to
# the music.
_GO: Final = 64
_BREATH_S: Final = 0.00015
_JOIN_S: Final = 2.0
_OURS: Final = "/latent/"


@dataclass(frozen=True)
class OscCommand:
    """What somebody asked for by one of our own addresses.

    Attributes
    ----------
    path : tuple of str
        ``("mood", NAME)``, ``("place", NAME)``, ``("next",)``, ``("keep",)``, ``("never",)`` or ``("scene",)``; whether
        the name exists was not looked at.
    arguments : tuple
        One finite number for mood and place, one name for a scene, else nothing.
    at_s : float
        Monotonic seconds.
    """

    path: tuple[str, ...]
    arguments: tuple[float | str, ...]
    at_s: float


class OscSource:
    """One address; one of the arguments, counted from 1, is where it stands: an X-Y pad sends two."""

    def __init__(self, port: "OscPort", address: str, from_low: float, from_high: float, argument: int) -> None:
        self.bus = ""
        self.every_s = 0.01
        self.address = address
        self._port = port
        self._argument = argument
        self._from_low = from_low
        self._span = from_high - from_low
        self._events: deque[Position] = deque(maxlen=_MOST_EVENTS)

    def read(self) -> Sequence[Event]:
        """What came since; raises SourceError while the port is closed."""
        events = [self._events.popleft() for _ in range(len(self._events))]
        if not events and (why := self._port.why):
            raise SourceError(why)
        return events

    def close(self) -> None:
        """Let go of the address."""
        self._port.forget(self)

    def put(self, arguments: Sequence[object], at_s: float) -> bool:
        """Take what came in; whether an older one had to go for it. Raises OscError if it is no finite number."""
        given = arguments[self._argument - 1] if len(arguments) >= self._argument else None
        share = (float(given) - self._from_low) / self._span if isinstance(given, int | float) else math.nan
        if not math.isfinite(share):
            raise OscError("no number")
        full = len(self._events) == _MOST_EVENTS
        self._events.append(Position(min(max(share, 0.0), 1.0), at_s))
        return full


class OscPort:
    """One UDP port, listened to in a thread of its own.

    Parameters
    ----------
    host : str
        Address to listen at, in numbers: 127.0.0.1, or 0.0.0.0 for the whole network.
    port : int
        UDP port.
    clock : callable
        Monotonic seconds.
    say : callable
        Told in a sentence when it cannot listen, once.

    Attributes
    ----------
    why : str or None
        Why it does not listen, half a sentence.
    """

    def __init__(self, host: str, port: int, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self.number = port
        self.why: str | None = None
        self._host = host
        self._clock = clock
        self._say = say
        self._counts: Counter[str] = Counter(received=0, refused=0, unknown=0, dropped=0)
        self._sources: dict[str, tuple[OscSource, ...]] = {}
        self._commands: deque[OscCommand] = deque(maxlen=_MOST_COMMANDS)
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._closing = threading.Event()
        self.mend()

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages received, refused (unreadable), unknown (of no address of ours), and dropped in a flood."""
        return dict(self._counts)

    def source(self, address: str, from_low: float = 0.0, from_high: float = 1.0, argument: int = 1) -> OscSource:
        """Listen to an address whose numbers, each time at this place among them, go from one value to another."""
        if from_low == from_high:
            raise SourceError(f"{address} goes nowhere: let from_low and from_high differ")
        source = OscSource(self, address, from_low, from_high, argument)
        self._sources[address] = (*self._sources.get(address, ()), source)
        return source

    def forget(self, source: OscSource) -> None:
        """Listen for a source no longer; any number of times."""
        others = tuple(each for each in self._sources.get(source.address, ()) if each is not source)
        self._sources[source.address] = others
        if not others:
            del self._sources[source.address]

    def commands(self) -> list[OscCommand]:
        """What was asked for since, oldest first."""
        return [self._commands.popleft() for _ in range(len(self._commands))]

    def mend(self) -> None:
        """Listen, where it does not; costs nothing where it does."""
        if self._closing.is_set() or (self._thread and self._thread.is_alive()):
            return
        try:
            self._listen()
        except (OSError, UnicodeError) as error:
            self._fail(self._reason(error))

    def close(self) -> None:
        """Listen no longer; any number of times."""
        self._closing.set()
        self.why = "OSC was closed"
        if self._wake and self._thread:
            self._wake.close()
            self._thread.join(_JOIN_S)

    def _listen(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with contextlib.ExitStack() as opened:
            talk = opened.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            # Names are not looked up: that may take half a minute.
            talk.bind(socket.getaddrinfo(self._host, self.number, family, flags=socket.AI_NUMERICHOST)[0][4])
            talk.setblocking(False)
            self.number = talk.getsockname()[1]
            if self._wake:
                self._wake.close()
            self._wake, woken = socket.socketpair()
            opened.enter_context(woken)
            self._thread = threading.Thread(target=self._run, args=(talk, woken), name="osc", daemon=True)
            self.why = None
            self._thread.start()
            # All is well: the thread closes them.
            opened.pop_all()

    def _reason(self, error: OSError | UnicodeError) -> str:
        if isinstance(error, socket.gaierror | UnicodeError):
            return f"'{self._host}' is no address in numbers: listen at 127.0.0.1, or at 0.0.0.0 for the whole network"
        if error.errno == errno.EADDRINUSE:
            return f"UDP port {self.number} is in use: choose another in [osc]"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"this machine has no address {self._host}: listen at 0.0.0.0 for the whole network"
        if error.errno == errno.EACCES:
            return f"UDP port {self.number} is for the system alone: choose one above 1023 in [osc]"
        if error.errno == errno.EAFNOSUPPORT:
            return "the service may open no port: let it with systemd/osc.conf, as the guide says"
        return f"UDP port {self.number} cannot be opened ({error.strerror}): choose another in [osc]"

    def _fail(self, why: str) -> None:
        if why != self.why:
            self._say(f"OSC is not heard: {why}.")
        self.why = why

    def _run(self, talk: socket.socket, woken: socket.socket) -> None:
        try:
            with talk, woken, selectors.DefaultSelector() as selector:
                selector.register(talk, selectors.EVENT_READ)
                selector.register(woken, selectors.EVENT_READ)
                while not self._closing.is_set():
                    selector.select()
                    if (taken := self._take(talk)) >= _GO:
                        self._closing.wait(taken * _BREATH_S)
        except Exception as error:
            self._fail(f"the OSC port broke ({type(error).__name__}: {error}) and is opened again in a moment")

    def _take(self, talk: socket.socket) -> int:
        """Take the packets that wait, but not for ever; how many messages there were."""
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while taken < _GO:
                taken += self._unpack(talk.recv(_LARGEST))
        return taken

    def _unpack(self, packet: bytes) -> int:
        """Give each message to whom it is for; how much there was to do, at least 1."""
        at_s = self._clock()
        try:
            found = messages(packet)
        except OscError:
            self._counts["refused"] += 1
            return 1
        for message in found:
            try:
                self._counts[self._give(*read(message), at_s)] += 1
            except OscError:
                self._counts["refused"] += 1
        return max(len(found), 1)

    def _give(self, address: str, arguments: Sequence[object], at_s: float) -> str:
        """Hand one message to whom it is for; how it is counted."""
        if sources := self._sources.get(address):
            full = [source.put(arguments, at_s) for source in sources]
            self._counts["dropped"] += sum(full)
            return "received"
        if not address.startswith(_OURS):
            return "unknown"
        words = tuple(address.removeprefix(_OURS).split("/"))
        if words[0] not in ("mood", "place", "next", "keep", "never", "scene"):
            return "unknown"
        if command := _command(words, _plain(arguments), at_s):
            self._counts["dropped"] += len(self._commands) == _MOST_COMMANDS
            self._commands.append(command)
        return "received"


def _plain(arguments: Sequence[object]) -> tuple[float | str, ...]:
    """Numbers as finite floats, and words; raises OscError if there is anything else."""
    plain = tuple(float(each) if isinstance(each, int) else each for each in arguments)
    words = tuple(each for each in plain if isinstance(each, str) or (isinstance(each, float) and math.isfinite(each)))
    if len(words) != len(arguments):
        raise OscError("neither numbers nor words")
    return words


def _command(words: tuple[str, ...], arguments: tuple[float | str, ...], at_s: float) -> OscCommand | None:
    """Read one of our own addresses; None for a button let go of, which sends 0. Raises OscError."""
    match words, arguments:
        case ("mood" | "place", _), (float(),):
            return OscCommand(words, arguments, at_s)
        case ("scene",), (str(),):
            return OscCommand(words, arguments, at_s)
        case ("next" | "keep" | "never",) | ("scene", _), () | (float(),):
            return None if arguments == (0.0,) else OscCommand(words[:1], words[1:], at_s)
    raise OscError("not what this address takes")
