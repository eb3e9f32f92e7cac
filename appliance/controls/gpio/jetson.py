"""gpiozero's pins on a Jetson, by lgpio: its 40-pin header is laid out as a Raspberry Pi's."""

from pathlib import Path
from typing import Any, Final

import lgpio
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin

from appliance.controls.gpio.machine import Jetson, JetsonLine
from appliance.controls.source import SourceError

__all__ = ["JetsonFactory"]

# That of a Raspberry Pi 3B, for the layout of its header.
_REVISION: Final = 0xA02082


class _Chip:
    """An open GPIO chip, which is all that a pin of lgpio wants of its factory."""

    def __init__(self, number: int, lib: Any) -> None:
        self._lib = lib
        self._handle: int | None = lib.gpiochip_open(number)
        _, self._lines, _, self.label = lib.gpio_get_chip_info(self._handle)

    def offset_of(self, line: JetsonLine) -> int | None:
        """Find a line: older systems number them otherwise, but call them the same."""
        there = self._name(line.offset) if line.offset < self._lines else None
        if there == line.name:
            return line.offset
        named = (each for each in range(self._lines) if line.name and self._name(each) == line.name)
        return next(named, line.offset if there == "" else None)

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._lib.gpiochip_close(handle)

    def _name(self, offset: int) -> str:
        name: str = self._lib.gpio_get_line_info(self._handle, offset)[3]
        return name.strip()


class _JetsonPin(LGPIOPin):  # type: ignore[misc]
    """A pin of lgpio that is a line of one of several chips."""

    def __init__(self, factory: "JetsonFactory", info: Any) -> None:
        # Made before the pin claims its line.
        self._chip, self._offset = factory.line(int(info.name.removeprefix("GPIO")))
        super().__init__(factory, info)

    @property
    def factory(self) -> _Chip:
        return self._chip

    @property
    def _number(self) -> int:
        return self._offset

    @_number.setter
    def _number(self, number: int) -> None:
        """Leave it: gpiozero sets the BCM number, lgpio is to see the line's."""


class JetsonFactory(LGPIOFactory):  # type: ignore[misc]
    """Makes pins of a Jetson by their BCM numbers.

    Parameters
    ----------
    jetson : Jetson
    devices : Path
        Where the system keeps its GPIO chips.
    lib : module
        lgpio; a test gives another.

    Raises
    ------
    SourceError
        If there is no GPIO chip, or none that may be opened.
    """

    def __init__(self, jetson: Jetson, devices: Path = Path("/dev"), lib: Any = lgpio) -> None:
        # LGPIOFactory itself would open a chip by the revision of the Pi that this is not.
        super(LGPIOFactory, self).__init__()
        self.pin_class = _JetsonPin
        self._handle = None
        self._chip = None
        self._jetson = jetson
        self._chips: dict[str, _Chip] = {}
        wanted = {line.chip for line in jetson.lines.values()}
        numbers = sorted(int(path.name.removeprefix("gpiochip")) for path in devices.glob("gpiochip[0-9]*"))
        for number in numbers:
            try:
                chip = _Chip(number, lib)
            except lib.error:
                continue
            if chip.label in wanted and chip.label not in self._chips:
                self._chips[chip.label] = chip
            else:
                chip.close()
        if not self._chips:
            raise SourceError(
                f"the pins of this {jetson.name} cannot be opened: add this user to the group gpio and start again"
                if numbers
                else "there are no GPIO pins on this machine"
            )

    def line(self, bcm: int) -> tuple[_Chip, int]:
        """Give chip and offset of a pin. Raises SourceError where there is none."""
        line = self._jetson.lines.get(bcm)
        if line is None:
            raise SourceError(f"pin {bcm} is no GPIO pin on a {self._jetson.name}: take one of {self._known()}")
        chip = self._chips.get(line.chip)
        offset = None if chip is None else chip.offset_of(line)
        if chip is None or offset is None:
            raise SourceError(f"pin {bcm} was not found on this {self._jetson.name}: take another")
        return chip, offset

    def close(self) -> None:
        """Let all pins and chips go."""
        for pin in self.pins.values():
            pin.close()
        self.pins.clear()
        for chip in getattr(self, "_chips", {}).values():
            chip.close()

    def _known(self) -> str:
        return ", ".join(str(each) for each in sorted(self._jetson.lines))

    def _get_revision(self) -> int:
        return _REVISION
