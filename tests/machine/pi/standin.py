"""The stand-in for a Raspberry Pi, while it runs: power, errands on it, and cards that are pulled out."""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Done", "StandIn"]

_BOOT_S = 300.0
_PROCESSOR = ("-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi,tb-size=1024", "-smp", "2", "-m", "2048")
_QEMU = ["qemu-system-aarch64", *_PROCESSOR, "-nodefaults", "-display", "none", "-no-reboot", "-monitor", "none"]
_USB_CARD = ["-device", "qemu-xhci,id=usb", "-audiodev", "none,id=nowhere"]
_CARD = {"driver": "usb-audio", "audiodev": "nowhere", "id": "card", "bus": "usb.0"}


@dataclass(frozen=True)
class Done:
    """How an errand ended: its exit code, and what it printed."""

    code: int
    said: str


class StandIn:
    """One machine, with a disk that keeps what is written to it.

    Parameters
    ----------
    built : Path
        What ``build`` made.
    folder : Path
        For this machine's disk, and what it shares with this one: `shared`, seen there as ``/mnt/host``.
    """

    def __init__(self, built: Path, folder: Path) -> None:
        self._built = built
        self._folder = folder
        self.shared = folder / "shared"
        self.shared.mkdir(parents=True, exist_ok=True)
        self.disk = folder / "disk.ext4"
        # Empty, and of 256 MB: what a stick would be.
        self._stick = folder / "stick"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        if not self.disk.exists():
            subprocess.run(["cp", "--sparse=always", built / "disk.ext4", self.disk], check=True)
        with self._stick.open("ab") as stick:
            stick.truncate(1 << 28)

    @property
    def console(self) -> str:
        """What the kernel said, from the first power-on to now."""
        return (self._folder / "console").read_text(errors="replace") if (self._folder / "console").exists() else ""

    @property
    def running(self) -> bool:
        """Whether the machine is on; it also goes off by itself, as when it would start again."""
        return self._qemu is not None and self._qemu.poll() is None

    def power_on(self, debians: bool = False, stick: bool = True) -> float:
        """Switch the power on and wait until it does errands, with no USB card in its socket; seconds that took.

        Parameters
        ----------
        debians : bool
            With Debian's own first files, which can close the disk, and begin later.
        stick : bool
            With the stick in its socket.
        """
        began_s = time.monotonic()
        for left in (*self.shared.glob("*.ask"), self.shared / "up", self._folder / "qmp"):
            left.unlink(missing_ok=True)
        kernel = next((self._built / "kernel/boot").glob("vmlinuz-*"))
        command = [*_QEMU, "-kernel", str(kernel), "-initrd"]
        command += [str(self._built / ("debians.zst" if debians else "first.zst"))]
        command += ["-dtb", str(self._built / "pi.dtb"), "-append", "root=/dev/vda rw console=ttyAMA0 loglevel=4"]
        command += ["-serial", f"file:{self._folder / 'console.now'}", "-device", "virtio-rng-pci"]
        # What the machine still holds in its memory is lost with the power; what it has handed over to the disk stays,
        # also where it did not ask for that, which is kinder than a real card is.
        command += ["-drive", f"if=none,id=disk,file={self.disk},format=raw,cache=writeback"]
        command += ["-device", "virtio-blk-pci,drive=disk"]
        if stick:
            command += ["-drive", f"if=none,id=stick,file={self._stick},format=raw,cache=writeback"]
            command += ["-device", "virtio-blk-pci,drive=stick"]
        command += ["-fsdev", f"local,id=host,path={self.shared},security_model=none"]
        command += ["-device", "virtio-9p-pci,fsdev=host,mount_tag=host", *_USB_CARD]
        command += ["-qmp", f"unix:{self._folder / 'qmp'},server=on,wait=off"]
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._wait(lambda: (self.shared / "up").exists(), _BOOT_S, "come up")
        return time.monotonic() - began_s

    def ask(self, script: str, patience_s: float = 120.0) -> Done:
        """Run a script of bash's on it as root.

        Raises
        ------
        TimeoutError
            If it takes longer, or the machine goes off meanwhile.
        """
        name = self.shared / f"{next(self._numbers):04d}-{time.monotonic_ns()}"
        part = name.with_suffix(".part")
        part.write_text(script)
        part.rename(name.with_suffix(".ask"))
        self._wait(lambda: name.with_suffix(".rc").exists(), patience_s, f"do {script.splitlines()[0]!r}")
        return Done(int(name.with_suffix(".rc").read_text()), name.with_suffix(".out").read_text(errors="replace"))

    def cut_the_power(self) -> None:
        """From one moment to the next, without a word to anybody."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(30.0)
            self._keep_console()
        self._qemu = None

    def switch_off(self) -> None:
        """Shut it down as one should."""
        if self.running:
            with contextlib.suppress(TimeoutError):
                self.ask("systemctl poweroff --no-block", 30.0)
            self.wait_until_off(90.0)
        self.cut_the_power()

    def wait_until_off(self, patience_s: float) -> bool:
        """Wait until it went off by itself; whether it did."""
        assert self._qemu is not None
        try:
            self._qemu.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        self._keep_console()
        self._qemu = None
        return True

    def pull_the_card(self) -> None:
        """Pull the USB sound card out."""
        self._tell("device_del", {"id": _CARD["id"]})

    def plug_the_card(self) -> None:
        """Plug it in again."""
        self._tell("device_add", _CARD)

    def _tell(self, what: str, arguments: dict[str, Any]) -> None:
        with socket.socket(socket.AF_UNIX) as ours:
            ours.connect(str(self._folder / "qmp"))
            lines = ours.makefile("rw")
            lines.readline()
            for command in ({"execute": "qmp_capabilities"}, {"execute": what, "arguments": arguments}):
                lines.write(json.dumps(command) + "\n")
                lines.flush()
                answer = json.loads(lines.readline())
                while "event" in answer:
                    answer = json.loads(lines.readline())
                if "error" in answer:
                    raise RuntimeError(f"qemu refuses {what}: {answer['error']['desc']}")

    def _wait(self, so: Any, patience_s: float, what: str) -> None:
        deadline_s = time.monotonic() + patience_s
        while not so():
            if not self.running:
                raise TimeoutError(f"The machine went off before it could {what}.")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"The machine did not {what} within {patience_s:g} s.")
            time.sleep(0.1)

    def _keep_console(self) -> None:
        now = self._folder / "console.now"
        if now.exists():
            with (self._folder / "console").open("a") as all_of_it, now.open(errors="replace") as new:
                shutil.copyfileobj(new, all_of_it)
            now.unlink()
