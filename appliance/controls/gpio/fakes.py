"""A board of pretended parts, for tests and for a laptop: turn, press, shake and break them, and the sources notice."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from gpiozero.pins.mock import MockFactory

from appliance.controls.gpio.adc import CHIPS
from appliance.controls.gpio.fake_chip import FakeAdc, FakeRanger
from appliance.controls.gpio.fake_i2c import FakeI2c

__all__ = ["FakeBoard"]


class FakeBoard:
    """All parts that hang on the pins of one of gpiozero's mock factories.

    Parameters
    ----------
    factory : gpiozero.pins.mock.MockFactory
    rng : random.Random, optional
        For the noise; always the same if absent.

    Attributes
    ----------
    i2c : FakeI2c
    """

    def __init__(self, factory: MockFactory, rng: random.Random | None = None) -> None:
        self.i2c = FakeI2c()
        self._factory = factory
        self._rng = rng or random.Random(0)
        self._adcs: dict[int, FakeAdc] = {}
        self._rangers: dict[int, FakeRanger] = {}
        factory.board = self

    @classmethod
    def of(cls, factory: Any) -> "FakeBoard | None":
        """Give the board of a factory; None where the pins are real."""
        if not isinstance(factory, MockFactory):
            return None
        return getattr(factory, "board", None) or cls(factory)

    def wire(self, kind: str, arguments: Mapping[str, Any]) -> None:
        """Put the part there that such a source will look for, unless it is there; plain pins need none."""
        if kind in CHIPS:
            self.adc(arguments.get("device", 0), kind)
        elif kind == "distance":
            echo = arguments["echo"]
            if echo not in self._rangers:
                self._rangers[echo] = FakeRanger(arguments["trigger"], echo, self._factory)

    def move(self, kind: str, arguments: Mapping[str, Any], value: float | None) -> None:
        """Do to a part what a visitor would: turn it to a share of its way, 0..1, or press and release it for None.

        An encoder, which has no place, is turned by that share.
        """
        if kind in CHIPS:
            self.adc(arguments.get("device", 0), kind).turn(arguments["channel"], value or 0.0)
        elif kind == "ads1115":
            self.i2c.turn(arguments.get("address", 0x48), arguments["channel"], value or 0.0)
        elif kind == "distance":
            near_m, far_m = arguments.get("near_m", 0.2), arguments.get("far_m", 1.5)
            self.move_away(arguments["echo"], near_m + (far_m - near_m) * (value or 0.0))
        elif kind == "encoder" and value is not None:
            a, b = arguments["pins"]
            self.turn_encoder(a, b, round(value * arguments.get("steps", 24)))
        else:
            pin = arguments["push_pin" if kind == "encoder" else "pin"]
            if value is None or value >= 0.5:
                self.press(pin)
            if value is None or value < 0.5:
                self.release(pin)

    def adc(self, device: int, chip: str = "mcp3008") -> FakeAdc:
        """Give the chip at a select pin; of this kind, if there is none yet."""
        if device not in self._adcs:
            self._adcs[device] = FakeAdc(chip, device, self._factory, self._rng)
        return self._adcs[device]

    def turn_adc(self, device: int, channel: int, value: float) -> None:
        """Turn a knob at a chip to 0..1."""
        self.adc(device).turn(channel, value)

    def press(self, pin: int, bounces: int = 0) -> None:
        """Close the contact at a pin, which bounces so many times."""
        self._put(pin, True, bounces)

    def release(self, pin: int, bounces: int = 0) -> None:
        """Open it again."""
        self._put(pin, False, bounces)

    def turn_encoder(self, a: int, b: int, detents: int, bounces: int = 0) -> None:
        """Turn an encoder by detents, A first if they are positive; each contact bounces so many times each time."""
        first, second = (a, b) if detents > 0 else (b, a)
        for _ in range(abs(detents)):
            for pin, closed in ((first, True), (second, True), (first, False), (second, False)):
                self._put(pin, closed, bounces)

    def move_away(self, echo: int, metres: float) -> None:
        """Let somebody stand so far from the distance sensor at an echo pin."""
        self.ranger(echo).metres = metres

    def unplug(self, echo: int) -> None:
        """Pull the plug of a distance sensor; `ranger` can do more."""
        self.ranger(echo).plugged = False

    def plug_in(self, echo: int) -> None:
        """Put it back."""
        self.ranger(echo).plugged = True

    def ranger(self, echo: int) -> FakeRanger:
        """Give the distance sensor at an echo pin, which was wired before. Raises KeyError."""
        return self._rangers[echo]

    def hum(self, pin: int, edges: int) -> None:
        """Let a loose wire catch so many edges."""
        for _ in range(edges):
            self._drive(pin, not self._factory.pin(pin).state)

    def close(self) -> None:
        """Let go of whoever waits for a part that hangs."""
        for adc in self._adcs.values():
            adc.close()
        for ranger in self._rangers.values():
            ranger.hang(False)

    def _put(self, pin: int, closed: bool, bounces: int) -> None:
        high = closed != (self._factory.pin(pin).pull == "up")
        for level in _bounced(high, bounces):
            self._drive(pin, level)

    def _drive(self, pin: int, high: bool) -> None:
        wire = self._factory.pin(pin)
        (wire.drive_high if high else wire.drive_low)()


def _bounced(level: bool, bounces: int) -> Sequence[bool]:
    return [level, *[not level, level] * bounces]
