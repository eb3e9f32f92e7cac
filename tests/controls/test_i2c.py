"""The ADS1115: what it measures, and each way the bus fails in a sentence."""

import errno

import pytest
import smbus2

from appliance.controls import i2c
from appliance.controls.gpio.fake_i2c import FakeI2c
from appliance.controls.i2c import Ads1115, open_ads1115
from appliance.controls.source import Position, SourceError


@pytest.fixture
def bus() -> FakeI2c:
    return FakeI2c()


def opened(bus, channel: int = 0, address: int = 0x48) -> Ads1115:
    return Ads1115(bus, channel, address, lambda: 7.0, lambda seconds: None)


def test_each_channel_gives_its_own_and_3_3_v_is_all(bus: FakeI2c) -> None:
    values = (0.0, 0.25, 0.5, 1.0)
    for channel, value in enumerate(values):
        bus.turn(0x48, channel, value)
        bus.turn(0x4B, channel, 1.0 - value)
    for address in (0x48, 0x4B):
        found = [opened(bus, channel, address).read() for channel in range(4)]
        assert [each[0].at_s for each in found] == [7.0] * 4
        wanted = values if address == 0x48 else tuple(1.0 - value for value in values)
        assert [each[0].value for each in found] == pytest.approx(wanted, abs=1e-4)


def test_it_is_started_as_the_data_sheet_says() -> None:
    written = []

    class Ear(FakeI2c):
        def write_i2c_block_data(self, address, register, data):
            written.append((address, register, list(data)))
            super().write_i2c_block_data(address, register, data)

    opened(Ear(), 2).read()
    # Start, AIN2 against ground, 4.096 V, one at a time; 860 a second, no comparator.
    assert written == [(0x48, 1, [0b1_110_001_1, 0b111_0_0_0_11])]


@pytest.mark.parametrize(("value", "given"), [(-0.01, 0.0), (1.2, 1.0)])
def test_what_is_below_ground_or_above_the_supply_is_at_the_end(bus: FakeI2c, value: float, given: float) -> None:
    bus.turn(0x48, 0, value)
    assert opened(bus).read() == [Position(given, 7.0)]


def test_one_that_is_unplugged_is_told_and_comes_back(bus: FakeI2c) -> None:
    bus.present.clear()
    source = opened(bus, address=0x49)
    with pytest.raises(SourceError, match="nothing answers at 0x49: check the wires of the ADS1115"):
        source.read()
    bus.turn(0x49, 0, 0.5)
    assert source.read()[0].value == pytest.approx(0.5, abs=1e-4)


def test_one_that_is_never_ready_is_told_after_a_while(bus: FakeI2c) -> None:
    bus.stuck = True
    waits = []
    with pytest.raises(SourceError, match="0x48 never ends its measurement"):
        Ads1115(bus, 0, 0x48, lambda: 7.0, waits.append).read()
    assert 0.005 < sum(waits) < 0.05


def test_another_failure_is_told(bus: FakeI2c, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "read_i2c_block_data", fail_with(OSError(errno.ETIMEDOUT, "Connection timed out")))
    with pytest.raises(SourceError, match=r"the I2C bus fails \(Connection timed out\): check its wires"):
        opened(bus).read()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file"),
            "there is no I2C bus here .*: switch it on with raspi-config",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), "add it to the group i2c"),
        (OSError(errno.EIO, "Input/output error"), r"/dev/i2c-1 cannot be opened \(Input/output error\)"),
    ],
)
def test_a_bus_that_cannot_be_opened_is_told(monkeypatch: pytest.MonkeyPatch, error: OSError, why: str) -> None:
    monkeypatch.setattr(smbus2, "SMBus", fail_with(error))
    with pytest.raises(SourceError, match=why):
        open_ads1115({"channel": 0}, lambda: 7.0)


def test_it_is_opened_by_the_names_of_the_settings_and_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Bus(FakeI2c):
        def close(self):
            closed.append(self)

    bus = Bus()
    bus.turn(0x4A, 3, 1.0)
    monkeypatch.setattr(i2c, "open_bus", lambda: bus)
    source = open_ads1115({"channel": 3, "address": 0x4A, "part": "knob"}, lambda: 7.0)
    assert source.read() == [Position(1.0, 7.0)]
    source.close()
    source.close()
    assert closed == [bus]


def fail_with(error: OSError):
    def fail(*_: object) -> None:
        raise error

    return fail
