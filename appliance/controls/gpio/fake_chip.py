"""Chips that pretend: each speaks what the real one speaks, bit by bit, on gpiozero's mock pins."""

import random
import threading
from typing import Any, Final

from gpiozero.pins.data import SPI_HARDWARE_PINS
from gpiozero.pins.mock import MockFactory, MockPin, MockSPIDevice
from gpiozero.pins.pi import PiPin

__all__ = ["BREAKAGES", "FakeAdc", "FakeRanger"]

BREAKAGES: Final = ("absent", "pegged", "noise", "hang")
"""How an ADC breaks: it is not there, says full scale, says anything, or never answers."""

_METRES_PER_S: Final = 343.26
_BITS: Final = {"mcp3004": 10, "mcp3008": 10, "mcp3208": 12}


class FakeAdc(MockSPIDevice):  # type: ignore[misc]
    """An MCP3004, MCP3008 or MCP3208.

    Parameters
    ----------
    chip : {"mcp3004", "mcp3008", "mcp3208"}
    device : int
        0 at CE0, 1 at CE1.
    factory : gpiozero.pins.mock.MockFactory
    rng : random.Random

    Attributes
    ----------
    noise_lsb : float
        Each reading is off by up to so many steps.
    """

    def __init__(self, chip: str, device: int, factory: MockFactory, rng: random.Random) -> None:
        pins = SPI_HARDWARE_PINS[0]
        # Before the base class, which counts what it is given as soon as a pin moves.
        self.noise_lsb = 0.0
        # A knob that nobody turned yet stands half way: at its end it would be taken for a wire that is off.
        self._values = [0.5] * 8
        self._bits = _BITS[chip]
        self._rng = rng
        self._breakage: str | None = None
        self._answers = threading.Event()
        self._answers.set()
        self._wires: list[MockPin] = []
        super().__init__(pins["clock"], pins["mosi"], pins["miso"], pins["select"][device], pin_factory=factory)
        self._wires += [self.clock_pin, self.mosi_pin, self.miso_pin, self.select_pin]

    def turn(self, channel: int, value: float) -> None:
        """Put a channel to 0..1 of the reference voltage."""
        self._values[channel] = value

    def break_(self, breakage: str | None) -> None:
        """Break it in one of the `BREAKAGES`, or mend it with None."""
        if breakage is not None and breakage not in BREAKAGES:
            raise ValueError(f"an ADC can be {', '.join(BREAKAGES)}, not {breakage}")
        self._breakage = breakage
        (self._answers.clear if breakage == "hang" else self._answers.set)()

    def close(self) -> None:
        """Unplug it; whoever waits for it goes on."""
        self._answers.set()
        super().close()

    def on_bit(self) -> None:
        """Answer once the start bit, the mode and three bits of the channel have come."""
        if not self.rx_buf[0]:
            # The chip waits for the start bit.
            self.rx_buf.pop(0)
            return
        if len(self.rx_buf) == 5:
            self._answers.wait()
            for wire in self._wires:
                # A mock pin remembers each of its states, which are thousands a second.
                wire.clear_states()
            # Two bits go by while it measures; the second is always 0.
            self.tx_word(self._code(self.rx_word() & 7), self._bits + 2)

    def _code(self, channel: int) -> int:
        full: int = 2**self._bits - 1
        if self._breakage in ("absent", "pegged"):
            return full if self._breakage == "pegged" else 0
        if self._breakage == "noise":
            return self._rng.randint(0, full)
        code: float = self._values[channel] * full + self._rng.uniform(-1.0, 1.0) * self.noise_lsb
        return min(full, max(0, round(code)))


class _Trigger(MockPin):  # type: ignore[misc]
    ranger: "FakeRanger | None" = None

    def _set_state(self, value: Any) -> None:
        falls = self.state and not value
        super()._set_state(value)
        if falls and self.ranger is not None:
            self.ranger.answer()


class _Echo(MockPin):  # type: ignore[misc]
    def pulse(self, width_s: float) -> None:
        """Be high for so long, without anybody having to wait for it."""
        self.drive_high()
        rose = self._last_change
        if self._change_state(False) and self._when_changed is not None:
            PiPin._call_when_changed(self, rose + width_s, False)


class FakeRanger:
    """An HC-SR04, to be made before anything else uses its pins.

    Parameters
    ----------
    trigger, echo : int
        BCM numbers.
    factory : gpiozero.pins.mock.MockFactory

    Attributes
    ----------
    metres : float
        How far away somebody stands.
    plugged : bool
        Whether it answers.
    """

    def __init__(self, trigger: int, echo: int, factory: MockFactory) -> None:
        self.metres = 1.0
        self.plugged = True
        self._answers = threading.Event()
        self._answers.set()
        self._echo = factory.pin(echo, pin_class=_Echo)
        self._trigger = factory.pin(trigger, pin_class=_Trigger)
        self._trigger.ranger = self

    def hang(self, hangs: bool) -> None:
        """Let whoever triggers it wait until it hangs no more."""
        (self._answers.clear if hangs else self._answers.set)()

    def answer(self) -> None:
        """Give an echo, as it does when it was triggered."""
        self._answers.wait()
        for wire in (self._trigger, self._echo):
            wire.clear_states()
        if self.plugged:
            self._echo.pulse(2.0 * self.metres / _METRES_PER_S)
