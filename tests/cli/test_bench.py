import json
import re

import pytest

from appliance.service.bench import measure as bench
from appliance.service.bench.figures import FIGURES
from appliance.service.bench.latency import Turn
from appliance.service.bench.measure import Report


@pytest.fixture
def report(tmp_path, monkeypatch):
    """What the machine would have given; what it was asked for is in ``asked``."""
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    made = Report(
        turns=[Turn("pitch", 0.8, 80.0, 66.0)],
        card={"name": None, "latency_ms": None, "why": "There is no sound card."},
        machine={"cores": 2},
    )
    made.values |= {figure.key: 100.0 for figure in FIGURES if not figure.optional}
    made.asked = []
    monkeypatch.setattr(bench, "measure", lambda *asked: made.asked.append(asked) or made)
    return made


def test_help_has_an_example_and_every_key(latent):
    text = latent("bench", "--help").out
    assert re.search(r"Example:\s+latent bench", text)
    for figure in FIGURES:
        assert f"  {figure.key}" in text


def test_the_table_stands_beside_what_is_promised(latent, report):
    outcome = latent("bench", "--seconds", 32)
    assert outcome.code == 0
    assert re.search(r"realtime_factor_p50 +100 x +>= 1000 +short by 900 x\n", outcome.out)
    assert re.search(r"engine_pss_mb +100 MB +<= 150 +ok\n", outcome.out)
    assert re.search(r"card_latency_ms +- +<= 120\n", outcome.out)
    assert "paced fake card. This machine's card: none (There is no sound card.)" in outcome.out
    assert outcome.err == ""
    assert report.asked[0][1] == 32


def test_json_is_one_object(latent, report):
    outcome = latent("bench", "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 0
    assert {figure.key for figure in FIGURES} < set(told)
    assert told["engine_pss_mb"] == 100.0
    assert told["card_latency_ms"] is None
    assert told["turns"] == [{"quantity": "pitch", "value": 0.8, "heard_ms": 80.0, "ring_ms": 66.0}]
    assert told["machine"] == {"cores": 2}


def test_what_could_not_be_measured_ends_with_1(latent, report):
    report.values["engine_pss_mb"] = None
    report.problems.append("The engine ended.")
    outcome = latent("bench")
    assert outcome.code == 1
    assert re.search(r"engine_pss_mb +- +<= 150 +not measured\n", outcome.out)
    assert outcome.err == "latent: The engine ended.\n"


def test_wrong_usage_is_refused(latent, report):
    assert latent("bench", "--seconds", "1").code == 2
    assert report.asked == []


def test_unreadable_settings_are_refused(latent, report, tmp_path):
    (tmp_path / "latent.toml").write_text("[card]\nspeaker = 1\n")
    outcome = latent("bench")
    assert outcome.code == 2
    assert report.asked == []
