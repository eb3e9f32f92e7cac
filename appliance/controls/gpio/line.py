"""One pin that is listened to."""

from collections.abc import Callable
from typing import Any, Final

from gpiozero import InputDevice

from appliance.controls.gpio.trouble import let_go, opening, told

__all__ = ["PULLS", "Line"]

Clock = Callable[[], float]

PULLS: Final = {"up": True, "down": False, "none": None}


class Line:
    """A pin that tells of its edges as they come.

    Parameters
    ----------
    pin : int
        BCM number.
    pull : {"up", "down", "none"}
        Pulled up it is active low, else active high.
    heard : callable
        Given whether it is active, and when that came about, by a thread of the driver: it must neither wait nor raise.
    pin_factory : gpiozero.Factory
    clock : callable
        Monotonic seconds.
    ignore_s : float or None
        Edges closer than this never reach Python: a wire that catches radio must not keep it busy.

    Raises
    ------
    SourceError
    """

    def __init__(
        self,
        pin: int,
        pull: str,
        heard: Callable[[bool, float], None],
        pin_factory: Any,
        clock: Clock,
        ignore_s: float | None = None,
    ) -> None:
        self._what = f"pin {pin}"
        self._heard = heard
        self._clock = clock
        self._inverted = pull == "up"
        self._device: Any = None
        with opening(self._what):
            pulled = PULLS[pull]
            active = True if pulled is None else None
            device = InputDevice(pin, pull_up=pulled, active_state=active, pin_factory=pin_factory)
            try:
                device.pin.bounce = ignore_s
                device.pin.edges = "both"
                device.pin.when_changed = self._edge
            except BaseException:
                let_go(device)
                raise
            self._device = device

    @property
    def active(self) -> bool:
        """Whether it is active now. Raises SourceError."""
        with told(self._what):
            return bool(self._device.pin.state) != self._inverted

    def close(self) -> None:
        """Let the pin go; any number of times."""
        if self._device is not None:
            device, self._device = self._device, None
            let_go(device)

    def _edge(self, _ticks: float, state: int) -> None:
        self._heard(bool(state) != self._inverted, self._clock())
