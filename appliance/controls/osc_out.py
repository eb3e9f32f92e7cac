"""OSC out: tells screens and other programs, over UDP, how the room stands."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from appliance.controls.osc_packet import OscError, build
from appliance.controls.source import SourceError
from appliance.controls.telling import Changes, State

__all__ = ["OscSender"]

_LEAST: Final = 0.001
_ANEW_S: Final = 5.0
# A name is looked up again as often: machines on a network get new addresses.
_LOOK_UP_S: Final = 30.0

Resolve = Callable[..., list[tuple[Any, ...]]]


class _Target:
    """One address to send to; a name is looked up in a thread of its own, for that may hang."""

    def __init__(self, text: str, resolve: Resolve) -> None:
        host, _, port = text.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise SourceError(f"nothing can be sent to '{text}': write host:port, as in 192.168.1.20:9000")
        self.at: tuple[Any, ...] | None = None
        self._host, self._port = host.strip("[]"), int(port)
        self._resolve = resolve
        self._closing = threading.Event()
        if not self._look_up(socket.AI_NUMERICHOST):
            threading.Thread(target=self._run, name="osc names", daemon=True).start()

    def close(self) -> None:
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._look_up(0)
            self._closing.wait(_LOOK_UP_S)

    def _look_up(self, flags: int) -> bool:
        # UnicodeError: a name that no name server could know.
        with contextlib.suppress(OSError, UnicodeError):
            family, *_, address = self._resolve(self._host, self._port, type=socket.SOCK_DGRAM, flags=flags)[0]
            self.at = (family, address)
            return True
        return False


class OscSender:
    """Sends what changes, and everything every five seconds.

    Parameters
    ----------
    targets : sequence of str
        ``host:port`` each.
    clock : callable
        Monotonic seconds.
    resolve : callable
        As `socket.getaddrinfo`.

    Raises
    ------
    SourceError
        If a target is not written like that. One that cannot be reached is no error.
    """

    def __init__(
        self, targets: Sequence[str], clock: Callable[[], float], resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self._changes = Changes(clock, _LEAST, _ANEW_S)
        self._counts: Counter[str] = Counter(sent=0, lost=0)
        self._talks: dict[int, socket.socket] = {}
        self._targets: list[_Target] = []
        for text in targets:
            self._targets.append(_Target(text, resolve))

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages sent, and lost where there was no way."""
        return dict(self._counts)

    def tell(self, state: State) -> None:
        """Send what is due; never waits."""
        for address, value in self._changes.pick(_messages(state)).items():
            try:
                packet = build(address, value)
            except OscError:
                self._counts["lost"] += 1
                continue
            for target in self._targets:
                self._counts["sent" if self._send(packet, target) else "lost"] += 1

    def close(self) -> None:
        """Send no more; any number of times."""
        for target in self._targets:
            target.close()
        for talk in self._talks.values():
            talk.close()
        self._targets.clear()
        self._talks.clear()

    def _send(self, packet: bytes, target: _Target) -> bool:
        if target.at is None:
            return False
        family, address = target.at
        try:
            if family not in self._talks:
                self._talks[family] = socket.socket(family, socket.SOCK_DGRAM)
                self._talks[family].setblocking(False)
                self._talks[family].setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._talks[family].sendto(packet, address)
        except OSError:
            return False
        return True


def _messages(state: State) -> dict[str, float | int | str]:
    values: dict[str, float | int | str | None] = {
        **{f"/latent/mood/{name}": float(value) for name, value in state.mood.items()},
        **{f"/latent/place/{name}": float(value) for name, value in state.place.items()},
        "/latent/piece": state.piece,
        "/latent/pattern": state.pattern,
        "/latent/loudness": state.loudness_lufs,
        "/latent/sounding": state.sounding,
    }
    return {address: value for address, value in values.items() if value is not None}
