"""The units are such as systemd takes, and leave little open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.cli.main import _COMMANDS

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
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
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    return path


def test_there_are_units() -> None:
    assert UNITS


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = analyse("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_mistake_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=stric\nProtectSytem=yes"))
    assert "ProtectSytem" in analyse("verify", "--man=no", str(unit)).stderr


def test_little_is_left_open(unit: Path) -> None:
    done = analyse("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_it_starts_a_command_that_there_is(path: Path) -> None:
    command = re.search(r"^ExecStart=\S+ (\w+) --config /etc/latent/latent.toml$", path.read_text(), re.MULTILINE)
    assert command
    assert command[1] in _COMMANDS
