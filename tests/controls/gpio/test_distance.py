"""The distance sensor: what it measures, and that one which is unplugged hangs nobody."""

import threading
import time

import pytest

from appliance.controls.source import SourceError


@pytest.fixture
def sensor(bench):
    return bench.open("distance", trigger=4, echo=23, near_m=0.2, far_m=1.2)


@pytest.mark.parametrize(("metres", "way"), [(0.05, 0.0), (0.2, 0.0), (0.7, 0.5), (1.2, 1.0), (6.0, 1.0)])
def test_it_measures(bench, sensor, metres: float, way: float) -> None:
    bench.board.move_away(23, metres)
    (position,) = sensor.read()
    assert position.value == pytest.approx(way, abs=1e-6)
    assert position.at_s == 100.0


def test_one_odd_echo_is_passed_over(bench, sensor) -> None:
    values = []
    for metres in (0.7, 0.7, 5.0, 0.7, 0.7):
        bench.board.move_away(23, metres)
        values.append(sensor.read()[0].value)
    assert values == pytest.approx([0.5] * 5)


def test_one_that_is_unplugged_is_told_and_comes_back(bench, sensor) -> None:
    sensor.read()
    bench.board.unplug(23)
    began_s = time.monotonic()
    assert sensor.read() == []
    bench.wait(1.1)
    with pytest.raises(SourceError, match="no echo for more than 1 s"):
        sensor.read()
    assert time.monotonic() - began_s < 1.0
    bench.board.plug_in(23)
    assert sensor.read()[0].value == pytest.approx(0.8)


def test_an_echo_pin_that_stays_high_is_told(bench, sensor) -> None:
    bench.factory.pin(23).drive_high()
    assert sensor.read() == []
    bench.wait(1.1)
    with pytest.raises(SourceError, match="no echo"):
        sensor.read()


def test_each_has_a_bus_of_its_own_and_one_that_hangs_holds_no_other(bench, sensor) -> None:
    other = bench.open("distance", trigger=5, echo=24)
    assert (sensor.bus, other.bus) == ("echo 23", "echo 24")
    bench.board.ranger(23).hang(True)
    reader = threading.Thread(target=sensor.read)
    reader.start()
    reader.join(0.02)
    assert reader.is_alive()
    assert other.read()
    bench.board.ranger(23).hang(False)
    reader.join(5.0)
    assert not reader.is_alive()


def test_it_lets_go_of_both_pins(bench) -> None:
    taken = bench.open("button", pin=24)
    with pytest.raises(SourceError, match="pin 24 is in use"):
        bench.open("distance", trigger=5, echo=24)
    taken.close()
    sensor = bench.open("distance", trigger=5, echo=24)
    sensor.close()
    sensor.close()
    bench.open("button", pin=5)
    bench.open("button", pin=24)
