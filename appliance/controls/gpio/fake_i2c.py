"""An I2C bus that pretends, with ADS1115 chips on it."""

import errno
import os
import struct
from collections.abc import Sequence
from typing import Final

__all__ = ["FakeI2c"]

_CONVERSION: Final = 0
_CONFIG: Final = 1
_READY: Final = 0x8000
# What 3.3 V come to in a range of 4.096 V.
_FULL: Final = 3.3 / 4.096 * 32768


class FakeI2c:
    """Stands in for ``smbus2.SMBus``.

    Attributes
    ----------
    present : set of int
        Addresses at which a chip answers.
    stuck : bool
        Whether conversions never end.
    """

    def __init__(self) -> None:
        self.present = {0x48}
        self.stuck = False
        self._values: dict[tuple[int, int], float] = {}
        self._config: dict[int, int] = {}
        self._looks = 0

    def turn(self, address: int, channel: int, value: float) -> None:
        """Put a channel of a chip to 0..1 of 3.3 V; the chip is there from then on."""
        self.present.add(address)
        self._values[address, channel] = value

    def write_i2c_block_data(self, address: int, register: int, data: Sequence[int]) -> None:
        """Write a register, its high byte first."""
        self._check(address)
        if register == _CONFIG:
            self._config[address] = int.from_bytes(bytes(data), "big")
            self._looks = 0

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        """Read a register, its high byte first. A conversion is ready when it is asked for the second time."""
        self._check(address)
        config = self._config.get(address, 0x8583)
        if register == _CONVERSION:
            value = self._values.get((address, (config >> 12 & 7) - 4), 0.5)
            return list(struct.pack(">h", max(-32768, min(32767, round(value * _FULL)))))[:length]
        self._looks += 1
        ready = self._looks > 1 and not self.stuck
        return list((config | _READY if ready else config & ~_READY).to_bytes(2, "big"))[:length]

    def close(self) -> None:
        """Do nothing: others may use it."""

    def _check(self, address: int) -> None:
        if address not in self.present:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
