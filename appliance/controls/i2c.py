"""A channel of an ADS1115 on the I2C bus; no other file imports `smbus2`."""

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from appliance.controls.gpio.machine import jetson_of
from appliance.controls.source import Event, Position, SourceError

__all__ = ["Ads1115", "Bus", "open_ads1115", "open_bus"]

Clock = Callable[[], float]

_CONVERSION: Final = 0
_CONFIG: Final = 1
_READY: Final = 0x8000
# Start one conversion of a single channel against ground, +-4.096 V, 860 samples a second, no comparator.
_START: Final = _READY | 0x4000 | 0x0200 | 0x0100 | 0x00E0 | 0x0003
_CHANNEL_SHIFT: Final = 12
_FULL: Final = 3.3 / 4.096 * 32768
# One takes 1.2 ms.
_WAIT_S: Final = 0.001
_LOOKS: Final = 20


class Bus(Protocol):
    """An I2C bus, as ``smbus2.SMBus`` is one."""

    def write_i2c_block_data(self, address: int, register: int, data: Sequence[int], /) -> Any:
        """Write bytes to a register. Raises OSError."""

    def read_i2c_block_data(self, address: int, register: int, length: int, /) -> Sequence[int]:
        """Read bytes of a register. Raises OSError."""

    def close(self) -> None:
        """Let the bus go."""


class Ads1115:
    """One channel of an ADS1115, 0..1 of 3.3 V.

    Parameters
    ----------
    bus : Bus
        Is closed with it.
    channel : int
        0 to 3.
    address : int
        0x48 to 0x4b.
    clock : callable
        Monotonic seconds.
    wait : callable
        As `time.sleep`.
    """

    bus = "i2c"
    every_s = 0.01

    def __init__(
        self, bus: Bus, channel: int, address: int, clock: Clock, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._bus = bus
        self._config = list((_START | channel << _CHANNEL_SHIFT).to_bytes(2, "big"))
        self._address = address
        self._clock = clock
        self._wait = wait
        self._closed = False

    def read(self) -> Sequence[Event]:
        """Measure once.

        Raises
        ------
        SourceError
            If nothing answers, or the measurement does not end.
        """
        try:
            code = self._measure()
        except OSError as error:
            raise SourceError(self._sentence(error)) from error
        return [Position(min(1.0, max(0.0, code / _FULL)), self._clock())]

    def close(self) -> None:
        """Let go of the bus; any number of times."""
        if not self._closed:
            self._closed = True
            self._bus.close()

    def _measure(self) -> int:
        self._bus.write_i2c_block_data(self._address, _CONFIG, self._config)
        for _ in range(_LOOKS):
            self._wait(_WAIT_S)
            if self._word(_CONFIG) & _READY:
                code = self._word(_CONVERSION)
                return code - 0x10000 if code & 0x8000 else code
        raise SourceError(f"the ADS1115 at 0x{self._address:x} never ends its measurement: check its wires")

    def _word(self, register: int) -> int:
        return int.from_bytes(bytes(self._bus.read_i2c_block_data(self._address, register, 2)), "big")

    def _sentence(self, error: OSError) -> str:
        if error.errno in (errno.EIO, errno.EREMOTEIO, errno.ENXIO):
            return f"nothing answers at 0x{self._address:x}: check the wires of the ADS1115 and where its ADDR pin goes"
        return f"the I2C bus fails ({error.strerror or error}): check its wires"


def open_ads1115(arguments: Mapping[str, Any], clock: Clock, bus: Bus | None = None) -> Ads1115:
    """Open a channel of an ADS1115.

    Parameters
    ----------
    arguments : mapping
        ``channel``, and ``address`` (0x48 if absent).
    clock : callable
        Monotonic seconds.
    bus : Bus, optional
        The machine's own if absent; `FakeBoard.i2c` pretends to be one.

    Raises
    ------
    SourceError
        If there is no I2C bus, or it may not be used.
    """
    return Ads1115(bus or open_bus(), arguments["channel"], arguments.get("address", 0x48), clock)


def open_bus() -> Bus:
    """Open the bus at pins 3 and 5 of the header. Raises SourceError."""
    from smbus2 import SMBus

    try:
        jetson = jetson_of()
    except LookupError:
        jetson = None
    number = 1 if jetson is None else jetson.i2c_bus
    try:
        bus: Bus = SMBus(number)
    except FileNotFoundError as error:
        mend = "switch it on with raspi-config" if jetson is None else "switch it on with jetson-io"
        raise SourceError(f"there is no I2C bus here (/dev/i2c-{number}): {mend} and start again") from error
    except PermissionError as error:
        raise SourceError(
            f"this user may not use /dev/i2c-{number}: add it to the group i2c and start again"
        ) from error
    except OSError as error:
        raise SourceError(f"/dev/i2c-{number} cannot be opened ({error.strerror})") from error
    return bus
