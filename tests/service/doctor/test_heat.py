"""Warmth and voltage."""

import pytest

from appliance.service.doctor.heat import check_heat, check_power

ZONE = "sys/class/thermal/thermal_zone{}/temp"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


@pytest.mark.parametrize(
    ("temperatures", "state"),
    [
        (("41000", "52600"), "ok"),
        (("52600", "81200"), "warning"),
        (("94000", "40000"), "trouble"),
        (("-274000", "0", "garbage", "999999999"), "skipped"),
        ((), "skipped"),
    ],
)
def test_how_warm_it_is(planted, temperatures, state):
    for zone, text in enumerate(temperatures):
        planted.plant(ZONE.format(zone), text + "\n")
    (finding,) = check_heat(planted.case())
    assert finding.state == state
    assert bool(finding.remedy) == (state in ("warning", "trouble"))


def test_the_warmest_counts(planted):
    planted.plant(ZONE.format(0), "52600\n")
    planted.plant(ZONE.format(1), b"\xff" * 1000)
    assert check_heat(planted.case())[0].says == "The warmest part has 53 °C."


@pytest.mark.parametrize(
    ("bits", "state", "says"),
    [
        (0x0, "ok", "right since the start"),
        (0x50005, "trouble", "The voltage is too low"),
        (0x8, "warning", "is slowed down for its heat"),
        (0x10000, "warning", "was too low since the machine was started"),
        (0x40000, "warning", "was slowed down for its heat"),
    ],
)
def test_what_a_raspberry_pi_says_of_its_power(planted, bits, state, says):
    planted.plant("proc/device-tree/compatible", "raspberrypi,4-model-b\x00brcm,bcm2711\x00")
    planted.says["vcgencmd get_throttled"] = f"throttled={bits:#x}\n"
    (finding,) = check_power(planted.case())
    assert finding.state == state
    assert says in finding.says
    # The kernel tells the same where that program is missing.
    planted.says.clear()
    planted.plant(FIRMWARE, f"{bits:x}\n")
    assert check_power(planted.case()) == [finding]


def test_a_raspberry_pi_that_says_nothing(planted):
    planted.plant("proc/device-tree/compatible", "raspberrypi,4-model-b\x00")
    planted.says["vcgencmd get_throttled"] = b"VCHI initialization failed\xff\n"
    planted.plant(FIRMWARE, b"\xff\x00")
    assert check_power(planted.case())[0].state == "skipped"


def test_other_machines_do_not_say(planted):
    assert check_power(planted.case()) == []
