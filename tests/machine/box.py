"""A machine to install on: this one's own system, started anew in a container with a systemd of its own.

What the container writes goes into a layer above this machine's files, which stay as they are. It boots in about a
second, knows nothing of what this machine has of Latent, and plays into a sound server of the test's, out here. Nothing
runs in real time in there; that is for the stand-in in `pi/` to show.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Box", "files_of", "missing", "sweep_groups"]

PATIENCE_S = 60.0
_TOOLS = {"systemd-nspawn": "systemd-container", "nsenter": "util-linux", "systemctl": "systemd-sysv"}
_CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
# What would be started on this machine, and is none of the box's business.
_FOREIGN = ("etc/systemd/system", "etc/systemd/user", "opt/latent", "etc/latent", "var/lib/latent", "srv/latent")
_SOUND = "mnt/room"
_ALSA = (
    f'pcm.!default {{ type pulse server "unix:/{_SOUND}" }}\nctl.!default {{ type pulse server "unix:/{_SOUND}" }}\n'
)


def missing() -> str:
    """Say why there can be no such machine here; empty where there can."""
    if os.geteuid() != 0:
        return "A container needs root: run the tests as root, or with sudo."
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            return f"{tool} is missing: install what Debian calls {package}."
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is missing: install what Debian calls systemd-sysv."
    return ""


class Box:
    """The machine, from power-on to power-off; what it wrote stays for the next power-on.

    Parameters
    ----------
    folder : Path
        Empty; for what the machine writes.
    binds : dict of Path to str
        Files and folders of this machine, and where the box sees them, read only.
    socket : Path
        Of the sound server that its usual sound card leads to.
    """

    boot_patience_s = PATIENCE_S

    def __init__(self, folder: Path, binds: dict[Path, str], socket: Path) -> None:
        self._folder = folder
        self._binds = binds
        self._socket = socket
        self._root = folder / "root"
        self._stack = contextlib.ExitStack()
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._build()

    @property
    def written(self) -> Path:
        """The layer that holds all that was written on the machine, and nothing else."""
        return self._folder / "upper"

    def start(self) -> None:
        """Switch the power on, and wait until everything was started."""
        binds = [f"--bind-ro={path}:{seen}" for path, seen in self._binds.items()]
        command = ["systemd-nspawn", "-D", str(self._root), "-M", f"latent-box-{os.getpid()}"]
        command += ["--register=no", "--keep-unit"]
        command += ["--console=pipe", "--boot", f"--bind={self._socket}:/{_SOUND}", *binds]
        with (self._folder / "console").open("ab") as console:
            self._nspawn = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=self._into_a_group
            )
        self.wait("the machine is up", self._is_up, self.boot_patience_s)
        # A container's own number of its boot is not seen by services that have a /proc of their own, as ours do.
        self.attempt("umount", "/proc/sys/kernel/random/boot_id")

    def stop(self) -> None:
        """Pull the plug."""
        if self._nspawn is None:
            return
        with contextlib.suppress(OSError):
            self._leader = self._leader or self._process_one()
        with contextlib.suppress(ProcessLookupError):
            if self._leader:
                os.kill(self._leader, signal.SIGKILL)
        self._nspawn.kill()
        self._nspawn.wait(PATIENCE_S)
        self._nspawn, self._leader = None, 0

    def close(self) -> None:
        """Switch it off and take it apart; what it wrote stays in the folder."""
        self.stop()
        self._stack.close()

    def run(self, *command: str, check: bool = True, **environment: str) -> str:
        """Run a command on the machine as root; what it prints, on either stream.

        Raises
        ------
        AssertionError
            If it fails, unless that is allowed.
        """
        done = self.attempt(*command, **environment)
        assert not check or done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def attempt(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine as root, whatever comes of it."""
        given = [f"{name}={value}" for name, value in ({"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | environment).items()]
        enter = ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return subprocess.run(
            [*enter, "--root", "env", "-i", "--chdir=/", *given, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * PATIENCE_S,
            check=False,
        )

    def path(self, path: str) -> Path:
        """Where this machine sees a file of the box's disk."""
        return self._root / path.lstrip("/")

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def journal(self, unit: str) -> str:
        """What a unit said."""
        return self.run("journalctl", "--no-pager", "--output=cat", "-u", unit)

    def wait(self, what: str, so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        deadline_s = time.monotonic() + patience_s
        while not so():
            if time.monotonic() > deadline_s:
                console = (self._folder / "console").read_text(errors="replace")[-2000:]
                raise AssertionError(f"After {patience_s:g} s it was not so that {what}.\n{console}")
            time.sleep(0.1)

    def _build(self) -> None:
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={self.written},workdir={self._folder / 'work'}"
        if _mounted("overlay", "overlay", layers, self._root) != 0:
            # A disk that is made of layers itself takes no more; the memory does.
            assert _mounted("tmpfs", "tmpfs", "mode=755", self._folder) == 0, "No layer can be put above this machine."
            self._stack.callback(_unmount, self._folder)
            for name in ("upper", "work", "root"):
                (self._folder / name).mkdir(parents=True)
            assert _mounted("overlay", "overlay", layers, self._root) == 0, "No layer can be put above this machine."
        self._stack.callback(_unmount, self._root)
        for name in _FOREIGN:
            there = self._root / name
            if there.exists():
                shutil.rmtree(there)
        for name in ("etc/systemd/system", "etc/systemd/user"):
            (self._root / name).mkdir(parents=True)
        (self._root / "etc/machine-id").write_text("")
        (self._root / "etc/asound.conf").write_text(_ALSA)
        (self._root / _SOUND).touch()

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, (self._folder / "console").read_text(errors="replace")[-2000:]
        self._leader = self._leader or self._process_one()
        if not self._leader:
            return False
        state = self.attempt("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def _process_one(self) -> int:
        """The process that is number one inside; 0 while only those are there that prepare its way."""
        assert self._nspawn is not None
        for child in Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                numbers = re.search(r"^NSpid:\s+\d+\s+1$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
                if numbers is not None:
                    return int(child)
        return 0

    def _into_a_group(self) -> None:
        """Give the container a control group of its own, so that it can neither see nor limit anything else."""
        for parent in _CGROUPS:
            if not Path(parent, "cgroup.procs").exists():
                continue
            group = Path(parent, f"latent-box-{os.getpid()}")
            group.mkdir(exist_ok=True)
            (group / "cgroup.procs").write_text(str(os.getpid()))


def _mounted(kind: str, source: str, options: str, where: Path) -> int:
    command = ["mount", "-t", kind, source, "-o", options, str(where)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def _unmount(where: Path) -> None:
    subprocess.run(["umount", "--lazy", str(where)], check=False)


def sweep_groups() -> None:
    """Take away the control groups of containers that are gone."""
    for parent in _CGROUPS:
        for group in Path(parent).glob("latent-box-*"):
            for folder in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()


def files_of(layer: Path) -> Iterator[str]:
    """Names of all files of a layer, from the root of the machine; what was deleted on it is none."""
    for path in sorted(layer.rglob("*")):
        if not path.is_dir() and not path.is_char_device():
            yield f"/{path.relative_to(layer)}"
