"""SPI, I2C and GPIO matter where the settings use them, and each machine has its own way to switch them on."""

import pytest

from appliance.service.doctor.wires import check_hands, check_wires

KNOB = {"controls": {"tilt": {"source": "mcp3008", "channel": 0, "moves": "pitch"}}}
SECOND = {"controls": {"tilt": {"source": "mcp3208", "channel": 0, "device": 1, "moves": "pitch"}}}
BOARD = {"controls": {"tilt": {"source": "ads1115", "channel": 0, "moves": "pitch"}}}
BUTTON = {"controls": {"door": {"source": "button", "pin": 17, "does": "next"}}}
FADER = {"osc": {"port": 9000}, "controls": {"tilt": {"source": "osc", "address": "/1", "moves": "pitch"}}}
ORIN = "nvidia,p3768-0000+p3767-0005\x00nvidia,p3767-0005\x00nvidia,tegra234\x00"


@pytest.fixture
def pi(box):
    box.plant("proc/device-tree/compatible", "raspberrypi,4-model-b\x00brcm,bcm2711\x00")
    return box


def test_nothing_is_wired(pi):
    assert [finding.state for finding in check_wires(pi.case(FADER))] == ["skipped"]


def test_all_that_is_used_is_there(pi):
    pi.install("latent gpio spi i2c")
    for device in ("spidev0.0", "i2c-1", "gpiochip0"):
        pi.plant(f"dev/{device}", mode=0o660)
    wired = {"controls": {**KNOB["controls"], "x": BOARD["controls"]["tilt"]}, "light": {"pin": 25}}
    found = check_wires(pi.case(wired))
    assert [(finding.name, finding.state) for finding in found] == [("SPI", "ok"), ("I2C", "ok"), ("GPIO", "ok")]


def test_a_bus_that_is_switched_off(pi):
    pi.plant("boot/firmware/config.txt", "dtparam=audio=on\n#dtparam=spi=on\n# dtparam=i2c_arm=on\ndtparam=spi=off\n")
    spi = check_wires(pi.case(KNOB))[0]
    assert (spi.state, spi.remedy) == ("trouble", "sudo raspi-config nonint do_spi 0 && sudo reboot")
    assert "/dev/spidev0.0" in spi.says
    assert "/dev/spidev0.1" in check_wires(pi.case(SECOND))[0].says
    i2c = check_wires(pi.case(BOARD))[0]
    assert (i2c.state, i2c.remedy) == ("trouble", "sudo raspi-config nonint do_i2c 0 && sudo reboot")


@pytest.mark.parametrize("line", ["dtparam=spi=on", "  dtparam=i2c_arm=on,spi=on # knobs", "dtparam=spi"])
@pytest.mark.parametrize("file", ["boot/firmware/config.txt", "boot/config.txt"])
def test_a_bus_that_waits_for_a_restart(pi, line, file):
    pi.plant(file, f"[all]\n{line}\n")
    spi = check_wires(pi.case(SECOND))[0]
    assert (spi.state, spi.remedy) == ("trouble", "sudo reboot")


def test_a_bus_that_may_not_be_used(pi):
    pi.plant("etc/group", f"spi:x:{pi.gid}:pi\n")
    pi.plant("dev/spidev0.0", mode=0o660)
    spi = check_wires(pi.case(KNOB))[0]
    assert spi.says == f"The user latent may not use {pi.root}/dev/spidev0.0."
    assert spi.remedy == "sudo usermod -aG spi latent && sudo systemctl restart latent-engine.service"


def test_pins_of_which_one_chip_may_be_used(pi):
    pi.install("gpio")
    pi.plant("dev/gpiochip0", mode=0o600)
    assert check_wires(pi.case(BUTTON))[0].state == "trouble"
    pi.plant("dev/gpiochip4", mode=0o660)
    assert check_wires(pi.case(BUTTON))[0].state == "ok"


def test_a_jetson_has_its_own_way_and_bus(box):
    box.plant("proc/device-tree/compatible", ORIN)
    assert check_wires(box.case(KNOB))[0].remedy == "sudo /opt/nvidia/jetson-io/jetson-io.py"
    box.plant("dev/i2c-1", mode=0o666)
    assert check_wires(box.case(BOARD))[0].state == "trouble"
    box.plant("dev/i2c-7", mode=0o666)
    assert check_wires(box.case(BOARD))[0].state == "ok"


def test_a_laptop_has_no_pins(planted):
    pins = check_wires(planted.case(BUTTON))[0]
    assert (pins.name, pins.state) == ("GPIO", "trouble")
    assert "this machine has none" in pins.says
    planted.environment["GPIOZERO_PIN_FACTORY"] = "mock"
    assert [finding.state for finding in check_wires(planted.case(BUTTON))] == ["skipped"]


@pytest.mark.parametrize("rubbish", [b"\x00\xff" * 1000, b"dtparam=" * 50_000])
def test_rubbish_is_no_boot_config(pi, rubbish):
    pi.plant("boot/firmware/config.txt", rubbish)
    assert check_wires(pi.case(KNOB))[0].remedy.startswith("sudo raspi-config")


def test_what_the_engine_says_of_hands_is_passed_on(planted, playing):
    assert check_hands(planted.case(report=playing)) == []
    assert check_hands(planted.case(report=playing | {"controls": 3}))[0].says == "All 3 controls answer."
    (finding,) = check_hands(planted.case(report=playing | {"troubles": {"tilt": "reads noise: is its wire loose?"}}))
    assert (finding.state, finding.remedy) == ("warning", "latent controls")
    assert finding.says == "tilt: reads noise: is its wire loose?"
