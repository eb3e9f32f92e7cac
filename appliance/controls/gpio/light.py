"""The status light: one LED that says from across the room how things are."""

from typing import Any, Final

from gpiozero import OutputDevice

from appliance.controls.gpio.trouble import opening, told

__all__ = ["Light"]

# How often a second it blinks; 0 is steady.
_BLINKS_HZ: Final = {"sounding": 0.0, "hold": 1.0, "fault": 5.0}


class Light:
    """An LED.

    Parameters
    ----------
    pin : int
        BCM number.
    active_high : bool
        Whether it shines when the pin is high.
    pin_factory : gpiozero.Factory

    Raises
    ------
    SourceError
        If the pin cannot be had.
    """

    def __init__(self, pin: int, active_high: bool, pin_factory: Any) -> None:
        self._state = "fault"
        self._what = f"pin {pin}"
        with opening(self._what):
            self._device = OutputDevice(pin, active_high=active_high, pin_factory=pin_factory)

    def show(self, state: str) -> None:
        """Show this from now on: ``sounding`` (steady), ``hold`` (blinks slowly) or ``fault`` (blinks fast)."""
        if state not in _BLINKS_HZ:
            raise ValueError(f"the light shows {', '.join(_BLINKS_HZ)}, not {state}")
        self._state = state

    def turn(self, now_s: float) -> None:
        """Be on or off as it should be at this time, in monotonic seconds. Raises SourceError."""
        with told(self._what):
            self._device.value = (now_s * _BLINKS_HZ[self._state]) % 1.0 < 0.5

    def close(self) -> None:
        """Switch it off and let the pin go; any number of times."""
        self._device.close()
