"""How warm the machine is, and whether its power supply is good enough."""

import os
import re
from typing import Final

from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import Machine, whole

__all__ = ["check_heat", "check_power"]

# A Raspberry Pi slows down from 80 degrees on.
_WARM_C: Final = 80.0
_HOT_C: Final = 90.0
# What a sensor tells that is broken, or not there.
_PLAUSIBLE_C: Final = (-40.0, 150.0)
_LOOK_AGAIN: Final = "cat /sys/class/thermal/thermal_zone*/temp"
_FIRMWARE: Final = "sys/devices/platform/soc/soc:firmware/get_throttled"
# Bits of get_throttled; 16 more for what has been since the start.
_LOW_VOLTAGE: Final = 1 << 0
_SLOWED: Final = 1 << 1 | 1 << 2 | 1 << 3
_SINCE_START: Final = 16
_SUPPLY: Final = "use the board's own power supply, on a short cable"


def check_heat(case: Case) -> list[Finding]:
    """Look how warm it is."""
    machine = case.machine
    zones = machine.find("sys/class/thermal/thermal_zone[0-9]*/temp")
    told = [whole(machine.text(os.path.relpath(path, machine.root))) for path in zones]
    degrees = [each / 1000.0 for each in told if each and _PLAUSIBLE_C[0] < each / 1000.0 < _PLAUSIBLE_C[1]]
    if not degrees:
        return [skipped("heat", "This machine does not tell how warm it is.")]
    says = f"The warmest part has {max(degrees):.0f} °C"
    if max(degrees) >= _HOT_C:
        return [trouble("heat", f"{says}: give it air at once.", _LOOK_AGAIN)]
    if max(degrees) >= _WARM_C:
        return [warning("heat", f"{says}, where machines slow down: give it air.", _LOOK_AGAIN)]
    return [ok("heat", f"{says}.")]


def check_power(case: Case) -> list[Finding]:
    """Look what a Raspberry Pi says of its power supply, and whether it was slowed down."""
    bits = _throttled(case.machine)
    if bits is None:
        if not case.machine.raspberry:
            return []
        return [skipped("power", "This Raspberry Pi does not say how its power is.", "vcgencmd get_throttled")]
    again = "vcgencmd get_throttled"
    if bits & _LOW_VOLTAGE:
        return [trouble("power", f"The voltage is too low: {_SUPPLY}.", again)]
    if bits & _SLOWED:
        return [warning("power", "The processor is slowed down for its heat: give it air.", again)]
    before = bits >> _SINCE_START
    if before & _LOW_VOLTAGE:
        return [warning("power", f"The voltage was too low since the machine was started: {_SUPPLY}.", again)]
    if before & _SLOWED:
        return [warning("power", "The processor was slowed down for its heat since the start: give it air.", again)]
    return [ok("power", "The voltage has been right since the start, and nothing was slowed down.")]


def _throttled(machine: Machine) -> int | None:
    told = machine.ask("vcgencmd", "get_throttled") if machine.raspberry else None
    found = re.fullmatch(r"\s*throttled=0x([0-9a-fA-F]{1,8})\s*", told or "")
    # The kernel's own file has the figure alone.
    found = found or re.fullmatch(r"\s*(?:0x)?([0-9a-fA-F]{1,8})\s*", machine.text(_FIRMWARE))
    return int(found[1], 16) if found else None
