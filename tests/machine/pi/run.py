"""The installation on a stand-in for a Raspberry Pi 4, from installing to the twentieth power cut; prints a table.

    sudo tests/machine/pi/build FOLDER              # once
    sudo .venv/bin/python tests/machine/pi/run.py FOLDER [--only WORD ...] [--cuts 20] [--keep]

Everything is emulated, and far slower than a Pi: that things happen is looked at, never how
soon. The services' watchdogs and time-outs are stretched for that reason alone. Exits with 1 where a row is not green.
"""

import argparse
import json
import random
import shutil
import sys
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from machine.pi.standin import StandIn
from machine.versions import another, unpacked

ROOT = Path(__file__).parents[3]
LONG_S = 3600.0
SOUNDING_DB = -60.0
QUIET_S = 120.0
STRETCHED_UNITS = ("engine", "player", "probe")
STRETCHED = "[Service]\nTimeoutStartSec=30min\nTimeoutStopSec=5min\nWatchdogSec=20min\n"
# Half a minute is given to a stick to be found, of which its first power-on takes most here.
FOUND_LATE = "[Unit]\nJobRunningTimeoutSec=90s\n"
# A player that computes for half a second without waiting is ended, which an emulated one may have to.
UNHURRIED = "LimitRTPRIO=0\n"
SETTINGS = """
[music]
seed = 7
[card]
device = {cards}
[controls.next-button]
source = "button"
pin = 17
does = "next"
[controls.turner]
source = "encoder"
pins = [16, 12]
moves = "density"
"""
PULL = 'pull() { echo "pull-$1" >"$(echo /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio$2)/pull"; }'
# A Pi's pins belong to a group of their own, and are there from the beginning.
PINS = """
getent group gpio >/dev/null || groupadd --system gpio
cat >/etc/udev/rules.d/60-pins.rules <<'RULE'
SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"
RULE
cat >/usr/local/sbin/pins <<'SCRIPT'
#!/bin/sh
set -e
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/gpio-sim
[ -d pi ] && exit 0
mkdir -p pi/bank
echo 54 >pi/bank/num_lines
echo 1 >pi/live
SCRIPT
chmod +x /usr/local/sbin/pins
cat >/etc/systemd/system/pins.service <<'UNIT'
[Unit]
After=systemd-modules-load.service
Before=latent-engine.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/pins
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --now pins.service
udevadm settle
test -c /dev/gpiochip0
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    green: bool
    says: str
    took_s: float


class Show:
    """What is tried, in order, on one machine."""

    def __init__(self, pi: StandIn, cuts: int) -> None:
        self._pi = pi
        self._cuts = cuts

    def install(self) -> str:
        """From a folder of wheels for aarch64, without a network."""
        unpacked(self._pi.shared, "--arch", "aarch64")
        self._must(PINS)
        for unit in STRETCHED_UNITS:
            self._must(f"mkdir -p /etc/systemd/system/latent-{unit}.service.d")
            folder = f"/etc/systemd/system/latent-{unit}.service.d"
            self._must(f"cat >{folder}/stretched.conf <<'TEXT'\n{STRETCHED}TEXT")
        said = self._must("/mnt/host/latent/deploy/install", LONG_S)
        self._settings('"Loopback"')
        assert "is installed." in said, said
        again = self._must("/mnt/host/latent/deploy/install", LONG_S)
        assert "Everything was so already" in again, again
        return again.strip().splitlines()[-1]

    def rights(self) -> str:
        """The player runs in real time and in locked memory, as the unit allows; the watchdog waits to be armed."""
        self._until_it_plays()
        player = "$(systemctl show --value -p MainPID latent-player)"
        policy = self._must(f"chrt -p {player}")
        locked = self._must(f"grep VmLck /proc/{player}/status").split()[1]
        assert "SCHED_FIFO" in policy, policy
        assert int(locked) > 0
        folder = "/etc/systemd/system/latent-player.service.d"
        self._must(f"echo '{UNHURRIED.strip()}' >>{folder}/stretched.conf && systemctl daemon-reload")
        return f"SCHED_FIFO, priority {policy.split()[-1]}; memory locked"

    def boot_to_sound(self) -> str:
        """After the power comes back nobody does anything, and it sounds at the other end of the loop."""
        self._pi.switch_off()
        self._pi.power_on()
        self._until_it_plays()
        return f"{self._heard():.0f} dBFS at the other end of the loop"

    def engine_killed(self) -> str:
        """The engine is killed: the player goes on, and the engine comes back."""
        before = self._status()
        self._must("systemctl kill --signal=KILL latent-engine")
        self._wait("the engine is back", lambda: self._status()["engine"]["pid"] != before["engine"]["pid"])
        self._wait("it is well", lambda: bool(self._status()["healthy"]))
        assert self._status()["player"]["pid"] == before["player"]["pid"]
        return f"{self._heard():.0f} dBFS, the same player all along"

    def a_button_is_pressed(self) -> str:
        """A simulated pin is pulled down: the next piece begins."""
        piece = self._status()["piece"]
        self._must(f"{PULL}; pull up 17; sleep 3; pull down 17; sleep 3; pull up 17")
        self._wait("the next piece plays", lambda: self._status()["piece"] > piece)
        return f"piece {piece}, then {self._status()['piece']}"

    def a_knob_is_turned(self) -> str:
        """The simulated pins of an encoder go through six clicks: density follows."""
        self._wait("there are controls", lambda: bool(self._turner()))
        before = self._turner()
        click = "".join(f"pull {way} {pin}; sleep 1; " for way in ("down", "up") for pin in (16, 12))
        self._must(f"{PULL}; pull up 16; pull up 12; sleep 3; for each in 1 2 3 4 5 6; do {click} done")
        self._wait("density moved", lambda: abs(self._turner()["room"] - before["room"]) > 0.1)
        after = self._turner()
        return f"density from {before['room']:.2f} to {after['room']:.2f}"

    def usb_card(self) -> str:
        """A USB card is plugged in after all has started, pulled while it plays, and put back: it plays each time."""
        # Named after its socket. Nothing of sound is loaded before, nor anything of SPI, which knobs are behind.
        self._settings('"usb_1_1"')
        self._must("sed -i.kept /^snd/d /etc/modules-load.d/stand-in.conf")
        self._pi.switch_off()
        self._pi.power_on()
        self._wait("the player waits for it", lambda: self._status()["state"] == "waiting for a sound card")
        self._must("! grep -qw alsa /proc/devices")
        self._pi.plug_the_card()
        self._until_it_plays()
        device = self._status()["device"]
        self._pi.pull_the_card()
        self._wait("the player noticed", lambda: self._status()["state"] != "playing")
        self._pi.plug_the_card()
        self._until_it_plays()
        lost = self._status()["cards_lost"]
        self._must("modprobe spidev && modprobe i2c-dev")
        known = self._must("cat /proc/devices").splitlines()
        assert {"116 alsa", "153 spi", " 89 i2c"} < set(known), known
        self._must("mv /etc/modules-load.d/stand-in.conf.kept /etc/modules-load.d/stand-in.conf; modprobe snd-aloop")
        self._settings('"Loopback"')
        return f"on {device} again, {lost} card lost"

    def disk_full(self) -> str:
        """Not a byte is left on the disk: it plays on, also after a restart of everything."""
        self._must("systemctl restart latent-engine latent-player", LONG_S)
        self._until_it_plays()
        self._pi.ask("dd if=/dev/zero of=/fill bs=1M; dd if=/dev/zero of=/fill2 bs=1", LONG_S)
        assert self._must("df --output=avail / | tail -n 1").strip() == "0"
        self._must("systemctl restart latent-engine latent-player", LONG_S)
        self._until_it_plays()
        heard_db = self._heard()
        self._must("rm -f /fill /fill2")
        return f"{heard_db:.0f} dBFS with 0 bytes free"

    def clock_stepped(self) -> str:
        """The clock goes ten years ahead, and back to 1980: nothing happens."""
        before = self._status()
        for date in ("2036-01-01", "1980-01-02"):
            self._must(f"date -s {date}")
            time.sleep(20.0)
            assert self._status()["state"] == "playing"
        after = self._status()
        assert after["player"]["pid"] == before["player"]["pid"]
        assert after["engine"]["pid"] == before["engine"]["pid"]
        self._must(f"date -s @{time.time():.0f}")
        return "the same processes all along"

    def watchdog(self) -> str:
        """Process 1 stops feeding the watchdog: the machine starts again by itself, and plays."""
        armed = self._must("systemctl show --value -p RuntimeWatchdogUSec").strip()
        assert armed == "14s", armed
        self._pi.ask("sync; (sleep 1; kill -SEGV 1) & ")
        assert self._pi.wait_until_off(300.0), "the machine went on"
        assert "softdog: Initiating system reboot" in self._pi.console
        self._pi.power_on()
        self._until_it_plays()
        return f"armed for {armed}, bit, and it plays again"

    def update_and_back(self) -> str:
        """Another version plays, and stays; then the one before again, at once."""
        self._update("9.0.0", "", 900)
        now = self._must("readlink /opt/latent/current").strip()
        assert now.startswith("versions/9.0.0-"), now
        self._until_it_plays()
        before = self._must("readlink /opt/latent/previous").strip()
        self._must("/opt/latent/current/deploy/update --back", LONG_S)
        assert self._must("readlink /opt/latent/current").strip() == before
        self._until_it_plays()
        return f"to {now.split('/')[1]}, and back to {before.split('/')[1]}"

    def broken_update(self) -> str:
        """A version that cannot play is gone back from by itself."""
        before = self._must("readlink /opt/latent/current").strip()
        # What plays begins late here; what cannot play never does.
        self._update("9.1.0", "raise RuntimeError('no good')", 240)
        assert self._must("readlink /opt/latent/current").strip() == before
        self._until_it_plays()
        return f"back to {before.split('/')[1]} from 9.1.0"

    def power_cuts(self) -> str:
        """The power is cut again and again, at any moment, every fourth time while it plays: it plays in the end."""
        chance = random.Random(7)
        for cut in range(self._cuts):
            if cut % 4 == 3:
                self._until_it_plays()
            time.sleep(chance.uniform(0.0, 25.0))
            self._pi.cut_the_power()
            self._pi.power_on()
        self._until_it_plays()
        broken = self._must("journalctl -k -b --no-pager | grep -ci 'ext4.*error' || true").strip()
        assert broken == "0", f"{broken} errors of the file system"
        self._must("latent model list")
        return f"{self._cuts} cuts, {self._cuts // 4} of them while it played, {self._heard():.0f} dBFS after the last"

    def read_only(self) -> str:
        """The disk is closed: nothing is written to it, what must survive does, and nothing else."""
        # All of it at once, and not little by little while it is looked at what is written.
        self._must("mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/vdb")
        self._must("/opt/latent/current/deploy/read-only on /dev/vdb", LONG_S)
        self._must(
            f"for each in /etc/systemd/system/dev-disk-*.device.d; do echo '{FOUND_LATE}' >$each/stretched.conf; done"
        )
        self._until_it_plays()
        self._pi.switch_off()
        self._pi.power_on(debians=True)
        self._until_it_plays()
        assert self._must("findmnt -n -o FSTYPE /").strip() == "overlay"
        self._must("findmnt /etc/latent && findmnt /var/lib/latent && findmnt /srv/latent")
        refused = self._pi.ask("/opt/latent/current/deploy/uninstall")
        assert refused.code == 1, refused.said
        assert "The system's disk is read-only" in refused.said, refused.said
        noted = "test /var/lib/latent/evidence/days -nt /run/systemd/notify"
        self._wait("the keeper has noted the start", lambda: self._pi.ask(noted).code == 0)
        self._must("touch /etc/goes; sed -i 's/seed = 7/seed = 8/' /etc/latent/latent.toml; sync")
        before = self._written()
        time.sleep(QUIET_S)
        after = self._written()
        assert after == before, f"sectors written of disk and stick: {before}, then {after}"
        for _ in range(3):
            self._pi.cut_the_power()
            self._pi.power_on(debians=True)
            self._until_it_plays()
        self._must("grep -q 'seed = 8' /etc/latent/latent.toml && test ! -e /etc/goes")
        heard_db = self._heard()
        self._pi.cut_the_power()
        self._pi.power_on(debians=True, stick=False)
        self._until_it_plays()
        self._wait("all is well", lambda: bool(self._status()["healthy"]))
        assert "partition for what must survive is missing" in self._pi.ask("latent doctor", LONG_S).said
        self._pi.cut_the_power()
        self._pi.power_on(debians=True)
        self._until_it_plays()
        self._must("/opt/latent/current/deploy/read-only off", LONG_S)
        self._pi.switch_off()
        self._pi.power_on(debians=True)
        assert self._must("findmnt -n -o FSTYPE /").strip() == "ext4"
        self._until_it_plays()
        return (
            f"0 sectors written in {QUIET_S:.0f} s, 3 cuts, {heard_db:.0f} dBFS; settings kept; plays without the stick"
        )

    def uninstall(self) -> str:
        """It goes, and leaves nothing but what it says it keeps."""
        said = self._must("/opt/latent/current/deploy/uninstall", LONG_S)
        left = self._must("find / -xdev -ipath '*latent*' -not -path '/proc/*' -not -path '/mnt/*'").splitlines()
        kept = ("/etc/latent", "/var/lib/latent", "/srv/latent")
        ours = {f"/etc/systemd/system/latent-{unit}.service.d" for unit in STRETCHED_UNITS}
        ours |= {f"{folder}/stretched.conf" for folder in ours}
        assert [path for path in left if not path.startswith(kept) and path not in ours] == []
        return said.strip().splitlines()[-1][:90]

    def _must(self, script: str, patience_s: float = 300.0) -> str:
        done = self._pi.ask(f"export PATH=/usr/local/bin:$PATH\n{script}", patience_s)
        assert done.code == 0, f"{script.strip().splitlines()[-1]!r} ended with {done.code}: {done.said[-600:]}"
        return done.said

    def _status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._must("latent status --json"))
        return told

    def _settings(self, cards: str) -> None:
        text = SETTINGS.format(cards=cards)
        self._must(
            f"cat >/etc/latent/latent.toml <<'TOML'\n{text}TOML\n"
            "systemctl --no-block restart latent-player latent-engine"
        )

    def _wait(self, what: str, so: Callable[[], bool], patience_s: float = 1200.0) -> None:
        deadline_s = time.monotonic() + patience_s
        while True:
            try:
                if so():
                    return
            except (AssertionError, ValueError):
                # The services may be on their way.
                pass
            assert time.monotonic() < deadline_s, (
                f"it was not so that {what}: {self._pi.ask('journalctl -n 20 --no-pager').said}"
            )
            time.sleep(3.0)

    def _turner(self) -> dict[str, Any]:
        told: list[dict[str, Any]] = json.loads(self._must("latent controls --once --json"))["controls"]
        return next(each for each in told if each["name"] == "turner")

    def _update(self, number: str, spoilt: str, trial_s: int) -> None:
        """Update to this version with another number, and something more in its engine, until that was judged."""
        other = self._pi.shared / f"latent-{number}"
        # Of a run that was broken off.
        shutil.rmtree(other, ignore_errors=True)
        added = {"appliance/service/engine.py": f"\n{spoilt}\n"}
        another(self._pi.shared / "latent", other, number, "/mnt/host/latent/wheels", added)
        trial = f"LATENT_TRIAL_S={trial_s} LATENT_STEADY_S=20"
        self._must(f"{trial} /mnt/host/latent-{number}/deploy/update", LONG_S)
        self._wait("the trial is over", lambda: self._pi.ask("test -e /opt/latent/trial").code != 0)
        shutil.rmtree(other)

    def _written(self) -> list[int]:
        """Sectors written to the disk and to the stick since the power came."""
        return [int(self._must(f"cat /sys/block/{name}/stat").split()[6]) for name in ("vda", "vdb")]

    def _until_it_plays(self) -> None:
        self._wait("it plays", lambda: self._status()["state"] == "playing")

    def _heard(self) -> float:
        """Level of ten seconds at the other end of the loop, RMS in dBFS; raises AssertionError where it is silent."""
        self._must("arecord -q -D plughw:Loopback,1 -f S16_LE -r 48000 -c 2 -d 10 /mnt/host/heard.wav")
        with wave.open(str(self._pi.shared / "heard.wav")) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16) / 32768.0
        level_db = float(10.0 * np.log10(np.mean(sound * sound) + 1e-12))
        assert level_db > SOUNDING_DB, f"nothing is heard ({level_db:.0f} dBFS)"
        return level_db


ROWS = (
    "install",
    "rights",
    "boot_to_sound",
    "engine_killed",
    "a_button_is_pressed",
    "a_knob_is_turned",
    "disk_full",
    "clock_stepped",
    "usb_card",
    "watchdog",
    "update_and_back",
    "broken_update",
    "power_cuts",
    "read_only",
    "uninstall",
)


def main() -> None:
    """Run the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what build made")
    parser.add_argument("--only", metavar="WORD", nargs="+", help="rows whose name holds one of these")
    parser.add_argument("--cuts", type=int, default=20, help="how often the power is cut")
    parser.add_argument("--keep", action="store_true", help="go on with the disk of the last run")
    given = parser.parse_args()
    folder = given.folder / "machine"
    if not given.keep:
        shutil.rmtree(folder, ignore_errors=True)
    pi = StandIn(given.folder, folder)
    show, began_s, rows = Show(pi, given.cuts), time.monotonic(), []
    try:
        pi.power_on()
        for name in ROWS:
            if given.only is None or any(word in name for word in given.only):
                rows.append(_row(name, getattr(show, name)))
                print(_line(rows[-1]), flush=True)
    finally:
        pi.cut_the_power()
    minutes = (time.monotonic() - began_s) / 60.0
    print(f"{sum(row.green for row in rows)} of {len(rows)} rows are green; it took {minutes:.0f} minutes.")
    sys.exit(0 if all(row.green for row in rows) else 1)


def _row(name: str, do: Callable[[], str]) -> Row:
    began_s = time.monotonic()
    try:
        green, says = True, do()
    # Whatever goes wrong in one row, the others are to be tried.
    except Exception as error:
        green, says = False, " ".join(f"{type(error).__name__}: {error}".split())
    return Row(name.replace("_", " "), green, says, time.monotonic() - began_s)


def _line(row: Row) -> str:
    return f"| {row.name:<20} | {'ok' if row.green else 'NOT'} | {row.took_s:5.0f} s | {row.says} |"


if __name__ == "__main__":
    main()
