"""The buses and pins that the settings use: whether they are switched on, and may be used."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import Account
from appliance.service.doctor.rights import joining
from appliance.settings import Settings
from appliance.wiring.tables import Ads1115, Button, Chip, Distance, Encoder, Motion

__all__ = ["check_hands", "check_wires"]

_BOOT_CONFIGS: Final = ("boot/firmware/config.txt", "boot/config.txt")
_JETSON_IO: Final = "sudo /opt/nvidia/jetson-io/jetson-io.py"
_ENGINE: Final = "latent-engine.service"
_ON_PINS: Final = (Button, Chip, Distance, Encoder, Motion)


@dataclass(frozen=True)
class _Bus:
    """Something that parts are wired to.

    Attributes
    ----------
    name : str
        What people call it.
    pattern : str
        Its device.
    parameter, switch : str
        What switches it on in the boot settings of a Raspberry Pi, and in raspi-config; empty where it is always on.
    """

    name: str
    pattern: str
    parameter: str = ""
    switch: str = ""


def check_wires(case: Case) -> list[Finding]:
    """Look at SPI, I2C and GPIO, each where the settings use it."""
    buses = list(_used(case.settings, case.machine.i2c_bus))
    if not buses:
        return [skipped("pins", "The settings wire nothing to the pins.")]
    pretended = case.machine.environment.get("GPIOZERO_PIN_FACTORY")
    if pretended:
        return [skipped("pins", f"GPIOZERO_PIN_FACTORY={shown(pretended)} stands in for the pins.")]
    account = case.machine.account(_ENGINE)
    return [_bus(case, bus, account) for bus in buses]


def _used(settings: Settings, i2c_bus: int) -> Iterator[_Bus]:
    controls = settings.controls.values()
    for device in sorted({each.device for each in controls if isinstance(each, Chip)}):
        yield _Bus("SPI", f"dev/spidev0.{device}", "spi", "do_spi")
    if any(isinstance(each, Ads1115) for each in controls):
        yield _Bus("I2C", f"dev/i2c-{i2c_bus}", "i2c_arm", "do_i2c")
    # A converter chip is reached with the help of the pins, too.
    if settings.light is not None or any(isinstance(each, _ON_PINS) for each in controls):
        yield _Bus("GPIO", "dev/gpiochip[0-9]*")


def _bus(case: Case, bus: _Bus, account: Account | None) -> Finding:
    machine = case.machine
    found = machine.find(bus.pattern)
    if not found:
        return _missing(case, bus)
    if account is None or any(machine.may(path, account, 6) for path in found):
        return ok(bus.name, f"{shown(found[0])} is there.")
    return trouble(
        bus.name,
        f"The user {account.name} may not use {shown(found[0])}.",
        joining(case, account, _group_of(case, found[0], bus), _ENGINE),
    )


def _group_of(case: Case, path: Path, bus: _Bus) -> str:
    try:
        gid = path.stat().st_gid
    except OSError:
        gid = 0
    # What belongs to root's group is made over to this one by the rules that come with it.
    return case.machine.group(gid) if gid else bus.name.lower()


def _missing(case: Case, bus: _Bus) -> Finding:
    device = "/" + bus.pattern.replace("[0-9]*", "0")
    if case.machine.jetson:
        return trouble(bus.name, f"{bus.name} is switched off: there is no {device}.", _JETSON_IO)
    if not case.machine.raspberry or not bus.switch:
        return trouble(bus.name, f"The settings use {bus.name}, and this machine has none ({device}).", case.edit)
    if any(_switched_on(case.machine.text(path), bus.parameter) for path in _BOOT_CONFIGS):
        return trouble(bus.name, f"{bus.name} is switched on from the next start on.", "sudo reboot")
    mend = f"sudo raspi-config nonint {bus.switch} 0 && sudo reboot"
    return trouble(bus.name, f"{bus.name} is switched off: there is no {device}.", mend)


def _switched_on(config: str, parameter: str) -> bool:
    """Whether a boot config has a parameter on; what stands further down counts."""
    switches = re.findall(rf"(?m)^[ \t]*dtparam=(?:[^#\n]*,)?{parameter}(?:=(\w+))?(?=[\s,#]|$)", config)
    return bool(switches) and switches[-1].lower() in ("", "on", "1", "true", "yes")


def check_hands(case: Case) -> list[Finding]:
    """Pass on what the engine says of knobs and sensors."""
    troubles = case.report.get("troubles") or {}
    if troubles:
        told = [f"{name}: {why}" for name, why in troubles.items()]
        return [warning("hands", each if each.endswith("?") else f"{each}.", "latent controls") for each in told]
    count = case.report.get("controls")
    if not count:
        return []
    return [ok("hands", "One control answers." if count == 1 else f"All {count} controls answer.")]
