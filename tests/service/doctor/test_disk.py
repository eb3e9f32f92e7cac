"""Room, damage, and what wears out an SD card."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from appliance.service.doctor.disk import check_disk, check_wear

ROOM = {"f_frsize": 4096, "f_bavail": 1_000_000, "f_files": 60_000, "f_favail": 50_000, "f_flag": 0}
SWAPS = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n"


def disk(planted, **changes):
    told = SimpleNamespace(**(ROOM | changes))
    case = planted.case()
    return check_disk(replace(case, machine=replace(case.machine, statvfs=lambda folder: told)))


def test_there_is_room(planted):
    (finding,) = disk(planted)
    assert (finding.state, finding.says.endswith("has 4096 MB free.")) == ("ok", True)


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        ({"f_bavail": 20_000}, "warning", "no model is taken in below 256 MB"),
        ({"f_bavail": 100}, "trouble", "is full: 0 MB are free"),
        ({"f_favail": 3}, "trouble", "room for 3 more files"),
        ({"f_files": 0, "f_favail": 0}, "ok", "4096 MB free"),
        ({"f_flag": os.ST_RDONLY}, "trouble", "can only be read"),
    ],
)
def test_a_disk_that_fills_up_or_is_closed(planted, changes, state, says):
    finding = disk(planted, **changes)[0]
    assert finding.state == state
    assert says in finding.says
    assert bool(finding.remedy) == (state != "ok")


def test_a_damaged_file_system(planted):
    planted.plant("sys/fs/ext4/mmcblk0p2/errors_count", "0\n")
    assert len(disk(planted)) == 1
    planted.plant("sys/fs/ext4/mmcblk0p2/errors_count", "12\n")
    finding = disk(planted)[1]
    assert (finding.state, finding.says.startswith("The file system on mmcblk0p2 has counted 12 errors")) == (
        "trouble",
        True,
    )
    planted.plant("sys/fs/ext4/mmcblk0p2/errors_count", b"\xff" * 100)
    assert len(disk(planted)) == 1


def test_a_disk_that_was_to_be_closed_and_is_open(box):
    box.plant("proc/mounts", "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n")
    box.plant("etc/overlayroot.local.conf", 'overlayroot="tmpfs:recurse=0"\n')
    (finding,) = check_wear(box.case())
    assert (finding.state, finding.remedy) == ("warning", "sudo cat /run/initramfs/overlayroot.log")
    box.plant("proc/mounts", "overlayroot / overlay rw 0 0\n/dev/mmcblk0p2 /media/root-ro ext4 ro 0 0\n")
    assert check_wear(box.case())[0].state == "ok"


@pytest.mark.parametrize(
    ("unit", "mounts", "survives"),
    [
        (False, "/dev/mmcblk0p2 / ext4 rw 0 0\n", True),
        (True, "/dev/mmcblk0p2 / ext4 rw 0 0\n/dev/sda1 /var/lib/latent ext4 rw 0 0\n", True),
        (True, "/dev/mmcblk0p2 / ext4 rw 0 0\n", False),
        (False, "overlayroot / overlay rw 0 0\n/dev/mmcblk0p2 /media/root-ro ext4 ro 0 0\n", False),
    ],
)
def test_what_must_survive_has_a_partition_that_is_there(box, unit, mounts, survives):
    box.plant("proc/mounts", mounts)
    if unit:
        box.plant("etc/systemd/system/media-latent.mount")
    troubles = [each for each in check_disk(box.case()) if "partition for what must survive" in each.says]
    assert [each.state for each in troubles] == ([] if survives else ["trouble"])


def test_a_disk_that_refuses(planted):
    def refuses(folder):
        raise OSError(5, "Input/output error")

    case = planted.case()
    (finding,) = check_disk(replace(case, machine=replace(case.machine, statvfs=refuses)))
    assert (finding.state, "Input/output error" in finding.says) == ("trouble", True)


@pytest.mark.parametrize(
    ("mounts", "says"),
    [
        ("/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n", "the root can be written"),
        ("/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n", "the root is read-only"),
        ("overlayroot / overlay rw,lowerdir=/l 0 0\n/dev/sda2 /media/root-ro ext4 ro 0 0\n", "the root is read-only"),
        ("overlay / overlay rw,lowerdir=/layer 0 0\n", "the root can be written"),
        (b"\xff\xfe\n / \n/", "the root can be written"),
    ],
)
def test_nothing_wears_the_card_out(box, mounts, says):
    box.plant("proc/mounts", mounts)
    box.plant("proc/swaps", SWAPS + "/dev/zram0 partition 1000 0 100\n")
    (finding,) = check_wear(box.case())
    assert (finding.state, finding.says) == ("ok", f"Nothing writes all the time; {says}.")


def test_swap_wears_the_card_out(box):
    box.plant("proc/swaps", SWAPS + "/var/swap file 102396 0 -2\n/dev/sda2 partition 1000 0 -3\n")
    file, partition = check_wear(box.case())
    assert (file.state, file.remedy) == ("warning", "sudo systemctl disable --now dphys-swapfile")
    assert partition.remedy == "sudo swapoff /dev/sda2"


def test_the_journal_wears_the_card_out(box):
    box.folder("var/log/journal")
    (finding,) = check_wear(box.case())
    assert (finding.state, "Storage=volatile" in finding.remedy) == ("warning", True)
    box.plant("etc/systemd/journald.conf", "[Journal]\n#Storage=volatile\nStorage=persistent\nSystemMaxUse=50M\n")
    assert "up to 50M" in check_wear(box.case())[0].says
    box.plant("etc/systemd/journald.conf.d/50-latent.conf", "[Journal]\nStorage=volatile\n")
    assert check_wear(box.case())[0].state == "ok"


def test_the_card_of_a_laptop_is_nobodys_business(planted):
    planted.folder("var/log/journal")
    assert check_wear(planted.case()) == []
