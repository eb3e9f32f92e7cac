"""How far away somebody is: an HC-SR04 answers a trigger with an echo as long as the sound was under way.

gpiozero's own `DistanceSensor` waits for ever for one that is unplugged, and keeps its last distance once its thread
has died. Here each reading asks for one echo, and waits for it for a while.
"""

import statistics
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from gpiozero import InputDevice, OutputDevice

from appliance.controls.gpio.line import Clock
from appliance.controls.gpio.trouble import let_go, opening, told
from appliance.controls.source import Event, Position, SourceError

__all__ = ["Distance"]

_METRES_PER_S: Final = 343.26
_TRIGGER_S: Final = 1e-5
# With nobody in front of it, it gives up after 38 ms.
_ECHO_S: Final = 0.06
_SILENT_S: Final = 1.0
# One that hears another's sound would take it for its own.
_ONE_AT_A_TIME: Final = threading.Lock()


class Distance:
    """An HC-SR04: 0 at ``near_m`` and nearer, 1 at ``far_m`` and farther.

    Parameters
    ----------
    trigger, echo : int
        BCM numbers. The echo has 5 V, to be brought down to 3.3 V before it reaches the pin.
    near_m, far_m : float
    pin_factory : gpiozero.Factory
    clock : callable
        Monotonic seconds.

    Raises
    ------
    SourceError
        If a pin cannot be had; as it is read, if there is no echo for a second.
    """

    every_s = 0.06

    def __init__(self, trigger: int, echo: int, near_m: float, far_m: float, pin_factory: Any, clock: Clock) -> None:
        # It is waited for, so it has a thread of its own.
        self.bus = f"echo {echo}"
        self._near_m, self._far_m = near_m, far_m
        self._factory = pin_factory
        self._clock = clock
        self._ticks: dict[bool, Any] = {}
        self._fell = threading.Event()
        self._last_m: deque[float] = deque(maxlen=3)
        self._heard_s = clock()
        self._trigger: Any = None
        self._echo: Any = None
        try:
            with opening(f"pin {trigger}"):
                self._trigger = OutputDevice(trigger, pin_factory=pin_factory)
            with opening(f"pin {echo}"):
                # Pulled down, so that no wire at all is no echo.
                self._echo = InputDevice(echo, pull_up=False, pin_factory=pin_factory)
                self._echo.pin.edges = "both"
                self._echo.pin.when_changed = self._edge
        except BaseException:
            self.close()
            raise

    def read(self) -> Sequence[Event]:
        """Ask for an echo, and give the middle one of the last three."""
        with told(f"the distance sensor at pin {self.bus.split()[1]}"):
            metres = self._measure()
        now_s = self._clock()
        if metres is None:
            if now_s - self._heard_s > _SILENT_S:
                self._last_m.clear()
                raise SourceError("no echo for more than 1 s: check the sensor's plug and its trigger and echo wires")
            return []
        self._heard_s = now_s
        self._last_m.append(metres)
        way = (statistics.median(self._last_m) - self._near_m) / (self._far_m - self._near_m)
        return [Position(min(1.0, max(0.0, way)), now_s)]

    def close(self) -> None:
        """Let go of the pins; any number of times."""
        for device in (self._echo, self._trigger):
            if device is not None and not device.closed:
                let_go(device)

    def _measure(self) -> float | None:
        if self._echo.is_active:
            # Its last echo is not over, or the wire is where it should not be.
            return None
        # The longest that another takes, unless it hangs.
        alone = _ONE_AT_A_TIME.acquire(timeout=_ECHO_S)
        try:
            self._ticks.clear()
            self._fell.clear()
            self._trigger.on()
            time.sleep(_TRIGGER_S)
            self._trigger.off()
            heard = self._fell.wait(_ECHO_S)
        finally:
            if alone:
                _ONE_AT_A_TIME.release()
        if not heard or True not in self._ticks:
            return None
        return float(self._factory.ticks_diff(self._ticks[False], self._ticks[True])) * _METRES_PER_S / 2.0

    def _edge(self, ticks: Any, state: int) -> None:
        self._ticks[bool(state)] = ticks
        if not state:
            self._fell.set()
