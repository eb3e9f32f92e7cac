"""Opening hours go by the clock; without them nothing about it is trouble."""

from dataclasses import replace

import pytest

from appliance.service.doctor.clock import check_clock


class Hours:
    """Opening hours as far as the clock is concerned."""

    time_zone: str | None = None


class WithHours:
    """Settings with opening hours."""

    hours = Hours()


def clock(planted, text, hours=False):
    planted.says["timedatectl show"] = text
    case = planted.case()
    return check_clock(replace(case, settings=WithHours()) if hours else case)


def test_a_clock_that_is_set(planted):
    (finding,) = clock(planted, "NTPSynchronized=yes\nTimezone=Europe/Oslo\n", hours=True)
    assert finding.state == "ok"
    assert "without a clock chip" in finding.says
    planted.plant("sys/class/rtc/rtc0/name")
    assert "there is a clock chip" in clock(planted, "NTPSynchronized=yes\n")[0].says


@pytest.mark.parametrize(("hours", "state"), [(True, "trouble"), (False, "warning")])
def test_a_clock_that_is_not_set(planted, hours, state):
    finding = clock(planted, "NTPSynchronized=no\nTimezone=Europe/Oslo\n", hours)[0]
    assert (finding.state, finding.remedy) == (state, "sudo timedatectl set-ntp true")
    planted.plant("run/systemd/timesync/synchronized")
    assert clock(planted, "NTPSynchronized=no\nTimezone=Europe/Oslo\n", hours)[0].state == "ok"


def test_hours_want_the_zone_of_the_place(planted, monkeypatch):
    _, zone = clock(planted, "NTPSynchronized=yes\nTimezone=Etc/UTC\n", hours=True)
    assert (zone.name, zone.state) == ("time zone", "warning")
    assert len(clock(planted, "NTPSynchronized=yes\nTimezone=Etc/UTC\n")) == 1
    monkeypatch.setattr(Hours, "time_zone", "Europe/Oslo")
    assert len(clock(planted, "NTPSynchronized=yes\nTimezone=Etc/UTC\n", hours=True)) == 1


@pytest.mark.parametrize("rubbish", ["", b"\xff\x00\n", b"=" * 100_000])
def test_nobody_tells(planted, rubbish):
    assert clock(planted, rubbish)[0].state in ("skipped", "warning")
    planted.says.clear()
    planted.plant("etc/timezone", b"\xff\xfe/../x\n")
    assert check_clock(planted.case())[0].state == "skipped"
