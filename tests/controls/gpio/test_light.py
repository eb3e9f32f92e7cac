"""The status light's patterns, as the pin sees them."""

import pytest

from appliance.controls.gpio.light import Light
from appliance.controls.source import SourceError


def pattern(bench, light, pin: int, seconds: float = 2.0) -> str:
    shown = ""
    for tick in range(round(seconds / 0.05)):
        light.turn(tick * 0.05 + 0.001)
        shown += "#" if bench.factory.pin(pin).state else "."
    return shown


def test_the_three_are_told_apart_within_two_seconds(bench) -> None:
    light = Light(25, True, bench.factory)
    light.show("sounding")
    assert pattern(bench, light, 25) == "#" * 40
    light.show("hold")
    assert pattern(bench, light, 25) == ("#" * 10 + "." * 10) * 2
    light.show("fault")
    assert pattern(bench, light, 25) == "##.." * 10


def test_one_that_shines_when_low(bench) -> None:
    light = Light(25, False, bench.factory)
    assert bench.factory.pin(25).state
    light.show("sounding")
    assert pattern(bench, light, 25) == "." * 40
    light.close()
    light.close()


def test_a_pin_in_use_and_a_word_that_is_none_are_refused(bench) -> None:
    light = Light(25, True, bench.factory)
    with pytest.raises(SourceError, match="pin 25 is in use"):
        Light(25, True, bench.factory)
    with pytest.raises(ValueError, match="sounding, hold, fault"):
        light.show("party")
    light.close()
