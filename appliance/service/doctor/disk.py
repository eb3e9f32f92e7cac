"""The disk: room, health, and what wears out an SD card."""

import os
import re
from pathlib import Path
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, trouble, warning
from appliance.service.doctor.machine import Machine, whole

__all__ = ["check_disk", "check_wear"]

_FEWEST_MB: Final = 16
_FEWEST_FILES: Final = 500
_SHOW_LARGEST: Final = "sudo du -xh --max-depth=3 / | sort -h | tail -n 20"
_VOLATILE: Final = (
    "sudo mkdir -p /etc/systemd/journald.conf.d &&"
    r" printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' | sudo tee /etc/systemd/journald.conf.d/50-latent.conf"
    " && sudo systemctl restart systemd-journald"
)
# As deploy/read-only makes them.
_PARTITION: Final = "etc/systemd/system/media-latent.mount"
_CLOSED_ROOT: Final = "/media/root-ro"
_TO_BE_CLOSED: Final = "etc/overlayroot.local.conf"
_STATE: Final = "/var/lib/latent"
_JOURNALS: Final = (
    "etc/systemd/journald.conf",
    "usr/lib/systemd/journald.conf.d/*.conf",
    "run/systemd/journald.conf.d/*.conf",
    "etc/systemd/journald.conf.d/*.conf",
)


def check_disk(case: Case) -> list[Finding]:
    """Look for room, for what can no longer be written, and for damage."""
    folder = next((each for each in (case.state, *case.state.parents) if os.access(each, os.F_OK)), Path("/"))
    try:
        told = case.machine.statvfs(folder)
    except OSError as error:
        return [trouble("disk", f"{shown(folder)} cannot be looked at ({error.strerror}).", "dmesg | tail -n 30")]
    found = [_room(case, folder, told), *_damage(case.machine)]
    if told.f_flag & os.ST_RDONLY:
        says = f"{shown(folder)} can only be read: nothing is kept from one day to the next."
        found.insert(0, trouble("disk", says, f"sudo mount -o remount,rw {shown(_mount_of(folder))}"))
    if case.machine.installed and not _survives(case.machine):
        says = "The partition for what must survive is missing, so what is learned or copied here goes with the power."
        found.insert(0, trouble("disk", says, "lsblk -f   # plug it in, and sudo reboot"))
    return found


def _survives(machine: Machine) -> bool:
    """Whether the state lies on a disk of its own, where one was made for it or the root lies in memory."""
    mounted = _mounted(machine)
    if not machine.has(_PARTITION) and _CLOSED_ROOT not in mounted:
        return True
    return _STATE in mounted


def _mounted(machine: Machine) -> list[str]:
    """Where anything is mounted."""
    return [line.split()[1] for line in machine.text("proc/mounts").splitlines() if len(line.split()) > 1]


def _room(case: Case, folder: Path, told: os.statvfs_result) -> Finding:
    free_mb = told.f_bavail * told.f_frsize // 1_000_000
    # Some file systems do not count files.
    if told.f_files and told.f_favail < _FEWEST_FILES:
        return trouble("disk", f"{shown(folder)} has room for {told.f_favail} more files.", _SHOW_LARGEST)
    if free_mb < _FEWEST_MB:
        return trouble("disk", f"{shown(folder)} is full: {free_mb} MB are free.", _SHOW_LARGEST)
    wanted_mb = case.settings.model.free_mb
    if free_mb < wanted_mb:
        says = f"{shown(folder)} has {free_mb} MB free, and no model is taken in below {wanted_mb} MB."
        return warning("disk", says, "latent model list")
    return ok("disk", f"{shown(folder)} has {free_mb} MB free.")


def _mount_of(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_mount()), Path("/"))


def _damage(machine: Machine) -> list[Finding]:
    found = []
    for path in machine.find("sys/fs/ext4/*/errors_count"):
        count, name = whole(machine.text(os.path.relpath(path, machine.root))) or 0, path.parent.name
        if count > 0:
            says = f"The file system on {shown(name)} has counted {count} errors; if more come, replace the card."
            found.append(trouble("disk", says, "sudo touch /forcefsck && sudo reboot"))
    return found


def check_wear(case: Case) -> list[Finding]:
    """Look for what writes to an SD card day and night."""
    machine = case.machine
    if not machine.installed:
        return []
    found = [*_swap(machine), *_journal(machine)]
    root = next((line.split() for line in machine.text("proc/mounts").splitlines() if line.split()[1:2] == ["/"]), [])
    closed = _CLOSED_ROOT in _mounted(machine) or (len(root) > 3 and "ro" in root[3].split(","))
    if machine.has(_TO_BE_CLOSED) and not closed:
        says = "The disk is to be read-only after the next power-on; if that was, it did not come about."
        found.append(warning("card wear", says, "sudo cat /run/initramfs/overlayroot.log"))
    steady = "the root is read-only" if closed else "the root can be written"
    return found or [ok("card wear", f"Nothing writes all the time; {steady}.")]


def _swap(machine: Machine) -> list[Finding]:
    found = []
    for line in machine.text("proc/swaps").splitlines()[1:]:
        name, kind = (*line.split(), "", "")[:2]
        if not name or "zram" in name:
            continue
        says = f"Memory is swapped out to {shown(name)}, which wears out an SD card."
        mend = "sudo systemctl disable --now dphys-swapfile" if kind == "file" else f"sudo swapoff {shown(name)}"
        found.append(warning("card wear", says, mend))
    return found


def _journal(machine: Machine) -> list[Finding]:
    texts = [machine.text(os.path.relpath(path, machine.root)) for each in _JOURNALS for path in machine.find(each)]
    # What is read later counts.
    settings = dict(re.findall(r"(?m)^[ \t]*(Storage|SystemMaxUse)[ \t]*=[ \t]*(\S+)[ \t]*$", "\n".join(texts)))
    storage = settings.get("Storage", "auto").lower()
    if storage in ("volatile", "none") or (storage == "auto" and not machine.has("var/log/journal")):
        return []
    capped = f", up to {shown(settings['SystemMaxUse'])}" if "SystemMaxUse" in settings else ""
    return [warning("card wear", f"The journal is written to the disk{capped}, day and night.", _VOLATILE)]
