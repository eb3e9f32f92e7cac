"""A channel of an analogue-to-digital chip on the SPI bus."""

from collections.abc import Sequence
from typing import Any, Final

import gpiozero
from gpiozero.mixins import SharedMixin

from appliance.controls.gpio.line import Clock
from appliance.controls.gpio.trouble import opening, told
from appliance.controls.source import Event, Position, SourceError

__all__ = ["CHIPS", "Adc"]

CHIPS: Final = {"mcp3004": gpiozero.MCP3004, "mcp3008": gpiozero.MCP3008, "mcp3208": gpiozero.MCP3208}
_CHANNELS: Final = {"mcp3004": 4, "mcp3008": 8, "mcp3208": 8}


class Adc:
    """One channel, 0..1 of the chip's reference voltage.

    Parameters
    ----------
    chip : {"mcp3004", "mcp3008", "mcp3208"}
    channel : int
    device : int
        Which of the two select pins it hangs on: 0 is CE0, 1 is CE1.
    pin_factory : gpiozero.Factory
    clock : callable
        Monotonic seconds.

    Raises
    ------
    SourceError
        If there is no such channel or no SPI; as it is read, if the bus fails.
    """

    bus = "spi"
    every_s = 0.01

    def __init__(self, chip: str, channel: int, device: int, pin_factory: Any, clock: Clock) -> None:
        self._clock = clock
        self._what = f"the {chip.upper()} at CE{device}"
        self._channel: Any = None
        if not 0 <= channel < _CHANNELS[chip]:
            raise SourceError(f"{self._what} has no channel {channel}: take 0 to {_CHANNELS[chip] - 1}")
        with opening(self._what):
            if gpiozero.Device.pin_factory is None:
                # Its SPI by hand asks for it, whatever it is given.
                gpiozero.Device.pin_factory = pin_factory
            self._channel = CHIPS[chip](channel, device=device, pin_factory=pin_factory)
            self._most = 2**self._channel.bits - 1

    def read(self) -> Sequence[Event]:
        """Give where it stands."""
        with told(self._what):
            # gpiozero's own `value` of nothing is not quite 0.
            value = self._channel.raw_value / self._most
        return [Position(value, self._clock())]

    def close(self) -> None:
        """Let go of the channel; any number of times."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            _close(channel)


def _close(channel: Any) -> None:
    """Close a channel, and forget at once what it shared with others if it was the last.

    gpiozero lends each shared object a ``close`` that holds the object itself. So it would die whenever the garbage is
    collected, and take with it the place of its successor, to which no further channel could be opened then.
    """
    shared = [channel._spi, getattr(channel._spi, "_bus", None)]
    channel.close()
    for each in shared:
        if isinstance(each, SharedMixin) and each.closed:
            vars(each).pop("close", None)
