import json
import re

import pytest


@pytest.mark.parametrize("command", ["keep", "never"])
def test_help_has_an_example(latent, command):
    outcome = latent(command, "--help")
    assert outcome.code == 0
    assert re.search(r"Example:\s+latent " + command, outcome.out)


def test_the_place_that_sounds_now_is_kept_or_banned(latent, desk):
    assert latent("keep").out == "Spot 3 is kept; 2 kept and 1 banned in all.\n"
    assert latent("never", "--radius", "0.5").out == "Spot 4 is banned; 1 kept and 3 banned in all.\n"
    assert latent("never", "--forget", "7").out == "Spot 7 is forgotten; 1 kept and 0 banned in all.\n"
    assert json.loads(latent("keep", "--json").out) == {"spot": 3, "kept": 2, "banned": 1}
    assert desk.asked == [("keep", None), ("never", 0.5), ("forget", 7), ("keep", None)]


def test_each_lists_its_own(latent, desk):
    assert latent("keep", "--list").out == "Nothing is kept yet.\n"
    assert latent("never", "--list").out == "Nothing is banned yet.\n"
    spots = [
        {"spot": 1, "banned": False, "radius": 0.5, "saved_at": 0.0},
        {"spot": 12, "banned": True, "radius": 2.0, "saved_at": 0.0},
    ]
    desk.kept_spots = spots
    head, row = latent("never", "--list").out.splitlines()
    assert head.split() == ["spot", "radius", "since"]
    assert row.split()[:2] == ["12", "2"]
    assert json.loads(latent("keep", "--list", "--json").out) == {"spots": spots[:1]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--radius", "3"], "--radius takes a number from 0.1 to 2, not 3."),
        (["--radius", "nan"], "--radius takes a number from 0.1 to 2, not nan."),
        (["--forget", "0"], "--forget takes the number of a spot, as latent keep --list shows it, not 0."),
        (["--forget", "1", "--list"], "Give one of --radius, --list and --forget."),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(latent, nobody, words, sentence):
    outcome = latent("keep", *words)
    assert outcome.code == 2
    assert outcome.err == f"latent: {sentence}\n"


@pytest.mark.parametrize("words", [["keep"], ["never", "--list"]])
def test_without_an_engine_it_says_how_to_start_one(latent, nobody, words):
    outcome = latent(*words)
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"
