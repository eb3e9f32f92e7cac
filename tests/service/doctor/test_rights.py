"""What the services may do is read from the modes of files, their groups, and what the kernel tells of the player."""

import pytest

from appliance.service.doctor.rights import check_governor, check_permissions, check_real_time

# Fields 3 to 41, as proc(5) has them.
STAT = "77 (latent (player)) S " + "0 " * 36 + "{rt} {policy} 0 0"
PERFORMANCE = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"


@pytest.fixture
def folders(box):
    for name in ("state", "cache", "runtime"):
        box.folder(name)
    return box


def test_the_services_may_do_what_they_must(folders):
    folders.plant("dev/snd/pcmC1D0p", mode=0o660)
    sound, kept = check_permissions(folders.case())
    assert (sound.state, sound.says) == ("ok", "The user latent may use the sound.")
    assert kept.state == "ok"
    assert str(folders.root / "runtime") in kept.says


def test_without_the_group_there_is_no_sound(folders):
    folders.plant("dev/snd/pcmC1D0p", mode=0o660)
    folders.plant("etc/group", f"audio:x:{folders.gid}:pi,somebody\n")
    sound, kept = check_permissions(folders.case())
    assert (sound.state, kept.state) == ("trouble", "trouble")
    assert sound.remedy == "sudo usermod -aG audio latent && sudo systemctl restart latent-player.service"
    assert kept.remedy == f"sudo chown -R latent: {folders.root / 'state'}"


def test_a_drop_in_may_give_the_group(folders):
    folders.plant("dev/snd/pcmC1D0p", mode=0o660)
    folders.plant("etc/group", f"audio:x:{folders.gid}:\n")
    folders.says["systemctl show -p SupplementaryGroups latent-player.service"] = "SupplementaryGroups=audio spi\n"
    assert [finding.state for finding in check_permissions(folders.case())] == ["ok", "ok"]


def test_a_sound_server_may_stand_between(folders, playing):
    folders.plant("dev/snd/pcmC1D0p", mode=0o600)
    sound = check_permissions(folders.case(report=playing))[0]
    assert (sound.state, sound.says.endswith("plays through a sound server.")) == ("ok", True)


def test_no_user_for_the_services(folders):
    folders.plant("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    (finding,) = check_permissions(folders.case())
    assert (finding.state, finding.says) == ("trouble", "There is no user latent, whom the services run as.")
    assert finding.remedy.startswith("sudo systemd-sysusers")


def test_a_folder_that_is_missing(folders):
    (folders.root / "runtime").rmdir()
    finding = check_permissions(folders.case())[1]
    assert finding.state == "trouble"
    assert finding.remedy.startswith(f"sudo install -d -o latent -g latent {folders.root / 'runtime'} &&")


def test_the_folder_that_is_copied_to_stays_theirs_who_copy(folders):
    incoming = folders.folder("srv/latent/incoming", mode=0o755)
    finding = check_permissions(folders.case())[1]
    assert finding.says == f"The user latent may not write to {incoming}."
    assert finding.remedy == f"sudo chgrp latent {incoming} && sudo chmod g+rwxs {incoming}"


def test_a_folder_that_cannot_be_entered_is_closed(folders):
    folders.folder("cache", mode=0o760)
    assert check_permissions(folders.case())[1].remedy == f"sudo chown -R latent: {folders.root / 'cache'}"


def test_without_services_folders_come_with_the_first_use(planted):
    sound, kept = check_permissions(planted.case())
    assert (sound.state, kept.state) == ("skipped", "ok")


@pytest.mark.parametrize(
    "rubbish", [b"\xff\x00" * 100, b"latent:x:many:few:::\n", b"latent\n:::\n", b"latent:" * 50_000]
)
def test_rubbish_is_no_user(folders, rubbish):
    folders.plant("etc/passwd", rubbish)
    assert check_permissions(folders.case())[0].state == "trouble"


@pytest.mark.parametrize(
    ("policy", "locked", "told"),
    [
        (1, 5000, ("ok", "The player runs at priority 20 and is never swapped out.")),
        (0, 5000, ("trouble", "The player does not run in real time, so a busy machine may be heard.")),
        (2, 0, ("trouble", "The player may be swapped out, so a busy machine may be heard.")),
    ],
)
def test_the_player_runs_in_real_time(box, playing, policy, locked, told):
    box.plant("proc/77/stat", STAT.format(rt=20, policy=policy))
    box.plant("proc/77/status", f"Name:\tlatent player\nVmLck:\t    {locked} kB\n")
    (finding,) = check_real_time(box.case(report=playing))
    assert (finding.state, finding.says) == told
    assert finding.remedy.startswith("sudo /opt/latent/current/deploy/install" if told[0] == "trouble" else "")


def test_without_services_real_time_is_a_wish(planted, playing):
    planted.plant("proc/77/stat", STAT.format(rt=0, policy=0))
    planted.plant("proc/77/status", "VmLck:\t       0 kB\n")
    (finding,) = check_real_time(planted.case(report=playing))
    assert finding.state == "warning"
    assert "does not run in real time and may be swapped out" in finding.says
    assert "/etc/security/limits.d/latent.conf" in finding.remedy


@pytest.mark.parametrize("stat", ["", "77 (x) S 1", b"\xff" * 1000, "77 (x) " + "y " * 60])
def test_a_player_that_cannot_be_looked_at(box, playing, stat):
    box.plant("proc/77/stat", stat)
    assert check_real_time(box.case(report=playing))[0].state == "skipped"


def test_no_player(box):
    assert check_real_time(box.case())[0].state == "skipped"


@pytest.mark.parametrize(
    ("governors", "state"),
    [(("performance", "performance"), "ok"), (("performance", "ondemand"), "warning"), (("", ""), "skipped")],
)
def test_the_processor_stays_at_full_speed(box, governors, state):
    for core, governor in enumerate(governors):
        box.plant(PERFORMANCE.format(core), governor + "\n")
    (finding,) = check_governor(box.case())
    assert finding.state == state
    assert bool(finding.remedy) == (state == "warning")


def test_a_laptop_may_save_power(planted):
    planted.plant(PERFORMANCE.format(0), "powersave\n")
    assert check_governor(planted.case()) == []
