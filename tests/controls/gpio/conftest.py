"""A board of pretended parts and a clock that is turned by hand."""

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from appliance.controls.gpio.build import open_gpio
from appliance.controls.gpio.fakes import FakeBoard


class Bench:
    """Pins, parts, sources and time of one test."""

    def __init__(self) -> None:
        self.factory = MockFactory()
        self.board = FakeBoard.of(self.factory)
        self.now_s = 100.0
        self.sources = []

    def open(self, kind: str, **arguments):
        source = open_gpio(kind, arguments, self.factory, self.clock)
        self.sources.append(source)
        return source

    def clock(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def close(self) -> None:
        self.board.close()
        for source in self.sources:
            source.close()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Device, "pin_factory", None)
    made = Bench()
    yield made
    made.close()
