"""The units are such as systemd takes, and leave little open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click import Context

from appliance.cli.main import _COMMANDS, cli

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
GUIDE = (ROOT / "deploy/guide.md").read_text(encoding="utf-8")
MOST_EXPOSED = 1.5
PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: install what Debian calls systemd."
)


def analyse(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is there."""
    path = tmp_path / request.param.name
    text = request.param.read_text()
    assert re.search(r"^ExecStart=/opt/latent/bin/latent ", text, re.MULTILINE)
    path.write_text(standing_in(text))
    return path


def standing_in(text: str) -> str:
    """Make it a unit whose program is there."""
    return re.sub(r"^(ExecStart|ExecStartPre)=(-?)\S+", r"\1=\2/bin/true", text, flags=re.MULTILINE)


def exposure(unit: Path) -> float:
    """What systemd thinks of how much is left open, from 0 to 10."""
    done = analyse("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


def test_there_are_units() -> None:
    assert UNITS


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = analyse("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_guide_tells_how_exposed_each_is(unit: Path) -> None:
    told = re.search(rf"^\| `{unit.stem}` \|.*\| ([\d.]+) \|$", GUIDE, re.MULTILINE)
    assert told
    assert exposure(unit) == float(told[1])


def test_osc_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    engine, osc = (SYSTEMD / name for name in ("latent-engine.service", "osc.conf"))
    path = tmp_path / "latent-engine.service"
    path.write_text(standing_in(engine.read_text()) + osc.read_text())
    told = re.search(r"exposure is ([\d.]+):$", GUIDE, re.MULTILINE)
    assert told
    assert exposure(path) == float(told[1]) <= MOST_EXPOSED


def test_a_graphics_processor_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    path = tmp_path / "latent-engine.service"
    path.write_text(standing_in((SYSTEMD / path.name).read_text()) + (SYSTEMD / "cuda.conf").read_text())
    assert analyse("verify", "--man=no", str(path)).stderr == ""
    told = re.search(r"With this the engine's exposure is ([\d.]+)\.", GUIDE)
    assert told
    assert exposure(path) == float(told[1]) <= MOST_EXPOSED


def test_devices_may_be_used_also_where_their_driver_is_loaded_later(unit: Path) -> None:
    """A name is looked up in /proc/devices when the unit starts, once; what is not there yet stays forbidden."""
    allowed = re.findall(r"^DeviceAllow=char-(\S+)", unit.read_text(), re.MULTILINE)
    # Pins are in the kernel itself.
    assert all(each.isdigit() or each == "gpiochip" for each in allowed)


def test_nothing_waits_for_a_partition_that_may_be_missing(unit: Path) -> None:
    """StateDirectory= would: it makes a unit require whatever mounts that folder."""
    assert not re.search(r"^(StateDirectory|ConfigurationDirectory|RequiresMountsFor)=", unit.read_text(), re.MULTILINE)


def test_a_mistake_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=stric\nProtectSytem=yes"))
    assert "ProtectSytem" in analyse("verify", "--man=no", str(unit)).stderr


def test_little_is_left_open(unit: Path) -> None:
    assert exposure(unit) <= MOST_EXPOSED


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_it_starts_a_command_that_there_is(path: Path) -> None:
    commands = re.findall(r"^Exec\w+=-?/opt/latent/bin/latent (.+)$", path.read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        name, *options = command.split()
        known = {option for each in cli.get_command(Context(cli), name).params for option in each.opts}
        assert name in _COMMANDS
        assert {option for option in options if option.startswith("--")} <= known


def test_what_opens_the_port_for_metrics_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    path = tmp_path / "latent-keeper.service"
    path.write_text(standing_in((SYSTEMD / path.name).read_text()) + (SYSTEMD / "metrics.conf").read_text())
    assert analyse("verify", "--man=no", str(path)).stderr == ""
    stated = re.search(r"latent-keeper.service.* exposure.* from [\d.]+ to ([\d.]+)", " ".join(GUIDE.split()))
    assert stated
    assert exposure(path) == float(stated[1]) <= MOST_EXPOSED


def test_another_machines_snapcast_server_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    section = GUIDE.split("## Many rooms in step (Snapcast)")[1].split("\n## ")[0]
    (drop_in,) = re.findall(r"```ini\n(.*?)```", section, re.DOTALL)
    assert "IPAddressAllow=" in drop_in
    told = re.findall(r"exposure ([\d.]+)|makes it ([\d.]+)\)", section)
    path = tmp_path / "latent-snapcast.service"
    text, found = standing_in((SYSTEMD / path.name).read_text()), []
    for unit in (text, f"{text}\n{drop_in}"):
        path.write_text(unit)
        found.append(exposure(path))
    assert [float(own or other) for own, other in told] == found
