import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.mood import QUANTITIES


@pytest.mark.parametrize("command", ["mood", "next"])
def test_help_has_an_example(latent, command):
    outcome = latent(command, "--help")
    assert outcome.code == 0
    assert re.search(r"Example:\s+latent " + command, outcome.out)


def test_the_mood_is_shown_as_a_table(latent, desk):
    desk.standing["pace"] = 0.25
    outcome = latent("mood")
    head, *rows = outcome.out.splitlines()
    assert outcome.code == 0
    assert head.split() == ["mood", "now", "range", "moves"]
    assert [row.split()[0] for row in rows] == list(QUANTITIES)
    assert re.search(r"^pace +0\.25 +0\.25 to 4 +speed of the path$", outcome.out, re.MULTILINE)
    assert re.search(r"^pitch +0 +-1 to 1 +", outcome.out, re.MULTILINE)


def test_only_what_is_named_changes(latent, desk):
    before = dict(desk.standing)
    outcome = latent("mood", "pitch=-0.5", " Wander = 1", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == desk.standing == before | {"pitch": -0.5, "wander": 1.0}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pace=9"], "pace takes a number from 0.25 to 4, not 9."),
        (["pich=0"], "There is no mood called 'pich', did you mean pitch?"),
        (["pitch=nan"], "pitch takes a number from -1 to 1, not nan."),
        (["pitch=0", "pitch=1"], "pitch is named twice."),
        (
            ["pace=9", "pich=0", "width=", "level=0"],
            "pace takes a number from 0.25 to 4, not 9; there is no mood called 'pich', did you mean pitch?; "
            "width takes a number from 0 to 1, not ''.",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(latent, nobody, words, sentence):
    outcome = latent("mood", *words)
    assert outcome.code == 2
    assert outcome.err == f"latent: {sentence}\n"


def test_one_wrong_word_and_nothing_changes(latent, desk):
    before = dict(desk.standing)
    assert latent("mood", "pitch=0.5", "pace=9").code == 2
    assert desk.standing == before


@pytest.mark.parametrize("words", [["mood"], ["mood", "pitch=0"], ["next"]])
def test_without_an_engine_it_says_how_to_start_one(latent, nobody, words):
    outcome = latent(*words)
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"


def test_the_next_piece(latent, desk):
    assert latent("next").out == "A new piece begins.\n"
    assert desk.asked == ["next"]


def test_a_turn_of_the_knob_starts_light():
    commands = "appliance.cli.mood, appliance.cli.scene, appliance.cli.controls"
    code = f"import sys, {commands}; print(*sorted({{'numpy', 'pydantic', 'rich'}} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "\n"
