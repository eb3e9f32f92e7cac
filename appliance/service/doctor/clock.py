"""The time of day, which opening hours go by."""

import re
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import Machine

__all__ = ["check_clock"]

_UTC: Final = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Zulu", "Universal"})
_SYNC: Final = "sudo timedatectl set-ntp true"


def check_clock(case: Case) -> list[Finding]:
    """Look whether the clock is right: only opening hours need it, so without them nothing here is trouble."""
    machine = case.machine
    bad = trouble if case.settings.hours is not None else warning
    told = machine.properties("timedatectl", "show", "-p", "NTPSynchronized", "-p", "Timezone")
    known = told[0] if told else {}
    synced = known.get("NTPSynchronized") == "yes" or machine.has("run/systemd/timesync/synchronized")
    chip = bool(machine.find("sys/class/rtc/rtc[0-9]*"))
    kept = "and there is a clock chip" if chip else "and without a clock chip unknown for a while after each start"
    found = []
    if synced:
        found.append(ok("clock", f"It is set by the network, {kept}."))
    elif not known:
        found.append(skipped("clock", "Nobody here tells whether the clock is right."))
    else:
        without = "" if chip else ", and there is no clock chip"
        found.append(bad("clock", f"The clock is not set by the network{without}: it may be wrong.", _SYNC))
    zone = known.get("Timezone") or _zone_of(machine)
    if case.settings.hours is not None and zone in _UTC and not _own_zone(case):
        says = f"The machine goes by {shown(zone)}, and so do its opening hours: set the time zone of the place."
        found.append(warning("time zone", says, f"sudo timedatectl set-timezone Europe/Berlin && {case.again}"))
    return found


def _zone_of(machine: Machine) -> str:
    """Give the time zone where nobody can be asked; empty where it is not known."""
    found = re.fullmatch(r"[\w+-]+(?:/[\w+-]+)*", machine.text("etc/timezone").strip())
    return found[0] if found else ""


def _own_zone(case: Case) -> bool:
    """Whether the opening hours name a time zone of their own."""
    hours = case.settings.hours
    return hours is not None and hours.time_zone is not None
