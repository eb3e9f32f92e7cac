"""The edge to the machine that is examined: its files below one root, and the programs that tell of it."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.controls.gpio.machine import jetson_of, raspberry
from appliance.folders import shown

__all__ = ["ACCOUNT", "INSTALL", "Account", "Machine", "whole"]

# The user whom the services run as.
ACCOUNT: Final = "latent"
_UNIT: Final = "latent-engine.service"
_UNIT_FOLDERS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
# Puts everything that belongs to a box where it should be; what is right already stays.
INSTALL: Final = "sudo /opt/latent/current/deploy/install"

_MOST_BYTES: Final = 1 << 18
_PATIENCE_S: Final = 3.0
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Account:
    """A user of the machine.

    Attributes
    ----------
    name : str
    uid : int
    gids : frozenset of int
        All groups.
    """

    name: str
    uid: int
    gids: frozenset[int]


@dataclass(frozen=True)
class Machine:
    """What can be asked of a machine; never raises for what is there or is not.

    Attributes
    ----------
    root : Path
        Below it lie ``proc``, ``sys``, ``dev``, ``etc``, ``run``, ``boot`` and ``srv``.
    run : callable
        As `subprocess.run`.
    uid : int
        Who looks.
    gids : frozenset of int
        The groups of who looks.
    environment : mapping
    statvfs : callable
        As `os.statvfs`.
    """

    root: Path = Path("/")
    run: Callable[..., Any] = subprocess.run
    uid: int = field(default_factory=os.getuid)
    gids: frozenset[int] = field(default_factory=lambda: frozenset({os.getgid(), *os.getgroups()}))
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs

    @property
    def installed(self) -> bool:
        """Whether this is a box: the services are installed."""
        return any(os.access(self.root / folder / _UNIT, os.F_OK) for folder in _UNIT_FOLDERS)

    @property
    def raspberry(self) -> bool:
        """Whether this is a Raspberry Pi."""
        return raspberry(self.root / "proc/device-tree")

    @property
    def jetson(self) -> bool:
        """Whether this is a Jetson."""
        try:
            return jetson_of(self.root / "proc/device-tree") is not None
        except LookupError:
            return True

    @property
    def i2c_bus(self) -> int:
        """The number of the I2C bus at the header."""
        try:
            jetson = jetson_of(self.root / "proc/device-tree")
        except LookupError:
            jetson = None
        return 1 if jetson is None else jetson.i2c_bus

    def text(self, path: str) -> str:
        """Give what is in a file, up to 256 KiB; empty where there is none or it cannot be read."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def has(self, path: str) -> bool:
        """Whether there is something."""
        return os.access(self.root / path, os.F_OK)

    def find(self, pattern: str) -> list[Path]:
        """Give all that there is of a pattern, in order."""
        return sorted(self.root.glob(pattern))

    def ask(self, *words: str) -> str | None:
        """Run a program and give what it prints; None where it is not there, refuses, or takes longer than 3 s."""
        try:
            done = self.run(
                list(words),
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**self.environment, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        output: bytes = done.stdout
        return output[:_MOST_BYTES].decode(errors="replace") if done.returncode == 0 else None

    def properties(self, *words: str) -> list[dict[str, str]]:
        """Run a program that prints KEY=VALUE lines, in blocks with an empty line between them."""
        printed = self.ask(*words) or ""
        parts = [[line for line in part.splitlines() if "=" in line] for part in printed.split("\n\n")]
        return [dict(line.split("=", 1) for line in part) for part in parts if part]

    def account(self, unit: str) -> Account | None:
        """Give the user that a service runs as; without services, who looks.

        Parameters
        ----------
        unit : str
            Its settings may add groups.

        Returns
        -------
        Account or None
            None where there should be a user for the services, and is none.
        """
        if not self.installed:
            return Account(self.user(self.uid), self.uid, self.gids)
        line = next((line for line in self._lines("etc/passwd") if line[0] == ACCOUNT and len(line) > 3), None)
        uid, gid = (None, None) if line is None else (whole(line[2]), whole(line[3]))
        if uid is None or gid is None:
            return None
        told = self.properties("systemctl", "show", "-p", "SupplementaryGroups", unit)
        added = {word for block in told for word in block.get("SupplementaryGroups", "").split()}
        gids = {gid}
        for name, number, members in self._groups():
            if name in added or str(number) in added or ACCOUNT in members:
                gids.add(number)
        return Account(ACCOUNT, uid, frozenset(gids))

    def user(self, uid: int) -> str:
        """Give the name of a user, or else the number."""
        names = (line[0] for line in self._lines("etc/passwd") if len(line) > 2 and whole(line[2]) == uid)
        return shown(next(names, str(uid)))

    def group(self, gid: int) -> str:
        """Give the name of a group, or else the number."""
        return shown(next((name for name, number, _ in self._groups() if number == gid), str(gid)))

    def may(self, path: Path, account: Account, wanted: int) -> bool:
        """Whether a user may use a file or folder.

        Parameters
        ----------
        wanted : int
            4 to read, 2 to write, 1 to enter, or their sum.
        """
        if account.uid == 0 or (account.uid == self.uid and account.gids == self.gids):
            # Who looks may have been given rights that the mode does not show.
            return os.access(path, wanted)
        try:
            there = path.stat()
        except OSError:
            return False
        shift = 6 if there.st_uid == account.uid else 3 if there.st_gid in account.gids else 0
        return there.st_mode >> shift & wanted == wanted

    def _groups(self) -> list[tuple[str, int, list[str]]]:
        lines = [line for line in self._lines("etc/group") if len(line) > 3]
        return [(line[0], number, line[3].split(",")) for line in lines if (number := whole(line[2])) is not None]

    def _lines(self, path: str) -> list[list[str]]:
        return [line.split(":") for line in self.text(path).splitlines()]


def whole(text: str) -> int | None:
    """Read a whole number; None where it is none."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[0]) if found else None
