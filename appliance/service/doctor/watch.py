"""The hardware watchdog, which starts the machine anew when it hangs; and the services."""

import re
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import Machine, whole

__all__ = ["check_units", "check_watchdog"]

# The chip of a Raspberry Pi counts to 15 s, and old kernels take longer for never without a word.
_LONGEST_S: Final = 15.0
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_ARM: Final = (
    "sudo mkdir -p /etc/systemd/system.conf.d &&"
    r" printf '[Manager]\nRuntimeWatchdogSec=15\n' | sudo tee /etc/systemd/system.conf.d/50-latent-watchdog.conf"
    " && sudo systemctl daemon-reexec"
)
_TARGET: Final = "latent.target"
_ENGINE, _PLAYER, _PROBE, _LIGHT = (f"latent-{name}.service" for name in ("engine", "player", "probe", "light"))
_SERVICE: Final = re.compile(r"latent-[\w-]+\.service")
_MANY_RESTARTS: Final = 3


def check_watchdog(case: Case) -> list[Finding]:
    """Look whether the machine would be started anew if it hung."""
    machine = case.machine
    if not machine.installed:
        return [skipped("watchdog", "The services are not installed here, so nobody counts on one.")]
    if not any(machine.has(f"dev/{name}") for name in ("watchdog0", "watchdog")):
        return [_absent(machine)]
    told = machine.properties("systemctl", "show", "-p", "RuntimeWatchdogUSec")
    after_s = _seconds(told[0].get("RuntimeWatchdogUSec", "")) if told else None
    if after_s is None:
        return [skipped("watchdog", "systemd does not say whether it feeds the watchdog.")]
    if after_s == 0.0:
        says = "The hardware watchdog is not armed: a machine that hangs stays silent."
        return [trouble("watchdog", says, _ARM)]
    if not 1.0 <= after_s <= _LONGEST_S:
        says = f"The hardware watchdog is set to {after_s:g} s, and may never bite: 1 to {_LONGEST_S:g} s is right."
        return [trouble("watchdog", says, _ARM)]
    if machine.text("sys/class/watchdog/watchdog0/state").strip() == "inactive":
        says = f"systemd means to feed the hardware watchdog every {after_s:g} s, and the watchdog does not run."
        return [trouble("watchdog", says, "sudo systemctl daemon-reexec")]
    kind = machine.text("sys/class/watchdog/watchdog0/identity").strip()
    return [ok("watchdog", f"Armed: {shown(kind) or 'it'} starts the machine anew {after_s:g} s after it hangs.")]


def _absent(machine: Machine) -> Finding:
    if machine.raspberry:
        mend = "echo dtparam=watchdog=on | sudo tee -a /boot/firmware/config.txt && sudo reboot"
        return trouble("watchdog", "The hardware watchdog is switched off: a machine that hangs stays silent.", mend)
    says = "This machine shows no hardware watchdog; one of software helps against much of what hangs."
    mend = "echo softdog | sudo tee /etc/modules-load.d/softdog.conf && sudo modprobe softdog"
    return warning("watchdog", says, mend)


def _seconds(span: str) -> float | None:
    """Read a time span as systemd prints it, as '1min 30s'; None where it is none."""
    if span.strip() in ("0", "infinity"):
        return 0.0
    parts = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s|min|h|d|w)\b", span)
    return sum(float(count) * _SECONDS[unit] for count, unit in parts) if parts else None


def check_units(case: Case) -> list[Finding]:
    """Look whether the services start by themselves, run, and keep running."""
    machine = case.machine
    if not machine.installed:
        return [skipped("units", "The services are not installed here; latent play does without.")]
    wanted = _wanted(case)
    told = machine.properties(
        "systemctl", "show", "-p", "Id,LoadState,ActiveState,UnitFileState,NRestarts,Result", *wanted
    )
    units = {block["Id"]: block for block in told if "Id" in block}
    if not units:
        return [skipped("units", "systemd does not answer, so the services cannot be looked at.")]
    found = [finding for name in wanted if name in units for finding in _unit(machine, name, units[name])]
    names = ", ".join(_short(name) for name in wanted)
    return found or [ok("units", f"{names}: all of them run, and start with the machine.")]


def _wanted(case: Case) -> list[str]:
    """Name the units that are to run: those that always do, and what else the target starts on this machine."""
    told = case.machine.properties("systemctl", "show", "-p", "Wants,Requires", _TARGET)
    started = {word for block in told for value in block.values() for word in value.split()}
    # Without one in the settings it ends at once, and rightly so.
    more = sorted(word for word in started if _SERVICE.fullmatch(word) and word != _LIGHT)
    light = [_LIGHT] if case.settings.light is not None else []
    return list(dict.fromkeys([_TARGET, _ENGINE, _PLAYER, _PROBE, *more, *light]))


def _short(unit: str) -> str:
    return unit.removesuffix(".service")


def _unit(machine: Machine, name: str, told: dict[str, str]) -> list[Finding]:
    """Say what is wrong with a unit; nothing where nothing is."""
    if told.get("LoadState") not in ("loaded", None):
        says = f"{name} cannot be loaded ({shown(told['LoadState'])})."
        return [trouble("units", says, "sudo systemctl daemon-reload && sudo systemctl restart latent.target")]
    found = []
    if told.get("ActiveState") not in ("active", "reloading"):
        state = told.get("ActiveState", "away")
        how = "has failed" if state == "failed" else f"is {shown(state)}"
        says = f"{name} {how}{_why(machine, name, told)}"
        found.append(trouble("units", says, f"sudo systemctl restart {name}"))
    if told.get("UnitFileState") in ("disabled", "masked", "masked-runtime"):
        words = "unmask" if told["UnitFileState"].startswith("masked") else "enable"
        says = f"{name} is {told['UnitFileState']}, so it does not start with the machine."
        found.append(trouble("units", says, f"sudo systemctl {words} {name}"))
    restarts = whole(told.get("NRestarts", "")) or 0
    if not found and restarts >= _MANY_RESTARTS:
        says = f"{name} had to be started again {restarts} times{_why(machine, name, told)}"
        found.append(warning("units", says, f"journalctl -u {name} -n 50"))
    return found


def _why(machine: Machine, name: str, told: dict[str, str]) -> str:
    """End a sentence with how a unit ended, and what it said last."""
    result = told.get("Result", "success")
    how = f" ({shown(result)})" if result not in ("success", "") else ""
    # Not by the name of the unit, under which systemd has its own say last.
    words = ("journalctl", f"_SYSTEMD_UNIT={name}", "-n", "1", "--output=cat", "--no-pager", "--quiet")
    lines = (machine.ask(*words) or "").strip().splitlines()
    return f"{how}; the last that was heard of it: {shown(lines[-1])}" if lines else f"{how}."
