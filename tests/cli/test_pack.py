"""`latent pack` and `latent unpack` as a technician types them."""

import json
import re
from pathlib import Path

import pytest
from taught import Machine, judge

from appliance.service.arriving import trial


@pytest.fixture
def gallery(nobody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "gallery").taught("fog", "rain", scene="dusk")
    stand_at(machine, monkeypatch)
    return machine


def stand_at(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands be for this machine."""
    monkeypatch.setenv("STATE_DIRECTORY", str(machine.state))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(machine.target.runtime))
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(machine.target.settings.parent))
    monkeypatch.setattr(trial, "tried", judge)


@pytest.fixture
def packed(gallery: Machine, latent, tmp_path: Path) -> Path:
    path = tmp_path / "gallery.latentpack"
    assert latent("pack", path).code == 0
    return path


@pytest.fixture
def spare(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "spare")
    stand_at(machine, monkeypatch)
    return machine


@pytest.mark.parametrize("command", ["pack", "unpack"])
def test_help_has_an_example(latent, command: str) -> None:
    outcome = latent(command, "--help")
    assert outcome.code == 0
    assert re.search(rf"Example: .*latent {command} gallery\.latentpack", outcome.out, re.DOTALL)


def test_packing_says_what_is_in_it(gallery: Machine, latent, tmp_path: Path) -> None:
    outcome = latent("pack", tmp_path / "a.latentpack")
    assert outcome.out == f"{tmp_path}/a.latentpack holds 2 models and 10 files in all (0.0 MB).\n"
    told = json.loads(latent("pack", tmp_path / "a.latentpack", "--json").out)
    assert (told["models"], len(told["members"]), told["notes"]) == (2, 10, [])
    assert told["bytes"] == (tmp_path / "a.latentpack").stat().st_size


def test_unpacking_says_what_came_of_it(gallery: Machine, spare: Machine, packed: Path, latent) -> None:
    outcome = latent("unpack", packed)
    assert outcome.code == 0
    assert re.match(r"This machine is now what was packed on 20\S+Z by version \S+\.\n$", outcome.out)
    assert outcome.err == "Trying fog on this machine.\nTrying rain on this machine.\n"
    assert spare.told == gallery.told


def test_a_dry_run_says_so_and_changes_nothing(spare: Machine, packed: Path, latent) -> None:
    assert latent("unpack", packed, "--dry-run").out.startswith("This machine can become what was packed on ")
    assert spare.files() == {}


def test_what_was_here_is_told_and_kept(spare: Machine, packed: Path, latent) -> None:
    spare.taught("snow", scene="noon")
    outcome = latent("unpack", packed)
    assert outcome.code == 2
    assert "latent: This machine has" in outcome.err
    told = json.loads(latent("unpack", packed, "--force", "--json").out)
    assert told["before"] == f"{spare.state}/before-unpack.latentpack"
    assert (told["models"], told["refused"], told["dry_run"]) == (["fog", "rain"], [], False)


def test_what_is_no_pack_is_told_in_one_sentence(spare: Machine, latent, tmp_path: Path) -> None:
    path = tmp_path / "song.latentpack"
    path.write_text("la la la")
    outcome = latent("unpack", path)
    assert outcome.code == 1
    assert outcome.err == f"latent: {path} is not a zip, so it is no pack; copy it again, or pack it anew.\n"


def test_settings_that_could_not_be_read_elsewhere_are_not_packed(gallery: Machine, latent, tmp_path: Path) -> None:
    gallery.target.settings.write_text("[card]\nrat = 7\n")
    outcome = latent("pack", tmp_path / "a.latentpack")
    assert outcome.code == 2
    assert "did you mean rate?" in outcome.err
    assert not (tmp_path / "a.latentpack").exists()
    other = tmp_path / "other.toml"
    other.write_text("[card]\nrate = 44100\n")
    assert latent("pack", tmp_path / "a.latentpack", "--config", other).code == 0
