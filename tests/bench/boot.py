"""How long from the services being started to the first sound, at a power-on, on this machine and on slower ones.

    sudo .venv/bin/python tests/bench/boot.py [--runs 5] [--shares 2 0.8 0.2]

Installs Latent in a container of this machine's own files (see tests/machine), and pulls its plug again and again. A
share is how much of one core's time all in the container get together: 0.8 is four cores, each five times slower, and
0.2 is only one of them. Prints one line of JSON for each share.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from machine.box import Box, missing, sweep_groups
from machine.versions import OF_THIS_MACHINE, unpacked
from sound_server import RATE, SoundServer

ROOT = Path(__file__).parents[2]
GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD_US = 20_000
DRAINED_S = 4.0
SOURCE = "/mnt/latent"
STRETCHED = "[Service]\nWatchdogSec=2min\nTimeoutStartSec=5min\n"


class Shared(Box):
    """A machine whose processes share so much of one core's time; who looks on from outside takes none of it."""

    boot_patience_s = 300.0
    share = float(os.cpu_count() or 1)

    def _into_a_group(self) -> None:
        super()._into_a_group()
        group = GROUPS / "latent-boot"
        group.mkdir(exist_ok=True)
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(round(self.share * PERIOD_US)))
        (group / "cgroup.procs").write_text(str(os.getpid()))


def main() -> None:
    """Measure share by share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="power-ons for each share")
    parser.add_argument("--shares", type=float, nargs="+", default=[2.0, 0.8, 0.2], help="cores' time to be had")
    given = parser.parse_args()
    if missing():
        sys.exit(missing())
    if not GROUPS.is_dir():
        sys.exit(f"This system cannot limit what a group of processes takes: there is no {GROUPS}.")
    with tempfile.TemporaryDirectory() as folder, _installed(Path(folder)) as (box, server):
        for share in given.shares:
            taken = [_power_on(box, server, share) for _ in range(given.runs)]
            print(json.dumps({"share": share, "median_s": statistics.median(taken), "worst_s": max(taken)}), flush=True)


@contextmanager
def _installed(folder: Path) -> Iterator[tuple[Shared, SoundServer]]:
    """A box on which Latent is installed, and what it plays into."""
    version = unpacked(folder, *OF_THIS_MACHINE)
    for name in ("sound", "box"):
        (folder / name).mkdir()
    server = SoundServer(folder / "sound")
    box = Shared(folder / "box", {version: SOURCE}, Path(server.env["PULSE_SERVER"].removeprefix("unix:")))
    try:
        server.start()
        box.start()
        box.run(f"{SOURCE}/deploy/install", "--no-start")
        for unit in ("engine", "player", "probe", "keeper"):
            box.run("mkdir", "-p", f"/etc/systemd/system/latent-{unit}.service.d")
            box.path(f"/etc/systemd/system/latent-{unit}.service.d/slow.conf").write_text(STRETCHED)
        yield box, server
    finally:
        box.close()
        server.kill()
        sweep_groups()


def _power_on(box: Shared, server: SoundServer, share: float) -> float:
    """Seconds from the first of the services being started to the first sample that is not zero."""
    box.stop()
    # What was on its way to the card when the plug was pulled.
    time.sleep(DRAINED_S)
    recorder = server.listen()
    began_s = time.monotonic()
    box.share = share
    box.start()
    recorder.wait_for_sound(1.0)
    sound = recorder.stop()
    heard_s = began_s + float(np.flatnonzero(sound.any(axis=1))[0]) / RATE
    units = [f"latent-{name}.service" for name in ("player", "engine", "probe", "keeper")]
    started_s = min(int(box.show(unit, "InactiveExitTimestampMonotonic")) for unit in units) / 1e6
    return round(heard_s - started_s, 2)


if __name__ == "__main__":
    main()
