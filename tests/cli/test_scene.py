import json
import re

import pytest


def test_help_has_an_example(latent):
    for words in (["scene"], *(["scene", each] for each in ("save", "recall", "list", "remove"))):
        outcome = latent(*words, "--help")
        assert outcome.code == 0
        assert re.search(r"Example:\s+latent scene ", outcome.out)


def test_a_scene_is_saved_recalled_and_removed(latent, desk):
    assert latent("scene", "save", " dusk ").out == "dusk is kept.\n"
    desk.kept_scenes = [{"name": "dusk", "saved_at": 0.0, "values": {}}]
    assert latent("scene", "save", "dusk").out == "dusk is kept, in place of the one before.\n"
    assert latent("scene", "recall", "dusk").out == "The room goes to dusk over 10 s.\n"
    assert latent("scene", "recall", "dusk", "--morph", 0).out == "The room goes to dusk.\n"
    assert latent("scene", "remove", "dusk").out == "dusk is forgotten.\n"
    assert desk.asked == [
        ("save", "dusk"),
        ("save", "dusk"),
        ("recall", "dusk", None),
        ("recall", "dusk", 0.0),
        ("remove", "dusk"),
    ]


def test_scenes_are_listed_with_what_does_not_rest(latent, desk):
    assert latent("scene", "list").out == "There is no scene yet: keep one with latent scene save NAME.\n"
    desk.kept_scenes = [
        {"name": "dawn", "saved_at": 0.0, "values": {"pitch": 0.0, "x": 0.5}},
        {"name": "dusk", "saved_at": 86400.0 * 365, "values": {"pitch": -0.25, "y": 1.0}},
    ]
    dawn, dusk = latent("scene", "list").out.splitlines()
    assert re.fullmatch(r"dawn +19(69|70)-\d\d-\d\d \d\d:\d\d   at rest", dawn)
    assert re.fullmatch(r"dusk +19\d\d-\d\d-\d\d \d\d:\d\d   pitch -0\.25, y 1", dusk)


def test_a_program_may_read_it(latent, desk):
    assert json.loads(latent("scene", "list", "--json").out) == {"scenes": []}
    assert json.loads(latent("scene", "save", "a", "--json").out) == {"name": "a", "replaced": False}
    assert json.loads(latent("scene", "recall", "a", "--json", "--morph", 3).out) == {"name": "a", "morph_s": 3.0}
    assert json.loads(latent("scene", "remove", "a", "--json").out) == {"name": "a"}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["save", "a/b"], "A scene cannot be called 'a/b': choose 1 to 40 printable characters without a slash."),
        (["recall", "dusk", "--morph", "601"], "--morph takes seconds from 0 to 600, not 601."),
        (["recall", "dusk", "--morph", "nan"], "--morph takes seconds from 0 to 600, not nan."),
        (["recall"], "NAME"),
        (["sav", "dusk"], "sav"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(latent, nobody, words, part):
    outcome = latent("scene", *words)
    assert outcome.code == 2
    assert part in outcome.err
    assert outcome.err.count("\n") == 1


def test_without_an_engine_it_says_how_to_start_one(latent, nobody):
    outcome = latent("scene", "list")
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"
