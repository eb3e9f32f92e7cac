"""What is on or off: buttons, switches, motion, touch, and any digital input."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from appliance.controls.gpio.contact import Contact
from appliance.controls.gpio.line import Clock, Line
from appliance.controls.source import Event, Position, Press, SourceError

__all__ = ["Button", "Digital", "Motion", "Switch", "Touch"]

_EVERY_S: Final = 0.01
_IGNORE_S: Final = 0.001
# As many as come in seconds of the worst there is, should nobody read them.
_MOST_EDGES: Final = 4096


class _OnOff:
    """A pin as a source: where it stands at first, and whenever that changes.

    Parameters
    ----------
    pin : int
        BCM number.
    pull : {"up", "down", "none"}
        Pulled up it is on when low, else when high.
    pin_factory : gpiozero.Factory
    clock : callable
        Monotonic seconds.

    Raises
    ------
    SourceError
        If the pin cannot be had; as it is read, while the pin switches as no hand can switch it.
    """

    bus = ""
    every_s = _EVERY_S
    _presses = False

    def __init__(self, pin: int, pull: str, pin_factory: Any, clock: Clock) -> None:
        self._clock = clock
        self._edges: deque[tuple[bool, float]] = deque(maxlen=_MOST_EDGES)
        self._line = Line(pin, pull, lambda on, at_s: self._edges.append((on, at_s)), pin_factory, clock, _IGNORE_S)
        self._pin = pin
        try:
            self._contact = Contact(self._line.active)
        except BaseException:
            self._line.close()
            raise
        self._standing_is_due = True

    def read(self) -> Sequence[Event]:
        """Give what it did since it was read last."""
        found = [self._contact.hear(*self._edges.popleft()) for _ in range(len(self._edges))]
        now_s = self._clock()
        found.append(self._contact.look(self._line.active, now_s))
        rate_hz = self._contact.rate_hz(now_s)
        if rate_hz is not None:
            self._standing_is_due = True
            raise SourceError(f"pin {self._pin} switches {rate_hz:.0f} times a second: is its wire loose?")
        if self._standing_is_due:
            # What it did before nobody knows for sure.
            self._standing_is_due = False
            return [Position(float(self._contact.closed), now_s)]
        events: list[Event] = []
        for change in found:
            if change is not None:
                events.append(Position(float(change.closed), change.at_s))
                if change.closed and self._presses:
                    events.append(Press(change.at_s))
        return events

    def close(self) -> None:
        """Let go of the pin; any number of times."""
        self._line.close()


class Button(_OnOff):
    """A button that springs back: pressing it is something that is done, and holding it is a position, 1."""

    _presses = True


class Switch(_OnOff):
    """A switch that stays where it is put."""


class Digital(_OnOff):
    """Any other thing that is on or off."""


class Motion(_OnOff):
    """A PIR sensor: 1 while it sees somebody move."""

    def __init__(self, pin: int, pin_factory: Any, clock: Clock) -> None:
        # Pulled down, so that one which is unplugged sees nobody.
        super().__init__(pin, "down", pin_factory, clock)


class Touch(_OnOff):
    """A capacitive module, whose output is high while it is touched."""

    _presses = True

    def __init__(self, pin: int, pin_factory: Any, clock: Clock) -> None:
        super().__init__(pin, "down", pin_factory, clock)
