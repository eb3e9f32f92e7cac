import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.service.doctor import examine
from appliance.service.doctor.finding import ok, skipped, trouble, warning

HOUSE = Path(__file__).parents[2]
STATES = ("ok", "warning", "trouble", "skipped")


@pytest.fixture
def found(monkeypatch):
    """Have the doctor find these."""

    def plant(*findings):
        monkeypatch.setattr(examine, "examine", lambda machine, config: list(findings))

    return plant


def test_a_well_machine(latent, found):
    found(ok("card", "Playing on USB."), skipped("pins", "Nothing is wired."))
    outcome = latent("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "ok        card        Playing on USB.\nskipped   pins        Nothing is wired.\n\nAll is well.\n"
    )


def test_what_is_to_be_mended(latent, found):
    found(trouble("card", "There is none.", "aplay -l"), warning("heat", "It is warm.", "reboot"))
    outcome = latent("doctor")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "trouble   card        There is none.",
        "          type: aplay -l",
        "warning   heat        It is warm.",
        "          type: reboot",
        "",
        "1 thing to mend.",
    ]
    found(trouble("card", "None.", "x"), trouble("clock", "None.", "y"))
    assert latent("doctor").out.endswith("\n2 things to mend.\n")


def test_what_could_be_better_is_no_failure(latent, found):
    found(ok("card", "Fine."), warning("heat", "It is warm.", "reboot"))
    outcome = latent("doctor")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "All is well, though 1 thing could be better.")


def test_a_program_can_read_it(latent, found):
    found(trouble("card", "There is none.", "aplay -l"))
    outcome = latent("doctor", "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out) == {
        "healthy": False,
        "findings": [{"name": "card", "state": "trouble", "says": "There is none.", "remedy": "aplay -l"}],
    }


def test_this_machine_can_be_examined(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from appliance.cli.main import main; main(['doctor', '--json'])"],
        capture_output=True,
        text=True,
        check=False,
        cwd=HOUSE,
        timeout=60.0,
        env={"HOME": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path / "run"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["healthy"] else 1)
    assert {finding["state"] for finding in told["findings"]} <= set(STATES)
    assert {"sound", "settings", "card", "model", "disk"} <= {finding["name"] for finding in told["findings"]}
    assert not [finding for finding in told["findings"] if "could not be looked at" in finding["says"]]


def test_a_settings_file_can_be_named(latent, tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text("[cart]\n")
    told = json.loads(latent("doctor", "--json", "--config", path).out)
    (settings,) = [finding for finding in told["findings"] if finding["name"] == "settings"]
    assert (settings["state"], "did you mean card?" in settings["says"]) == ("trouble", True)


def test_help_has_an_example(latent):
    assert re.search(r"Example: sudo latent doctor", latent("doctor", "--help").out)
