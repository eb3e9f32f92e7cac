"""What the services may do: use the sound, write to their folders, come first in the queue for a core."""

import os
import re
import shlex
from pathlib import Path
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import ACCOUNT, INSTALL, Account, whole

__all__ = ["check_governor", "check_permissions", "check_real_time"]

# Counted from behind the name of the process, as proc(5) has them: 40 and 41 less 3.
_PRIORITY_FIELD: Final = 37
_POLICY_FIELD: Final = 38
_REAL_TIME: Final = frozenset({1, 2})
_LIMITS: Final = (
    r"printf '@audio - rtprio 20\n@audio - memlock unlimited\n'"
    " | sudo tee /etc/security/limits.d/latent.conf"
)
_STEADY: Final = "performance"


def check_permissions(case: Case) -> list[Finding]:
    """Look whether the services may use the sound, and write where they keep things."""
    account = case.machine.account("latent-player.service")
    if account is None:
        says = f"There is no user {ACCOUNT}, whom the services run as."
        return [trouble("permissions", says, "sudo systemd-sysusers && sudo systemctl restart latent.target")]
    return [_sound(case, account), _folders(case, account)]


def _sound(case: Case, account: Account) -> Finding:
    machine = case.machine
    devices = machine.find("dev/snd/pcmC[0-9]*D[0-9]*p")
    closed = [path for path in devices if not machine.may(path, account, 6)]
    if not devices:
        return skipped("permissions", "There is no sound card whose rights could be looked at.")
    if not closed:
        return ok("permissions", f"The user {account.name} may use the sound.")
    says = f"The user {account.name} may not use the sound ({shown(closed[0])})."
    if case.device:
        return ok("permissions", f"{says[:-1]}, and plays through a sound server.")
    try:
        group = machine.group(closed[0].stat().st_gid)
    except OSError:
        group = "audio"
    return trouble("permissions", says, joining(case, account, group, "latent-player.service"))


def joining(case: Case, account: Account, group: str, unit: str) -> str:
    """Give what makes a user a member of a group, and lets that come true."""
    again = f"sudo systemctl restart {unit}" if case.machine.installed else "sudo reboot"
    return f"sudo usermod -aG {group} {account.name} && {again}"


def _folders(case: Case, account: Account) -> Finding:
    machine = case.machine
    folders = [case.state, case.cache, case.runtime]
    incoming = machine.root / "srv/latent/incoming"
    if case.settings.model.incoming is not None:
        folders.append(Path(case.settings.model.incoming).expanduser())
    elif machine.installed and incoming.is_dir():
        folders.append(incoming)
    for folder in folders:
        if not machine.installed and not folder.exists():
            # Who plays without services makes them with the first thing that is kept.
            folder = _nearest(folder)
        if not folder.is_dir():
            says = f"The folder {shown(folder)} is missing."
            mend = f"sudo install -d -o {ACCOUNT} -g {ACCOUNT} {shlex.quote(str(folder))} && {case.again}"
            return trouble("folders", says, mend if machine.installed else f"mkdir -p {shlex.quote(str(folder))}")
        if not machine.may(folder, account, 7):
            says = f"The user {account.name} may not write to {shown(folder)}."
            return trouble("folders", says, _opening(folder, account, folder == incoming))
    return ok("folders", f"The user {account.name} may write to {', '.join(map(shown, folders))}.")


def _opening(folder: Path, account: Account, shared: bool) -> str:
    """Give what lets a user write to a folder; where others copy to, it stays theirs."""
    where = shlex.quote(str(folder))
    if shared:
        return f"sudo chgrp {account.name} {where} && sudo chmod g+rwxs {where}"
    return f"sudo chown -R {account.name}: {where}"


def _nearest(folder: Path) -> Path:
    return next((each for each in folder.parents if each.exists()), folder)


def check_real_time(case: Case) -> list[Finding]:
    """Look whether the player comes first in the queue for a core, and is never swapped out."""
    if case.player is None:
        return [skipped("real time", "No player runs that could be looked at.")]
    machine = case.machine
    fields = machine.text(f"proc/{case.player}/stat").rpartition(")")[2].split()
    numbers = [whole(each) for each in fields]
    if len(numbers) <= _POLICY_FIELD or numbers[_POLICY_FIELD] is None:
        return [skipped("real time", f"The player (process {case.player}) cannot be looked at.", "sudo latent doctor")]
    locked = re.search(r"(?m)^VmLck:\s+(\d{1,12}) kB", machine.text(f"proc/{case.player}/status"))
    lacks = []
    if numbers[_POLICY_FIELD] not in _REAL_TIME:
        lacks.append("does not run in real time")
    if locked and int(locked[1]) == 0:
        lacks.append("may be swapped out")
    if not lacks:
        return [ok("real time", f"The player runs at priority {numbers[_PRIORITY_FIELD]} and is never swapped out.")]
    says = f"The player {' and '.join(lacks)}, so a busy machine may be heard."
    if machine.installed:
        return [trouble("real time", says, f"{INSTALL} && sudo systemctl restart latent-player.service")]
    return [warning("real time", f"{says} Log out and in again after this.", _LIMITS)]


def check_governor(case: Case) -> list[Finding]:
    """Look whether the processor changes its speed."""
    machine = case.machine
    if not (machine.installed or machine.raspberry or machine.jetson):
        return []
    paths = machine.find("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    found = {machine.text(os.path.relpath(path, machine.root)).strip() for path in paths} - {""}
    if not found:
        return [skipped("governor", "The processor runs at one speed.")]
    if found == {_STEADY}:
        return [ok("governor", "The processor stays at full speed.")]
    says = f"The processor changes its speed ({', '.join(map(shown, sorted(found)))}), which costs reserve at times."
    mend = f"echo {_STEADY} | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    return [warning("governor", says, mend)]
