"""Rotary encoders: two contacts that open and close one after the other, in the order in which it is turned."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from appliance.controls.gpio.contact import Flutter
from appliance.controls.gpio.digital import Button
from appliance.controls.gpio.line import Clock, Line
from appliance.controls.source import Event, Press, SourceError, Step

__all__ = ["Encoder", "Quadrature"]

# Where each pair of contacts stands within a detent, in quarters.
_QUARTER: Final = {(False, False): 0, (True, False): 1, (True, True): 2, (False, True): 3}
# A turn of the usual 24 detents in half a second, without taking it anew, is beyond fingers.
_MOST_STEPS: Final = 24
_WITHIN_S: Final = 0.5
# So long after it has changed, the driver must have reported it.
_UNREPORTED_S: Final = 0.1
_MOST_EDGES: Final = 4096


class Quadrature:
    """Counts detents from the edges of both contacts, one after the other.  Pure.

    A contact that bounces goes to and fro between two quarters, which adds up to nothing; a detent is done where both
    contacts are open again, and the way there was not the way back.

    Parameters
    ----------
    a, b : bool
        Whether each is closed, at first.
    """

    def __init__(self, a: bool, b: bool) -> None:
        self.closed = [a, b]
        self._quarters = 0

    def turn(self, contact: int, closed: bool) -> int:
        """Take in that contact 0 or 1 closed or opened; give +1 or -1 where that ends a detent, else 0."""
        before = _QUARTER[self.closed[0], self.closed[1]]
        self.closed[contact] = closed
        now = _QUARTER[self.closed[0], self.closed[1]]
        self._quarters += (now - before + 1) % 4 - 1
        if now != 0:
            return 0
        # Two are enough for one that stood askew at first.
        step = (self._quarters > 1) - (self._quarters < -1)
        self._quarters = 0
        return step


class Encoder:
    """A rotary encoder, with or without a push button.

    Parameters
    ----------
    pins : pair of int
        BCM numbers of A and B, which are pulled up; clockwise is A first.
    push_pin : int or None
    steps : int
        Detents for the whole way.
    pin_factory : gpiozero.Factory
    clock : callable
        Monotonic seconds.

    Raises
    ------
    SourceError
        If a pin cannot be had; as it is read, while it turns as no hand can turn it.
    """

    bus = ""
    every_s = 0.01

    def __init__(self, pins: Sequence[int], push_pin: int | None, steps: int, pin_factory: Any, clock: Clock) -> None:
        self._pins = tuple(pins)
        self._steps = steps
        self._clock = clock
        self._edges: deque[tuple[int, bool, float]] = deque(maxlen=_MOST_EDGES)
        self._flutter = Flutter(_MOST_STEPS, _WITHIN_S, 0.0)
        self._differs_since_s: float | None = None
        self._parts: list[Line | Button] = []
        self._lines: list[Line] = []
        self._push: Button | None = None
        try:
            for contact, pin in enumerate(self._pins):
                line = Line(pin, "up", self._queue(contact), pin_factory, clock)
                self._parts.append(line)
                self._lines.append(line)
            if push_pin is not None:
                self._push = Button(push_pin, "up", pin_factory, clock)
                self._parts.append(self._push)
            self._quadrature = Quadrature(*[line.active for line in self._lines])
        except BaseException:
            self.close()
            raise

    def read(self) -> Sequence[Event]:
        """Give the steps and presses since it was read last."""
        events = self._turned()
        now_s = self._clock()
        pressed = [] if self._push is None else self._push.read()
        if self._flutter.rate_hz(now_s) is not None:
            raise SourceError(f"{self._named()} turn faster than a hand can turn them: is a wire loose?")
        self._check_that_edges_come(now_s)
        return sorted([*events, *(each for each in pressed if isinstance(each, Press))], key=lambda each: each.at_s)

    def close(self) -> None:
        """Let go of the pins; any number of times."""
        for part in self._parts:
            part.close()

    def _queue(self, contact: int) -> Any:
        return lambda closed, at_s: self._edges.append((contact, closed, at_s))

    def _turned(self) -> list[Event]:
        events: list[Event] = []
        for _ in range(len(self._edges)):
            contact, closed, at_s = self._edges.popleft()
            self._differs_since_s = None
            step = self._quadrature.turn(contact, closed)
            if step:
                self._flutter.hear(at_s)
                events.append(Step(step / self._steps, at_s))
        return events

    def _check_that_edges_come(self, now_s: float) -> None:
        """Raise SourceError where the driver has fallen silent: a knob that turns in vain says nothing by itself."""
        if self._differs_since_s is None:
            if [line.active for line in self._lines] != self._quadrature.closed:
                self._differs_since_s = now_s
        elif now_s - self._differs_since_s > _UNREPORTED_S:
            raise SourceError(f"{self._named()} move, but nothing reports it: restart latent")

    def _named(self) -> str:
        return f"pins {self._pins[0]} and {self._pins[1]}"
