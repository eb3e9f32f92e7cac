import json
import re

import pytest

from appliance.folders import state_folder
from appliance.service.keeper import evidence_path

LINES = """\
boot 1 2026-11-21T09:58 u1 3f2a9c1e 0.1.0 1a2b3c4d
day 1 2026-11-21 b1 u181 o180 s180
day 1 2026-11-21 b1 u481 o480 s479 h2 t41
boot 2 - u1 00c0ffee 0.2.0 -
day 2 - b1 u181 o180 s120 n1500 e3
day 2 - b1441 u1700 o200 s200
boot 3 2026-11-21T23:00 u1 00c0ffef 0.2.0 1a2b3c4d
day 3 2026-11-21 b1 u61 o60 s59 c1 p2
now 3 u4440 0.3.0 1a2b3c4d
day 3 2026-11
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    made = evidence_path(state_folder())
    made.parent.mkdir(parents=True)
    made.write_text(LINES)
    return made


def test_days_are_a_table_and_starts_are_listed(latent, path):
    outcome = latent("evidence")
    assert outcome.code == 0
    rows = [re.split(r"  +", line) for line in outcome.out.splitlines()]
    assert rows[0] == ["day", "sounded", "of", "holds", "held", "silent", "engine", "player", "card"]
    assert rows[1] == ["2026-11-21", "8:58 h", "9:00 h", "2", "41 s", "0 s", "0", "2", "1"]
    assert rows[2] == ["start 2, day 1", "2:00 h", "3:00 h", "0", "0 s", "1.5 s", "3", "0", "0"]
    assert rows[3] == ["start 2, day 2", "3:20 h", "3:20 h", "0", "0 s", "0 s", "0", "0", "0"]
    assert outcome.out.splitlines()[-3:] == [
        "start 2: time not known, version 0.2.0, model not known",
        "start 3: 2026-11-21T23:00, version 0.2.0, model 1a2b3c4d",
        "  after 3 days 2 h: version 0.3.0, model 1a2b3c4d",
    ]


def test_one_object_holds_it_all(latent, path):
    told = json.loads(latent("evidence", "--json").out)
    first = {"number": 1, "began": "2026-11-21T09:58", "version": "0.1.0", "model": "1a2b3c4d", "changes": []}
    assert told["boots"][0] == first
    assert told["boots"][1] == {"number": 2, "began": None, "version": "0.2.0", "model": None, "changes": []}
    assert told["boots"][2]["changes"] == [{"after_min": 4440, "version": "0.3.0", "model": "1a2b3c4d"}]
    assert told["days"][0] == {
        "day": "2026-11-21",
        "starts": 2,
        "open_min": 540,
        "sounded_min": 538,
        "holds": 2,
        "held_s": 41,
        "silent_ms": 0,
        "engine_restarts": 0,
        "player_restarts": 2,
        "cards_lost": 1,
    }


def test_the_help_names_every_key(latent, path):
    told = json.loads(latent("evidence", "--json").out)
    shown = latent("evidence", "--help").out
    for key in (*told, *told["boots"][2], *told["boots"][2]["changes"][0], *told["days"][0]):
        assert re.search(rf"\b{key}\b", shown), key
    assert re.search(r"Example:\s+latent evidence", shown)


def test_where_nothing_is_noted_it_says_so(latent, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    outcome = latent("evidence")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(r"Nothing is noted yet in \S+: `latent play` begins it\.\n", outcome.out)
    assert json.loads(latent("evidence", "--json").out) == {"boots": [], "days": []}


def test_what_cannot_be_read_is_told_in_a_sentence(latent, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    evidence_path(tmp_path).mkdir(parents=True)
    outcome = latent("evidence")
    assert outcome.code == 1
    assert re.fullmatch(r"latent: The evidence in \S+ cannot be read \(Is a directory\): .*\n", outcome.err)
