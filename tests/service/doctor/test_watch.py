"""The watchdog must be armed with a time that the chip can count, and the services run from every start on."""

import pytest

from appliance.service.doctor.watch import check_units, check_watchdog

UNITS = ("latent.target", "latent-engine.service", "latent-player.service", "latent-probe.service")
SHOW = "systemctl show -p Id,"


def armed(box, says, state="active"):
    box.plant("dev/watchdog0")
    box.plant("sys/class/watchdog/watchdog0/state", state + "\n")
    box.plant("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer\n")
    box.says["systemctl show -p RuntimeWatchdogUSec"] = f"RuntimeWatchdogUSec={says}\n"
    (finding,) = check_watchdog(box.case())
    return finding


@pytest.mark.parametrize(("says", "seconds"), [("15s", "15"), ("1s", "1"), ("10s 500ms", "10.5")])
def test_the_watchdog_is_armed(box, says, seconds):
    finding = armed(box, says)
    assert finding.state == "ok"
    assert f"Broadcom BCM2835 Watchdog timer starts the machine anew {seconds} s after" in finding.says


@pytest.mark.parametrize("says", ["0", "infinity"])
def test_the_watchdog_is_not_armed(box, says):
    finding = armed(box, says)
    assert (finding.state, "not armed" in finding.says) == ("trouble", True)
    assert "RuntimeWatchdogSec=15" in finding.remedy
    assert finding.remedy.endswith("sudo systemctl daemon-reexec")


@pytest.mark.parametrize("says", ["1min", "16s", "10ms", "1min 30s"])
def test_a_time_that_the_chip_cannot_count(box, says):
    finding = armed(box, says)
    assert (finding.state, "may never bite" in finding.says) == ("trouble", True)


def test_a_watchdog_that_does_not_run_after_all(box):
    assert armed(box, "15s", "inactive").state == "trouble"


@pytest.mark.parametrize("says", ["", "soon", "\xff\x00", "9" * 100_000])
def test_a_time_that_is_none(box, says):
    assert armed(box, says).state == "skipped"


def test_no_watchdog(planted):
    assert check_watchdog(planted.case())[0].state == "skipped"
    planted.install()
    finding = check_watchdog(planted.case())[0]
    assert (finding.state, "softdog" in finding.remedy) == ("warning", True)
    planted.plant("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\x00")
    finding = check_watchdog(planted.case())[0]
    assert (finding.state, "dtparam=watchdog=on" in finding.remedy) == ("trouble", True)


def units(box, settings=None, **changes):
    """What is found where all units are well but for some facts of one."""
    blocks = []
    for name in UNITS:
        facts = {"Id": name, "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
        if name.endswith(".service"):
            facts |= {"NRestarts": "0", "Result": "success"}
        if name == "latent-engine.service":
            facts |= changes
        blocks.append("".join(f"{key}={value}\n" for key, value in facts.items()))
    box.says[SHOW] = "\n".join(blocks)
    return check_units(box.case(settings))


def test_all_services_run(box):
    (finding,) = units(box)
    assert finding.state == "ok"
    assert finding.says.startswith("latent.target, latent-engine, latent-player, latent-probe:")
    assert "latent-light" not in box.asked[-1]
    units(box, {"light": {"pin": 25}})
    assert box.asked[-1].endswith("latent-light.service")


def test_what_else_the_target_starts_is_looked_at_too(box):
    box.says["systemctl show -p Wants,Requires latent.target"] = (
        "Requires=sysinit.target\nWants=latent-keeper.service latent-engine.service latent-light.service x.service\n"
    )
    units(box)
    assert box.asked[-1].endswith(
        " latent.target latent-engine.service latent-player.service latent-probe.service latent-keeper.service"
    )


def test_a_service_that_failed_has_the_last_word(box):
    box.says["journalctl _SYSTEMD_UNIT=latent-engine.service -n 1"] = "one\nThe model default is gone.\n"
    (finding,) = units(box, ActiveState="failed", Result="watchdog")
    assert finding.state == "trouble"
    assert finding.says == (
        "latent-engine.service has failed (watchdog); the last that was heard of it: The model default is gone."
    )
    assert finding.remedy == "sudo systemctl restart latent-engine.service"


def test_a_service_whose_journal_is_closed(box):
    assert units(box, ActiveState="activating")[0].says == "latent-engine.service is activating."


@pytest.mark.parametrize(("state", "word"), [("disabled", "enable"), ("masked", "unmask")])
def test_a_service_that_stays_away_after_a_start(box, state, word):
    (finding,) = units(box, UnitFileState=state)
    assert (finding.state, finding.remedy) == ("trouble", f"sudo systemctl {word} latent-engine.service")


def test_a_service_that_is_started_again_and_again(box):
    assert units(box, NRestarts="2")[0].state == "ok"
    (finding,) = units(box, NRestarts="41")
    assert (finding.state, "started again 41 times" in finding.says) == ("warning", True)


def test_a_unit_that_is_not_there(box):
    (finding,) = units(box, LoadState="not-found")
    assert (finding.state, "daemon-reload" in finding.remedy) == ("trouble", True)


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe\n\n=\n=", b"Id\n\nState", b"=" * 500_000])
def test_without_an_answer_nothing_is_claimed(box, rubbish):
    box.says[SHOW] = rubbish
    assert check_units(box.case())[0].state == "skipped"


def test_without_systemd_nothing_is_claimed(box, planted):
    box.says[SHOW] = TimeoutError()
    assert check_units(box.case())[0].state == "skipped"


def test_a_laptop_has_no_services(planted):
    assert check_units(planted.case())[0].state == "skipped"
    assert planted.asked == []
