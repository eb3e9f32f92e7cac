"""A box from installing to uninstalling: real scripts and units, a real systemd, and a real sound server to play into.

The tests follow each other as the life of a box does, on one machine.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from machine.box import Box, files_of, missing, sweep_groups
from machine.versions import OF_THIS_MACHINE, another, unpacked
from snapcast_server import SnapcastServer, needs_snapcast
from sound_server import RATE, SoundServer

ROOT = Path(__file__).parents[2]
# As a stick may be called.
SOURCE = "/mnt/my stick/latent"
UNITS = ("latent-engine.service", "latent-player.service", "latent-probe.service", "latent-keeper.service")
STATE = {"/var/lib/latent", "/var/lib/latent/evidence", "/var/lib/latent/models"}
WRITTEN_BY = {
    "latent-engine.service": {"/run/latent", "/var/cache/latent", *STATE},
    "latent-player.service": {"/run/latent", "/var/cache/latent"},
    "latent-probe.service": {"/var/lib/latent/models", "/srv/latent/incoming", "/srv/latent/rejected"},
    "latent-keeper.service": {"/run/latent", "/var/lib/latent/evidence"},
}
# The one thing that is written while it plays: a line a day of how it went.
EVIDENCE = "/var/lib/latent/evidence/"
QUIET_S = 5.0
HOLE_S, HOLE_DB = 0.05, -60.0
TRIAL = {"LATENT_TRIAL_S": "40", "LATENT_STEADY_S": "6"}
# What the scripts say that they keep, and what a running system writes by itself.
KEPT = ("/etc/latent/", "/var/lib/latent/", "/srv/latent/", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
SYSTEMS_OWN = (
    "/var/log/",
    "/var/lib/systemd/",
    "/var/cache/ldconfig",
    "/etc/machine-id",
    "/etc/.pwd.lock",
    "/etc/asound.conf",
)
SYSTEMS_OWN += (
    "/mnt/",
    "/root/",
    "/var/tmp/",
    "/etc/ld.so.cache",
    "/etc/.updated",
    "/var/.updated",
    "/etc/mtab",
    "/etc/resolv.conf",
)
SYSTEMS_OWN += ("/etc/subuid", "/etc/subgid", "/etc/localtime", "/etc/hostname", "/etc/hosts", "/var/lib/dbus/")

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/bundle makes for this machine, unpacked."""
    folder = tmp_path_factory.mktemp("bundle")
    return unpacked(folder, *OF_THIS_MACHINE)


@pytest.fixture(scope="module")
def box(bundle: Path, sound_server: SoundServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(
        tmp_path_factory.mktemp("box"), {bundle: SOURCE}, Path(sound_server.env["PULSE_SERVER"].removeprefix("unix:"))
    )
    try:
        box.start()
        yield box
    finally:
        box.close()
        sweep_groups()


def status(box: Box) -> dict:
    return json.loads(box.run("/usr/local/bin/latent", "status", "--json"))


def plays(box: Box) -> bool:
    told = box.attempt("/usr/local/bin/latent", "status", "--json")
    return told.returncode == 0 and json.loads(told.stdout)["state"] == "playing"


def pid(box: Box, unit: str) -> int:
    return int(box.show(unit, "MainPID"))


def restarts(box: Box, unit: str) -> int:
    return int(box.show(unit, "NRestarts"))


def holes(sound: np.ndarray) -> int:
    """Stretches of 50 ms that were as good as silent."""
    frames = round(HOLE_S * RATE)
    whole = sound[: len(sound) // frames * frames].reshape(-1, frames * sound.shape[1])
    return int((10.0 * np.log10(np.mean(whole * whole, axis=1) + 1e-12) < HOLE_DB).sum())


def left(box: Box) -> list[str]:
    """Files that were written on the box and are none of the system's own."""
    return [name for name in files_of(box.written) if not name.startswith(SYSTEMS_OWN)]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(box: Box) -> None:
    before = left(box)
    said = box.run(f"{SOURCE}/deploy/install", "--dry-run")

    assert "would: Making the user latent" in said
    assert "would: Writing /etc/systemd/system/latent-player.service." in said
    assert said.rstrip().endswith("nothing was changed.")
    assert left(box) == before


def test_packages_for_another_python_are_refused_before_anything_is_done(box: Box) -> None:
    box.path("/root/wheels").mkdir()
    box.path("/root/wheels/numpy-2.0-cp399-cp399-linux.whl").touch()
    refused = box.attempt(f"{SOURCE}/deploy/install", "--wheels", "/root/wheels")

    assert refused.returncode == 1
    assert "are not for this system's Python 3." in refused.stdout
    assert not box.path("/etc/systemd/system/latent.target").exists()
    shutil.rmtree(box.path("/root/wheels"))


def test_a_system_of_32_bits_below_a_kernel_of_64_is_refused(box: Box) -> None:
    box.path("/root/dpkg").write_text("#!/bin/sh\necho armhf\n")
    box.path("/root/dpkg").chmod(0o755)
    refused = box.attempt(f"{SOURCE}/deploy/install", PATH="/root:/usr/sbin:/usr/bin:/sbin:/bin")

    assert refused.returncode == 1
    assert "write a 64-bit one to the card" in refused.stdout
    box.path("/root/dpkg").unlink()


def test_one_command_turns_it_into_the_installation(box: Box, sound_server: SoundServer) -> None:
    said = box.run(f"{SOURCE}/deploy/install")
    assert re.search(r"Version \S+ is installed\.", said), said
    box.wait("it plays", lambda: plays(box))

    recorder = sound_server.listen()
    recorder.wait_for_sound(3.0)
    sound = recorder.stop()
    assert holes(sound[np.flatnonzero(sound.any(axis=1))[0] + RATE :]) == 0
    for unit in UNITS:
        assert (box.show(unit, "ActiveState"), box.show(unit, "Type")) == ("active", "notify"), box.journal(unit)
    assert box.show("latent-player.service", "StatusText") == "playing"
    assert status(box)["healthy"]


def test_everything_lies_where_it_should_and_belongs_to_whom_it_should(box: Box) -> None:
    def owner(path: str) -> str:
        return box.run("stat", "-c", "%U %a", path).strip()

    assert owner("/run/latent") == "latent 700"
    assert owner("/run/latent/ring") == "latent 600"
    assert owner("/var/lib/latent") == "latent 750"
    assert owner("/var/lib/latent/mornings.json").startswith("latent ")
    assert owner("/srv/latent/incoming") == "latent 2770"
    assert owner("/opt/latent/current/appliance/errors.py") == "root 644"
    for unit in UNITS:
        assert box.run("ps", "-o", "user=", "-p", str(pid(box, unit))).strip() == "latent"


@pytest.mark.parametrize("unit", UNITS)
def test_no_service_can_write_anywhere_else(box: Box, unit: str) -> None:
    """Asked as root, whom no file's rights would stop: what refuses is the wall around the service."""

    def refused(folder: str) -> str:
        inside = ("nsenter", "--target", str(pid(box, unit)), "--mount", "--", "sh", "-c")
        return box.attempt(*inside, f"echo > {folder}/x && rm {folder}/x").stdout

    folders = set().union(*WRITTEN_BY.values())
    own = {folder for folder in folders if not refused(folder)}
    assert own == WRITTEN_BY[unit]
    for folder in (*(folders - own), "/etc/latent", "/opt/latent", "/usr", "/var/lib", "/srv", "/boot", "/etc"):
        assert "Read-only file system" in refused(folder), folder


@pytest.mark.parametrize("unit", UNITS)
def test_no_service_can_do_more_than_it_must(box: Box, unit: str) -> None:
    facts = dict(line.split(":\t", 1) for line in box.run("cat", f"/proc/{pid(box, unit)}/status").splitlines())
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {f"{0:016x}"}
    # No new privileges, and a filter of system calls.
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    # No network but to itself.
    cards = box.run("cat", f"/proc/{pid(box, unit)}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in cards] == ["lo"]


def test_the_doctor_finds_nothing_to_mend_but_what_a_container_lacks(box: Box) -> None:
    done = box.attempt("/usr/local/bin/latent", "doctor", "--json")
    states = {each["name"]: each["state"] for each in json.loads(done.stdout)["findings"]}

    assert {states[name] for name in ("sound", "settings", "card", "folders", "model", "units", "disk")} == {"ok"}
    # Real time is for the kernel of the machine around it to give.
    assert {name for name, state in states.items() if state == "trouble"} <= {"real time"}


def test_installing_again_finds_everything_so_already(box: Box) -> None:
    processes, before = [pid(box, unit) for unit in UNITS], left(box)
    said = box.run(f"{SOURCE}/deploy/install")

    assert said.startswith("Everything was so already"), said
    assert [pid(box, unit) for unit in UNITS] == processes
    assert left(box) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Say on or off"),
        (["on"], 2, "Name the partition for what must survive"),
        (["on", "sda1"], 2, "There is no option sda1"),
        (["on", "/dev/null"], 1, "/dev/null is no disk or partition of this machine"),
        (["off"], 0, "The system's disk can be written to already."),
    ],
)
def test_the_switch_to_a_read_only_disk_says_what_it_needs(
    box: Box, arguments: list[str], code: int, says: str
) -> None:
    before = left(box)
    done = box.attempt("/opt/latent/current/deploy/read-only", *arguments)

    assert (done.returncode, says in done.stdout) == (code, True), done.stdout
    assert left(box) == before


def test_while_it_plays_nothing_is_written_to_the_disk(box: Box) -> None:
    def disk() -> dict[str, tuple[int, int, int]]:
        names = [name for name in files_of(box.written) if not name.startswith(EVIDENCE)]
        paths = [box.written / name.lstrip("/") for name in names]
        return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns, path.lstat().st_ino) for path in paths}

    def sent() -> list[str]:
        return [
            re.search(r"^write_bytes: (\d+)$", box.run("cat", f"/proc/{pid(box, unit)}/io"), re.M)[1] for unit in UNITS
        ]

    piece, before, sent_before = status(box)["piece"], disk(), sent()
    box.run("/usr/local/bin/latent", "next")
    box.wait("another piece plays", lambda: status(box)["piece"] > piece)
    time.sleep(QUIET_S)

    assert disk() == before
    assert sent() == sent_before


def test_what_is_said_can_be_told_apart_in_the_journal(box: Box) -> None:
    said = json.loads(box.run("journalctl", "--output=json", "LATENT_PROCESS=player").splitlines()[0])

    assert said["_SYSTEMD_UNIT"] == "latent-player.service"
    assert said["LATENT_VERSION"]
    assert "Playing on" in box.run("journalctl", "--output=cat", "LATENT_PROCESS=player")


def test_nobody_hears_it_when_the_engine_is_restarted_or_killed(box: Box, sound_server: SoundServer) -> None:
    player, before = pid(box, "latent-player.service"), status(box)
    recorder = sound_server.listen()
    recorder.wait_for_sound(1.0)
    box.run("systemctl", "restart", "latent-engine.service")
    box.run("systemctl", "kill", "--signal=KILL", "latent-engine.service")
    box.wait("the engine was started again", lambda: restarts(box, "latent-engine.service") > 0)
    box.wait("all is well", lambda: bool(status(box)["healthy"]))
    recorder.wait_for_sound(6.0)
    after = status(box)

    assert holes(recorder.stop()[RATE:]) == 0
    assert pid(box, "latent-player.service") == player
    assert (after["underruns"], after["holds"]) == (before["underruns"], before["holds"])


def test_a_service_that_hangs_is_started_again(box: Box) -> None:
    # One after the other would take as long again.
    before = {unit: restarts(box, unit) for unit in UNITS[:2]}
    for unit in before:
        box.run("kill", "-STOP", str(pid(box, unit)))
    for unit, count in before.items():
        box.wait(f"{unit} was started again", lambda unit=unit, count=count: restarts(box, unit) > count)
        assert "Watchdog timeout" in box.journal(unit)
    box.wait("it plays", lambda: plays(box))


def test_a_player_that_is_killed_comes_back_to_the_same_ring(box: Box) -> None:
    generation = status(box)["generation"]
    box.run("systemctl", "kill", "--signal=KILL", "latent-player.service")
    box.wait("it plays", lambda: plays(box) and status(box)["player"]["alive"])

    assert status(box)["generation"] == generation


def test_probe_and_keeper_come_back_when_they_are_killed(box: Box) -> None:
    before = {unit: restarts(box, unit) for unit in UNITS[2:]}
    for unit in before:
        box.run("systemctl", "kill", "--signal=KILL", unit)
    for unit, count in before.items():
        box.wait(f"{unit} was started again", lambda unit=unit, count=count: restarts(box, unit) > count)
        box.wait(f"{unit} is ready", lambda unit=unit: box.show(unit, "ActiveState") == "active")


def test_a_model_that_is_copied_to_it_is_tried_and_plays(box: Box) -> None:
    model = next(path for path in sorted((ROOT / "models").glob("*.latent")) if path.stem != "default")
    shutil.copy(model, box.path("/srv/latent/incoming/mine.latent"))
    box.wait("the model was taken", lambda: not box.path("/srv/latent/incoming/mine.latent").exists())
    box.wait("it plays", lambda: status(box)["model"] == model.stem)
    box.path("/srv/latent/incoming/broken.latent").write_bytes(b"no model")
    reasons = box.path("/srv/latent/rejected")
    box.wait("the artist can read why it was not taken", lambda: any(reasons.glob("broken*.reason.txt")))
    assert model.stem in box.run("/usr/local/bin/latent", "model", "list")


@needs_snapcast
def test_other_rooms_hear_it_through_a_snapcast_server(box: Box, tmp_path: Path) -> None:
    path = box.path("/etc/latent/latent.toml")
    own, server = path.read_text(), SnapcastServer(tmp_path)
    try:
        server.start()
        path.write_text(f"{own}\n[snapcast]\nport = {server.port}\n")
        box.run("systemctl", "start", "latent-snapcast.service")
        box.wait("it is sent", lambda: "The room is sent to" in box.journal("latent-snapcast.service"))
    finally:
        server.kill()
        box.run("systemctl", "stop", "latent-snapcast.service")
        path.write_text(own)


def test_with_settings_that_are_wrong_it_plays_at_its_defaults_and_says_so(box: Box) -> None:
    settings = box.path("/etc/latent/latent.toml")
    right = settings.read_text()
    settings.write_text('[card]\nrate = "fast"\nreserve_s = 8.0\n[musik]\nseed = 7\n')
    box.run("systemctl", "restart", *UNITS[:2])
    box.wait("it plays", lambda: plays(box))
    told = status(box)

    assert (told["rate"], told["reserve_wanted_s"]) == (48_000, 8.0)
    assert "card.rate" in told["settings_trouble"]
    assert "musik" in box.journal("latent-engine.service")
    assert "card.rate" in box.run("/usr/local/bin/latent", "settings", check=False)
    settings.write_text(right)
    box.run("systemctl", "restart", *UNITS[:2])
    box.wait("it plays", lambda: plays(box))
    assert status(box)["settings_trouble"] is None


def test_it_plays_at_every_power_on(box: Box, sound_server: SoundServer) -> None:
    box.stop()
    box.start()
    began_s = time.monotonic()
    box.wait("it plays", lambda: plays(box))
    recorder = sound_server.listen()
    recorder.wait_for_sound(2.0)
    recorder.stop()

    assert time.monotonic() - began_s < 30.0


def version_on(box: Box, bundle: Path, number: str, added: dict[str, str]) -> str:
    """Another version, on the box; gives its folder there."""
    folder = f"/root/{number}"
    another(bundle, box.path(folder), number, f"{SOURCE}/wheels", added)
    return folder


def test_a_power_cut_in_the_middle_of_an_update_leaves_it_on_trial(box: Box) -> None:
    scripts = " ".join(f". $root/deploy/{name};" for name in ("lib.sh", "box.sh", "trial.sh"))
    cut = f"root=/opt/latent/current; {scripts} switch_to() {{ kill -9 $$; }}; change_to $(current) $(current)"
    assert box.attempt("bash", "-c", cut, **TRIAL).returncode != 0
    assert box.path("/opt/latent/trial").exists()
    box.stop()
    box.start()
    box.wait("the trial is over", lambda: not box.path("/opt/latent/trial").exists())

    assert "plays well, and stays" in box.journal("latent-trial.service")
    assert status(box)["healthy"]


def test_what_another_script_has_made_outlives_an_update(box: Box) -> None:
    unit = "/etc/systemd/system/media-latent.mount"
    scripts = " ".join(f". $root/deploy/{name};" for name in ("lib.sh", "box.sh"))
    box.path(unit).write_text("")
    box.run("bash", "-c", f"root=/opt/latent/current; {scripts} note 'file {unit}'; put_units $root/")
    assert box.path(unit).exists()

    box.path(unit).unlink()
    box.run("sed", "-i", f"\\|^file {unit}$|d", "/opt/latent/record")


def test_an_update_is_not_heard_and_stays_once_it_has_proven_itself(
    box: Box, bundle: Path, sound_server: SoundServer
) -> None:
    newer = version_on(box, bundle, "9.0.0", {})
    player = pid(box, "latent-player.service")
    recorder = sound_server.listen()
    recorder.wait_for_sound(1.0)
    said = box.run(f"{newer}/deploy/update", **TRIAL)

    assert "Version 9.0.0-" in said
    assert holes(recorder.stop()[RATE:]) == 0
    assert pid(box, "latent-player.service") == player
    box.wait("the trial is over", lambda: not box.path("/opt/latent/trial").exists())
    assert str(box.path("/opt/latent/current").readlink()).startswith("versions/9.0.0-")
    assert not box.path("/etc/systemd/system/latent-trial.service").exists()
    # Of what both need there is one copy on the disk.
    shared = "find /opt/latent/versions/9.0.0-*/.venv -path '*/numpy/__init__.py' -links +1"
    assert box.run("sh", "-c", shared).strip()
    assert len(list(box.path("/opt/latent/versions").iterdir())) == 2


def test_an_update_that_does_not_play_is_taken_back_by_itself(box: Box, bundle: Path) -> None:
    broken = version_on(box, bundle, "9.1.0", {"appliance/service/engine.py": '\nraise RuntimeError("no good")\n'})
    before = str(box.path("/opt/latent/current").readlink())
    box.run(f"{broken}/deploy/update", **TRIAL)
    assert str(box.path("/opt/latent/current").readlink()).startswith("versions/9.1.0-")
    box.wait("the trial is over", lambda: not box.path("/opt/latent/trial").exists())
    box.wait("all is well", lambda: bool(status(box)["healthy"]))

    assert str(box.path("/opt/latent/current").readlink()) == before
    assert "Going back to version 9.0.0-" in box.journal("latent-trial.service")


def test_an_update_that_finds_no_sound_card_is_taken_back_too(box: Box, bundle: Path) -> None:
    """Its engine is well and its player waits, as for a card that is plugged in later; but there was one before."""
    no_card = "\ndef open_card(*_: object, **__: object) -> None:\n    raise CardError('none')\n"
    blind = version_on(box, bundle, "9.2.0", {"appliance/stream/card.py": no_card})
    before = str(box.path("/opt/latent/current").readlink())
    box.run(f"{blind}/deploy/update", **TRIAL)
    box.wait("the player waits", lambda: status(box)["state"] == "waiting for a sound card")
    box.wait("the trial is over", lambda: not box.path("/opt/latent/trial").exists())
    box.wait("it plays", lambda: plays(box))

    assert str(box.path("/opt/latent/current").readlink()) == before


def test_who_uninstalls_it_finds_nothing_left_but_what_it_says_it_keeps(box: Box) -> None:
    said = box.run("/opt/latent/current/deploy/uninstall")

    assert "Kept: the settings in /etc/latent" in said
    assert [name for name in left(box) if not name.startswith(KEPT)] == []
    assert not box.path("/opt/latent").exists()
    for unit in UNITS:
        assert box.show(unit, "LoadState") == "not-found"


def test_purging_takes_the_rest(box: Box) -> None:
    box.run(f"{SOURCE}/deploy/uninstall", "--purge")

    assert [name for name in left(box) if name.startswith(("/etc/latent", "/var/lib/latent", "/srv/latent"))] == []
    assert box.attempt("getent", "passwd", "latent").returncode != 0
