"""The model that plays or would play is opened, and the one that is there for when it cannot."""

import json
import os
import time
from pathlib import Path

import pytest

from appliance.model import library
from appliance.service.doctor.models import check_copies, check_model

SHIPPED = Path(library.__file__).parents[2] / "models"
DIGEST = "ab" * 32


def choose(planted, name="mine", shipped=False):
    planted.plant(
        "state/models/choice.json", json.dumps({"current": {"digest": DIGEST, "name": name, "shipped": shipped}})
    )


def test_the_shipped_model_is_whole(planted, playing):
    (finding,) = check_model(planted.case())
    assert (finding.state, finding.says) == ("ok", "default is whole.")
    assert check_model(planted.case(report=playing))[0].says == "default is whole, and plays."


def test_a_chosen_model_that_is_gone(box):
    choose(box)
    finding = check_model(box.case())[0]
    assert finding.state == "trouble"
    assert finding.says == "The model mine is gone from this machine: copy it again, or choose another."
    assert finding.remedy == "latent model use default"


@pytest.mark.parametrize("rubbish", [b"", b"\xff" * 10_000, b"PK\x03\x04" + b"\x00" * 5000])
def test_a_chosen_model_that_is_damaged(planted, rubbish):
    choose(planted)
    planted.plant(f"state/models/store/{DIGEST}.latent", rubbish)
    finding = check_model(planted.case())[0]
    assert (finding.state, finding.remedy) == ("trouble", "latent model use default")


@pytest.mark.parametrize("rubbish", ["{", "\x00" * 100, "[]", "x" * 100_000])
def test_a_choice_that_is_damaged(planted, rubbish):
    planted.plant("state/models/choice.json", rubbish)
    assert check_model(planted.case())[0].state == "warning"


def test_a_model_of_the_settings_that_is_not_there(planted):
    finding = check_model(planted.case({"music": {"model": "glas"}}))[0]
    assert (finding.state, "did you mean 'glass'" in finding.says) == ("trouble", True)
    assert finding.remedy.endswith("latent.toml")


def test_the_shipped_model_is_damaged(box, monkeypatch, tmp_path):
    damaged = tmp_path / "models"
    damaged.mkdir()
    (damaged / "default.latent").write_bytes((SHIPPED / "default.latent").read_bytes()[:-1000])
    (damaged / "glass.latent").write_bytes((SHIPPED / "glass.latent").read_bytes())
    monkeypatch.setattr(library, "_SHIPPED", damaged)
    chosen, factory = check_model(box.case({"music": {"model": "glass"}}))
    assert (chosen.state, factory.state) == ("ok", "trouble")
    assert factory.remedy == "sudo /opt/latent/current/deploy/install"


def test_what_the_engine_says_of_a_model_is_passed_on(planted, playing):
    told = playing | {"model_trouble": "mine does not play: it is too slow for this machine."}
    assert check_model(planted.case(report=told))[0].state == "warning"


def test_the_last_refused_copy_is_told_with_its_reason(planted):
    assert check_copies(planted.case()) == []
    planted.plant("state/rejected/old.latent.reason.txt", "old.latent is empty.\n")
    week_ago_s = time.time() - 8 * 86_400
    os.utime(planted.root / "state/rejected/old.latent.reason.txt", (week_ago_s, week_ago_s))
    assert check_copies(planted.case()) == []
    planted.plant("srv/latent/rejected/new.latent.reason.txt", b"new.latent is too slow\xff\n.\n" * 1000)
    (finding,) = check_copies(planted.case())
    assert finding.state == "warning"
    assert finding.says.startswith("The last model that was copied here was refused: new.latent is too slow")
    assert "\n" not in finding.says


def test_what_was_unpacked_by_half_is_told(box, playing):
    assert {each.name for each in check_model(box.case(report=playing))} == {"model"}
    box.plant("state/unpack.unfinished")
    (finding, *_) = check_model(box.case(report=playing))
    assert (finding.name, finding.state) == ("unpack", "trouble")
    assert finding.remedy == "sudo systemctl stop latent.target && latent unpack FILE"
