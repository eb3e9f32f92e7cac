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

# What deploy/install names in a drop-in of its own; which groups they are makes no difference.
WITH_GROUPS = ("latent-engine.service", "latent-light.service")
GROUPS = "\n[Service]\nSupplementaryGroups=root\n"
# The guide's figures are those of Debian 12; other versions count other things.
OF_THE_GUIDE = 252
# Units that are not installed can be rated from here on.
OLDEST = 250


def version() -> int:
    """Of systemd; 0 where there is none."""
    if shutil.which("systemd-analyze") is None:
        return 0
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1])


pytestmark = pytest.mark.skipif(
    version() < OLDEST, reason=f"systemd-analyze is missing or older than {OLDEST}: Debian 12 has one that is not."
)


def analyse(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is there."""
    path = tmp_path / request.param.name
    text = request.param.read_text()
    assert re.search(r"^ExecStart=/opt/latent/bin/latent ", text, re.MULTILINE)
    path.write_text(standing_in(request.param))
    return path


def standing_in(unit: Path) -> str:
    """Make of it, as it is installed, a unit whose program is there."""
    text = re.sub(r"^(ExecStart|ExecStartPre)=(-?)\S+", r"\1=\2/bin/true", unit.read_text(), flags=re.MULTILINE)
    return text + GROUPS * (unit.name in WITH_GROUPS)


def as_told(found: float, told: float) -> bool:
    """Whether the guide's figure is right, as far as this systemd can tell."""
    return found == told or version() != OF_THE_GUIDE


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
    assert as_told(exposure(unit), float(told[1]))


def test_osc_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    path = tmp_path / "latent-engine.service"
    path.write_text(standing_in(SYSTEMD / path.name) + (SYSTEMD / "osc.conf").read_text())
    told = re.search(r"exposure is ([\d.]+):$", GUIDE, re.MULTILINE)
    assert told
    assert as_told(exposure(path), float(told[1]))
    assert exposure(path) <= MOST_EXPOSED


def test_a_graphics_processor_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    path = tmp_path / "latent-engine.service"
    engine = standing_in(SYSTEMD / path.name)
    cuda, osc = ((SYSTEMD / name).read_text() for name in ("cuda.conf", "osc.conf"))
    path.write_text(engine + cuda)
    assert analyse("verify", "--man=no", str(path)).stderr == ""
    told = re.search(r"With this the engine's exposure is ([\d.]+), with OSC's port as well ([\d.]+)\.", GUIDE)
    assert told
    assert as_told(exposure(path), float(told[1]))
    assert exposure(path) <= MOST_EXPOSED
    path.write_text(engine + cuda + osc)
    assert as_told(exposure(path), float(told[2]))


def test_devices_may_be_used_also_where_their_driver_is_loaded_later(unit: Path) -> None:
    """A name is looked up in /proc/devices when the unit starts, once; what is not there yet stays forbidden."""
    allowed = re.findall(r"^DeviceAllow=char-(\S+)", unit.read_text(), re.MULTILINE)
    # Pins are in the kernel itself.
    assert all(each.isdigit() or each == "gpiochip" for each in allowed)


def test_nothing_waits_for_a_partition_that_may_be_missing(unit: Path) -> None:
    """StateDirectory= would: it makes a unit require whatever mounts that folder."""
    assert not re.search(r"^(StateDirectory|ConfigurationDirectory|RequiresMountsFor)=", unit.read_text(), re.MULTILINE)


def test_systemd_has_nothing_to_say_against_the_other_files() -> None:
    done = analyse("verify", "--man=no", str(SYSTEMD / "latent.target"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # They look, and do nothing.
    for kind, option in (("sysusers", "--dry-run"), ("tmpfiles", "--prefix=/nowhere")):
        command = [f"systemd-{kind}", "--create", option] if kind == "tmpfiles" else [f"systemd-{kind}", option]
        done = subprocess.run([*command, SYSTEMD / f"latent.{kind}.conf"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


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
    path.write_text(standing_in(SYSTEMD / path.name) + (SYSTEMD / "metrics.conf").read_text())
    assert analyse("verify", "--man=no", str(path)).stderr == ""
    stated = re.search(r"latent-keeper.service.* exposure.* from [\d.]+ to ([\d.]+)", " ".join(GUIDE.split()))
    assert stated
    assert as_told(exposure(path), float(stated[1]))
    assert exposure(path) <= MOST_EXPOSED


def test_another_machines_snapcast_server_opens_no_more_than_the_guide_tells(tmp_path: Path) -> None:
    section = GUIDE.split("## Many rooms in step (Snapcast)")[1].split("\n## ")[0]
    (drop_in,) = re.findall(r"```ini\n(.*?)```", section, re.DOTALL)
    assert "IPAddressAllow=" in drop_in
    told = re.findall(r"exposure ([\d.]+)|makes it ([\d.]+)\)", section)
    path = tmp_path / "latent-snapcast.service"
    text, stated = standing_in(SYSTEMD / path.name), [float(own or other) for own, other in told]
    for unit, figure in zip((text, f"{text}\n{drop_in}"), stated, strict=True):
        path.write_text(unit)
        assert as_told(exposure(path), figure)
