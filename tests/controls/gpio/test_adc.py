"""Analogue-to-digital chips, spoken to bit by bit."""

import gc
import threading

import pytest

from appliance.controls.gpio import trouble
from appliance.controls.gpio.adc import Adc
from appliance.controls.gpio.fake_chip import BREAKAGES
from appliance.controls.source import Position, SourceError


@pytest.mark.parametrize(("kind", "channels", "bits"), [("mcp3004", 4, 10), ("mcp3008", 8, 10), ("mcp3208", 8, 12)])
def test_all_channels_of_a_chip_are_read_at_once(bench, kind: str, channels: int, bits: int) -> None:
    sources = [bench.open(kind, channel=channel) for channel in range(channels)]
    for channel in range(channels):
        bench.board.turn_adc(0, channel, channel / (channels - 1))
    for channel, source in enumerate(sources):
        (position,) = source.read()
        assert position.at_s == 100.0
        assert position.value == pytest.approx(channel / (channels - 1), abs=0.5 / (2**bits - 1))
    assert sources[0].read() == [Position(0.0, 100.0)]
    assert sources[-1].read() == [Position(1.0, 100.0)]


def test_two_chips_share_the_bus(bench) -> None:
    left, right = bench.open("mcp3008", channel=3), bench.open("mcp3208", channel=3, device=1)
    bench.board.turn_adc(0, 3, 0.25)
    bench.board.turn_adc(1, 3, 0.75)
    assert left.read()[0].value == pytest.approx(0.25, abs=0.001)
    left.close()
    assert right.read()[0].value == pytest.approx(0.75, abs=0.001)
    assert left.bus == right.bus == "spi"


def test_closing_frees_every_pin(bench) -> None:
    sources = [bench.open("mcp3008", channel=channel) for channel in range(8)]
    with pytest.raises(SourceError, match="pin 11 is in use already"):
        bench.open("button", pin=11)
    for source in (*sources, *sources):
        source.close()
    for pin in (8, 9, 10, 11):
        bench.open("button", pin=pin)


def test_a_chip_that_was_closed_and_opened_again_takes_further_channels_later(bench) -> None:
    for _ in range(2):
        first = bench.open("mcp3008", channel=0)
        gc.collect()
        second = bench.open("mcp3008", channel=1)
        first.close()
        second.close()


def test_noise_stays_within_what_was_asked_for(bench) -> None:
    knob = bench.open("mcp3008", channel=0)
    bench.board.turn_adc(0, 0, 0.5)
    bench.board.adc(0).noise_lsb = 4.0
    codes = {round(knob.read()[0].value * 1023) for _ in range(200)}
    assert 5 < len(codes) <= 10
    assert max(abs(code - 511.5) for code in codes) <= 5


def test_a_chip_breaks_and_is_mended(bench) -> None:
    knob = bench.open("mcp3008", channel=0)
    chip = bench.board.adc(0)
    chip.turn(0, 0.5)
    values = {}
    for breakage in BREAKAGES[:-1]:
        chip.break_(breakage)
        values[breakage] = {knob.read()[0].value for _ in range(20)}
    assert values["absent"] == {0.0}
    assert values["pegged"] == {1.0}
    assert max(values["noise"]) - min(values["noise"]) > 0.5
    chip.break_(None)
    assert knob.read()[0].value == pytest.approx(0.5, abs=0.001)
    with pytest.raises(ValueError, match="absent, pegged"):
        chip.break_("tired")


def test_a_chip_that_hangs_holds_only_who_reads_it(bench) -> None:
    knob = bench.open("mcp3008", channel=0)
    bench.board.adc(0).break_("hang")
    reader = threading.Thread(target=knob.read)
    reader.start()
    reader.join(0.05)
    assert reader.is_alive()
    bench.board.adc(0).break_(None)
    reader.join(5.0)
    assert not reader.is_alive()


def test_a_channel_that_is_not_there_is_told(bench) -> None:
    with pytest.raises(SourceError, match="the MCP3004 at CE1 has no channel 4: take 0 to 3"):
        bench.open("mcp3004", channel=4, device=1)


@pytest.mark.parametrize(("there", "why"), [(False, "switch it on with raspi-config"), (True, "another program")])
def test_spi_that_is_switched_off_is_told_and_not_made_by_hand(bench, monkeypatch, there: bool, why: str) -> None:
    def refuse(shared: bool, hardware: bool) -> object:
        assert hardware
        raise OSError("can not open SPI device")

    monkeypatch.setattr(trouble.Path, "exists", lambda path: there)
    with monkeypatch.context() as broken:
        broken.setattr(bench.factory, "_get_spi_class", refuse)
        with pytest.raises(SourceError, match=why):
            Adc("mcp3008", 0, 0, bench.factory, bench.clock)
    bench.open("mcp3008", channel=0)


def test_a_bus_that_fails_is_told(bench, monkeypatch) -> None:
    knob = bench.open("mcp3008", channel=0)
    with monkeypatch.context() as broken:
        broken.setattr(type(knob._channel._spi), "transfer", fail)
        with pytest.raises(SourceError, match=r"the MCP3008 at CE0 cannot be used \(SPI transfer error -1\)"):
            knob.read()
    assert knob.read() == [Position(pytest.approx(0.5, abs=1e-3), 100.0)]


def fail(*_: object) -> None:
    raise OSError("SPI transfer error -1")
