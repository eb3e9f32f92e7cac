"""Every check stands alone: none that fails or hangs keeps the others from telling."""

import threading
import time

import pytest

from appliance.service.doctor import case
from appliance.service.doctor.examine import CHECKS, examine, examine_case
from appliance.service.doctor.finding import as_json, healthy, ok, skipped, trouble, warning


def test_whatever_fails_is_told_and_the_rest_goes_on(planted):
    def fails(_):
        raise ValueError("odd\x1b[31m")

    def forbidden(_):
        raise PermissionError(13, "Permission denied", "/var/lib/latent")

    def hangs(_):
        time.sleep(60.0)

    checks = [("one", fails), ("two", forbidden), ("three", hangs), ("four", lambda _: [ok("four", "Fine.")])]
    found = examine_case(planted.case(), checks, patience_s=0.2)
    assert [(finding.name, finding.state) for finding in found] == [
        ("one", "warning"),
        ("two", "skipped"),
        ("three", "warning"),
        ("four", "ok"),
    ]
    assert found[0].says == r"It could not be looked at (ValueError: odd\x1b[31m)."
    assert found[1].says == "Only root may look at /var/lib/latent."
    assert healthy(found)
    hung = [thread for thread in threading.enumerate() if thread.name == "three"]
    # Or it would keep the program from ending.
    assert all(thread.daemon for thread in hung)
    assert hung


def test_settings_and_report_may_fail_as_oddly_as_they_like(planted, monkeypatch):
    def fails(*_):
        raise RuntimeError("on\nfire")

    monkeypatch.setattr(case, "read_forgiving", fails)
    monkeypatch.setattr(case, "status", fails)
    found = {finding.name: finding for finding in examine(planted.machine, None)}
    assert found["settings"].says == r"The settings cannot be read (RuntimeError: on\nfire)."
    assert found["sound"].says == r"What plays cannot be looked at (RuntimeError: on\nfire)."
    assert found["model"].state == "ok"


def test_only_trouble_is_unwell():
    assert healthy([ok("a", "."), warning("b", ".", "x"), skipped("c", ".")])
    assert not healthy([ok("a", "."), trouble("b", ".", "x")])
    assert as_json([trouble("b", "Bad.", "x")]) == {
        "healthy": False,
        "findings": [{"name": "b", "state": "trouble", "says": "Bad.", "remedy": "x"}],
    }


def test_an_empty_machine_can_be_examined(planted):
    found = examine(planted.machine, None)
    assert {"sound", "settings", "card", "disk", "heat", "clock", "model"} <= {finding.name for finding in found}
    assert [finding.name for finding in found if "could not be looked at" in finding.says] == []


def test_a_box_of_which_nothing_else_is_known_can_be_examined(box):
    found = examine(box.machine, None)
    assert {"units", "watchdog", "card wear"} <= {finding.name for finding in found}
    assert [finding.name for finding in found if "could not be looked at" in finding.says] == []


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00" * 100_000, b"", b"\n" * 300_000, b"-1 " * 100_000])
def test_rubbish_everywhere_is_survived(box, playing, rubbish):
    files = """
        proc/asound/cards proc/asound/card0/pcm0p/info proc/asound/card0/pcm0p/sub0/status proc/77/stat proc/77/status
        proc/mounts proc/swaps proc/device-tree/compatible etc/timezone etc/systemd/journald.conf boot/config.txt
        sys/class/thermal/thermal_zone0/temp sys/fs/ext4/sda1/errors_count sys/class/watchdog/watchdog0/state
        sys/class/rtc/rtc0/name dev/watchdog0 sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
        state/models/choice.json state/rejected/x.latent.reason.txt etc/group
    """
    for path in files.split():
        box.plant(path, rubbish)
    box.says[""] = rubbish
    wired = {"controls": {"tilt": {"source": "mcp3008", "channel": 0, "moves": "pitch"}}}
    found = examine_case(box.case(wired, report=playing))
    assert [finding.says for finding in found if "could not be looked at" in finding.says] == []
    assert all(finding.says.isprintable() and finding.remedy.isprintable() for finding in found)
    assert all(bool(finding.remedy) or finding.state != "trouble" for finding in found)
    assert len(found) >= len(CHECKS) - 5
