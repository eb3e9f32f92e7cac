import json
import re

import pytest

from appliance.mood import PLACES


@pytest.mark.parametrize("command", ["place", "corner"])
def test_help_has_an_example(latent, command):
    outcome = latent(command, "--help")
    assert outcome.code == 0
    assert re.search(r"Example:\s+latent " + command, outcome.out)


def test_the_place_is_shown_as_a_table(latent, desk):
    head, *rows = latent("place", "x=0.2", "axis8=-1").out.splitlines()
    assert head.split() == ["place", "now", "range", "moves"]
    assert [row.split()[0] for row in rows] == list(PLACES)
    assert re.match(r"^x +0\.2 +0 to 1 +goes", rows[0])
    assert desk.asked == [("place", {"x": 0.2, "axis8": -1.0})]
    assert json.loads(latent("place", "--json").out) == desk.placed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x=2"], "x takes a number from 0 to 1, not 2."),
        (["axis1"], "axis1 takes a number from -1 to 1, as in axis1=1."),
        (["x=a b"], "x takes a number from 0 to 1, not 'a b'."),
        (["drew=0"], "There is no place called 'drew', did you mean draw?"),
        (["x=0", "x=1"], "x is named twice."),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(latent, nobody, words, sentence):
    outcome = latent("place", *words)
    assert outcome.code == 2
    assert outcome.err == f"latent: {sentence}\n"


def test_corners_are_stored_shown_and_cleared(latent, desk):
    outcome = latent("corner")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].startswith("x and y do nothing yet: still to be stored are top-left, ")
    for which in desk.stored:
        outcome = latent("corner", which)
    assert [line.split(maxsplit=1)[1] for line in outcome.out.splitlines()] == ["stored"] * 4
    outcome = latent("corner", "top-right", "--clear")
    assert outcome.out.splitlines()[1].split() == ["top-right", "not", "stored"]
    assert outcome.out.endswith("still to be stored is top-right.\n")
    assert json.loads(latent("corner", "--json").out) == desk.stored


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["topleft"], "There is no corner called 'topleft', did you mean top-left?"),
        (["--clear"], "--clear needs the corner to forget, as in latent corner top-left --clear."),
    ],
)
def test_a_corner_that_cannot_be(latent, nobody, words, sentence):
    outcome = latent("corner", *words)
    assert outcome.code == 2
    assert outcome.err == f"latent: {sentence}\n"


@pytest.mark.parametrize("words", [["place"], ["corner", "top-left"]])
def test_without_an_engine_it_says_how_to_start_one(latent, nobody, words):
    outcome = latent(*words)
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"
